/**
 * Small questions that a scan asks of what was listed.
 *
 * Pure. Used by scan.ts.
 * @module
 */
import type { ArchiveRow } from "../core/archive.ts";
import type { Listing } from "../core/endpoint.ts";
import { sameObject } from "../core/entry.ts";
import type { Observation } from "../core/observation.ts";
import type { Side } from "../core/problem.ts";
import type { MergedName } from "./merge.ts";
import type { Sighting } from "./news.ts";
import { isAsArchived } from "./view.ts";

/** What a listing showed. */
export function listed(observation: Observation): Sighting {
  return { observation, order: 0, isLive: false, isListed: true, atMs: 0 };
}

/** Whether a directory was not there to be listed. */
export function hasGone(listing: Listing | undefined): boolean {
  return listing?.kind === "unlisted" && (listing.self.kind === "absent" || listing.self.kind === "orphan");
}

/** Whether a side shows the very directory of a row. */
export function isSameDir(row: ArchiveRow, side: Side, seen: Observation): boolean {
  return seen.kind === "present" && row.entry.kind === "dir" && sameObject(row[side], seen.stamp);
}

/** Whether a directory is there. */
export function isDir(seen: Observation | null | undefined): boolean {
  return seen?.kind === "present" && seen.entry.kind === "dir";
}

/** What one side shows, where that is not just what the archive says. */
export function newsOf(merged: MergedName, side: Side): Observation | null {
  const seen = merged[side];
  if (seen === null || seen === undefined) return null;
  return merged.row !== null && isAsArchived(merged.row, side, listed(seen)) ? null : seen;
}
