/**
 * What lies in the trash of a replica: items, what can be done with them, and how the name of a place
 * in the trash tells when and why something came there.
 *
 * Pure. A place is `<utc>-<n>.<class>/<path>`, below `.psync/trash/`; native/format.h makes it. Places
 * come from outside and are parsed here or refused.
 * @module
 */
import type { Entry } from "./entry.ts";
import { parseRelPath, type RelPath } from "./path.ts";
import type { ProblemReason } from "./problem.ts";

/** Removed, and kept for a time; or the loser of a conflict, kept until somebody decides. */
export type TrashClass = "removed" | "conflict";

/** One file, link or empty directory in the trash. */
export interface TrashItem {
  /** Below `.psync/trash/`. */
  readonly kept: string;
  /** `other`: what psync does not synchronise; it came along with a directory. */
  readonly kind: Entry["kind"] | "other";
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
}

/** What the name of a place tells. */
export interface TrashPlace {
  readonly trashClass: TrashClass;
  /** Where it was in the tree. */
  readonly path: RelPath;
  /** Wall clock of its replica when it came into the trash, ms since 1970; whole seconds. */
  readonly atMs: number;
}

/** Which items are asked for. */
export interface TrashQuery {
  /** `null`: both. */
  readonly only: TrashClass | null;
  /** The last item of the page before; `null`: from the beginning. */
  readonly after: string | null;
}

/** A part of the list, in the order of names. */
export interface TrashPage {
  readonly items: readonly TrashItem[];
  /** Whether there may be items behind the last one. */
  readonly hasMore: boolean;
}

/** What is to be done with what lies at a place: an item, or a directory of items. */
export type TrashAction =
  /** Puts it to `to` in the tree, making parents. `replaces`: what stands there goes to the trash first. */
  | { readonly kind: "restore"; readonly kept: string; readonly to: RelPath; readonly replaces: boolean }
  /** A conflict's loser becomes a removed item. */
  | { readonly kind: "release"; readonly kept: string }
  /** It is gone for good; not a directory that holds something. */
  | { readonly kind: "purge"; readonly kept: string };

/** What became of an action. */
export type TrashResult =
  | {
    readonly kind: "done";
    /** Of `release`: where it lies now; of `restore`: where what stood there lies; `null`: nothing did. */
    readonly kept: string | null;
  }
  | {
    readonly kind:
      | "gone" // nothing lies there any more
      | "taken" // something stands at `to`
      | "busy" // what stands at `to` is being written to
      | "orphan" // something above `to` is no directory
      | "not-empty"; // a directory to be purged holds something
  }
  | { readonly kind: "failed"; readonly reason: ProblemReason; readonly detail: string };

/** The space of a replica's file system, for the user that psync runs as. */
export interface Space {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

const LABEL = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-\d+\.(removed|conflict)(~\d+)?$/;

/** Takes the name of a place apart; `null` where it is none. */
export function parseTrashPlace(kept: string): TrashPlace | null {
  const slash = kept.indexOf("/");
  const match = LABEL.exec(slash < 0 ? "" : kept.slice(0, slash));
  if (match === null) return null;
  const [, year, month, day, hour, minute, second, trashClass] = match;
  const atMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (!Number.isFinite(atMs)) return null;
  try {
    return { trashClass: trashClass as TrashClass, path: parseRelPath(kept.slice(slash + 1)), atMs };
  } catch {
    return null; // a form that no path has
  }
}

/** An item whose place could be read. */
export interface PlacedItem extends TrashItem, TrashPlace {}

/** All items of one trash, page by page; those whose place says nothing are left out. */
export async function* trashItems(
  endpoint: { trashList(query: TrashQuery): Promise<TrashPage> },
  only: TrashClass | null,
): AsyncGenerator<PlacedItem> {
  let after: string | null = null;
  for (;;) {
    const page: TrashPage = await endpoint.trashList({ only, after });
    for (const item of page.items) {
      const place = parseTrashPlace(item.kept);
      if (place !== null) yield { ...item, ...place };
    }
    const last = page.items.at(-1);
    if (!page.hasMore || last === undefined) return;
    after = last.kept;
  }
}
