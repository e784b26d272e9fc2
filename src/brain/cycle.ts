/**
 * The main loop: take what is new, plan it, begin it. Everything else hangs on this.
 *
 * Called by pair.ts; runs until its signal is aborted or a part fails.
 * @module
 */
import type { PairContext } from "./context.ts";
import type { Dispatcher } from "./dispatch.ts";

/** How many paths are planned in one round, so that live news never wait long behind a scan. */
export const ROUND_PATHS = 1_000;
/** How many paths , with their content, may be in flight before the loop waits: `next` must not resolve before one has ended. */
export const FLIGHT_LIMIT = 2_000;

/** Runs rounds for as long as `next` resolves to true: something may be ready. */
export async function runCycle(
  context: PairContext,
  dispatcher: Dispatcher,
  next: () => Promise<boolean>,
): Promise<void> {
  while (await next()) {
    if (context.flights.size > FLIGHT_LIMIT) continue;
    const news = context.board.take(ROUND_PATHS);
    if (news.length > 0) dispatcher.round(news);
    await Promise.all([context.lanes.left.room(), context.lanes.right.room()]);
  }
}
