/**
 * What runs: the file of psync itself, its hash, its psync-native, and how it was called.
 *
 * The only place that knows of the two kinds of binary (scripts/build): one that `deno compile`
 * made, and one whose launcher tells these things by PSYNC_* variables; and of a third, a source
 * tree, for development. Names stay bytes (core/path.ts): Deno itself loses what is not UTF-8 in
 * arguments and environment, so both are read from /proc. Called by main.ts.
 * @module
 */
import { createHash } from "node:crypto";
import { SetupError } from "../base/errors.ts";
import { decodeBytes } from "../core/path.ts";
import { cacheBases, placeNative } from "./native_cache.ts";

/** The oldest kernel with all that psync-native calls (openat2). */
const OLDEST_KERNEL = [5, 6] as const;

/** scripts/build puts psync-native here, as base64 of a zstd frame, for `deno compile`. */
const EMBEDDED_NATIVE: string = "@psync-native@";

const SHA256_HEX = /^[0-9a-f]{64}$/;

/** The running psync. */
export interface Self {
  /** Absolute path of the one file that can be copied to another host and run there. */
  readonly path: string;
  /** SHA-256 of that file in hex, as sha256sum prints it; names the build. Empty in a source tree without dist/psync. */
  readonly hash: string;
  readonly sizeBytes: number;
  /** Path of the psync-native that belongs to this build. */
  readonly nativePath: string;
}

/**
 * Finds out what runs; unpacks psync-native where that has not been done yet.
 * @throws SetupError when the kernel is too old, or psync-native has no place to run from
 */
export async function locateSelf(): Promise<Self> {
  checkKernel(Deno.osRelease());
  if (Deno.build.standalone) return await locateCompiled();
  return locateLaunched(readEnvironment()) ?? await locateSource();
}

/** The arguments that psync was called with, options and operands, with every byte kept. */
export function operands(): string[] {
  return lastArguments(Deno.readFileSync("/proc/self/cmdline"), Deno.args.length);
}

/** The last `count` of the NUL-terminated words; what stands before belongs to the interpreter. */
export function lastArguments(cmdline: Uint8Array, count: number): string[] {
  const words = splitZero(cmdline);
  return words.slice(words.length - count);
}

/**
 * The directory from which psync was called; relative operands lie below it.
 * @throws SetupError when that directory is gone
 */
export function callerCwd(): string {
  // WHY: what a compiled psync finds of these was meant for another one, from which it was started.
  const env = Deno.build.standalone ? new Map<string, string>() : readEnvironment();
  const told = env.get("PSYNC_CWD");
  if (told !== undefined) return told;
  try {
    // A launcher that told nothing has found nothing, and went to "/".
    if (env.has("PSYNC_HASH")) throw new Error("it was removed");
    return ownCwd();
  } catch (cause) {
    throw new SetupError("Cannot find the current directory: it was removed; change to another one", { cause });
  }
}

/**
 * What stdin was when psync was called, where it has become the descriptor of the signals
 * (native/launcher/signals.h); null where it is still what it was.
 */
export function callerStdin(): "terminal" | "other" | null {
  const told = Deno.build.standalone ? undefined : Deno.env.get("PSYNC_STDIN");
  return told === "terminal" || told === "other" ? told : null;
}

/** The environment that psync was started with, with every byte kept. */
export function readEnvironment(): Map<string, string> {
  const env = new Map<string, string>();
  for (const entry of splitZero(Deno.readFileSync("/proc/self/environ"))) {
    const equals = entry.indexOf("=");
    if (equals > 0) env.set(entry.slice(0, equals), entry.slice(equals + 1));
  }
  // The launcher may have hidden HOME from Deno; empty means that there was none.
  const home = env.get("PSYNC_HOME");
  if (home === "") env.delete("HOME");
  else if (home !== undefined) env.set("HOME", home);
  env.delete("PSYNC_HOME");
  return env;
}

/**
 * Gives HOME back to Deno.env and to what psync starts, where the launcher had to hide it.
 *
 * Called once, before anything else. See hide_npmrc in native/launcher/launcher.c.
 */
