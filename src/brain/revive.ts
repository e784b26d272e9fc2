/**
 * A put that found no directory to go into: the directories above it are looked at on both sides,
 * and what is seen there decides whether psync makes them again (an edit beats a removal, I9).
 * @module
 */
import { ancestorsOf, ROOT } from "../core/path.ts";
import type { PairContext } from "./context.ts";
import type { News } from "./news.ts";
import { BUSY_LIMIT_MS } from "./retry.ts";
import { lookAgain } from "./task.ts";

/** How many directories are remembered as needed. */
const NEEDED_MAX = 10_000;

/** Looks at the directories above a path; the path itself is tried again after them. */
export function reviveParents(context: PairContext, news: News): void {
  // What was asked for and never decided, as it was renamed meanwhile, is asked for again where it is needed.
  if (context.needed.size > NEEDED_MAX) context.needed.clear();
  for (const ancestor of ancestorsOf(news.path)) {
    if (ancestor === ROOT || context.needed.has(ancestor)) continue;
    context.needed.add(ancestor);
    lookAgain(context, ancestor, ["left", "right"]);
  }
  context.retry.later(news.path, BUSY_LIMIT_MS);
}
