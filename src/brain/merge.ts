/**
 * One directory as three sorted lists, left, right and archive, merged name by name.
 *
 * Pure. Says for each name what is news and what is missing; a side that was not listed to its end
 * proves nothing about what is missing (I1).
 * @module
 */
import type { ArchiveRow, ChildRow } from "../core/archive.ts";
import type { Listing } from "../core/endpoint.ts";
import type { Observation } from "../core/observation.ts";
import { compareNames, joinPath, type Name, nameOf, type RelPath } from "../core/path.ts";
import type { Side } from "../core/problem.ts";

/** What one name shows; null: the side was listed and has no such name; undefined: not listed. */
export interface MergedName {
  readonly path: RelPath;
  readonly row: ArchiveRow | null;
  readonly left: Observation | null | undefined;
  readonly right: Observation | null | undefined;
}

/** The lists of one directory; undefined: that side was not listed. */
export interface DirectoryLists {
  readonly dir: RelPath;
  readonly rows: readonly ChildRow[];
  readonly left: readonly Observation[] | undefined;
  readonly right: readonly Observation[] | undefined;
}

/** Merges the lists, in the order of the names' bytes. */
export function* mergeDirectory(lists: DirectoryLists): Generator<MergedName> {
  const rows = cursor(lists.rows, (row) => row.name);
  const left = cursor(lists.left ?? [], (seen) => nameOf(seen.path));
  const right = cursor(lists.right ?? [], (seen) => nameOf(seen.path));
  for (;;) {
    const name = least([rows.name(), left.name(), right.name()]);
    if (name === null) return;
    const of = (side: Side, at: typeof left) => lists[side] === undefined ? undefined : at.take(name);
    yield { path: joinPath(lists.dir, name), row: rows.take(name), left: of("left", left), right: of("right", right) };
  }
}

/** What a listing shows to be in the directory; undefined where it was not listed to its end (I1). */
export function entriesOf(listing: Listing | undefined): readonly Observation[] | undefined {
  return listing?.kind === "listed" ? listing.entries : undefined;
}

function least(names: readonly (Name | null)[]): Name | null {
  let least: Name | null = null;
  for (const name of names) {
    if (name !== null && (least === null || compareNames(name, least) < 0)) least = name;
  }
  return least;
}

function cursor<T>(items: readonly T[], nameOfItem: (item: T) => Name) {
  let at = 0;
  const name = () => at < items.length ? nameOfItem(items[at]!) : null;
  return { name, take: (wanted: Name): T | null => name() === wanted ? items[at++]! : null };
}
