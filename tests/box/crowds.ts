/**
 * Directories in the box that are told as crowded, whatever happens in them: how often decides the seed.
 * @module
 */
import type { Move } from "../../src/core/endpoint.ts";
import { parentOf, rebase, type RelPath } from "../../src/core/path.ts";
import type { Random } from "./scheduler.ts";

/** The crowded directories of one endpoint that are not told. */
export class BoxCrowds {
  readonly #random: Random;
  readonly #part: number;
  #dirs = new Set<RelPath>();

  /** `part` of what happens is told by a listing. */
  constructor(random: Random, part: number) {
    this.#random = random;
    this.#part = part;
  }

  get size(): number {
    return this.#dirs.size;
  }

  /** Takes what happened at a path; no: it is to be looked at. */
  take(path: RelPath, isNewDir: boolean): boolean {
    if (this.#part === 0 || this.#random.next() >= this.#part) return false;
    this.#dirs.add(isNewDir ? path : parentOf(path));
    return true;
  }

  followMove(move: Move): void {
    this.#dirs = new Set([...this.#dirs].map((dir) => rebase(dir, move)));
  }

  /** Takes out what is to be told. */
  drain(): RelPath[] {
    const dirs = [...this.#dirs];
    this.#dirs.clear();
    return dirs;
  }
}
