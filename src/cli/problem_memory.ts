/**
 * Which problems people have been told of, so that each path and reason is told once, and which of
 * them still stand.
 *
 * Bounded: beyond its size the oldest are forgotten, and may be told again.
 * @module
 */
import type { RelPath } from "../core/path.ts";
import type { Problem } from "../core/problem.ts";

interface Told {
  readonly problem: Problem;
  readonly atMs: number;
  isGone: boolean;
}

/** How many paths are remembered. */
const MAX_PATHS = 10_000;

/** A problem that comes and goes is told again only after this span: ten minutes. */
const REPEAT_MS = 600_000;

/** The memory of one session. */
export class ProblemMemory {
  readonly #told = new Map<RelPath, Told>();

  /** Notes a problem; whether it is new to people. */
  isNews(problem: Problem, nowMs: number): boolean {
    const known = this.#told.get(problem.path);
    if (known !== undefined && known.problem.reason === problem.reason) {
      if (!known.isGone || nowMs - known.atMs < REPEAT_MS) {
        known.isGone = false;
        return false;
      }
    }
    this.#told.delete(problem.path);
    this.#told.set(problem.path, { problem, atMs: nowMs, isGone: false });
    if (this.#told.size > MAX_PATHS) this.#told.delete(this.#told.keys().next().value!);
    return true;
  }

  /** Notes that a path is fine. */
  gone(path: RelPath): void {
    const known = this.#told.get(path);
    if (known !== undefined) known.isGone = true;
  }

  /** The problems that stand, oldest first. */
  standing(): Problem[] {
    return [...this.#told.values()].filter(({ isGone }) => !isGone).map(({ problem }) => problem);
  }
}
