/**
 * Takes a directory of a test away, though a process that is just ending may still make something in it.
 * @module
 */
import { systemClock } from "../../src/base/clock.ts";

/** A psync that a test killed ends below it, and on its far side, a moment later, and may write until then. */
const LAST_WRITES_MS = 20_000;
const POLL_MS = 20;

/** Removes a directory and all that is in it; one that is not there is fine. */
export async function removeTree(path: string): Promise<void> {
  const endMs = systemClock.nowMs() + LAST_WRITES_MS;
  for (;;) {
    try {
      return await Deno.remove(path, { recursive: true });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound && !await isThere(path)) return;
      // NotFound: what was in it went by itself.
      const isMoving = error instanceof Deno.errors.NotFound ||
        (error instanceof Error && error.message.includes("Directory not empty"));
      if (!isMoving || systemClock.nowMs() > endMs) throw error;
      await systemClock.sleep(POLL_MS);
    }
  }
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}
