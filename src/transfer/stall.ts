/**
 * Whether a run of rsync still moves anything.
 *
 * WHY rsync's own --timeout is not enough: it is for silence alone, and a byte now and then keeps it
 * alive for ever. What is counted is what the local rsync reads and writes, of files as well as of its
 * connection: hashing a large file is progress. Ends nothing itself (rsync.ts does).
 * @module
 */
import type { Clock } from "../base/clock.ts";

/** Less than this, in bytes, within the caller's patience counts as nothing. */
export const PROGRESS_BYTES = 4096;
/** How often within that time the count is looked at. */
const LOOKS = 6;

/** How long is waited, and until when. */
export interface StallOptions {
  readonly clock: Clock;
  readonly patienceMs: number;
  /** Ends the watch. */
  readonly signal: AbortSignal;
}

/**
 * Resolves to true once less than `PROGRESS_BYTES` have moved for as long as the patience lasts; to
 * false when the signal is aborted, or nothing can be counted.
 */
export async function awaitStall(moved: () => number | null, options: StallOptions): Promise<boolean> {
  const { clock, patienceMs, signal } = options;
  let last = { atMs: clock.nowMs(), bytes: moved() ?? 0 };
  while (!signal.aborted) {
    try {
      await clock.sleep(patienceMs / LOOKS, signal);
    } catch {
      return false;
    }
    const bytes = moved();
    if (bytes === null) return false;
    // Less than before: a process that was counted has ended.
    const isMoving = bytes < last.bytes || bytes - last.bytes >= PROGRESS_BYTES;
    if (isMoving) last = { atMs: clock.nowMs(), bytes };
    else if (clock.nowMs() - last.atMs >= patienceMs) return true;
  }
  return false;
}

/**
 * What a process, and children of it that run the same program, have read and written so far: a local
 * rsync that receives is two. Its ssh is not counted, which sends signs of life by itself. Null where
 * that cannot be known.
 */
export function movedBytes(pid: number): number | null {
  try {
    const program = Deno.readLinkSync(`/proc/${pid}/exe`);
    const children = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).split(" ").filter(Boolean).map(Number);
    return [pid, ...children].reduce((sum, each) => sum + movedBy(each, program), 0);
  } catch {
    return null; // it has ended, or this /proc does not tell
  }
}

function movedBy(pid: number, program: string): number {
  try {
    if (Deno.readLinkSync(`/proc/${pid}/exe`) !== program) return 0;
    const io = Deno.readTextFileSync(`/proc/${pid}/io`);
    return [...io.matchAll(/^[rw]char: (\d+)$/gm)].reduce((sum, [, bytes]) => sum + Number(bytes), 0);
  } catch {
    return 0; // a child that has just ended
  }
}
