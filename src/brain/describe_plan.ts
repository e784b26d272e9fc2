/**
 * A plan in a few words, for the debug log.
 * @module
 */
import type { Side } from "../core/problem.ts";
import type { News } from "./news.ts";
import type { Plan } from "./plan.ts";

/** The fields of the one log line of a decision. */
export function describePlan(news: News, plan: Plan): Record<string, string> {
  const seen = (side: Side) => news[side]?.observation.kind ?? "-";
  const step = (side: Side) => plan.kind === "change" ? plan.change[side].kind : "";
  const looks = plan.kind === "look"
    ? plan.looks.map(({ side, path, digest }) => `${side} ${path} ${digest}`).join()
    : "";
  return { left: seen("left"), right: seen("right"), leftStep: step("left"), rightStep: step("right"), looks };
}
