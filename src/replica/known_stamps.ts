/**
 * What an endpoint last reported or made at each path, so that it can be silent about a look that
 * shows the same. Bounded: what is forgotten costs bytes, never correctness.
 *
 * Holds stamps in typed arrays, about 100 bytes a path with its name. An entry counts only while its
 * directory is the one that it was remembered in: each directory carries a token that changes when
 * another object takes its place, so a tree that went away and came back is reported again.
 * @module
 */
import type { Move } from "../core/endpoint.ts";
import { isBelow, parentOf, rebase, type RelPath, ROOT } from "../core/path.ts";
import { KIND, type RawStat } from "./native_format.ts";

/** How many paths are remembered: some 10 MB, and more than a burst of changes touches. */
export const KNOWN_LIMIT = 65_536;
const WORDS = 5;
const FIRST_SLOTS = 256;
const ROOT_TOKEN = 1;
const NO_TOKEN = 0;

/** Not one of `KIND`: what was said last is not to be held against any look. */
const KIND_UNKNOWN = 0xff;

const FLAG_OWN = 1;
const FLAG_RACY = 2;
/** What is in the directory was told, but the directory itself not yet under this name. */
const FLAG_UNTOLD = 4;

/** How sure a stamp is, who made it, and when. */
export interface Remembered {
  /** The endpoint's counter when the look began, or when the transition ended. */
  readonly began: number;
  /** psync itself made what is there; events about it are to be expected. */
  readonly isOwn: boolean;
  /** The stamp was taken so soon after the change that a later one might leave it as it is. */
  readonly isRacy: boolean;
}

/** What is known of a path, compared with what a look shows. */
export type Match = "same" | "racy" | "different";

/** The last state of each path that left this endpoint. */
export class KnownStamps {
  readonly #limit: number;
  /** In the order of their last use. */
  readonly #slots = new Map<RelPath, number>();
  #free: number[] = [];
  #used = 0;
  #words = new BigInt64Array(FIRST_SLOTS * WORDS);
  #kinds = new Uint8Array(FIRST_SLOTS);
  #flags = new Uint8Array(FIRST_SLOTS);
  #began = new Float64Array(FIRST_SLOTS);
  #tokens = new Uint32Array(FIRST_SLOTS);
  #parentTokens = new Uint32Array(FIRST_SLOTS);
  #lastToken = ROOT_TOKEN;

