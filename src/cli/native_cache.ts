/**
 * Puts psync-native where it can be run, for the kind of binary that carries it inside the program.
 *
 * Keeps to the rules of native/launcher/cache.h, and to the same paths, so that both kinds of
 * binary share one cache. Decides nothing else. Called by self.ts.
 * @module
 */
import { createHash } from "node:crypto";
import { zstdDecompressSync } from "node:zlib";
import { systemClock } from "../base/clock.ts";
import { SetupError } from "../base/errors.ts";

/** The name of the executable in its directory. */
const FILE_NAME = "psync-native";

/** Length of the name of a directory below lib/: half a SHA-256, in hex. */
const ID_DIGITS = 32;

/** How many builds stay in the cache, besides those that run. */
const KEPT_BUILDS = 2;
/** Whoever asked for a build within this may not run it yet: its other host is slow to answer. */
const STARTING_MS = 24 * 3_600_000;

const WRITABLE_BY_ALL = 0o002;
const WRITABLE_BY_OTHERS = 0o022;

/** What decides about the bases; from the environment of the process. */
export interface CacheEnvironment {
  readonly xdgCacheHome: string | undefined;
  readonly home: string | undefined;
  readonly xdgRuntimeDir: string | undefined;
  readonly uid: number;
}

/** The directories that may hold the cache, the best first; relative ones are ignored. */
export function cacheBases(env: CacheEnvironment): string[] {
  const bases = [
    env.xdgCacheHome,
    env.home === undefined ? undefined : `${env.home}/.cache`,
    env.uid === 0 ? "/var/cache" : undefined,
    env.xdgRuntimeDir,
  ];
  return bases.filter((base): base is string => base !== undefined && base.startsWith("/"));
}

/**
 * Unpacks psync-native (one zstd frame) into the first base that can hold and run it.
 *
 * Written aside, synced, renamed; two processes at once do no harm. Returns its path.
 * @throws SetupError when no base is one's own, writable and executable
 */
export async function placeNative(packed: Uint8Array, options: { bases: string[]; uid: number }): Promise<string> {
  const content = zstdDecompressSync(packed);
  const id = createHash("sha256").update(content).digest("hex").slice(0, ID_DIGITS);
  const reasons: string[] = [];
  for (const base of options.bases) {
    try {
      return await placeBelow(base, { content, id, uid: options.uid });
    } catch (error) {
      reasons.push(`"${base}" (${error instanceof Error ? error.message : String(error)})`);
    }
  }
  const found = reasons.length === 0 ? "no directory to try" : reasons.join(", ");
  throw new SetupError(
    `Cannot unpack psync-native: found ${found}; name a directory of your own, writable and not noexec, in XDG_CACHE_HOME`,
  );
}

interface Content {
  readonly content: Uint8Array;
  readonly id: string;
  readonly uid: number;
}

async function placeBelow(base: string, what: Content): Promise<string> {
  await makeDir(base);
  const info = await Deno.stat(base);
  if (info.uid !== what.uid) throw new Error("belongs to another user");
  if (((info.mode ?? 0) & WRITABLE_BY_ALL) !== 0) throw new Error("is writable for all");
  const lib = `${base}/psync/lib`;
  const dir = `${lib}/${what.id}`;
  for (const own of [`${base}/psync`, lib, dir]) await makeOwnDir(own, what.uid);
  const path = `${dir}/${FILE_NAME}`;
  if (await isSound(path, what)) {
    await Deno.utime(path, new Date(), new Date()).catch(() => {}); // one who starts is no old one
    return path;
  }
  await renew(path, what);
  await purge(lib, what.id);
  return path;
}

async function makeDir(path: string): Promise<void> {
  try {
    await Deno.mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
}

async function makeOwnDir(path: string, uid: number): Promise<void> {
  await makeDir(path);
  const info = await Deno.lstat(path);
  if (!info.isDirectory || info.uid !== uid) throw new Error(`holds a "${path}" that is not one's own`);
  if (((info.mode ?? 0) & WRITABLE_BY_OTHERS) !== 0) await Deno.chmod(path, info.mode! & 0o755);
}

/** Whether what lies there can be it: kind, owner, mode and size, as at each warm start. */
async function isSound(path: string, what: Content): Promise<boolean> {
  try {
    const info = await Deno.lstat(path);
    return info.isFile && info.uid === what.uid && (info.mode! & 0o7777) === 0o700 &&
      info.size === what.content.length;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function renew(path: string, what: Content): Promise<void> {
  const aside = await Deno.makeTempFile({ dir: path.slice(0, -FILE_NAME.length), prefix: ".new-" });
  try {
    {
      using file = await Deno.open(aside, { write: true });
      for (let at = 0; at < what.content.length;) at += await file.write(what.content.subarray(at));
      await Deno.chmod(aside, 0o700);
      await file.sync();
    }
    await tryToRun(aside);
    await Deno.rename(aside, path);
  } catch (error) {
    await Deno.remove(aside).catch(() => {});
    throw error;
  }
}

/**
 * Whether exec is permitted in a place is known only by trying; without arguments psync-native does
 * nothing.
 *
 * RACE: a child that is being forked meanwhile holds the descriptor that wrote the file, and the kernel
 * answers that the text is busy, which it does only where running it is permitted.
 */
async function tryToRun(path: string): Promise<void> {
  try {
    await new Deno.Command(path, { args: [], stdin: "null", stdout: "null", stderr: "null" }).output();
  } catch (error) {
    if (!(error instanceof Error && /\(os error 26\)/.test(error.message))) throw error;
  }
}

/** Removes all but the newest builds, those that run, and what was asked for of late. What cannot be removed stays. */
async function purge(lib: string, current: string): Promise<void> {
  const found: { id: string; madeMs: number }[] = [];
  for await (const { name } of Deno.readDir(lib)) {
    const info = await Deno.lstat(`${lib}/${name}/${FILE_NAME}`).catch(() => null);
    if (info?.mtime && name !== current) found.push({ id: name, madeMs: info.mtime.getTime() });
  }
  found.sort((a, b) => b.madeMs - a.madeMs);
  for (const { id, madeMs } of found.slice(KEPT_BUILDS - 1)) {
    if (madeMs < systemClock.wallMs() - STARTING_MS && !isRunning(`${lib}/${id}/${FILE_NAME}`)) {
      await Deno.remove(`${lib}/${id}`, { recursive: true }).catch(() => {});
    }
  }
}

function isRunning(path: string): boolean {
  for (const { name } of Deno.readDirSync("/proc")) {
    try {
      if (/^\d+$/.test(name) && Deno.readLinkSync(`/proc/${name}/exe`) === path) return true;
    } catch {
      // It ended, or belongs to somebody else.
    }
  }
  return false;
}
