/**
 * After a power cut: finds what a disk took back of the open epoch (I12), and takes the archive back
 * to it, before the first scan.
 *
 * Where a side was booted or mounted anew since the epoch was opened, each path of the epoch is looked
 * at there, with its digest. It shows the last state: fine. An earlier state of the chain: the row
 * becomes just that, so that the scan finds the other side changed, and the last state is made again
 * from there. Anything else: the row goes, both sides meet as strangers, and the side that did not
 * crash wins (`Recovery.winners`). Writes to the archive alone; a second run finds nothing more to do.
 * @module
 */
import { ArchiveError } from "../base/errors.ts";
import { logger } from "../base/log.ts";
import type { ArchiveRow } from "../core/archive.ts";
import type { EndpointFacts, Move } from "../core/endpoint.ts";
import { type Entry, sameContent, sameMetadata, sameObject, type Stamp } from "../core/entry.ts";
import type { Observation, PresentObservation } from "../core/observation.ts";
import { ancestorsOf, isBelow, parentOf, rebase, type RelPath, ROOT } from "../core/path.ts";
import { otherSide, type Side } from "../core/problem.ts";
import type { PairContext } from "./context.ts";

const SIDES = ["left", "right"] as const;

/** How many paths are looked at in one request, and judged in one transaction. */
const LOOK_PATHS = 256;

const log = logger("brain", "rolled-back");

/** What a power cut leaves to be known, until it is settled. */
export class Recovery {
  /** Paths at which a disk shows what nobody can place, and the side whose version stands. */
  readonly winners = new Map<RelPath, Side>();
  /** Paths at which a disk shows an earlier state: a removal that it took back needs no approval. */
  readonly rolledBack = new Set<RelPath>();
  /** Paths of the open epoch: what a disk shows there may be a conflict's loser that left the trash again. */
  readonly examined = new Set<RelPath>();
  /** Sides that were booted or mounted anew since this pair was last at work. */
  readonly crashed = new Set<Side>();

  /** Whether a listing, though a live change brought it, shows nothing that a crash may have torn. */
  isSound(side: Side): boolean {
    return !this.crashed.has(side);
  }

  /** Both sides agree on a path. */
  settle(path: RelPath): void {
    this.winners.delete(path);
    this.rolledBack.delete(path);
    this.examined.delete(path);
  }
}

/** What `examineEpoch` needs of a pair. */
export type ExaminationContext = Pick<PairContext, "endpoints" | "archive" | "recovery">;

/** One side at one path: how far back it is. */
interface Place {
  readonly side: Side;
  readonly seen: Observation;
  /** 0: the last state; counted back from there; Infinity: no state of the chain. */
  readonly age: number;
}

/** States of a path, newest first; null: absent. */
type Chain = readonly (ArchiveRow | null)[];

/** By which a side tells that nothing can have been taken back since. */
export function bootOf({ bootId, fsId, mountId }: EndpointFacts): string {
  return `${bootId} ${fsId} ${mountId}`;
}

/** The sides that were booted or mounted anew since they were last noted, or of which nothing is known any more. */
function crashedSides({ archive, endpoints }: ExaminationContext): Side[] {
  return SIDES.filter((side) => {
    const known = archive.meta(`${side}.boot`);
    const { facts } = endpoints[side];
    return known === null ? facts.pairMarker !== null : known !== bootOf(facts);
  });
}

/** Examines the open epoch where a side has crashed; resolves to how many paths a disk took back. */
export async function examineEpoch(context: ExaminationContext): Promise<number> {
  const { archive, recovery } = context;
  const sides = crashedSides(context);
  for (const side of sides) recovery.crashed.add(side);
  const count = sides.length === 0 || archive.epochEnd() === 0 ? 0 : await new Examination(context, sides).run();
  if (sides.length === 0) noteBoots(context);
  return count;
}

/** Notes under what the epoch goes on; after a crash not before everything that it left is settled. */
export function noteBoots({ archive, endpoints }: Pick<PairContext, "endpoints" | "archive">): void {
  archive.transact(() => SIDES.forEach((side) => archive.setMeta(`${side}.boot`, bootOf(endpoints[side].facts))));
}

class Examination {
  readonly #context: ExaminationContext;
  readonly #crashed: readonly Side[];
  /** By the names that the archive has now. */
  #chains = new Map<RelPath, (ArchiveRow | null)[]>();
  /** Renames of directories that stand, newest first. */
  readonly #standing: Move[] = [];
  #count = 0;

