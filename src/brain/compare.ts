/**
 * Both trees compared as they are now, without the archive: what differs, path by path.
 *
 * Changes nothing, takes no lock, and may run beside a psync: whoever called it looks again at what
 * may only have been under way (`lookAgain`). What psync does not synchronise (sockets, what is
 * excluded) is no difference. Called by control/check.ts.
 * @module
 */
import type { Endpoint, Listing } from "../core/endpoint.ts";
import { type Entry, sameOwner } from "../core/entry.ts";
import type { Observation } from "../core/observation.ts";
import { comparePaths, type RelPath, ROOT } from "../core/path.ts";
import type { ProblemReason, Side } from "../core/problem.ts";
import type { Sides } from "./context.ts";
import { mergeDirectory } from "./merge.ts";
import type { ScanProgress } from "./report.ts";

const SIDES = ["left", "right"] as const;
/** How many directories are listed, and paths looked at, in one request. */
const BATCH_DIRS = 64;
const BATCH_LOOKS = 64;
/** The bits of a file's mode that are kept only where both sides are root. */
const SET_IDS = 0o6000;

/** One path that is not the same on both sides. */
export interface Difference {
  readonly path: RelPath;
  readonly what:
    | { readonly kind: "only"; readonly side: Side; readonly entryKind: Entry["kind"] }
    | { readonly kind: "kind"; readonly left: Entry["kind"]; readonly right: Entry["kind"] }
    | { readonly kind: "size"; readonly left: number; readonly right: number }
    | { readonly kind: "mode"; readonly left: number; readonly right: number }
    | { readonly kind: "content" | "time" | "target" | "owner" | "busy" }
    | { readonly kind: "unknown"; readonly side: Side; readonly reason: ProblemReason };
}

/** How trees are compared. */
export interface CompareOptions {
  /** Whether contents of the same size are read. */
  readonly checksum: boolean;
  readonly signal: AbortSignal;
  /** Told after each batch of directories. */
  readonly onProgress?: (progress: ScanProgress) => void;
}

/** What a comparison found. */
export interface Comparison {
  /** How many paths there are on either side. */
  readonly paths: number;
  /** In the order of a tree; below a directory that only one side has nothing is listed. */
  readonly differences: readonly Difference[];
}

/** Compares the trees of two open endpoints. */
export async function compareTrees(endpoints: Sides<Endpoint>, options: CompareOptions): Promise<Comparison> {
  const comparing = new Comparing(endpoints, options);
  await comparing.walk();
  return comparing.result();
}

/** Looks again at what differed: what has become the same meanwhile is left out. */
export async function lookAgain(
  endpoints: Sides<Endpoint>,
  differences: readonly Difference[],
  options: CompareOptions,
): Promise<Difference[]> {
  const comparing = new Comparing(endpoints, options);
  for (let i = 0; i < differences.length; i += BATCH_LOOKS) {
    await comparing.look(differences.slice(i, i + BATCH_LOOKS).map(({ path }) => path));
  }
  return [...comparing.result().differences];
}

class Comparing {
  readonly #endpoints: Sides<Endpoint>;
  readonly #options: CompareOptions;
  readonly #keepsSetIds: boolean;
  readonly #found: Difference[] = [];
  #toRead: RelPath[] = [];
  #paths = 0;
  #dirs = 0;

  constructor(endpoints: Sides<Endpoint>, options: CompareOptions) {
    this.#endpoints = endpoints;
    this.#options = options;
    this.#keepsSetIds = SIDES.every((side) => endpoints[side].facts.isRootUser);
  }

