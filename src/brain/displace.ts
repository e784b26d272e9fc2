/**
 * A directory that must make way for something that is no directory, and holds what nobody on the
 * other side has seen: it goes to the trash whole, as the loser of a conflict (I9).
 * @module
 */
import { expectedObject, expectedOf } from "../core/expected.ts";
import type { Side } from "../core/problem.ts";
import type { Expected, TransitionResult } from "../core/transition.ts";
import type { PairContext } from "./context.ts";
import { FAILED_LIMIT_MS } from "./retry.ts";
import { lookAgain, recordConflict, type Task } from "./task.ts";

/** Moves the directory away on `side`; what then stands there is looked at again. */
export function displaceDirectory(context: PairContext, task: Task, side: Side, end: () => void): void {
  const path = task.path;
  const seen = task.options.news[side]?.observation;
  const expected: Expected = seen?.kind === "present"
    ? expectedObject(seen.entry, seen.stamp)
    : expectedOf(task.options.row, side);
  const done = (result: TransitionResult) => {
    context.evidence[side].note(path, result.ended);
    if (result.kind === "done" && result.kept !== null) {
      const [left, right] = side === "left" ? [null, task.options.entry] : [task.options.entry, null];
      recordConflict(context, { path, loser: side, why: "both-changed", kept: result.kept, left, right });
      context.archive.remove(path);
      context.board.dropBelow(path);
    }
    if (result.kind === "failed") {
      context.status.problem({ path, side, reason: result.reason, detail: result.detail });
      context.retry.later(path, FAILED_LIMIT_MS);
    } else lookAgain(context, path, ["left", "right"]);
    end();
  };
  context.lanes[side].add({ transition: { kind: "remove", path, expected, disposal: "conflict", force: true }, done });
  context.lanes[side].flush();
}
