/**
 * What a transition may expect to find: from the archive, or from what was just seen (I2).
 *
 * Pure. Called by the brain when it turns a step of reconcile.ts into a transition. The newest
 * evidence is the right one: a present view where there is one, else the archive's row.
 * @module
 */
import type { ArchiveRow } from "./archive.ts";
import type { Entry, Stamp } from "./entry.ts";
import type { Observation } from "./observation.ts";
import type { Side } from "./problem.ts";
import type { View } from "./reconcile.ts";
import type { Expected } from "./transition.ts";

/** What `side` must hold according to the archive; without a row nothing. */
export function expectedOf(row: ArchiveRow | null, side: Side): Expected {
  return row === null ? { kind: "absent" } : expectedObject(row.entry, row[side]);
}

/** What `side` must hold according to the view that its decision was made from; `null` where it is blocked. */
export function expectedOfView(
  view: View,
  archived: { readonly row: ArchiveRow | null; readonly side: Side },
): Expected | null {
  switch (view.kind) {
    case "unchanged":
      return expectedOf(archived.row, archived.side);
    case "present":
      return expectedObject(view.entry, view.stamp);
    case "absent":
      return { kind: "absent" };
    case "blocked":
      return null;
  }
}

/** What must be where this was observed; `null` where the observation proves nothing (orphan, blocked, busy). */
export function expectedOfObservation(seen: Observation): Expected | null {
  if (seen.kind === "present") return expectedObject(seen.entry, seen.stamp);
  return seen.kind === "absent" ? { kind: "absent" } : null;
}

/** An object as it was seen, by its entry and its stamp. */
export function expectedObject(entry: Entry, stamp: Stamp): Expected {
  switch (entry.kind) {
    case "file":
      return { kind: "file", stamp };
    case "link":
      return { kind: "link", stamp, target: entry.target };
    case "dir":
      return { kind: "dir", mode: entry.mode, owner: entry.owner, stamp };
  }
}

/**
 * The view that an observation gives. An orphan says nothing about its path alone and is `blocked`
 * here: who knows that its directory is absent says `absent` (I1).
 */
export function viewOf(seen: Observation): View {
  switch (seen.kind) {
    case "present":
      return { kind: "present", entry: seen.entry, stamp: seen.stamp };
    case "absent":
      return { kind: "absent" };
    case "orphan":
    case "blocked":
    case "busy":
      return { kind: "blocked" };
  }
}