  constructor(context: ExaminationContext, crashed: readonly Side[]) {
    this.#context = context;
    this.#crashed = crashed;
  }

  async run(): Promise<number> {
    for (const change of this.#context.archive.epochChanges()) {
      if (change.kind === "move") await this.#move(change);
      else this.#note(this.#nameNow(change.path), change.before);
    }
    // A prefix sorts first: directories come before what is in them.
    const paths = [...this.#chains.keys()].sort();
    for (const path of paths) this.#context.recovery.examined.add(path);
    for (let i = 0; i < paths.length; i += LOOK_PATHS) await this.#judge(paths.slice(i, i + LOOK_PATHS));
    log.info("looked at the open epoch", { sides: this.#crashed, paths: paths.length, rolledBack: this.#count });
    return this.#count;
  }

  #note(path: RelPath, before: ArchiveRow | null): void {
    const chain = this.#chains.get(path);
    if (chain === undefined) this.#chains.set(path, [before]);
    else chain.push(before);
  }

  /** What a path is called now that was told before the renames that stand. */
  #nameNow(path: RelPath): RelPath {
    return this.#standing.reduceRight((at, move) => rebase(at, move), path);
  }

  /** A directory that lies under its old name again takes its rows back there. */
  async #move(change: Move & { readonly row: ArchiveRow }): Promise<void> {
    const move = { from: this.#nameNow(change.from), to: this.#nameNow(change.to) };
    if (await this.#isBack(move.from, change.row) && this.#takeBack(move)) this.#count++;
    else this.#standing.push(move);
  }

  async #isBack(from: RelPath, row: ArchiveRow): Promise<boolean> {
    for (const side of this.#crashed) {
      const [seen] = await this.#look(side, [from]);
      if (seen?.kind === "present" && seen.entry.kind === "dir" && sameObject(seen.stamp, row[side])) return true;
    }
    return false;
  }

  #takeBack({ from, to }: Move): boolean {
    const { archive } = this.#context;
    if (archive.get(to)?.entry.kind !== "dir") return false;
    try {
      archive.transact(() => {
        this.#restoreParents(from);
        archive.move(to, from);
        archive.dropSums(from); // patterns may say otherwise of the old name
      });
    } catch (error) {
      if (error instanceof ArchiveError) return false;
      throw error;
    }
    const renamed = new Map<RelPath, (ArchiveRow | null)[]>();
    for (const [path, chain] of this.#chains) {
      const now = path === to || isBelow(path, to) ? rebase(path, { from: to, to: from }) : path;
      renamed.set(now, [...renamed.get(now) ?? [], ...chain]);
    }
    this.#chains = renamed;
    return true;
  }

