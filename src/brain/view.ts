/**
 * From sightings to views: what the reconciler may take as known of one side at one path.
 *
 * Pure. A sighting that is no evidence any more (I13) is not turned into a view; the caller looks
 * again.
 * @module
 */
import type { ArchiveRow } from "../core/archive.ts";
import { type ChangeTime, laterOf } from "../core/conflict.ts";
import { sameMetadata, sameObject, sameStamp } from "../core/entry.ts";
import type { PresentObservation } from "../core/observation.ts";
import { otherSide, type Side } from "../core/problem.ts";
import { type Later, reconcile, type View } from "../core/reconcile.ts";
import type { Sighting } from "./news.ts";

/** What a side shows; no sighting: as the archive says. */
export function viewOf(row: ArchiveRow | null, side: Side, sighting: Sighting | null): View {
  if (sighting === null) return { kind: "unchanged" };
  const seen = sighting.observation;
  switch (seen.kind) {
    case "present":
      return row !== null && isAsArchived(row, side, sighting) && !tellsDigest(row, seen)
        ? { kind: "unchanged" }
        : seen;
    case "absent":
    case "orphan":
      return row === null ? { kind: "unchanged" } : { kind: "absent" };
    case "busy":
    case "blocked":
      return { kind: "blocked" };
  }
}

/**
 * Whether a look brought a digest that the archive does not have: it was asked for, or the same stamp
 * hides another content (a write within one tick of a coarse clock).
 */
function tellsDigest(row: ArchiveRow, seen: PresentObservation): boolean {
  if (row.entry.kind !== "file" || seen.entry.kind !== "file") return false;
  return seen.entry.digest !== null && seen.entry.digest !== row.entry.digest;
}

/** Whether a sighting shows just what the archive says of that side: nothing happened. */
export function isAsArchived(row: ArchiveRow, side: Side, sighting: Sighting): boolean {
  const seen = sighting.observation;
  return seen.kind === "present" && seen.entry.kind === row.entry.kind &&
    sameStamp(row.entry.kind, row[side], seen.stamp) &&
    (row.entry.kind !== "dir" || sameMetadata(row.entry, seen.entry));
}

/**
 * Whether what a side shows below a directory that the other side removed is to live: that alone brings
 * the directory back. What would only be looked at more closely lives until then.
 */
export function outlives(row: ArchiveRow | null, side: Side, sighting: Sighting): boolean {
  const seen = sighting.observation;
  if (seen.kind !== "present") return false;
  // A directory that was made anew: what the archive knows of the old one says nothing of it.
  if (row?.entry.kind === "dir" && seen.entry.kind === "dir" && !sameObject(row[side], seen.stamp)) return true;
  const views = { [side]: viewOf(row, side, sighting), [otherSide(side)]: { kind: "absent" } } as Record<Side, View>;
  const decision = reconcile({ base: row, left: views.left, right: views.right, later: side });
  return decision.kind !== "change" || decision.entry !== null;
}

/** Which side changed later; `rightOffsetNs` is what makes the right's times the left's. */
export function laterSide(left: Sighting | null, right: Sighting | null, rightOffsetNs: bigint): Later {
  if (left === null || right === null) return left !== null ? "left" : right !== null ? "right" : "unknown";
  return laterOf({ left: changeTime(left), right: changeTime(right), rightOffsetNs });
}

function changeTime(sighting: Sighting): ChangeTime {
  const seen = sighting.observation;
  return {
    order: sighting.isLive ? sighting.order : null,
    mtimeNs: seen.kind === "present" ? seen.entry.mtimeNs : null,
  };
}
