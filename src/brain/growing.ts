/**
 * Files that change whenever psync comes to send them: which are looked at in such a way that what they
 * held for a moment can be sent, as long as nothing but appending is done to them.
 *
 * Small ones need none of this: they are read in one step. Asked by dispatch.ts and pair.ts.
 * @module
 */
import type { RelPath } from "../core/path.ts";
import type { PairContext } from "./context.ts";
import type { News } from "./news.ts";
import { isBulk, type SideLook } from "./plan.ts";
import { isAsArchived } from "./view.ts";

const SIDES = ["left", "right"] as const;

/** Whether somebody writes to a file for so long that what it holds for a moment is worth sending. */
export function keepsChanging({ retry, status }: PairContext, path: RelPath): boolean {
  return status.problems.get(path)?.reason === "busy" && retry.isTiredOf(path);
}

/** The looks that are wanted at such a file: what is to be sent is read while it changes. */
export function growingLooks(context: PairContext, news: News): SideLook[] {
  if (!keepsChanging(context, news.path)) return [];
  const row = context.archive.get(news.path);
  return SIDES.filter((side) => {
    const sighting = news[side];
    const seen = sighting?.observation;
    if (seen?.kind !== "present" || seen.entry.kind !== "file" || seen.entry.digest !== null) return false;
    return isBulk(seen.entry) && (row === null || !isAsArchived(row, side, sighting!));
  }).map((side) => ({ path: news.path, side, content: true, digest: true, growing: true, sizeBytes: 0 }));
}
