/**
 * How psync comes to the other host: the command that runs there, the questions that it asks, and
 * the copy of this very file.
 *
 * The command is one constant text; only a hash and a size, both checked, stand in it. It passes
 * through whatever login shell the user has (sh, bash, zsh, csh, fish), so it holds no single quote,
 * no exclamation mark, no backslash and no newline. Starts no ssh (ssh.ts). Its answers are lines
 * `PSYNC-DEPLOY need;...` and `PSYNC-DEPLOY fail;...`; wire/hello.ts finds them.
 * @module
 */
import type { Clock } from "../base/clock.ts";
import { createHash } from "node:crypto";
import { SetupError } from "../base/errors.ts";

/** The file that this process was started from. */
export interface SelfFile {
  readonly path: string;
  /** SHA-256 of its content when it was started, 64 hex digits. */
  readonly hash: string;
  readonly sizeBytes: number;
}

/** What the other host is asked about before anything is copied to it. */
export interface HostFacts {
  readonly system: string;
  readonly architecture: string;
  readonly kernel: string;
  /** As `getconf GNU_LIBC_VERSION` or `ldd --version` says it. */
  readonly libc: string;
  readonly hasRsync: boolean;
  /** Where the copy would lie, or "" where there is no place for it. */
  readonly place: string;
}

/** Progress of the copy. */
export type OnProgress = (sentBytes: number, totalBytes: number) => void;

/** openat2(2) with RESOLVE_BENEATH. */
const KERNEL_MIN = [5, 6] as const;

/** What Deno's executable is linked against. */
const GLIBC_MIN = [2, 27] as const;

const CHUNK_BYTES = 256 * 1024;

/** So many builds are kept on the other host, the last used ones. */
const BUILDS_KEPT = 2;
/** Minutes within which a build that was asked for counts as just starting: it is kept, how many others there are. */
const STARTING_MIN = 9;

/** Parts of the script; joined by blanks into one line. */
const SCRIPT = [
  "umask 077;",
  "u=; t=;",
  'quit() { [ -n "$t" ] && rm -rf "$t"; [ -n "$1" ] && echo "PSYNC-DEPLOY fail;$1"; exit 3; };',
  // The first place that is one's own, writable, and from which a program really starts.
  'for c in "$XDG_CACHE_HOME" "${HOME:+$HOME/.cache}" /var/cache "$XDG_RUNTIME_DIR"; do',
  'case "$c" in /var/cache) [ "$(id -u)" = 0 ] || continue ;; /?*) ;; *) continue ;; esac;',
  '[ -d "$c" ] || mkdir -p "$c" 2>/dev/null || continue;',
  'p="$c/psync";',
  '[ -h "$p" ] && continue;',
  '[ -d "$p" ] || mkdir "$p" 2>/dev/null;',
  '[ -d "$p" ] && [ -O "$c" ] && [ -O "$p" ] && chmod 700 "$p" 2>/dev/null || continue;',
  'x="$p/.try.$$";',
  '{ echo "exit 0" > "$x" && chmod 700 "$x" && "$x" && u="$p"; } 2>/dev/null;',
  'rm -f "$x";',
  '[ -n "$u" ] && break;',
  "done;",
  'b="$u/$h/psync";',
  'if [ -n "$u" ] && [ -f "$b" ] && [ -x "$b" ] && [ -O "$b" ] && [ "$(wc -c < "$b")" -eq "$n" ];',
  'then touch -c "$u/$h"; exec "$b" filter; fi;',
  // It is not there: say what this host is, and wait for the copy.
  "l=$(getconf GNU_LIBC_VERSION 2>/dev/null) || l=$(ldd --version 2>&1 | head -n 1);",
  "r=no; command -v rsync >/dev/null 2>&1 && r=yes;",
  'echo "PSYNC-DEPLOY need;$(uname -s);$(uname -m);$(uname -r);$l;$r;$u";',
  '[ -n "$u" ] || exit 3;',
  'trap "quit signal" HUP INT TERM;',
  't=$(mktemp -d "$u/.up.XXXXXX") || quit write;',
  'head -c "$n" > "$t/psync" || quit write;',
  '[ "$(wc -c < "$t/psync")" -eq "$n" ] || quit short;',
  's=$(sha256sum < "$t/psync") || quit sum;',
  '[ "${s%% *}" = "$h" ] || quit hash;',
  'chmod 700 "$t/psync" && { sync "$t/psync" 2>/dev/null || sync; } || quit write;',
  'mkdir -p "$u/$h" && mv -f "$t/psync" "$b" && touch "$u/$h" || quit write;',
  'rmdir "$t"; t=; k=0;',
  'for d in $(ls -t "$u"); do [ ${#d} -eq 64 ] && [ -f "$u/$d/psync" ] || continue;',
  `k=$((k+1)); [ $k -le ${BUILDS_KEPT} ] || [ -z "$(find "$u/$d" -maxdepth 0 -mmin +${STARTING_MIN})" ] ||`,
  '{ rm -f "$u/$d/psync"; rmdir "$u/$d"; }; done 2>/dev/null;',
  'find "$u" -maxdepth 1 -name ".up.*" -mtime +0 -exec rm -rf {} + 2>/dev/null;',
  'exec "$b" filter',
].join(" ");

/**
 * The command that starts the filter of this build on the other host, or asks for its copy.
 * @throws {SetupError} where hash or size are no such values.
 */
export function startCommand(self: SelfFile): string {
  if (!/^[0-9a-f]{64}$/.test(self.hash) || !Number.isSafeInteger(self.sizeBytes) || self.sizeBytes <= 0) {
    throw new SetupError("Cannot copy psync: its own hash and size are not known");
  }
  return `exec sh -c 'h=${self.hash}; n=${self.sizeBytes}; ${SCRIPT}'`;
}

