/**
 * `psync check`: compares both trees, and where a psync runs on them waits for what is only under way.
 *
 * Opens roots of its own and takes no lock. Says nothing; cli/check.ts does.
 * @module
 */
import { findPair } from "../archive/pair_store.ts";
import { EndpointLostError } from "../base/errors.ts";
import { compareTrees, type Comparison, lookAgain } from "../brain/compare.ts";
import { openBoth } from "../brain/open_both.ts";
import type { Sides } from "../brain/context.ts";
import type { ScanProgress, SessionPhase } from "../brain/report.ts";
import type { SessionContext, SessionSettings } from "../brain/settings.ts";
import type { Endpoint } from "../core/endpoint.ts";
import { connectControl, type Control } from "./client.ts";
import type { SocketSurroundings } from "./place.ts";

/** How often differences are looked at again while a psync runs, and how long it is waited for in between. */
const AGAIN_TIMES = 20;
const AGAIN_MS = 250;
/** A comparison needs no watches, and must not take them from the psync that runs. */
const WATCHES = 1;

/** Phases in which nothing is under way. */
const IDLE: ReadonlySet<SessionPhase> = new Set(["paused", "halted", "link-lost"]);

/** What a comparison works with. */
export type CheckContext = SessionContext & SocketSurroundings;

/** Compares the trees of a pair. Where a psync runs, only what stays different is told. */
export async function checkPair(
  settings: SessionSettings,
  context: CheckContext,
  options: { readonly checksum: boolean },
): Promise<Comparison> {
  await using opened = await openBoth(settings, context, { maxWatches: WATCHES });
  const { endpoints } = opened;
  const compareOwners = endpoints.left.facts.isRootUser && endpoints.right.facts.isRootUser;
  await Promise.all([endpoints.left, endpoints.right].map((endpoint) => endpoint.setCompareOwners(compareOwners)));
  const how = { ...options, signal: context.signal };
  const onProgress = (progress: ScanProgress) => context.report.scanProgress(progress);
  const found = await compareTrees(endpoints, { ...how, onProgress });
  let { differences } = found;
  for (let i = 0; i < AGAIN_TIMES && differences.length > 0; i++) {
    const isAtRest = await isAtRestNow(settings, endpoints, context);
    if (isAtRest === null) break;
    if (!isAtRest) await context.clock.sleep(AGAIN_MS, context.signal);
    differences = await lookAgain(endpoints, differences, how);
    if (isAtRest) break;
  }
  return { ...found, differences };
}

/** Whether the psync that runs on a pair has nothing to do; null: none runs. */
async function isAtRestNow(
  settings: SessionSettings,
  endpoints: Sides<Endpoint>,
  context: CheckContext,
): Promise<boolean | null> {
  const roots = { leftRoot: endpoints.left.facts.root, rightRoot: endpoints.right.facts.root };
  const running = await connectRunning({ ...roots, rightHost: settings.remoteHost }, context);
  if (running === null) return null;
  await using control = running;
  try {
    const { state } = await control.ask({ kind: "status" }, "status");
    if (state === null || IDLE.has(state.phase)) return true;
    return state.phase === "live" && state.waiting === 0 && state.inFlight.length === 0;
  } catch (error) {
    if (error instanceof EndpointLostError) return null; // it has just ended
    throw error;
  }
}

/** The psync that runs on two roots; null: none does. */
export async function connectRunning(
  roots: Parameters<typeof findPair>[1],
  context: SocketSurroundings,
): Promise<Control | null> {
  const pair = findPair(context.stateDir, roots);
  return pair === null ? null : await connectControl(pair.id, context);
}
