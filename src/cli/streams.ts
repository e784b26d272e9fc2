/**
 * The process's own stdout and stderr as streams that a terminal can be made of.
 *
 * Writes whole buffers, and waits where a reader has made the pipe non-blocking and full.
 * @module
 */
import type { Clock } from "../base/clock.ts";
import type { Stream } from "./terminal.ts";

/** What is needed of `Deno.stdout` and `Deno.stderr`. */
export interface RawStream {
  write(bytes: Uint8Array): Promise<number>;
  isTerminal(): boolean;
}

/** How long to wait before a full pipe is tried again. */
const FULL_PIPE_MS = 10;

/** A stream over one of the process's own. */
export function streamOf(raw: RawStream, clock: Clock): Stream {
  return { isTerminal: raw.isTerminal(), write: (bytes) => writeAll(raw, bytes, clock) };
}

async function writeAll(raw: RawStream, bytes: Uint8Array, clock: Clock): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    try {
      at += await raw.write(bytes.subarray(at));
    } catch (error) {
      // WHY: whoever shares the pipe (ssh does) may have set O_NONBLOCK on it for all.
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      await clock.sleep(FULL_PIPE_MS);
    }
  }
}
