/**
 * A rename on its way: one transition on the other side, whatever the size of what moves.
 *
 * The archive row is renamed first and then holds the old content under the new name, so that an
 * edit made together with the rename, on either side, is found as an ordinary change of that name.
 * @module
 */
import type { ArchiveRow } from "../core/archive.ts";
import type { Move } from "../core/endpoint.ts";
import { sameContent, sameMetadata, type Stamp } from "../core/entry.ts";
import { expectedObject, expectedOf } from "../core/expected.ts";
import type { Observation, PresentObservation } from "../core/observation.ts";
import type { RelPath } from "../core/path.ts";
import { otherSide, type Side } from "../core/problem.ts";
import type { TransitionResult } from "../core/transition.ts";
import { causeOf } from "./cause.ts";
import type { PairContext } from "./context.ts";
import { dispatchUndo, type Obstacle } from "./crossed.ts";
import type { MoveFinding } from "./moves.ts";
import { liveSince, type News, type Sighting } from "./news.ts";
import { BUSY_LIMIT_MS } from "./retry.ts";
import { hasRecordedParent, lookAgain, lookAtParent, NO_STAMP, noteLag, recordConflict } from "./task.ts";
import { isAsArchived } from "./view.ts";

/** A rename that was found. */
export type FoundMove = Extract<MoveFinding, { kind: "move" }>;

/** What is known of the side that is to make a rename. */
export interface MoveTarget {
  /** The directory of the new name is made in the batch that is open there. */
  readonly isOpened: boolean;
  /** What it showed at the old name, where that is news. */
  readonly edited: Observation | null;
  /** Where objects were seen in this round, by `objectKey`. */
  readonly objects: ReadonlyMap<string, RelPath>;
}

/** What the side that is to make a rename shows at the old name, where that is not what the archive says. */
export function editOf({ side, row }: FoundMove, old: Sighting | null): Observation | null {
  return old === null || isAsArchived(row, otherSide(side), old) ? null : old.observation;
}

/** Begins the rename on the side that has not made it; returns what stands in its way, else null. */
export function dispatchMove(
  context: PairContext,
  news: News,
  found: FoundMove,
  { isOpened, edited, objects }: MoveTarget,
): RelPath | null {
  const { flights, board, archive } = context;
  const move: Move = { from: found.from, to: news.path };
  const obstacle = obstacleOf(context, found, move.to, objects);
  if (obstacle?.kind === "crossed") return dispatchUndo(context, obstacle);
  const blocker = flights.blockerOf(move.from, { subtree: true }) ??
    (isOpened ? flights.blockerInOpened(move.to) : flights.blockerOf(move.to, { subtree: true }));
  if (blocker !== null) return blocker;
  const target = otherSide(found.side);
  const transition = {
    kind: "move" as const,
    ...move,
    expectedFrom: edited?.kind === "present"
      ? expectedObject(edited.entry, edited.stamp)
      : expectedOf(found.row, target),
    expectedTo: expectedOf(archive.get(move.to), target),
    disposal: "drop" as const,
  };
  flights.beginMove(move, { shown: { target, sizeBytes: null }, sinceMs: liveSince(news) });
  const end = () => {
    for (const path of [move.from, move.to]) {
      flights.end(path);
      board.release(path);
    }
    context.wake();
  };
  const done = (result: TransitionResult) => {
    const work = { news, found, move, target, isEdited: edited !== null };
    if (result.kind === "orphan" && found.row.entry.kind === "dir") return void homeless(context, work, end);
    settleMove(context, work, result);
    end();
  };
  context.lanes[target].add({ transition, done });
  return null;
}

/** What stands in the way of a rename that was found; `objects` as in `MoveTarget`. */
export function obstacleOf(
  { crossed }: PairContext,
  { side, from, row }: FoundMove,
  to: RelPath,
  objects: MoveTarget["objects"],
): Obstacle | null {
  const one = { side, move: { from, to }, stamp: row[side] };
  if (row.entry.kind === "dir") crossed.note(one);
  return crossed.find(one, objects);
}

interface MoveUnderWay {
  readonly news: News;
  readonly found: FoundMove;
  readonly move: Move;
  readonly target: Side;
  /** Whether the target has news of its own at the old name. */
  readonly isEdited: boolean;
}

function settleMove(context: PairContext, work: MoveUnderWay, result: TransitionResult): void {
  const { move, target, found } = work;
  for (const path of [move.from, move.to]) context.evidence[target].note(path, result.ended);
  if (result.kind === "done") {
    return canBeRecorded(context, move) ? recordMove(context, work, result.stamp) : lookAtBoth(context, work);
  }
  if (result.kind === "stale-kept" && result.kept !== null) {
    const [left, right] = target === "left" ? [null, found.row.entry] : [found.row.entry, null];
    recordConflict(context, { path: move.to, loser: target, why: "unexpected-find", kept: result.kept, left, right });
  }
  refuseMove(context, work, result);
}

