/**
 * The main loop: take what is new, plan it, begin it. Everything else hangs on this.
 *
 * Called by pair.ts; runs until its signal is aborted or a part fails.
 * @module
 */
import type { PairContext } from "./context.ts";
import type { Dispatcher } from "./dispatch.ts";

const SIDES = ["left", "right"] as const;

/** How many paths are planned in one round, so that live news never wait long behind a scan. */
export const ROUND_PATHS = 1_000;
/**
 * With more paths than this in flight, large files apart, the loop takes none that has to be read first: `next` must not
 * resolve for those before one has ended.
 */
export const FLIGHT_LIMIT = 2_000;

/** Runs rounds for as long as `next` resolves to true: something may be ready. */
export async function runCycle(
  context: PairContext,
  dispatcher: Dispatcher,
  next: () => Promise<boolean>,
): Promise<void> {
  while (await next()) {
    const news = context.board.take(ROUND_PATHS, { onlyHeld: context.flights.quickCount > FLIGHT_LIMIT });
    if (news.length > 0) dispatcher.round(news);
    // What was at hand may have been settled without a commit, for which a lane would have told it.
    for (const side of SIDES) context.looks[side].resume();
    await Promise.all([context.lanes.left.room(), context.lanes.right.room()]);
  }
}
