/**
 * Paths that did not work and are tried again, each with a delay of its own that grows.
 *
 * One timer, whatever the number of paths; idle when there are none.
 * @module
 */
import type { Clock, Timer } from "../base/clock.ts";
import type { Move } from "../core/endpoint.ts";
import { rebase, type RelPath } from "../core/path.ts";
import type { ProblemReason } from "../core/problem.ts";
import { Attempts } from "./attempts.ts";
import { PathTree } from "./path_tree.ts";

/** The first delay; it doubles up to the limit given. */
const FIRST_DELAY_MS = 250;

/** The longest delay of a path that is busy: a writer may close at any time. */
export const BUSY_LIMIT_MS = 5_000;
/** The longest delay of a path that failed: disk full, no permission. */
export const FAILED_LIMIT_MS = 60_000;

/** A path whose last delay was this long is worth telling: it has been tried about twice as long. */
const TIRED_MS = 1_000;
/** How often in a row a path is tried again at once. */
const TRIES_AT_ONCE = 4;
/** How often a rename is tried. */
const MOVE_ATTEMPTS = 3;

/** The list of paths to be tried again. */
export class RetryList implements Disposable {
  /** When each path is due, ms on the monotonic clock. */
  #waiting = new Map<RelPath, number>();
  readonly #waitingTree = new PathTree();
  #lastDelay = new Map<RelPath, number>();
  readonly #delayedTree = new PathTree();
  readonly #refused = new Attempts();
  readonly #refusedMoves = new Attempts();
  #timer: Timer | null = null;
  #timerDueMs = Infinity;
  readonly #clock: Clock;
  readonly #onDue: (paths: RelPath[]) => void;

  constructor(clock: Clock, onDue: (paths: RelPath[]) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Whether a path waits to be tried again. */
  has(path: RelPath): boolean {
    return this.#waiting.has(path);
  }

  /** Whether something below a directory waits to be tried again. */
  hasBelow(dir: RelPath): boolean {
    for (const _ of this.#waitingTree.below(dir)) return true;
    return false;
  }

  /** Whether a path waits that `isListed` does not tell people of. */
  hasUnlisted(isListed: (path: RelPath) => boolean): boolean {
    for (const path of this.#waiting.keys()) if (!isListed(path)) return true;
    return false;
  }

  /** Tries `path` again after its next delay; one that waits already keeps its time. */
  later(path: RelPath, limitMs: number): void {
    if (this.#waiting.has(path)) return;
    const delayMs = Math.min(limitMs, (this.#lastDelay.get(path) ?? FIRST_DELAY_MS / 2) * 2);
    this.#setDelay(path, delayMs);
    const dueMs = this.#clock.nowMs() + delayMs;
    this.#wait(path, dueMs);
    this.#arm(dueMs);
  }

  /**
   * Whether a path that was refused may be tried again at once. A path that is refused again and again
   * must wait like any other: somebody changes it all the time, or psync sees it wrongly.
   */
  mayTryAtOnce(path: RelPath): boolean {
    return this.#refused.add(path) <= TRIES_AT_ONCE;
  }

  /** Counts that a rename to `path` was refused. */
  moveRefused(path: RelPath): void {
    this.#refusedMoves.add(path);
  }

  /** Whether what came to `path` may still be made as a rename; otherwise it is a new name and a removal. */
  mayMove(path: RelPath): boolean {
    return this.#refusedMoves.at(path) < MOVE_ATTEMPTS;
  }

  /** Whether a path has been tried for some seconds already. */
  isTiredOf(path: RelPath): boolean {
    return (this.#lastDelay.get(path) ?? 0) >= TIRED_MS;
  }

  /** Forgets a path: it worked, or is gone. */
  settle(path: RelPath): void {
    this.#refused.forget(path);
    this.#refusedMoves.forget(path);
    this.#dropWaiting(path);
    this.#dropDelay(path);
  }

  /** Follows a rename, at and below. */
  move(move: Move): void {
    for (const path of [move.from, ...this.#delayedTree.below(move.from)]) {
      const [dueMs, delayMs] = [this.#waiting.get(path), this.#lastDelay.get(path)];
      this.#dropWaiting(path);
      this.#dropDelay(path);
      if (dueMs !== undefined) this.#wait(rebase(path, move), dueMs);
      if (delayMs !== undefined) this.#setDelay(rebase(path, move), delayMs);
    }
  }

  #wait(path: RelPath, dueMs: number): void {
    this.#waiting.set(path, dueMs);
    this.#waitingTree.add(path);
  }

  #dropWaiting(path: RelPath): void {
    this.#waiting.delete(path);
    this.#waitingTree.delete(path);
  }

  /** WHY a tree of its own: every path that waits has a delay, and one that is due no longer waits. */
  #setDelay(path: RelPath, delayMs: number): void {
    this.#lastDelay.set(path, delayMs);
    this.#delayedTree.add(path);
  }

  #dropDelay(path: RelPath): void {
    this.#lastDelay.delete(path);
    this.#delayedTree.delete(path);
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
    this.#waiting.clear();
  }

  #arm(dueMs: number): void {
    if (dueMs >= this.#timerDueMs) return;
    this.#timer?.cancel();
    this.#timerDueMs = dueMs;
    this.#timer = this.#clock.after(Math.max(0, dueMs - this.#clock.nowMs()), () => this.#fire());
  }

  #fire(): void {
    this.#timer = null;
    this.#timerDueMs = Infinity;
    const now = this.#clock.nowMs();
    const due: RelPath[] = [];
    let nextMs = Infinity;
    for (const [path, dueMs] of this.#waiting) {
      if (dueMs <= now + 1) due.push(path);
      else nextMs = Math.min(nextMs, dueMs);
    }
    for (const path of due) this.#dropWaiting(path);
    this.#arm(nextMs);
    if (due.length > 0) this.#onDue(due);
  }
}

/** Whether what is blocked for this reason stays so until somebody changes it: no time mends it. */
export function isLasting(reason: ProblemReason): boolean {
  return reason === "special" || reason === "mount" || reason === "one-way";
}