  constructor(limit = KNOWN_LIMIT) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#slots.size;
  }

  /**
   * Remembers what stands at a path; `stat` null: nothing. What was said since the look began stays:
   * whoever was told that has the later state.
   */
  remember(path: RelPath, stat: RawStat | null, how: Remembered): void {
    if (path === ROOT || this.isOutdated(path, how.began)) return;
    const before = this.#slots.get(path);
    const keepsToken = before !== undefined && stat !== null && this.#isSameDir(before, stat);
    const slot = this.#place(path, how);
    if (!keepsToken) this.#tokens[slot] = stat?.kind === KIND.dir ? this.#nextToken() : NO_TOKEN;
    this.#kinds[slot] = stat?.kind ?? KIND.none;
    this.#words.set(wordsOf(stat), slot * WORDS);
  }

  /** Remembers that something was said of a path that no look can equal; so it is with all below it. */
  forget(path: RelPath, began: number): void {
    if (path === ROOT || this.isOutdated(path, began)) return;
    const slot = this.#place(path, { began, isOwn: false, isRacy: false });
    this.#tokens[slot] = NO_TOKEN;
    this.#kinds[slot] = KIND_UNKNOWN;
  }

  /**
   * Follows the rename of a directory that was said: what is in it is then known under the new name. The
   * directory itself is still to be said there, and nothing is known of the old name.
   */
  move(move: Move): void {
    const top = this.#slots.get(move.from);
    if (top === undefined || this.#kinds[top] !== KIND.dir || this.#tokens[top] === NO_TOKEN) return;
    const moved: [RelPath, number][] = [];
    for (const [path, slot] of this.#slots) {
      if (path === move.from || isBelow(path, move.from)) moved.push([path, slot]);
      else if (path === move.to || isBelow(path, move.to)) this.#drop(path, slot);
    }
    for (const [path, slot] of moved) {
      this.#slots.delete(path);
      this.#slots.set(rebase(path, move), slot);
    }
    this.#parentTokens[top] = this.#tokenOf(parentOf(move.to));
    this.#flags[top] = FLAG_UNTOLD;
  }

  /** Whether something was said of a path that was seen or made after a look at it had begun. */
  isOutdated(path: RelPath, began: number): boolean {
    const slot = this.#slots.get(path);
    return slot !== undefined && began < this.#began[slot]!;
  }

  #place(path: RelPath, how: Remembered): number {
    this.#touch(parentOf(path));
    const slot = this.#slots.get(path) ?? this.#allocate();
    this.#slots.delete(path);
    this.#slots.set(path, slot);
    this.#began[slot] = how.began;
    this.#parentTokens[slot] = this.#tokenOf(parentOf(path));
    this.#flags[slot] = (how.isOwn ? FLAG_OWN : 0) | (how.isRacy ? FLAG_RACY : 0);
    return slot;
  }

  /** Compares a look (`stat` null: absent) with what is remembered. */
  match(path: RelPath, stat: RawStat | null): Match {
    const slot = this.#slots.get(path);
    if (slot === undefined || !this.#counts(path, slot)) return "different";
    if ((this.#flags[slot]! & FLAG_UNTOLD) !== 0) return "different";
    if (this.#kinds[slot] !== (stat?.kind ?? KIND.none)) return "different";
    const words = wordsOf(stat);
    for (let i = 0; i < WORDS; i++) {
      if (this.#words[slot * WORDS + i] !== words[i]) return "different";
    }
    return (this.#flags[slot]! & FLAG_RACY) !== 0 ? "racy" : "same";
  }

  /** Whether psync itself made what was last known at a path. */
  isOwn(path: RelPath): boolean {
    const slot = this.#slots.get(path);
    return slot !== undefined && (this.#flags[slot]! & FLAG_OWN) !== 0;
  }

  /** Whether what was last known at a path may hide a later write. */
  isRacy(path: RelPath): boolean {
    const slot = this.#slots.get(path);
    return slot !== undefined && (this.#flags[slot]! & FLAG_RACY) !== 0;
  }

  /** Takes note of what a listing showed: where something else was said last, no look can equal that any more. */
  listed(path: RelPath, stat: RawStat, began: number): void {
    if (this.#slots.has(path) && this.match(path, stat) === "different") this.forget(path, began);
  }

  /** Whether a directory was last known at a path. */
  isDir(path: RelPath): boolean {
    const slot = this.#slots.get(path);
    return slot !== undefined && this.#kinds[slot] === KIND.dir;
  }

  /** Whether the directory last known at a path is the very one that `stat` describes. */
  isSameDir(path: RelPath, stat: RawStat): boolean {
    const slot = this.#slots.get(path);
    return slot !== undefined && this.#isSameDir(slot, stat);
  }

  #counts(path: RelPath, slot: number): boolean {
    const token = this.#parentTokens[slot]!;
    return token !== NO_TOKEN && token === this.#tokenOf(parentOf(path));
  }

  #tokenOf(dir: RelPath): number {
    if (dir === ROOT) return ROOT_TOKEN;
    const slot = this.#slots.get(dir);
    return slot === undefined ? NO_TOKEN : this.#tokens[slot]!;
  }

  #isSameDir(slot: number, stat: RawStat): boolean {
    const at = slot * WORDS;
    return this.#kinds[slot] === KIND.dir && stat.kind === KIND.dir &&
      this.#words[at] === BigInt.asIntN(64, stat.inode) && this.#words[at + 1] === stat.birthNs &&
      this.#tokens[slot] !== NO_TOKEN;
  }

  #nextToken(): number {
    this.#lastToken = (this.#lastToken + 1) >>> 0;
    if (this.#lastToken <= ROOT_TOKEN) this.#lastToken = ROOT_TOKEN + 1;
    return this.#lastToken;
  }

  /** Keeps a directory as long as what is in it is in use. */
  #touch(dir: RelPath): void {
    const slot = this.#slots.get(dir);
    if (slot === undefined) return;
    this.#slots.delete(dir);
    this.#slots.set(dir, slot);
  }

  #allocate(): number {
    if (this.#slots.size >= this.#limit) this.#evict();
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#used === this.#kinds.length) this.#grow();
    return this.#used++;
  }

  /** WHY many at once: the first of a map is found behind all that were deleted before it. */
  #evict(): void {
    let left = Math.max(1, this.#limit >> 4);
    for (const [path, slot] of this.#slots) {
      this.#drop(path, slot);
      if (--left === 0) return;
    }
  }

  #drop(path: RelPath, slot: number): void {
    this.#slots.delete(path);
    this.#tokens[slot] = NO_TOKEN;
    this.#free.push(slot);
  }

  #grow(): void {
    const slots = this.#kinds.length * 2;
    const words = new BigInt64Array(slots * WORDS);
    words.set(this.#words);
    this.#words = words;
    this.#kinds = grown(this.#kinds, new Uint8Array(slots));
    this.#flags = grown(this.#flags, new Uint8Array(slots));
    this.#began = grown(this.#began, new Float64Array(slots));
    this.#tokens = grown(this.#tokens, new Uint32Array(slots));
    this.#parentTokens = grown(this.#parentTokens, new Uint32Array(slots));
  }
}

function grown<T extends Uint8Array | Uint32Array | Float64Array>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}

/** What must be equal for nothing to have happened; a directory's times change with what it holds. */
function wordsOf(stat: RawStat | null): readonly bigint[] {
  if (stat === null) return [0n, 0n, 0n, 0n, 0n];
  const inode = BigInt.asIntN(64, stat.inode);
  return stat.kind === KIND.dir
    ? [inode, stat.birthNs, BigInt(stat.mode), BigInt(stat.uid), BigInt(stat.gid)]
    : [inode, stat.birthNs, BigInt(stat.sizeBytes), stat.mtimeNs, stat.ctimeNs];
}
