/**
 * Counts of attempts by path, bounded: the paths that were counted longest ago are forgotten, which costs
 * some more attempts and nothing else.
 * @module
 */
import type { RelPath } from "../core/path.ts";

/** How many paths are counted. */
const COUNTED = 10_000;

/** How often something was tried in vain. */
export class Attempts {
  readonly #counts = new Map<RelPath, number>();
  readonly #limit: number;

  constructor(limit = COUNTED) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#counts.size;
  }

  /** The attempts at a path. */
  at(path: RelPath): number {
    return this.#counts.get(path) ?? 0;
  }

  /** Counts one more, and returns how many that makes. */
  add(path: RelPath): number {
    const count = this.at(path) + 1;
    this.#counts.delete(path);
    this.#counts.set(path, count);
    if (this.#counts.size > this.#limit) this.#forgetOldest();
    return count;
  }

  /** WHY half of them: the first of a map is found behind all that were deleted before it. */
  #forgetOldest(): void {
    for (const path of this.#counts.keys()) {
      if (this.#counts.size <= this.#limit / 2) return;
      this.#counts.delete(path);
    }
  }

  /** Forgets a path: it worked, or is gone. */
  forget(path: RelPath): void {
    this.#counts.delete(path);
  }
}
