/**
 * `psync doctor`: asks both hosts, and measures what lies between them.
 *
 * Opens nothing, changes nothing, judges nothing (diagnosis.ts). Called by control/doctor.ts.
 * @module
 */
import type { Clock } from "../base/clock.ts";
import { type Checkup, ECHO_MAX_BYTES } from "../core/checkup.ts";
import type { Endpoint, EndpointFacts } from "../core/endpoint.ts";
import type { Sides } from "./context.ts";

/** How often the way to the other host and back is timed; the shortest counts. */
const ROUND_TRIPS = 10;
/** Throughput is measured with more and more bytes until one direction takes this long. */
const ENOUGH_MS = 400;
const FIRST_BYTES = 64 * 1024;
const STEP = 4;

/** The way between both hosts. */
export interface Link {
  readonly roundTripMs: number;
  /** The right's clock minus the left's; exact to half a round trip. */
  readonly clockOffsetMs: number;
  /** From the left to the right, and back. */
  readonly upBytesPerSecond: number;
  readonly downBytesPerSecond: number;
}

/** What is known of one side. */
export interface ExaminedSide extends Checkup {
  readonly facts: EndpointFacts;
}

/** Both sides, and the way between them; null: both are on this host. */
export interface Examination extends Sides<ExaminedSide> {
  readonly link: Link | null;
}

/** Examines two open endpoints. */
export async function examine(
  endpoints: Sides<Endpoint>,
  options: { readonly isRemote: boolean; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Examination> {
  const { isRemote, signal } = options;
  // First of all, while neither host is busy.
  const link = isRemote ? await measureLink(endpoints.right, options) : null;
  const [left, right] = await Promise.all([
    endpoints.left.checkup({ signal }),
    endpoints.right.checkup({ signal }),
  ]);
  return {
    left: { ...left, facts: endpoints.left.facts },
    right: { ...right, facts: endpoints.right.facts },
    link,
  };
}

/** Times the way to an endpoint. */
export async function measureLink(
  endpoint: Pick<Endpoint, "echo">,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Link> {
  let best = { ms: Infinity, offsetMs: 0 };
  for (let i = 0; i < ROUND_TRIPS; i++) {
    signal.throwIfAborted();
    const [beganMs, beganWallMs] = [clock.nowMs(), clock.wallMs()];
    const { clockMs } = await endpoint.echo({ sendBytes: 0, replyBytes: 0 });
    const ms = clock.nowMs() - beganMs;
    if (ms < best.ms) best = { ms, offsetMs: clockMs - (beganWallMs + ms / 2) };
  }
  const speed = async (sizeOf: (bytes: number) => { readonly sendBytes: number; readonly replyBytes: number }) => {
    for (let bytes = FIRST_BYTES;; bytes *= STEP) {
      signal.throwIfAborted();
      const beganMs = clock.nowMs();
      await endpoint.echo(sizeOf(bytes));
      const ms = clock.nowMs() - beganMs;
      if (ms < ENOUGH_MS && bytes * STEP <= ECHO_MAX_BYTES) continue;
      // What a small request takes is no part of it; a clock that stood still says nothing.
      return (bytes * 1_000) / Math.max(ms - best.ms, ms / 10, 0.001);
    }
  };
  return {
    roundTripMs: best.ms,
    clockOffsetMs: best.offsetMs,
    upBytesPerSecond: await speed((sendBytes) => ({ sendBytes, replyBytes: 0 })),
    downBytesPerSecond: await speed((replyBytes) => ({ sendBytes: 0, replyBytes })),
  };
}
