/**
 * After a power cut: finds what a disk took back of the open epoch (I12), and takes the archive back
 * to it, before the first scan.
 *
 * Where a side was booted or mounted anew since the epoch was opened, each path of the epoch is looked
 * at there, with its digest. It shows the last state: fine. An earlier state of the chain: the row
 * becomes just that, so that the scan finds the other side changed, and the last state is made again
 * from there. Anything else: the row goes, both sides meet as strangers, and the side that did not
 * crash wins (`Recovery.winners`). Writes to the archive alone, and notes which changes
 * are its own: they are no states that a disk may have gone back to, so that a second run decides the same.
 * @module
 */
import { ArchiveError } from "../base/errors.ts";
import { logger } from "../base/log.ts";
import type { Archive, ArchiveRow } from "../core/archive.ts";
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

/** What an examination wrote: it says what to do, and is no state that both sides ever had. */
const NO_STATE = "no state";

/** States of a path, newest first; null: absent. */
type Chain = readonly (ArchiveRow | null | typeof NO_STATE)[];

/** The changes of the open epoch that examinations made: pairs of their first and last numbers, as JSON. */
const EXAMINED = "epoch.examined";

/** Closes the epoch up to a change. In a transaction. */
export function closeEpoch(archive: Pick<Archive, "closeEpoch" | "epochEnd" | "setMeta">, end: number): void {
  archive.closeEpoch(end);
  // The next one may begin with the same numbers.
  if (archive.epochEnd() === 0) archive.setMeta(EXAMINED, null);
}

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
  /** By the names that the archive has now; what was before each change. */
  #chains = new Map<RelPath, Chain>();
  /** Paths whose row an examination wrote last. */
  #unagreed = new Set<RelPath>();
  /** Renames of directories that stand, newest first. */
  readonly #standing: Move[] = [];
  #count = 0;

  constructor(context: ExaminationContext, crashed: readonly Side[]) {
    this.#context = context;
    this.#crashed = crashed;
  }

  async run(): Promise<number> {
    const { archive } = this.#context;
    const ranges: [number, number][] = JSON.parse(archive.meta(EXAMINED) ?? "[]");
    // Changes have numbers without a gap.
    let nth = archive.epochEnd();
    for (const change of archive.epochChanges()) {
      const isOwn = ranges.some(([first, last]) => first <= nth && nth <= last);
      if (change.kind === "move") await this.#move(change);
      else this.#note(this.#nameNow(change.path), change.before, isOwn);
      nth--;
    }
    // A prefix sorts first: directories come before what is in them.
    const paths = [...this.#chains.keys()].sort();
    for (const path of paths) this.#context.recovery.examined.add(path);
    for (let i = 0; i < paths.length; i += LOOK_PATHS) await this.#judge(paths.slice(i, i + LOOK_PATHS));
    log.info("looked at the open epoch", { sides: this.#crashed, paths: paths.length, rolledBack: this.#count });
    return this.#count;
  }

  /** `isOwn`: an examination made this change, so that what came of it is no state. */
  #note(path: RelPath, before: ArchiveRow | null, isOwn: boolean): void {
    const chain = this.#chains.get(path);
    if (chain === undefined && isOwn) this.#unagreed.add(path);
    const later: Chain = chain === undefined || !isOwn ? chain ?? [] : [...chain.slice(0, -1), NO_STATE];
    this.#chains.set(path, [...later, before]);
  }

  /** Writes to the archive, and notes that these changes are no states. */
  #write(work: () => void): void {
    const { archive } = this.#context;
    archive.transact(() => {
      const before = archive.epochEnd();
      work();
      const end = archive.epochEnd();
      if (end === before) return;
      const ranges: [number, number][] = JSON.parse(archive.meta(EXAMINED) ?? "[]");
      archive.setMeta(EXAMINED, JSON.stringify([...ranges, [before + 1, end]]));
    });
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
      this.#write(() => {
        this.#restoreParents(from);
        archive.move(to, from);
        archive.dropSums(from); // patterns may say otherwise of the old name
      });
    } catch (error) {
      if (error instanceof ArchiveError) return false;
      throw error;
    }
    const nameNow = (path: RelPath) => path === to || isBelow(path, to) ? rebase(path, { from: to, to: from }) : path;
    this.#unagreed = new Set([...this.#unagreed].map(nameNow));
    const renamed = new Map<RelPath, Chain>();
    for (const [path, chain] of this.#chains) {
      const now = nameNow(path);
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
      const row = this.#chains.get(dir)?.find((state) => state !== NO_STATE && state?.entry.kind === "dir");
      if (row && row !== NO_STATE) archive.put(dir, row);
    }
  }

  #look(side: Side, paths: readonly RelPath[]): Promise<readonly Observation[]> {
    return this.#context.endpoints[side].look(paths, { contentLimitBytes: 0, digests: true });
  }

  async #judge(paths: readonly RelPath[]): Promise<void> {
    const seen = { left: await this.#lookIfCrashed("left", paths), right: await this.#lookIfCrashed("right", paths) };
    const digests = await this.#unknownDigests(paths);
    this.#write(() =>
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
    return [this.#unagreed.has(path) ? NO_STATE : read, ...this.#chains.get(path) ?? []];
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
  for (const state of chain) if (state !== null && state !== NO_STATE) return state;
  return null;
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

function isState(seen: Observation, state: Chain[number], how: { readonly exactly: boolean }): boolean {
  if (state === NO_STATE) return false;
  if (state === null) return seen.kind === "absent" || seen.kind === "orphan";
  return seen.kind === "present" && isLike(seen, state.entry, how);
}

/** `exactly`: with mode, owner and time, which alone may tell one state from the next. */
function isLike(seen: PresentObservation, entry: Entry, how: { readonly exactly: boolean }): boolean {
  if (!sameContent(seen.entry, entry)) return false;
  const isTime = seen.entry.kind !== "file" || seen.entry.mtimeNs === entry.mtimeNs;
  return !how.exactly || (isTime && sameMetadata(seen.entry, entry));
}
