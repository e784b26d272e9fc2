/**
 * Which of two changes is the later one, and the row that tells people of a kept loser.
 *
 * Pure. The rule never loses data, whatever it answers: the loser is kept (I9). Called by the brain
 * before it asks reconcile.ts, and after a transition of a conflict was done.
 * @module
 */
import type { ConflictRow } from "./archive.ts";
import type { Entry } from "./entry.ts";
import type { RelPath } from "./path.ts";
import { otherSide, type Side } from "./problem.ts";
import type { Later } from "./reconcile.ts";

/** What is known of the time of one side's change. */
export interface ChangeTime {
  /** The place of its event in the order in which the brain saw live events; `null`: found by a scan. */
  readonly order: number | null;
  /** The mtime on that side's clock; `null` for a removal, whose time nobody kept. */
  readonly mtimeNs: bigint | null;
}

/**
 * Tells which side changed later: by the order of events where both came live, else by mtime.
 * A live change against one that a scan found says nothing by order, as the scan's may be younger.
 */
export function laterOf(
  changes: {
    readonly left: ChangeTime;
    readonly right: ChangeTime;
    /** What must be added to the right's clock to get the left's, in ns. */
    readonly rightOffsetNs: bigint;
  },
): Later {
  const { left, right } = changes;
  if (left.order !== null && right.order !== null && left.order !== right.order) {
    return left.order > right.order ? "left" : "right";
  }
  if (left.mtimeNs === null || right.mtimeNs === null) return "unknown";
  const aheadNs = left.mtimeNs - (right.mtimeNs + changes.rightOffsetNs);
  return aheadNs === 0n ? "unknown" : aheadNs > 0n ? "left" : "right";
}

/** What a conflict's row is made from. */
export interface KeptLoser {
  readonly path: RelPath;
  readonly loser: Side;
  /** Below `.psync/trash/` of the loser's replica, as the transition's result told. */
  readonly kept: string;
  readonly atMs: number;
  /** What each side showed; `null` where it is not known (a find against expectation). */
  readonly left: Entry | null;
  readonly right: Entry | null;
}

/** The row that lists a kept loser. */
export function conflictRow(of: KeptLoser): Omit<ConflictRow, "id"> {
  const lost = of[of.loser];
  const won = of[otherSide(of.loser)];
  return {
    path: of.path,
    loser: of.loser,
    kept: of.kept,
    atMs: of.atMs,
    winnerSizeBytes: won?.kind === "file" ? won.sizeBytes : null,
    loserSizeBytes: lost?.kind === "file" ? lost.sizeBytes : null,
    winnerMtimeNs: won?.mtimeNs ?? null,
    loserMtimeNs: lost?.mtimeNs ?? null,
  };
}
