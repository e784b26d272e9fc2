/**
 * Directories in which so much happens at once that what happens there is told by one listing, and not name
 * by name: they are *crowded*.
 *
 * Only with many dirty names is anything crowded (`STORM_NAMES`): what is single stays single. A crowd is told
 * once it was quiet for longer than a stamp takes to be one of its own, and now and then while it is not; the
 * brain then lists the directory. Names nothing and looks at nothing; reporter.ts decides what comes here.
 * @module
 */
import type { Clock } from "../base/clock.ts";
import type { Move } from "../core/endpoint.ts";
import { isBelow, parentOf, rebase, type RelPath } from "../core/path.ts";

/** With more dirty names than this there is a storm. */
export const STORM_NAMES = 256;
/** So many of them in one directory make it crowded. */
export const CROWD_NAMES = 64;
/** In a large directory it takes this part of its entries: to list it costs as much as it is large. */
const LARGE_PART = 16;
const LARGE_ENTRIES = CROWD_NAMES * LARGE_PART;
const LARGE_DIRS_MAX = 10_000;
/** In more directories than this nothing is counted: little happens in each of so many. */
const COUNTED_DIRS_MAX = 10_000;
/** How long nothing has to happen in a crowd before it is told: kernels stamp in steps of up to 10 ms. */
export const CROWD_QUIET_MS = 20;
/** How long it may take where something happens all the time; more for what is large, by its entries. */
export const CROWD_WAIT_MS = 200;
const WAIT_PER_ENTRY_MS = 0.1;
/** A directory in which nothing happens for so long is none any more. */
export const CROWD_LINGER_MS = 500;
/** More crowds than this: those that are told are none any more. */
const CROWDS_MAX = 1_000;

/** What happened in a crowd since it was told. */
interface Untold {
  readonly sinceMs: number;
  lastMs: number;
}

/** The crowded directories of one endpoint. */
export class Crowds {
  readonly #clock: Pick<Clock, "nowMs">;
  /** In which something happened that is not told, by the time when it began. */
  readonly #untold = new Map<RelPath, Untold>();
  /** That were told, and when something happened there last. */
  readonly #told = new Map<RelPath, number>();
  /** How many names were dirty in a directory since the storm began. */
  readonly #names = new Map<RelPath, number>();
  /** How many entries large directories had when they were last listed. */
  readonly #large = new Map<RelPath, number>();
  #hasFormed = false;

  constructor(clock: Pick<Clock, "nowMs">) {
    this.#clock = clock;
  }

  /** Whether something happened that is not told. */
  get isUntold(): boolean {
    return this.#untold.size > 0;
  }

  /** Whether any directory is crowded. */
  get isEmpty(): boolean {
    return this.#untold.size + this.#told.size === 0;
  }

  /** Whether a directory is crowded. */
  has(dir: RelPath): boolean {
    if (this.#untold.has(dir)) return true;
    const lastMs = this.#told.get(dir);
    return lastMs !== undefined && this.#clock.nowMs() < lastMs + CROWD_LINGER_MS;
  }

  /** Says that something happens in a directory, which is crowded from now on. */
  add(dir: RelPath): void {
    const nowMs = this.#clock.nowMs();
    const untold = this.#untold.get(dir);
    if (untold !== undefined) {
      untold.lastMs = nowMs;
      return;
    }
    this.#hasFormed ||= !this.#told.delete(dir);
    this.#names.delete(dir);
    this.#untold.set(dir, { sinceMs: nowMs, lastMs: nowMs });
  }

  /** Takes a dirty name; whether it will be told with its directory. `isStorm`: it may make that crowded. */
  take(path: RelPath, isStorm: boolean): boolean {
    const dir = parentOf(path);
    if (this.has(dir)) {
      this.add(dir);
      return true;
    }
    if (!isStorm) return false;
    const names = (this.#names.get(dir) ?? 0) + 1;
    if (this.#names.size >= COUNTED_DIRS_MAX) this.#names.clear();
    this.#names.set(dir, names);
    if (names < Math.max(CROWD_NAMES, (this.#large.get(dir) ?? 0) / LARGE_PART)) return false;
    this.add(dir);
    return true;
  }

  /** Whether directories have become crowded since this was asked last: what waits in them is told with them. */
  takeFormed(): boolean {
    const hasFormed = this.#hasFormed;
    this.#hasFormed = false;
    return hasFormed;
  }

  /** Takes out what is to be told now; `isHurried`: all that is untold. */
  takeDue({ isHurried = false } = {}): RelPath[] {
    const nowMs = this.#clock.nowMs();
    const due: RelPath[] = [];
    for (const [dir, untold] of this.#untold) {
      if (!isHurried && this.#dueMs(dir, untold) > nowMs) continue;
      due.push(dir);
      this.#untold.delete(dir);
      this.#told.set(dir, untold.lastMs);
    }
    this.#forgetOld(nowMs);
    return due;
  }

  /** When something is to be told though nothing happens; null: never. */
  nextDueMs(): number | null {
    let next: number | null = null;
    for (const [dir, untold] of this.#untold) {
      const dueMs = this.#dueMs(dir, untold);
      if (next === null || dueMs < next) next = dueMs;
    }
    return next;
  }

  /** Notes how many entries a directory has that was listed. */
  noteListed(dir: RelPath, entries: number): void {
    if (entries < LARGE_ENTRIES) return void this.#large.delete(dir);
    this.#large.delete(dir);
    this.#large.set(dir, entries);
    if (this.#large.size > LARGE_DIRS_MAX) this.#large.clear();
  }

  /** The storm is over: what is single is counted no more. */
  calm(): void {
    this.#names.clear();
  }

  /** Follows the rename of a directory. */
  followMove(move: Move): void {
    const moved = [...this.#untold.keys(), ...this.#told.keys()].filter((dir) =>
      dir === move.from || isBelow(dir, move.from)
    );
    for (const dir of moved) {
      this.#untold.delete(dir);
      this.#told.delete(dir);
      this.add(rebase(dir, move));
    }
  }

  /** Forgets everything, as all is listed again. */
  clear(): void {
    this.#untold.clear();
    this.#told.clear();
    this.#names.clear();
  }

  #dueMs(dir: RelPath, { sinceMs, lastMs }: Untold): number {
    const waitMs = Math.max(CROWD_WAIT_MS, (this.#large.get(dir) ?? 0) * WAIT_PER_ENTRY_MS);
    return Math.min(lastMs + CROWD_QUIET_MS, sinceMs + waitMs);
  }

  #forgetOld(nowMs: number): void {
    for (const [dir, lastMs] of this.#told) {
      if (this.#told.size <= CROWDS_MAX && nowMs < lastMs + CROWD_LINGER_MS) break;
      this.#told.delete(dir);
    }
  }
}
