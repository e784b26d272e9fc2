/**
 * Versions that an endpoint found by itself and kept in its trash: late writes into what had been
 * displaced, and what an earlier life left in the stage. They are listed as conflicts (I2, I9). And files
 * that look edited, as psync's own links changed their ctime, and are not.
 * @module
 */
import type { Archive } from "../core/archive.ts";
import type { Adopted, Findings } from "../core/endpoint.ts";
import { sameObject, type Stamp } from "../core/entry.ts";
import { parseRelPath, type RelPath } from "../core/path.ts";
import type { Side } from "../core/problem.ts";
import type { PairContext } from "./context.ts";
import type { ConflictCause } from "./report.ts";
import { recordConflict } from "./task.ts";

/** Lists what was kept on `side`; inside a transaction of the archive. */
export function recordFindings(context: PairContext, side: Side, found: Findings, why: ConflictCause): void {
  for (const kept of found.kept) {
    recordConflict(context, { path: pathOf(kept), loser: side, why, kept, left: null, right: null });
  }
}

/** Follows what psync's own links did to files that nobody else has touched. */
export function recordRenewed(archive: Archive, side: Side, { renewed }: Adopted): void {
  archive.transact(() => {
    for (const { path, before, now } of renewed) {
      const row = archive.get(path);
      if (row?.entry.kind === "file" && isBetween(row[side], before, now)) {
        archive.put(path, { ...row, [side]: now });
      }
    }
  });
}

/** Whether a record is of the file as it was, or as a link of ours had left it already. */
function isBetween(recorded: Stamp, before: Stamp, now: Stamp): boolean {
  return sameObject(recorded, before) && recorded.sizeBytes === before.sizeBytes &&
    recorded.mtimeNs === before.mtimeNs && recorded.ctimeNs >= before.ctimeNs && recorded.ctimeNs <= now.ctimeNs;
}

/** The path for which something was kept: it lies below one directory of the trash. */
function pathOf(kept: string): RelPath {
  return parseRelPath(kept.slice(kept.indexOf("/") + 1));
}
