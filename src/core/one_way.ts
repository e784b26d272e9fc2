/**
 * What the right may not change on the left where links are shown as the files that they lead to (-L).
 *
 * Links go from left to right only then: a link of the left stays, and so does what it leads to. None is
 * made, moved or removed because of the right: whoever writes there would choose by it which files of the
 * left host are sent. Pure. The brain plans by it (brain/plan.ts), and the left endpoint refuses what is
 * asked for all the same.
 * @module
 */
import { isFollowed } from "./entry.ts";
import { expectedOfView } from "./expected.ts";
import type { RelPath } from "./path.ts";
import { type Decision, reconcile, type ReconcileInput } from "./reconcile.ts";
import type { Expected, Transition } from "./transition.ts";

/**
 * Decides one path as `reconcile` does, but never against a link of the left: there the left wins what
 * is a conflict, and anything else is refused.
 */
export function reconcileOneWay(input: ReconcileInput): Decision | { readonly kind: "refused" } {
  const decision = reconcile(input);
  if (!isAgainstLink(decision, input)) return decision;
  const led = reconcile({ ...input, later: "left" });
  return isAgainstLink(led, input) ? { kind: "refused" } : led;
}

function isAgainstLink(decision: Decision, { left, base }: ReconcileInput): boolean {
  if (decision.kind !== "change" || decision.left.kind === "keep") return false;
  if (decision.left.kind === "put" && decision.left.entry.kind === "link") return true;
  const expected = expectedOfView(left, { row: base, side: "left" });
  return expected !== null && isLink(expected);
}

/** Whether a transition of the left replica would make, move, change or remove a link. */
export function isRefused(transition: Transition): boolean {
  switch (transition.kind) {
    case "put":
      return transition.entry.kind === "link" || isLink(transition.expected);
    case "remove":
    case "meta":
      return isLink(transition.expected);
    case "move": {
      const { from, to, expectedFrom, expectedTo } = transition;
      if (isLink(expectedFrom) || isLink(expectedTo)) return true;
      // In another depth a relative link in it would lead elsewhere.
      const isElsewhere = depthOf(from) !== depthOf(to);
      return expectedFrom.kind === "dir" && isElsewhere;
    }
  }
}

function depthOf(path: RelPath): number {
  return path.split("/").length;
}

/** Whether a link is expected, also one that is shown as a file. */
function isLink(expected: Expected): boolean {
  return expected.kind === "link" || (expected.kind === "file" && isFollowed(expected.stamp));
}
