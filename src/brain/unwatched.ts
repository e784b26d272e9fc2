/**
 * Directories that no watch could be set on (the kernel's limit): listed again and again, until they can be
 * watched.
 *
 * Told once for each side, not for each directory: beyond the limit there may be very many.
 * Owned by pair.ts, which ends it.
 * @module
 */
import type { Clock, Timer } from "../base/clock.ts";
import type { RelPath } from "../core/path.ts";
import type { Side } from "../core/problem.ts";
import type { Report } from "./report.ts";

/** How long such a directory is left before it is listed again. */
export const POLL_MS = 30_000;

const SIDES = ["left", "right"] as const;

/** What it works with. */
export interface UnwatchedParts {
  readonly clock: Pick<Clock, "after">;
  readonly report: Pick<Report, "notice">;
  /** Has a directory and what is below it listed again. */
  readonly rescan: (dir: RelPath) => void;
}

/** The directories of one pair that are polled. */
export class Unwatched implements Disposable {
  readonly #parts: UnwatchedParts;
  readonly #paths: Record<Side, Set<RelPath>> = { left: new Set(), right: new Set() };
  readonly #told = new Set<Side>();
  #timer: Timer | null = null;
  #isEnded = false;

  constructor(parts: UnwatchedParts) {
    this.#parts = parts;
  }

  /** How many are known on a side. */
  countOf(side: Side): number {
    return this.#paths[side].size;
  }

  /** Takes one that could not be watched. */
  note(side: Side, path: RelPath): void {
    if (this.#isEnded) return;
    this.#paths[side].add(path);
    if (!this.#told.has(side)) this.#parts.report.notice({ kind: "unwatched", side, path });
    this.#told.add(side);
    this.#timer ??= this.#parts.clock.after(POLL_MS, () => this.#poll());
  }

  /** No directory is polled any more. */
  [Symbol.dispose](): void {
    this.#isEnded = true;
    this.#timer?.cancel();
    this.#timer = null;
  }

  #poll(): void {
    this.#timer = null;
    // Where none was left since the last time, the next one is news.
    for (const side of SIDES) if (this.#paths[side].size === 0) this.#told.delete(side);
    const paths = SIDES.flatMap((side) => [...this.#paths[side]]);
    for (const side of SIDES) this.#paths[side].clear();
    for (const dir of paths) this.#parts.rescan(dir);
  }
}
