/**
 * How old the archive is: a number that rises with each epoch, and that both roots keep as well. An
 * archive that is behind what a root has seen was put back from a backup, or another psync has worked on
 * the pair since: what it knows is no past of what the roots hold now, and could turn what came back
 * into a removal.
 *
 * Written to the archive, durably, before the roots hear of it: no power cut and no kill leaves the
 * archive behind. A root may be behind; that says nothing (I4).
 * @module
 */
import type { Archive } from "../core/archive.ts";
import { type PairId, parseAge, printAge } from "../core/marks.ts";
import type { BothFacts } from "./identity.ts";
import { forgetAgreements } from "./identity.ts";

const AGE = "age";
const PAIR = "pair";

function ageOf(archive: Pick<Archive, "meta">): number {
  return Number(archive.meta(AGE) ?? "0");
}

/** Raises the age; returns the text for both roots, or null where the archive is of no pair. */
export function raiseAge(archive: Archive): string | null {
  const pair = archive.meta(PAIR);
  if (pair === null) return null;
  const age = ageOf(archive) + 1;
  archive.transactDurably(() => archive.setMeta(AGE, String(age)));
  return printAge(pair, age);
}

/**
 * Forgets every agreement of an archive that is older than what the roots have seen, so that both sides
 * are merged without removals; notes of which pair the archive is.
 * @returns what was found, for people; null: the archive is as new as the roots.
 */
export function forgetIfOutdated(facts: BothFacts, archive: Archive, pair: PairId): string | null {
  const own = ageOf(archive);
  const seen = Math.max(seenAge(facts.left.age, pair), seenAge(facts.right.age, pair));
  const isOutdated = seen > own && archive.count() > 0;
  if (isOutdated) forgetAgreements(archive);
  archive.transact(() => {
    archive.setMeta(PAIR, pair);
    if (seen > own) archive.setMeta(AGE, String(seen));
  });
  return isOutdated ? `it is older than the roots: they have seen number ${seen} of it, and it is number ${own}` : null;
}

function seenAge(text: string | null, pair: PairId): number {
  const age = text === null ? null : parseAge(text);
  return age?.pair === pair ? age.age : 0;
}