  /** Directories that were removed after the rename are needed for its old name. */
  #restoreParents(path: RelPath): void {
    const { archive } = this.#context;
    const missing = [...ancestorsOf(path)].filter((dir) => dir !== ROOT && archive.get(dir) === null).sort();
    for (const dir of missing) {
      const row = this.#chains.get(dir)?.find((state) => state?.entry.kind === "dir");
      if (row) archive.put(dir, row);
    }
  }

  #look(side: Side, paths: readonly RelPath[]): Promise<readonly Observation[]> {
    return this.#context.endpoints[side].look(paths, { contentLimitBytes: 0, digests: true });
  }

  async #judge(paths: readonly RelPath[]): Promise<void> {
    const { archive } = this.#context;
    const seen = { left: await this.#lookIfCrashed("left", paths), right: await this.#lookIfCrashed("right", paths) };
    const digests = await this.#unknownDigests(paths);
    archive.transact(() =>
      paths.forEach((path, i) => {
        const chain = this.#chainOf(path, digests);
        const places = apart(this.#crashed.map((side) => placeOf(side, seen[side]![i]!, chain)));
        if (places.some(({ age }) => age !== 0)) this.#settle(path, chain, places);
      })
    );
  }

  async #lookIfCrashed(side: Side, paths: readonly RelPath[]): Promise<readonly Observation[] | null> {
    return this.#crashed.includes(side) ? await this.#look(side, paths) : null;
  }

  /** Content that was never read is known by the side that did not crash and still has it. */
  async #unknownDigests(paths: readonly RelPath[]): Promise<ReadonlyMap<RelPath, string>> {
    const found = new Map<RelPath, string>();
    const sound = SIDES.find((side) => !this.#crashed.includes(side));
    if (sound === undefined) return found;
    const unread = paths.filter((path) => {
      const entry = this.#context.archive.get(path)?.entry;
      return entry?.kind === "file" && entry.digest === null;
    });
    if (unread.length === 0) return found;
    for (const seen of await this.#look(sound, unread)) {
      const row = this.#context.archive.get(seen.path);
      if (seen.kind !== "present" || seen.entry.kind !== "file" || seen.entry.digest === null || row === null) continue;
      const { sizeBytes, mtimeNs } = row[sound];
      const isSame = sameObject(seen.stamp, row[sound]) && seen.stamp.sizeBytes === sizeBytes &&
        seen.stamp.mtimeNs === mtimeNs;
      if (isSame) found.set(seen.path, seen.entry.digest);
    }
    return found;
  }

  #chainOf(path: RelPath, digests: ReadonlyMap<RelPath, string>): Chain {
    const last = this.#context.archive.get(path);
    const digest = digests.get(path);
    const read = last?.entry.kind === "file" && digest !== undefined
      ? { ...last, entry: { ...last.entry, digest } }
      : last;
    return [read, ...this.#chains.get(path) ?? []];
  }

  /** At least one side does not show the last state. */
  #settle(path: RelPath, chain: Chain, places: readonly Place[]): void {
    const { archive, recovery } = this.#context;
    this.#count++;
    const oldest = places.reduce((a, b) => b.age > a.age ? b : a);
    const newest = places.reduce((a, b) => b.age < a.age ? b : a);
    log.debug("rolled back", { path, places: places.map(({ side, age }) => `${side} ${age}`).join() });
    if (oldest.age === Infinity) {
      archive.remove(path);
      if (places.length === 1 || newest.age !== Infinity) recovery.winners.set(path, otherSide(oldest.side));
      return;
    }
    if (oldest.seen.kind !== "present") return archive.remove(path);
    if (!archive.isDir(parentOf(path))) return; // as new then
    recovery.rolledBack.add(path);
    const twin = places.length === 2 && newest.age === oldest.age ? newest : null;
    archive.put(path, rowOf(oldest.side, { seen: oldest.seen, twin: twin?.seen ?? null, known: stampsIn(chain) }));
  }
}

/** The row that says what `side` shows; the other side is known there by its object alone. */
function rowOf(
  side: Side,
  facts: {
    readonly seen: PresentObservation;
    /** What the other side shows, where it is just as far back. */
    readonly twin: Observation | null;
    readonly known: ArchiveRow | null;
  },
): ArchiveRow {
  const { seen, twin, known } = facts;
  const other = otherSide(side);
  const stamp = twin?.kind === "present" && isLike(twin, seen.entry, { exactly: true })
    ? twin.stamp
    : unlike(known?.[other] ?? seen.stamp);
  return {
    entry: seen.entry,
    left: side === "left" ? seen.stamp : stamp,
    right: side === "right" ? seen.stamp : stamp,
  };
}

function stampsIn(chain: Chain): ArchiveRow | null {
  return chain.find((state) => state !== null) ?? null;
}

/** The stamp of the same object, which nothing that can be seen there is equal to. */
function unlike(stamp: Stamp): Stamp {
  return { ...stamp, sizeBytes: -1, ctimeNs: 0n };
}

function placeOf(side: Side, seen: Observation, chain: Chain): Place {
  const exact = chain.findIndex((state) => isState(seen, state, { exactly: true }));
  const age = exact >= 0 ? exact : chain.findIndex((state) => isState(seen, state, { exactly: false }));
  return { side, seen, age: age < 0 ? Infinity : age };
}

/** Two contents that both pass for one state which nobody has read: neither can be placed. */
function apart(places: readonly Place[]): readonly Place[] {
  const [a, b] = places.map(({ seen }) => seen.kind === "present" && seen.entry.kind === "file" ? seen.entry : null);
  const isSame = !a || !b || places[0]!.age !== places[1]!.age || a.digest === b.digest;
  return isSame ? places : places.map((place) => ({ ...place, age: Infinity }));
}

function isState(seen: Observation, state: ArchiveRow | null, how: { readonly exactly: boolean }): boolean {
  if (state === null) return seen.kind === "absent" || seen.kind === "orphan";
  return seen.kind === "present" && isLike(seen, state.entry, how);
}

/** `exactly`: with mode, owner and time, which alone may tell one state from the next. */
function isLike(seen: PresentObservation, entry: Entry, how: { readonly exactly: boolean }): boolean {
  if (!sameContent(seen.entry, entry)) return false;
  const isTime = seen.entry.kind !== "file" || seen.entry.mtimeNs === entry.mtimeNs;
  return !how.exactly || (isTime && sameMetadata(seen.entry, entry));
}
