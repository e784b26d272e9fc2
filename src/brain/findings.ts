/**
 * Versions that an endpoint found by itself and kept in its trash: late writes into what had been
 * displaced, and what an earlier life left in the stage. They are listed as conflicts (I2, I9).
 * @module
 */
import type { Findings } from "../core/endpoint.ts";
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

/** The path for which something was kept: it lies below one directory of the trash. */
function pathOf(kept: string): RelPath {
  return parseRelPath(kept.slice(kept.indexOf("/") + 1));
}
