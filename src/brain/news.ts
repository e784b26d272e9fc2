/**
 * The board of paths about which something is known that is not settled yet.
 *
 * A path has at most one entry, with the newest sighting of each side. A path whose turn must wait
 * for another one (its directory is being made, a rename is under way) is parked on that one and
 * comes back when it is released. Decides nothing; keeps no path that nobody reported.
 * @module
 */
import type { Move } from "../core/endpoint.ts";
import type { Observation } from "../core/observation.ts";
import { ancestorsOf, rebase, type RelPath } from "../core/path.ts";
import type { Side } from "../core/problem.ts";
import { PathTree } from "./path_tree.ts";

/** One observation as it reached the brain. */
export interface Sighting {
  readonly observation: Observation;
  /** Order of arrival at the brain, over both sides. */
  readonly order: number;
  /** Whether an event caused it (and not a scan or a look of ours). */
  readonly isLive: boolean;
  /** Whether a scan showed it, which goes through what is in a directory as well. */
  readonly isListed: boolean;
  /** Monotonic arrival, ms: for the lag. */
  readonly atMs: number;
}

/** What is new at one path; null: nothing is new on that side. */
export interface News {
  readonly path: RelPath;
  readonly left: Sighting | null;
  readonly right: Sighting | null;
}

/** When the first of the live sightings came, on the monotonic clock; null: none is live. */
export function liveSince({ left, right }: News): number | null {
  const times = [left, right].flatMap((seen) => seen?.isLive === true ? [seen.atMs] : []);
  return times.length === 0 ? null : Math.min(...times);
}

const SIDES = ["left", "right"] as const;

type Mutable = { path: RelPath; left: Sighting | null; right: Sighting | null };

/** Paths with news: live ones first, and what is held before what must be looked at still. */
export class NewsBoard {
  readonly #live = new Queue();
  readonly #rest = new Queue();
  #parked = new Map<RelPath, { news: Mutable; on: RelPath }>();
  #parkedOn = new Map<RelPath, Set<RelPath>>();
  /** Every path on the board. */
  readonly #paths = new PathTree();
  #order = 0;
  #contentBytes = 0;
  readonly #onNews: () => void;
  readonly #nowMs: () => number;

  /** `onNews` is called whenever a path becomes ready. */
  constructor(onNews: () => void, nowMs: () => number) {
    this.#onNews = onNews;
    this.#nowMs = nowMs;
  }

  /** Paths that are ready to be planned. */
  get readyCount(): number {
    return this.#live.size + this.#rest.size;
  }

  /** Those of them of which nothing has to be read first. */
  get heldCount(): number {
    return this.#live.held.size + this.#rest.held.size;
  }

  /** The content that is at hand, parked paths included, in bytes. */
  get contentBytes(): number {
    return this.#contentBytes;
  }

  /** All paths, parked ones included. */
  get size(): number {
    return this.readyCount + this.#parked.size;
  }

