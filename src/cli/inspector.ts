/**
 * Closes the debugger that Deno opens by itself, on 127.0.0.1:9229, when it gets SIGUSR1 (from 2.9.2
 * on, and there is no switch against it): whoever may connect to it can run code as psync's user.
 *
 * Not used under the launcher, which keeps the signal from Deno.
 * RACE: between the opening and the next look it is open for about a millisecond. Accepted for what
 * `deno compile` made and for a source tree, which have no launcher. Called by state_signal.ts.
 * @see https://github.com/denoland/deno/pull/35738
 * @module
 */
import type { Clock } from "../base/clock.ts";

/** The part of node:inspector that is needed. */
export interface Inspector {
  url(): string | undefined;
  close(): void;
}

/** Deno opens it some milliseconds after the signal; on a busy machine later. */
const WATCHED_MS = 2000;
const LOOK_MS = 1;

/** Looks for an open debugger for a while from now on, and closes it. */
export function closeInspectorSoon(inspector: Inspector, clock: Clock): void {
  const endMs = clock.nowMs() + WATCHED_MS;
  const look = () => {
    if (inspector.url() !== undefined) inspector.close();
    else if (clock.nowMs() < endMs) clock.after(LOOK_MS, look);
  };
  look();
}
