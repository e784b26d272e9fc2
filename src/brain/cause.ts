/**
 * Why a path was changed: for the journal, and for nobody's decision.
 *
 * Pure. Called where a change is recorded.
 * @module
 */
import { otherSide, type Side } from "../core/problem.ts";
import type { News } from "./news.ts";
import type { Cause } from "./report.ts";

/** What brought the news for which `target` was changed. */
export function causeOf(news: News, target: Side): Cause {
  const source = otherSide(target);
  // Where only the target has news, what it lost or broke is made again there.
  const side = news[source] === null && news[target] !== null ? target : source;
  return { side, how: news[side]?.isLive === true ? "event" : "look" };
}
