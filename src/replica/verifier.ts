/**
 * Holds directories against what the brain expects of them, without listing them (core/sum.ts).
 *
 * Says no more than yes or no. What it says yes to is just what a listing would have shown as the archive
 * has it: watched, read to its end, and with nothing in it that is blocked.
 * Called by endpoint/local.ts.
 * @module
 */
import type { DirClaim } from "../core/endpoint.ts";
import { sameOwner } from "../core/entry.ts";
import type { Counter } from "./counter.ts";
import type { OwnerNaming } from "./looker.ts";
import { type RawStat, type RawSummed, STAT_MOUNT } from "./native_format.ts";
import type { OwnerOf } from "./observe.ts";
import type { Watcher } from "./watcher.ts";

/** What a verification works with. */
export interface VerifierParts {
  readonly watcher: Watcher;
  readonly counter: Counter;
  readonly naming: OwnerNaming;
}

/** A directory that was held against a claim. */
export interface Verified {
  readonly isSame: boolean;
  /** Of the directory. */
  readonly stat: RawStat;
  /** The endpoint's counter when it began. */
  readonly began: number;
}

/** Watches each directory, and tells whether it is as claimed; one answer for each, in order. */
export async function verifyDirs(
  key: string,
  claims: readonly DirClaim[],
  { watcher, counter, naming }: VerifierParts,
): Promise<Verified[]> {
  const began = counter.begin();
  const summed = await watcher.sum(key, claims.map(({ path }) => path));
  const ownerOf = await naming.of(summed.map(({ stat }) => stat));
  return claims.map((claim, i) => {
    const found = summed[i]!;
    return { isSame: isAsClaimed(claim, found, ownerOf), stat: found.stat, began };
  });
}

function isAsClaimed({ sum, self }: DirClaim, found: RawSummed, ownerOf: OwnerOf): boolean {
  if (found.errno !== 0 || found.isUnwatched || found.sum !== sum) return false;
  const { stat } = found;
  if (self === null) return true;
  return stat.inode === self.inode && stat.birthNs === self.birthNs && stat.mode === self.mode &&
    (stat.flags & STAT_MOUNT) === 0 && sameOwner(ownerOf(stat), self.owner);
}