/** Whether the row is still there, and the archive knows the directory to which it is to go. */
function canBeRecorded(context: PairContext, move: Move): boolean {
  return context.archive.get(move.from) !== null && hasRecordedParent(context, move.to);
}

/** The row follows; what either side changed besides the name is then news at the new name. */
function recordMove(context: PairContext, work: MoveUnderWay, targetStamp: Stamp | null): void {
  const { archive, board, retry, status } = context;
  const { move, found, target, news } = work;
  archive.move(move.from, move.to);
  archive.put(move.to, movedRow(work, targetStamp));
  const { kind } = found.row.entry;
  // What is in it may be ignored under its new name, or be ignored no longer.
  const isElsewhere = kind === "dir" && context.ignore.dependsOnPlace;
  if (isElsewhere) archive.dropSums(move.to);
  status.did({
    side: target,
    deed: "renamed",
    path: move.to,
    from: move.from,
    kind,
    bytes: 0,
    cause: causeOf(news, target),
  });
  noteLag(context, news, target);
  context.moves.note(move);
  context.moves.takeArrived(move.to);
  if (context.moves.takeNotListed(move) || isElsewhere) context.rescan(move.to);
  else if (found.row.entry.kind === "dir") context.rescanIfWalking(move.to);
  retry.move(move);
  status.moved(move);
  status.fine(move.from);
  const moved = [...board.moveAway(move, isOf(context, work)), ...context.moves.takeMissed(move)];
  for (const path of new Set(moved)) lookAgain(context, path, ["left", "right"]);
  board.put(news);
  if (work.isEdited) lookAgain(context, move.to, [target]);
}

/** Whether what was seen below the old name is of what moved, or of a directory that took its place. */
function isOf(context: PairContext, { found, target }: MoveUnderWay) {
  return (side: Side, { observation }: Sighting) => {
    const isNew = side === target ? context.evidence[side].holds(observation) : observation.began > found.goneAt;
    return isNew ? "new" : "old";
  };
}

/** Each side's stamp is renewed only where a rename alone explains it (I14). */
function movedRow(work: MoveUnderWay, targetStamp: Stamp | null): ArchiveRow {
  const { found, target, news } = work;
  const source = found.side;
  const { entry, ...known } = found.row;
  const seen = news[source]?.observation;
  const sourceStamp = seen?.kind === "present" && isPureRename(seen, found.row, source) ? seen.stamp : known[source];
  const kept = work.isEdited ? known[target] : targetStamp ?? NO_STAMP;
  return { entry, left: source === "left" ? sourceStamp : kept, right: source === "right" ? sourceStamp : kept };
}

/** Whether nothing but the name (and with it the ctime) changed. */
function isPureRename(seen: PresentObservation, row: ArchiveRow, side: Side): boolean {
  const old = row[side];
  return sameMetadata(seen.entry, row.entry) && sameContent(seen.entry, row.entry) &&
    seen.stamp.sizeBytes === old.sizeBytes && seen.stamp.mtimeNs === old.mtimeNs;
}

function refuseMove(context: PairContext, work: MoveUnderWay, result: TransitionResult): void {
  const { move, target } = work;
  if (result.kind === "busy") {
    context.status.problem({ path: move.to, side: target, reason: "busy", detail: "somebody writes to the file" });
    context.retry.later(move.to, BUSY_LIMIT_MS);
    return context.retry.later(move.from, BUSY_LIMIT_MS);
  }
  // Seen again, it may still be a rename (of what was edited meanwhile); after some attempts it
  // becomes a new name and a removal.
  context.retry.moveRefused(move.to);
  lookAtBoth(context, work);
}

/**
 * The directory into which another one is to be renamed is not there: it may have been renamed itself, and
 * that cross this, so all that is to be told is waited for. Nothing was touched: what was seen is as good as
 * before.
 */
async function homeless(context: PairContext, work: MoveUnderWay, end: () => void): Promise<void> {
  const { move, target, news } = work;
  try {
    await context.told(target);
    context.archive.transact(() => {
      context.retry.moveRefused(move.to);
      if (context.retry.mayMove(move.to)) context.board.put(news);
      else lookAtBoth(context, work);
    });
  } catch (error) {
    context.fail(error);
  }
  end();
}

/** What stands at both names is found anew, and the directory of the new one before it. */
function lookAtBoth(context: PairContext, { move, found }: MoveUnderWay): void {
  // What waited for the rename would take it for a removal of the old name.
  context.board.drop(move.from);
  for (const path of [move.from, move.to]) lookAgain(context, path, ["left", "right"]);
  if (!hasRecordedParent(context, move.to)) lookAtParent(context, move.to);
  if (found.row.entry.kind === "dir") context.rescan(move.to);
}