  result(): Comparison {
    return { paths: this.#paths, differences: this.#found.sort((a, b) => comparePaths(a.path, b.path)) };
  }

  async walk(): Promise<void> {
    const todo: RelPath[] = [ROOT];
    while (todo.length > 0) {
      this.#options.signal.throwIfAborted();
      const dirs = todo.splice(Math.max(0, todo.length - BATCH_DIRS));
      const [left, right] = await Promise.all(SIDES.map((side) => this.#endpoints[side].list(dirs, this.#options)));
      dirs.forEach((dir, i) => this.#directory(dir, { left: left![i]!, right: right![i]! }, todo));
      this.#dirs += dirs.length;
      this.#options.onProgress?.({ dirs: this.#dirs, entries: this.#paths });
      if (this.#toRead.length >= BATCH_LOOKS) await this.#read();
    }
    await this.#read();
  }

  /** Looks at paths on both sides now. */
  async look(paths: readonly RelPath[]): Promise<void> {
    const options = { contentLimitBytes: 0, digests: this.#options.checksum, signal: this.#options.signal };
    const [left, right] = await Promise.all(SIDES.map((side) => this.#endpoints[side].look(paths, options)));
    paths.forEach((path, i) => this.#judge(path, { left: left![i]!, right: right![i]! }, { isRead: true }));
  }

  async #read(): Promise<void> {
    const paths = this.#toRead;
    this.#toRead = [];
    for (let i = 0; i < paths.length; i += BATCH_LOOKS) await this.look(paths.slice(i, i + BATCH_LOOKS));
  }

  #directory(dir: RelPath, listings: Sides<Listing>, todo: RelPath[]): void {
    for (const side of SIDES) {
      const listing = listings[side];
      if (listing.kind === "listed") continue;
      const reason = listing.self.kind === "blocked" ? listing.self.reason : "unreadable";
      this.#found.push({ path: dir, what: { kind: "unknown", side, reason } });
      return;
    }
    const entriesOf = (side: Side) => (listings[side] as Extract<Listing, { kind: "listed" }>).entries;
    for (
      const { path, left, right } of mergeDirectory({
        dir,
        rows: [],
        left: entriesOf("left"),
        right: entriesOf("right"),
      })
    ) {
      this.#paths++;
      this.#judge(path, { left: left ?? null, right: right ?? null }, { isRead: false });
      if (isDir(left) && isDir(right)) todo.push(path);
    }
  }

  #judge(path: RelPath, seen: Sides<Observation | null>, { isRead }: { readonly isRead: boolean }): void {
    if (SIDES.some((side) => isNobodys(seen[side]))) return;
    for (const side of SIDES) {
      const each = seen[side];
      if (each?.kind === "blocked") return this.#note(path, { kind: "unknown", side, reason: each.reason });
      if (each?.kind === "busy") return this.#note(path, { kind: "busy" });
    }
    const left = seen.left?.kind === "present" ? seen.left.entry : null;
    const right = seen.right?.kind === "present" ? seen.right.entry : null;
    if (left === null && right === null) return;
    if (left === null) return this.#note(path, { kind: "only", side: "right", entryKind: right!.kind });
    if (right === null) return this.#note(path, { kind: "only", side: "left", entryKind: left.kind });
    const isSuspect = this.#options.checksum && !isRead && left.kind === "file" && right.kind === "file" &&
      left.sizeBytes === right.sizeBytes;
    if (isSuspect) return void this.#toRead.push(path);
    const what = this.#differ(left, right);
    if (what !== null) this.#note(path, what);
  }

  #differ(left: Entry, right: Entry): Difference["what"] | null {
    if (left.kind !== right.kind) return { kind: "kind", left: left.kind, right: right.kind };
    if (left.kind === "link" && right.kind === "link") {
      return left.target === right.target ? ownerOf(left, right) : { kind: "target" };
    }
    if (left.kind === "file" && right.kind === "file") {
      if (left.sizeBytes !== right.sizeBytes) return { kind: "size", left: left.sizeBytes, right: right.sizeBytes };
      if (left.digest !== null && right.digest !== null && left.digest !== right.digest) return { kind: "content" };
      if (left.mtimeNs !== right.mtimeNs) return { kind: "time" };
    }
    const mask = left.kind === "file" && !this.#keepsSetIds ? ~SET_IDS : ~0;
    const modes = { left: modeOf(left) & mask, right: modeOf(right) & mask };
    return modes.left === modes.right ? ownerOf(left, right) : { kind: "mode", ...modes };
  }

  #note(path: RelPath, what: Difference["what"]): void {
    this.#found.push({ path, what });
  }
}

function modeOf(entry: Entry): number {
  return entry.kind === "link" ? 0 : entry.mode;
}

function ownerOf(left: Entry, right: Entry): Difference["what"] | null {
  return sameOwner(left.owner, right.owner) ? null : { kind: "owner" };
}

/** What psync leaves alone and lists: sockets and the like, mount points. */
function isNobodys(seen: Observation | null): boolean {
  return seen?.kind === "blocked" &&
    (seen.reason === "special" || seen.reason === "mount" || seen.reason === "excluded");
}

function isDir(seen: Observation | null | undefined): boolean {
  return seen?.kind === "present" && seen.entry.kind === "dir";
}