export function restoreHome(): void {
  if (Deno.env.get("PSYNC_HOME") === undefined) return;
  const home = readEnvironment().get("HOME");
  if (home === undefined) Deno.env.delete("HOME");
  else Deno.env.set("HOME", home);
  Deno.env.delete("PSYNC_HOME");
}

/**
 * Refuses a kernel that lacks what psync-native calls.
 * @throws SetupError for a release before 5.6
 */
export function checkKernel(release: string): void {
  const [major = 0, minor = 0] = release.split(".").map((part) => parseInt(part, 10));
  if (major > OLDEST_KERNEL[0] || (major === OLDEST_KERNEL[0] && minor >= OLDEST_KERNEL[1])) return;
  throw new SetupError(`Cannot run on Linux ${release}: psync needs Linux ${OLDEST_KERNEL.join(".")} or later`);
}

/** Reads what the launcher tells; null when there was no launcher. */
export function locateLaunched(env: ReadonlyMap<string, string>): Self | null {
  const path = env.get("PSYNC_SELF");
  const hash = env.get("PSYNC_HASH");
  const nativePath = env.get("PSYNC_NATIVE");
  const sizeBytes = Number(env.get("PSYNC_SIZE"));
  if (path === undefined || hash === undefined || nativePath === undefined) return null;
  if (!SHA256_HEX.test(hash) || !Number.isSafeInteger(sizeBytes) || sizeBytes <= 0) return null;
  return { path, hash, sizeBytes, nativePath };
}

async function locateCompiled(): Promise<Self> {
  const path = Deno.execPath();
  const packed = Uint8Array.fromBase64(EMBEDDED_NATIVE);
  const uid = Deno.uid() ?? -1;
  const bases = cacheBases({
    xdgCacheHome: Deno.env.get("XDG_CACHE_HOME"),
    home: Deno.env.get("HOME"),
    xdgRuntimeDir: Deno.env.get("XDG_RUNTIME_DIR"),
    uid,
  });
  const nativePath = await placeNative(packed, { bases, uid });
  return { path, hash: await hashFile(path), sizeBytes: (await Deno.stat(path)).size, nativePath };
}

/** In a source tree: PSYNC_NATIVE, or what scripts/build made last; PSYNC_SELF or dist/psync to copy. */
async function locateSource(): Promise<Self> {
  const tree = new URL("../../", import.meta.url);
  const path = Deno.env.get("PSYNC_SELF") ?? decodeURIComponent(new URL("dist/psync", tree).pathname);
  const nativePath = Deno.env.get("PSYNC_NATIVE") ??
    decodeURIComponent(new URL(".cache/build/psync-native", tree).pathname);
  if (await sizeOf(nativePath) === null) {
    throw new SetupError(`Cannot find psync-native: run ./scripts/build, or name it in PSYNC_NATIVE`);
  }
  const sizeBytes = await sizeOf(path);
  return { path, hash: sizeBytes === null ? "" : await hashFile(path), sizeBytes: sizeBytes ?? 0, nativePath };
}

async function sizeOf(path: string): Promise<number | null> {
  try {
    return (await Deno.stat(path)).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  using file = await Deno.open(path);
  const chunk = new Uint8Array(1 << 20);
  for (let got = await file.read(chunk); got !== null; got = await file.read(chunk)) {
    hash.update(chunk.subarray(0, got));
  }
  return hash.digest("hex");
}

/** The process's own directory. Deno cannot say one that is not UTF-8, so a child is asked for it. */
function ownCwd(): string {
  try {
    return Deno.cwd();
  } catch (error) {
    if (!(error instanceof Deno.errors.InvalidData)) throw error;
    const { stdout } = new Deno.Command("pwd", { args: ["-P"], stderr: "null" }).outputSync();
    return decodeBytes(stdout.subarray(0, -1));
  }
}

function splitZero(bytes: Uint8Array): string[] {
  const words: string[] = [];
  for (let from = 0; from < bytes.length;) {
    const end = bytes.indexOf(0, from);
    const to = end < 0 ? bytes.length : end;
    words.push(decodeBytes(bytes.subarray(from, to)));
    from = to + 1;
  }
  return words;
}
