/**
 * Which directories are, on both sides, just what the archive says: those a scan need not list.
 *
 * A side is asked whether what is in a directory adds up to the sum of its rows (core/sum.ts), and whether
 * the directory itself is that of its row. Twice yes is what listing it and comparing name by name would
 * have come to: nothing is missing, nothing is news, and it is watched (I1, I8). Everything else is listed.
 * Called by scan.ts.
 * @module
 */
import type { DirState, DirSums } from "../core/archive.ts";
import type { DirClaim } from "../core/endpoint.ts";
import { sameMetadata, sameObject } from "../core/entry.ts";
import type { RelPath } from "../core/path.ts";
import type { Side } from "../core/problem.ts";
import type { PairContext } from "./context.ts";

const SIDES = ["left", "right"] as const;

/** A directory of the archive that has sums. */
export interface SummedDir extends DirState {
  readonly path: RelPath;
  readonly sums: DirSums;
}

/** The directories of which neither side shows anything that the archive does not say. */
export async function unchangedDirs(
  { archive, endpoints }: Pick<PairContext, "archive" | "endpoints">,
  dirs: readonly SummedDir[],
): Promise<Set<RelPath>> {
  if (dirs.length === 0) return new Set();
  const { changes } = archive;
  const [left, right] = await Promise.all(
    SIDES.map((side) => endpoints[side].verify(archive.sumKey, dirs.map((dir) => claimOf(dir, side)))),
  );
  // What rows became meanwhile was not asked about.
  const isStill = (dir: SummedDir) => archive.changes === changes || isSameState(archive.dirState(dir.path), dir);
  return new Set(
    dirs.filter((dir, i) => left![i] === true && right![i] === true && isStill(dir)).map(({ path }) => path),
  );
}

function claimOf({ path, row, sums }: SummedDir, side: Side): DirClaim {
  if (row === null) return { path, sum: sums[side], self: null };
  const { mode, owner } = row.entry;
  const { inode, birthNs } = row[side];
  return { path, sum: sums[side], self: { mode, owner, inode, birthNs } };
}

function isSameState(now: DirState | null, then: SummedDir): boolean {
  if (now === null || now.sums === null) return false;
  const [a, b] = [now.row, then.row];
  const isSameRow = a === null || b === null ? a === b : sameMetadata(a.entry, b.entry) &&
    SIDES.every((side) => sameObject(a[side], b[side]));
  return isSameRow && now.sums.left === then.sums.left && now.sums.right === then.sums.right;
}
