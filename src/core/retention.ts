/**
 * How long what lies in the trash is kept: removed items for a time and while there is room, never
 * less than a day; losers of conflicts until somebody decides.
 *
 * Pure. Items come oldest first, as the names of their places sort. Used by brain/trash_keeper.ts.
 * @module
 */
import type { TrashPlace } from "./trash.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** How long a removed item is kept. */
export const KEEP_MS = 30 * DAY_MS;
/** How long it is kept even where the trash is larger than its share. */
export const KEEP_AT_LEAST_MS = DAY_MS;
/** The share of the file system that removed items may take, in percent. */
export const SHARE_PERCENT = 10;

/** By how much removed items are more than their share. */
export function overShareBytes(removedBytes: number, totalBytes: number): number {
  return Math.max(0, removedBytes - totalBytes * SHARE_PERCENT / 100);
}

/** Whether an item is to go; `overBytes`: what is still too much, the older items gone. */
export function isExpired(
  item: Pick<TrashPlace, "trashClass" | "atMs">,
  now: { readonly nowMs: number; readonly overBytes: number },
): boolean {
  if (item.trashClass !== "removed") return false;
  const ageMs = now.nowMs - item.atMs;
  return ageMs >= KEEP_MS || (now.overBytes > 0 && ageMs >= KEEP_AT_LEAST_MS);
}
