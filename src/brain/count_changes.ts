/**
 * Tells what a task did, once it is recorded: side by side, with its cause.
 *
 * Decides nothing. Called by dispatch.ts.
 * @module
 */
import type { Side } from "../core/problem.ts";
import { causeOf } from "./cause.ts";
import type { Change } from "./plan.ts";
import type { Status } from "./status.ts";
import type { Task } from "./task.ts";

const SIDES = ["left", "right"] as const;

/** Counts and reports the changes of a task. */
export function countChanges(status: Status, task: Task, change: Change): void {
  for (const side of SIDES) {
    const step = change[side];
    if (step.kind === "keep") continue;
    const entry = step.kind === "remove" ? task.options.row?.entry : step.entry;
    if (entry === undefined) continue;
    const deed = step.kind === "remove" ? "removed" : wasThere(task, side) ? "changed" : "created";
    const bytes = step.kind === "put" && step.entry.kind === "file" ? step.entry.sizeBytes : 0;
    const cause = causeOf(task.options.news, side);
    status.did({ side, deed, path: task.path, from: null, kind: entry.kind, bytes, cause });
  }
}

function wasThere(task: Task, side: Side): boolean {
  const seen = task.options.news[side]?.observation;
  return seen === undefined ? task.options.row !== null : seen.kind === "present";
}
