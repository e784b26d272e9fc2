/**
 * The pairs that this host knows as their hub: which two roots belong to which id, and where its
 * archive lies.
 *
 * `<dir>/<pair id>/pair.json` names the roots, `<dir>/<pair id>/archive.db` is opened by archive.ts.
 * Pure file work: knows neither replicas nor rows. A pair.json appears whole or not at all (written
 * aside, flushed, renamed) and is never changed afterwards.
 * @module
 */
import { join } from "node:path";
import { SetupError } from "../base/errors.ts";
import { showPath } from "../core/path.ts";

/** What tells one pair from another, as the brain found or was told it. */
export interface PairRoots {
  /** Canonical absolute path on this host, decoded as names are (core/path.ts). */
  readonly leftRoot: string;
  /** What ssh is given as host; `null`: the right root lies on this host. */
  readonly rightHost: string | null;
  /** The right root in the form that the caller looks pairs up by. */
  readonly rightRoot: string;
}

/** A pair that has an id. */
export interface Pair extends PairRoots {
  /** 128 random bits, 32 lower-case hex digits; the same that stand in both `.psync/pair`. */
  readonly id: string;
}

/** All that is known, and what could not be read. */
export interface PairList {
  /** Sorted by id. */
  readonly pairs: readonly Pair[];
  /** Paths of pair files that hold no pair; the others are not held up by them. */
  readonly damaged: readonly string[];
}

const PAIR_ID = /^[0-9a-f]{32}$/;
const PAIR_FILE = "pair.json";
const PAIR_FORMAT = 1;

/** Where the archive of a pair lies. */
export function archivePath(dir: string, id: string): string {
  return join(dir, id, "archive.db");
}

/** The pairs in `dir`; none where it does not exist. */
export function listPairs(dir: string): PairList {
  const pairs: Pair[] = [];
  const damaged: string[] = [];
  for (const id of pairIdsIn(dir)) {
    const file = join(dir, id, PAIR_FILE);
    const text = readOrNull(file);
    if (text === null) continue; // made by a psync that was killed before it named its roots
    const pair = parsePair(id, text);
    if (pair === null) damaged.push(file);
    else pairs.push(pair);
  }
  return { pairs, damaged };
}

/** The pair with these roots, or null. */
export function findPair(dir: string, roots: PairRoots): Pair | null {
  return listPairs(dir).pairs.find((pair) => hasRoots(pair, roots)) ?? null;
}

/** The pair with this id, or null. */
export function readPair(dir: string, id: string): Pair | null {
  return listPairs(dir).pairs.find((pair) => pair.id === id) ?? null;
}

/**
 * Makes a pair, or gives the one that has these roots already: two psyncs that start at once get the
 * same. `id`: adopt one that both roots hold in `.psync/pair` after this host lost its state.
 * @throws {SetupError} where the id is that of other roots, or the directory cannot be written.
 */
export function createPair(dir: string, roots: PairRoots, options: { readonly id?: string } = {}): Pair {
  const id = options.id ?? crypto.getRandomValues(new Uint8Array(16)).toHex();
  if (!PAIR_ID.test(id)) throw new SetupError(`Cannot use pair id ${JSON.stringify(id)}: it must be 32 hex digits`);
  return withSetupError(dir, () => {
    Deno.mkdirSync(dir, { recursive: true, mode: 0o700 });
    using _lock = lockDir(dir);
    const known = findPair(dir, roots);
    if (known !== null) return known;
    const other = readPair(dir, id);
    if (other !== null) {
      throw new SetupError(
        `Cannot sync ${showRoots(roots)}: they were synced as ${showRoots(other)}; name them so again, or remove ` +
          `.psync/pair in both to begin anew`,
      );
    }
    const pair = { id, ...pickRoots(roots) };
    writePair(dir, pair);
    return pair;
  });
}

function writePair(dir: string, pair: Pair): void {
  const home = join(dir, pair.id);
  const aside = join(home, `${PAIR_FILE}.new`);
  Deno.mkdirSync(home, { recursive: true, mode: 0o700 });
  {
    using file = Deno.openSync(aside, { write: true, create: true, truncate: true, mode: 0o600 });
    writeAll(file, new TextEncoder().encode(JSON.stringify({ format: PAIR_FORMAT, ...pair }, null, 2) + "\n"));
    file.syncSync();
  }
  Deno.renameSync(aside, join(home, PAIR_FILE));
  syncDir(home);
  syncDir(dir);
}

function pairIdsIn(dir: string): string[] {
  return withSetupError(dir, () => {
    try {
      return [...Deno.readDirSync(dir)].map((entry) => entry.name).filter((name) => PAIR_ID.test(name)).sort();
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  });
}

function parsePair(id: string, text: string): Pair | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const { format, id: named, leftRoot, rightHost, rightRoot } = value as Record<string, unknown>;
  const isSound = format === PAIR_FORMAT && named === id && typeof leftRoot === "string" &&
    typeof rightRoot === "string" && (rightHost === null || typeof rightHost === "string");
  return isSound ? { id, leftRoot, rightHost, rightRoot } : null;
}

function hasRoots(pair: Pair, roots: PairRoots): boolean {
  return pair.leftRoot === roots.leftRoot && pair.rightHost === roots.rightHost && pair.rightRoot === roots.rightRoot;
}

function pickRoots({ leftRoot, rightHost, rightRoot }: PairRoots): PairRoots {
  return { leftRoot, rightHost, rightRoot };
}

function showRoots({ leftRoot, rightHost, rightRoot }: PairRoots): string {
  return `"${showPath(leftRoot)}" with "${showPath(rightHost === null ? rightRoot : `${rightHost}:${rightRoot}`)}"`;
}

function readOrNull(path: string): string | null {
  return withSetupError(path, () => {
    try {
      return Deno.readTextFileSync(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return null;
      throw error;
    }
  });
}

/** One maker of pairs at a time; the lock goes with its holder, however that ends. */
function lockDir(dir: string): Disposable {
  const file = Deno.openSync(join(dir, ".lock"), { read: true, write: true, create: true, mode: 0o600 });
  try {
    file.lockSync(true);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
}

function syncDir(path: string): void {
  using dir = Deno.openSync(path);
  dir.syncSync();
}

function withSetupError<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof SetupError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SetupError(`Cannot use state directory ${JSON.stringify(path)}: ${reason}`, { cause });
  }
}
