/**
 * A put that found no directory to go into: the directories above it are looked at on both sides,
 * and what is seen there decides whether psync makes them again (an edit beats a removal, I9).
 * @module
 */
import { ancestorsOf, ROOT } from "../core/path.ts";
import type { Side } from "../core/problem.ts";
import type { PairContext } from "./context.ts";
import type { News } from "./news.ts";
import { BUSY_LIMIT_MS } from "./retry.ts";
import { lookAgain, type TaskOptions } from "./task.ts";

const SIDES = ["left", "right"] as const;

/** How many directories are remembered as needed. */
const NEEDED_MAX = 10_000;

/**
 * Looks at the directories above a path; the path itself is tried again after them. What was to be
 * removed needs none: it is gone with them.
 */
export function reviveParents(context: PairContext, { news, entry }: Pick<TaskOptions, "news" | "entry">): void {
  if (entry === null) return lookAgain(context, news.path, SIDES);
  // What was asked for and never decided, as it was renamed meanwhile, is asked for again where it is needed.
  if (context.needed.size > NEEDED_MAX) context.needed.clear();
  const seen = SIDES.filter((side) => news[side]?.observation.kind === "present");
  const homes = seen.length > 0 ? seen : SIDES;
  for (const ancestor of ancestorsOf(news.path)) {
    if (ancestor === ROOT) continue;
    const known = context.needed.get(ancestor);
    context.needed.set(ancestor, new Set([...known ?? [], ...homes]));
    if (known !== undefined) continue;
    lookAgain(context, ancestor, ["left", "right"]);
  }
  context.retry.later(news.path, BUSY_LIMIT_MS);
}

/** Whether a directory is to be there for what waits below it, and lives on a side that still shows the directory. */
export function isNeeded(context: PairContext, top: News): boolean {
  const homes = context.needed.get(top.path);
  if (homes === undefined || !context.retry.hasBelow(top.path)) return false;
  return SIDES.some((side) => homes.has(side) && !isGone(top, side));
}

function isGone(news: News, side: Side): boolean {
  const kind = news[side]?.observation.kind;
  return kind === "absent" || kind === "orphan";
}
