/**
 * From a step that was decided to the transition that an endpoint is asked to make.
 *
 * Pure. Large files get theirs in bulk.ts, once they are staged. Used by dispatch.ts.
 * @module
 */
import type { ArchiveRow } from "../core/archive.ts";
import { expectedOfView } from "../core/expected.ts";
import type { Side } from "../core/problem.ts";
import type { Step as DecidedStep } from "../core/reconcile.ts";
import type { Content, Expected, Transition } from "../core/transition.ts";
import type { News } from "./news.ts";
import type { Change, Views } from "./plan.ts";
import type { TaskConflict } from "./task.ts";

/** A blocked side is never changed: planned for, it would be a fault of ours. */
export function expectedAt(views: Views, row: ArchiveRow | null, side: Side): Expected {
  const expected = expectedOfView(views[side], { row, side });
  if (expected === null) throw new Error(`Cannot change the ${side} side: it is blocked`);
  return expected;
}

/** The conflict that a change decides, if it decides one. */
export function taskConflict(change: Change, { isCrash }: { readonly isCrash: boolean }): TaskConflict | null {
  const clash = change.clash;
  if (clash === null || clash.loser === null) return null;
  if (isCrash) return { loser: clash.loser, why: "rolled-back" };
  return { loser: clash.loser, why: clash.why === "first-sync" ? "both-created" : "both-changed" };
}

/** The transition of a step; null where nothing is to be changed. */
export function transitionOf(news: News, step: DecidedStep, expected: Expected): Transition | null {
  const path = news.path;
  switch (step.kind) {
    case "keep":
      return null;
    case "remove":
      return { kind: "remove", path, expected, disposal: step.disposal, force: false };
    case "meta":
      return { kind: "meta", path, expected, entry: step.entry };
    case "put":
      return {
        kind: "put",
        path,
        expected,
        entry: step.entry,
        content: contentOf(news, step),
        disposal: step.disposal,
      };
  }
}

function contentOf(news: News, step: Extract<DecidedStep, { kind: "put" }>): Content | null {
  if (step.entry.kind !== "file") return null;
  const seen = news[step.from]?.observation;
  const bytes = seen?.kind === "present" ? seen.content : null;
  return { kind: "inline", bytes: bytes ?? new Uint8Array(0) };
}