/** What the words of `need` say, or null where they say nothing that we know. */
export function parseNeed(words: string): HostFacts | null {
  const [kind, system, architecture, kernel, libc, rsync, ...place] = words.split(";");
  if (kind !== "need" || system === undefined || architecture === undefined || kernel === undefined) return null;
  if (libc === undefined || (rsync !== "yes" && rsync !== "no")) return null;
  return { system, architecture, kernel, libc, hasRsync: rsync === "yes", place: place.join(";") };
}

/**
 * Holds the other host against what psync needs.
 * @throws {SetupError} with the first thing that is missing, and what to do.
 */
export function requireHostFits(host: string, facts: HostFacts): void {
  const refuse = (what: string) => {
    throw new SetupError(`Cannot run psync on "${host}": ${what}`);
  };
  const architecture = Deno.build.arch;
  if (facts.system !== "Linux") refuse(`it must run Linux: found ${plain(facts.system)}`);
  if (canonicalArch(facts.architecture) !== architecture) {
    refuse(`its architecture must be ${architecture} as here: found ${plain(facts.architecture)}`);
  }
  if (!isAtLeast(facts.kernel, KERNEL_MIN)) {
    refuse(`its kernel must be ${KERNEL_MIN.join(".")} or later: found ${plain(facts.kernel)}`);
  }
  if (/musl/i.test(facts.libc)) refuse("it uses musl; a system with glibc is needed, such as Debian or Fedora");
  if (!isAtLeast(lastVersion(facts.libc), GLIBC_MIN)) {
    const found = facts.libc === "" ? "none" : plain(facts.libc);
    refuse(`its glibc must be ${GLIBC_MIN.join(".")} or later: found ${found}`);
  }
  if (!facts.hasRsync) refuse("rsync is missing there; install it, such as with: apt install rsync");
  if (facts.place === "") {
    refuse(
      "no directory for the program is one's own, writable and executable; " +
        "tried $XDG_CACHE_HOME, ~/.cache, /var/cache (root) and $XDG_RUNTIME_DIR there",
    );
  }
}

/** What the words of `fail` mean, or null where they mean nothing that we know. */
export function failureOf(words: string): string | null {
  switch (words) {
    case "fail;write":
      return "the copy could not be written there; is its disk full";
    case "fail;short":
      return "the copy was cut";
    case "fail;sum":
      return "sha256sum is missing there; install coreutils";
    case "fail;hash":
      return "the copy arrived damaged; try again";
    case "fail;signal":
      return "the copy was interrupted there";
    default:
      return null;
  }
}

/** How psync is sent. */
export interface SendOptions {
  readonly onProgress?: OnProgress | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The most that is sent in a second, measured by `clock`; null (default): no limit. */
  readonly bytesPerSecond?: number | null;
  readonly clock?: Clock;
}

/**
 * Sends this program's own file, after it was found to be the one that was started.
 * @throws {SetupError} where it is not; whatever the writer rejects with.
 */
export async function sendSelf(
  writer: WritableStreamDefaultWriter<Uint8Array>,
  self: SelfFile,
  options: SendOptions = {},
): Promise<void> {
  using file = await openSelf(self);
  await requireUnchanged(file, self);
  await file.seek(0, Deno.SeekMode.Start);
  for (let sentBytes = 0; sentBytes < self.sizeBytes;) {
    options.signal?.throwIfAborted();
    const chunk = new Uint8Array(Math.min(CHUNK_BYTES, self.sizeBytes - sentBytes));
    const count = await file.read(chunk);
    if (count === null) throw replaced(self);
    await writer.write(chunk.subarray(0, count));
    sentBytes += count;
    options.onProgress?.(sentBytes, self.sizeBytes);
    const { bytesPerSecond = null, clock, signal } = options;
    if (bytesPerSecond !== null) await clock?.sleep(Math.ceil(1_000 * count / bytesPerSecond), signal);
  }
}

async function openSelf(self: SelfFile): Promise<Deno.FsFile> {
  try {
    return await Deno.open(self.path);
  } catch (cause) {
    throw new SetupError(`Cannot copy psync as its own file "${self.path}" cannot be read`, { cause });
  }
}

async function requireUnchanged(file: Deno.FsFile, self: SelfFile): Promise<void> {
  const hash = createHash("sha256");
  const chunk = new Uint8Array(CHUNK_BYTES);
  let sizeBytes = 0;
  for (let count = await file.read(chunk); count !== null; count = await file.read(chunk)) {
    hash.update(chunk.subarray(0, count));
    sizeBytes += count;
  }
  if (sizeBytes !== self.sizeBytes || hash.digest("hex") !== self.hash) throw replaced(self);
}

function replaced(self: SelfFile): SetupError {
  return new SetupError(`Cannot copy psync as "${self.path}" was replaced since it was started; start psync again`);
}

function canonicalArch(name: string): string {
  return name === "arm64" ? "aarch64" : name === "amd64" ? "x86_64" : name;
}

/** `ldd (Debian GLIBC 2.36-9+deb12u4) 2.36` and `glibc 2.36` both end with it. */
function lastVersion(text: string): string {
  return text.match(/\d+\.\d+/g)?.at(-1) ?? "";
}

function isAtLeast(version: string, min: readonly [number, number]): boolean {
  const match = /^(\d+)\.(\d+)/.exec(version);
  if (match === null) return false;
  const [major, minor] = [Number(match[1]), Number(match[2])];
  return major > min[0] || (major === min[0] && minor >= min[1]);
}

/** Words of the other host, for people. */
function plain(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?").slice(0, 80);
}
