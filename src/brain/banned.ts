/**
 * Programs that psync does not run beside, on either host: looked for at the start of each life of the
 * endpoints and every few seconds after that.
 *
 * Called by open_both.ts and session.ts. Ends nothing itself: it throws.
 * @module
 */
import type { Clock } from "../base/clock.ts";
import { BannedError } from "../base/errors.ts";
import type { Endpoint } from "../core/endpoint.ts";
import { showPath } from "../core/path.ts";
import type { Sides } from "./context.ts";

/** How often it is looked. */
const POLL_MS = 5_000;

/**
 * Looks on both hosts.
 * @throws {BannedError} where a program runs whose name holds one of `names`.
 */
export async function requireNoneBanned(endpoints: Sides<Endpoint>, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  for (const side of ["left", "right"] as const) {
    const found = await endpoints[side].findProgram(names);
    if (found === null) continue;
    const host = showPath(endpoints[side].facts.hostName);
    throw new BannedError(`Cannot go on while "${showPath(found)}" runs on ${host}: it is banned (-b); end it first`);
  }
}

/** Looks again and again until the signal is aborted; resolves to what was found, or to null. */
export async function awaitBanned(
  endpoints: Sides<Endpoint>,
  names: readonly string[],
  life: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<BannedError | null> {
  while (names.length > 0 && !life.signal.aborted) {
    try {
      await life.clock.sleep(POLL_MS, life.signal);
      await requireNoneBanned(endpoints, names);
    } catch (error) {
      return error instanceof BannedError ? error : null; // the end of this life is told by others
    }
  }
  return null;
}
