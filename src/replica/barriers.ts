/**
 * Which barriers have passed: behind one, all that was dirty when it was asked for has been looked at
 * and told, under whatever name it has by then.
 *
 * Looks at nothing and tells nothing; called by reporter.ts.
 * @module
 */
import type { Move } from "../core/endpoint.ts";
import { rebase, type RelPath } from "../core/path.ts";

/** A barrier that waits for what happened before it. */
interface Barrier {
  readonly id: number;
  waiting: Set<RelPath>;
  /** How many new directories had been added then; with more, what was found in them counts, too. */
  dirs: number;
}

/** What is still to be looked at. */
export interface Undone {
  readonly settle: { pending(): Set<RelPath>; isPending(path: RelPath): boolean };
  /** The walk of new directories; null: there is none yet. */
  readonly newDirs: { readonly isIdle: boolean; readonly added: number } | null;
}

/** The barriers of one endpoint that have not passed. */
export class Barriers {
  #barriers: Barrier[] = [];

  /** Whether no barrier waits. */
  get isEmpty(): boolean {
    return this.#barriers.length === 0;
  }

  /** Adds a barrier behind the paths that are dirty now. */
  add(id: number, pending: Set<RelPath>): void {
    this.#barriers.push({ id, waiting: pending, dirs: -1 });
  }

  /** Follows a rename: what was waited for under the old name is waited for under the new one as well. */
  followMove(move: Move): void {
    for (const { waiting } of this.#barriers) {
      for (const path of [...waiting]) waiting.add(rebase(path, move));
    }
  }

  /** Takes out the barriers that nothing stands before any more; their ids, in order. */
  takePassed(undone: Undone): number[] {
    const passed = this.#barriers.filter((barrier) => isPassed(barrier, undone));
    if (passed.length > 0) this.#barriers = this.#barriers.filter((barrier) => !passed.includes(barrier));
    return passed.map(({ id }) => id);
  }
}

function isPassed(barrier: Barrier, { settle, newDirs }: Undone): boolean {
  for (const path of barrier.waiting) if (!settle.isPending(path)) barrier.waiting.delete(path);
  if (barrier.waiting.size > 0 || newDirs?.isIdle === false) return false;
  const dirs = newDirs?.added ?? 0;
  if (dirs === barrier.dirs) return true;
  barrier.dirs = dirs;
  barrier.waiting = settle.pending();
  return isPassed(barrier, { settle, newDirs });
}
