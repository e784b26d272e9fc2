/**
 * What crowded directories miss: somebody has just removed it, or did while psync was not there.
 *
 * Only the first walk can tell, whose removals are braked: what is missed before that was judged is looked for
 * again then, and what is held stays as it is. Decides nothing else; called by scan.ts.
 * @module
 */
import type { RelPath } from "../core/path.ts";
import type { Side } from "../core/problem.ts";
import type { Absences, Missing } from "./absences.ts";

/** A directory of one side. */
interface SideDir {
  readonly side: Side;
  readonly dir: RelPath;
}

/** The names that crowded directories miss. */
export class CrowdMisses {
  readonly #absences: Pick<Absences, "notHeld">;
  readonly #confirm: (side: Side, path: RelPath) => void;
  #missed: Missing[] = [];
  /** Directories that missed something before the first walk was judged; null: it is. */
  #waiting: Readonly<Record<Side, Set<RelPath>>> | null = { left: new Set(), right: new Set() };

  /** `confirm` has a path looked at: nothing else may lead to a removal (I1). */
  constructor(absences: Pick<Absences, "notHeld">, confirm: (side: Side, path: RelPath) => void) {
    this.#absences = absences;
    this.#confirm = confirm;
  }

  /** A path of the archive that a crowded directory does not show. */
  note(side: Side, path: RelPath): void {
    this.#missed.push({ side, path });
  }

  /** A directory was gone through. */
  listed(dir: RelPath): void {
    const missed = this.#missed;
    if (missed.length === 0) return;
    this.#missed = [];
    if (this.#waiting !== null) { for (const { side } of missed) this.#waiting[side].add(dir); }
    else for (const { side, path } of this.#absences.notHeld(missed)) this.#confirm(side, path);
  }

  /** The first walk is judged; the directories that are to be listed once more. */
  judged(): SideDir[] {
    const waiting = this.#waiting ?? { left: [], right: [] };
    this.#waiting = null;
    return (["left", "right"] as const).flatMap((side) => [...waiting[side]].map((dir) => ({ side, dir })));
  }
}