  /** Every path on the board, parked ones included. */
  *paths(): Generator<RelPath> {
    for (const queue of [this.#live, this.#rest]) for (const { path } of queue.all()) yield path;
    yield* this.#parked.keys();
  }

  /** Arrival of the oldest path on the board, ms on the monotonic clock; null when it is empty. */
  oldestMs(): number | null {
    let oldest: number | null = null;
    for (const news of this.#live.all()) {
      const at = Math.min(news.left?.atMs ?? Infinity, news.right?.atMs ?? Infinity);
      oldest = oldest === null ? at : Math.min(oldest, at);
    }
    return oldest;
  }

  /** Adds an observation of one side; it takes the place of an older one of that side. */
  add(
    side: Side,
    observation: Observation,
    { isLive, isListed = false }: { readonly isLive: boolean; readonly isListed?: boolean },
  ): void {
    const sighting = { observation, order: this.#order++, isLive, isListed, atMs: this.#nowMs() };
    this.put({ path: observation.path, left: null, right: null, [side]: sighting });
  }

  /** Puts news (back) on the board; what the board knows already and is newer stays. */
  put(news: News): void {
    const parked = this.#parked.get(news.path);
    if (parked !== undefined) return this.#merge(parked.news, news);
    const known = this.#live.take(news.path) ?? this.#rest.take(news.path);
    const merged = known ?? { path: news.path, left: null, right: null };
    this.#merge(merged, news);
    this.#paths.add(news.path);
    const isLive = merged.left?.isLive === true || merged.right?.isLive === true;
    (isLive ? this.#live : this.#rest).put(merged);
    this.#onNews();
  }

  /**
   * Takes up to `limit` ready paths, live ones first, sorted so that parents come before children;
   * `onlyHeld`: only those of which nothing has to be read first.
   */
  take(limit: number, { onlyHeld = false } = {}): News[] {
    const taken: News[] = [];
    for (const queue of [this.#live, this.#rest]) {
      for (const map of onlyHeld ? [queue.held] : [queue.held, queue.bare]) {
        for (const [path, news] of map) {
          if (taken.length >= limit) break;
          map.delete(path);
          this.#paths.delete(path);
          this.#contentBytes -= bytesOf(news);
          taken.push(news);
        }
      }
    }
    // A prefix sorts first in any order of code units, which is all that is needed here.
    return taken.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  }

  /** Puts news aside until `on` is released. */
  park(news: News, on: RelPath): void {
    const path = news.path;
    const already = this.#parked.get(path);
    if (already !== undefined) return this.#merge(already.news, news);
    const parked = { path, left: null, right: null };
    this.#merge(parked, news);
    this.#parked.set(path, { news: parked, on });
    this.#paths.add(path);
    const set = this.#parkedOn.get(on) ?? new Set();
    this.#parkedOn.set(on, set.add(path));
  }

  /** What a path itself waits for; null: for nothing. */
  waitsFor(path: RelPath): RelPath | null {
    return this.#parked.get(path)?.on ?? null;
  }

  /** What a directory above a path waits for, if one waits: until then nothing can be said of the path. */
  waitingAbove(path: RelPath): RelPath | null {
    if (this.#parked.size === 0) return null;
    for (const ancestor of ancestorsOf(path)) {
      const parked = this.#parked.get(ancestor);
      if (parked !== undefined) return parked.on;
    }
    return null;
  }

  /** Makes ready again what was parked on `on`. */
  release(on: RelPath): void {
    const paths = this.#parkedOn.get(on);
    if (paths === undefined) return;
    this.#parkedOn.delete(on);
    for (const path of paths) {
      const parked = this.#parked.get(path);
      if (parked === undefined) continue;
      this.#parked.delete(path);
      this.#contentBytes -= bytesOf(parked.news);
      this.put(parked.news);
    }
  }

  /** The news at a path, parked or not; null where there is none. */
  peek(path: RelPath): News | null {
    return this.#live.get(path) ?? this.#rest.get(path) ?? this.#parked.get(path)?.news ?? null;
  }

  /** Every path on the board that lies in a directory itself. */
  inside(dir: RelPath): Iterable<RelPath> {
    return this.#paths.inside(dir);
  }

  /** All news strictly below a directory. */
  *below(dir: RelPath): Generator<News> {
    for (const path of this.#paths.below(dir)) yield this.peek(path)!;
  }

  /** Takes one path off the board: it is being looked at anew. */
  drop(path: RelPath): void {
    const news = this.#live.take(path) ?? this.#rest.take(path) ?? this.#parked.get(path)?.news;
    this.#parked.delete(path);
    this.#paths.delete(path);
    if (news !== undefined) this.#contentBytes -= bytesOf(news);
  }

  /** Takes everything off the board below a path. */
  dropBelow(dir: RelPath): void {
    for (const { path } of [...this.below(dir)]) this.drop(path);
  }

  /**
   * Takes what was seen below `move.from` before the rename off the board and returns where it is now:
   * it must be looked at under the new name. What `isOf` tells to be of what stands there since, or of
   * a side that did not make the rename, stays; but where nothing was found, the look was made for
   * news of what has moved.
   */
  moveAway(move: Move, isOf: (side: Side, sighting: Sighting) => "old" | "new"): RelPath[] {
    const moved = [...this.below(move.from)];
    this.dropBelow(move.from);
    const gone: RelPath[] = [];
    for (const { path, left, right } of moved) {
      const stays = { left: stayer(left, isOf, "left"), right: stayer(right, isOf, "right") };
      if (stays.left !== null || stays.right !== null) this.put({ path, ...stays });
      const isGone = (sighting: Sighting | null, stay: Sighting | null) => sighting !== stay || showsNothing(sighting);
      if (isGone(left, stays.left) || isGone(right, stays.right)) gone.push(rebase(path, move));
    }
    return gone;
  }

  #merge(into: Mutable, news: News): void {
    const before = bytesOf(into);
    merge(into, news);
    this.#contentBytes += bytesOf(into) - before;
  }
}

/**
 * Ready paths in the order in which they came; those of which nothing has to be read first by
 * themselves: what was read is sent on before more is read. What is gone stays behind, with the file
 * that may be its new name.
 */
class Queue {
  readonly held = new Map<RelPath, Mutable>();
  readonly bare = new Map<RelPath, Mutable>();

  get size(): number {
    return this.held.size + this.bare.size;
  }

  *all(): Generator<Mutable> {
    yield* this.held.values();
    yield* this.bare.values();
  }

  get(path: RelPath): Mutable | undefined {
    return this.held.get(path) ?? this.bare.get(path);
  }

  take(path: RelPath): Mutable | undefined {
    const news = this.get(path);
    if (news !== undefined && !this.held.delete(path)) this.bare.delete(path);
    return news;
  }

  put(news: Mutable): void {
    (isBare(news.left) || isBare(news.right) ? this.bare : this.held).set(news.path, news);
  }
}

/** Whether a side shows a file that has not been read, or nothing. */
function isBare(sighting: Sighting | null): boolean {
  if (sighting === null) return false;
  const seen = sighting.observation;
  return seen.kind !== "present" || (seen.entry.kind === "file" && seen.content === null);
}

/** The content that a path's news brings along. */
function bytesOf({ left, right }: News): number {
  return contentBytes(left) + contentBytes(right);
}

function contentBytes(sighting: Sighting | null): number {
  const seen = sighting?.observation;
  return seen?.kind === "present" ? seen.content?.length ?? 0 : 0;
}

function stayer(
  sighting: Sighting | null,
  isOf: (side: Side, sighting: Sighting) => "old" | "new",
  side: Side,
): Sighting | null {
  return sighting !== null && isOf(side, sighting) === "new" ? sighting : null;
}

function showsNothing(sighting: Sighting | null): boolean {
  return sighting?.observation.kind === "orphan" || sighting?.observation.kind === "absent";
}

/** Whether `a` saw a later state than `b`; arrival decides only where both are of one look. */
function isLater(a: Sighting, b: Sighting): boolean {
  const difference = a.observation.began - b.observation.began;
  return difference !== 0 ? difference > 0 : a.order > b.order;
}

function merge(into: Mutable, news: News): void {
  for (const side of SIDES) {
    const incoming = news[side];
    const known = into[side];
    if (incoming === null || (known !== null && isLater(known, incoming))) continue;
    into[side] = known?.isLive === true && !incoming.isLive
      ? { ...incoming, isLive: true, atMs: known.atMs }
      : incoming;
  }
}
