/**
 * Renames, found by identity: an object that the archive knows under one name stands under another
 * one, and the old name does not hold it any more.
 *
 * Works the same for live events and after a restart; the pairs that inotify reports are not needed.
 * Pure but for reading the archive. Where a rename cannot be proved the caller goes on without one:
 * a new name and a removal are always right, only slower.
 * @module
 */
import type { Archive, ArchiveRow } from "../core/archive.ts";
import { sameObject, type Stamp } from "../core/entry.ts";
import { isBelow, type RelPath } from "../core/path.ts";
import type { Side } from "../core/problem.ts";
import type { News, Sighting } from "./news.ts";

/** What is known about a possible rename on `side` to the path of the news. */
export type MoveFinding =
  | { readonly kind: "none" }
  /** The archive's name for the object; whether it still lies there must be looked at. */
  | { readonly kind: "look"; readonly from: RelPath }
  /** The name that would be overwritten was itself renamed to `first`: that rename goes first. */
  | { readonly kind: "after"; readonly first: RelPath }
  | ({ readonly kind: "move" } & FoundObject);

/** An object of the archive that stands under another name on one side. */
interface FoundObject {
  readonly side: Side;
  readonly from: RelPath;
  readonly row: ArchiveRow;
  /** The counter of that side's endpoint at which the old name was seen not to hold it. */
  readonly goneAt: number;
}

/** What `findMove` reads. */
export interface MoveContext {
  readonly archive: Pick<Archive, "get" | "findObject">;
  /** The newest sighting of a path on that side that is still evidence, or null. */
  readonly sighting: (side: Side, path: RelPath) => Sighting | null;
  /** Where an object was seen in this round, by `objectKey`. */
  readonly seenObjects: ReadonlyMap<string, RelPath>;
}

/** The key of an object of one side. */
export function objectKey(side: Side, stamp: Stamp): string {
  return `${side}:${stamp.inode}:${stamp.birthNs}`;
}

/** Looks for a rename that brought what `side` shows at the path of `news`. */
export function findMove(news: News, side: Side, context: MoveContext): MoveFinding {
  const seen = news[side]?.observation;
  if (seen?.kind !== "present" || seen.stamp.inode === 0n) return { kind: "none" };
  const target = context.archive.get(news.path);
  if (target !== null && sameObject(target[side], seen.stamp)) return { kind: "none" };
  const candidates = context.archive.findObject(side, seen.stamp, 2);
  const from = candidates[0];
  if (candidates.length !== 1 || from === undefined) return { kind: "none" };
  const row = context.archive.get(from);
  if (row === null || row.entry.kind !== seen.entry.kind || isBelow(news.path, from) || isBelow(from, news.path)) {
    return { kind: "none" };
  }
  const old = context.sighting(side, from);
  if (old === null) return { kind: "look", from };
  // Another object under the old name is an exchange, or a new file that took the name: both are
  // left to plain puts, which never destroy what was not expected.
  if (old.observation.kind !== "absent" && old.observation.kind !== "orphan") return { kind: "none" };
  const found = { side, from, row, goneAt: old.observation.began };
  return target === null ? { kind: "move", ...found } : overwriting(news.path, target, found, context);
}

/** A rename onto a known name: not while that name's own object has just been renamed away. */
function overwriting(path: RelPath, target: ArchiveRow, move: FoundObject, context: MoveContext): MoveFinding {
  const first = context.seenObjects.get(objectKey(move.side, target[move.side]));
  if (first !== undefined && first !== path) return { kind: "after", first };
  if (target.entry.kind === "dir" || move.row.entry.kind === "dir") return { kind: "none" };
  return { kind: "move", ...move };
}
