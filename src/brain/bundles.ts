/**
 * Bundles: what a scan finds on one side alone, made on the other one many paths at a time.
 *
 * A new small file that nothing stands in the way of needs no planning: where the archive and the other
 * side have nothing, the only answer is to make it there. Its content passes the brain as a part of a
 * pack into which nobody looks. A commit makes only what is not there, and a file is packed only as it
 * was listed (I2, I3); whatever turns out otherwise is looked at again, and goes the ordinary way.
 * Offered to by scan.ts; one lane for each direction.
 * @module
 */
import { logger } from "../base/log.ts";
import type { Listing, Pack } from "../core/endpoint.ts";
import type { ArchiveRow } from "../core/archive.ts";
import { type Entry, sameMetadata, sameStamp } from "../core/entry.ts";
import { expectedOf } from "../core/expected.ts";
import type { PresentObservation } from "../core/observation.ts";
import { parentOf, type RelPath } from "../core/path.ts";
import { otherSide, type Side } from "../core/problem.ts";
import { reconcile } from "../core/reconcile.ts";
import { causeOf } from "./cause.ts";
import type { PairContext } from "./context.ts";
import { BUNDLE_SLOTS, fulfil, intend, LANE_SLOTS } from "./intents.ts";
import type { MergedName } from "./merge.ts";
import type { News, Sighting } from "./news.ts";
import { lookAgain, Task } from "./task.ts";
import { isAsArchived, viewOf } from "./view.ts";

/** Larger files go alone. */
const FILE_MAX_BYTES = 64 << 10;
/** A bundle takes no more paths, or bytes, than these, and ends with a directory from the half of them on. */
const BUNDLE_PATHS = 500;
const BUNDLE_BYTES = 2 << 20;
/** What a path takes in a bundle beside its content: a part of it, and each unit of its name or target. */
const PATH_BYTES = 512;
const UNIT_BYTES = 3;
/** How many bundles wait before the scan does. */
const WAITING = 2;

const SIDES = ["left", "right"] as const;

const log = logger("brain", "bundles");

/** What goes to the other side. */
interface Item {
  readonly seen: PresentObservation;
  /** What is to stand there, but for the digest. */
  readonly entry: Entry;
  /** What the archive says, where it is not new. */
  readonly row: ArchiveRow | null;
  readonly sighting: Sighting;
}

interface Bundle {
  readonly items: Item[];
  bytes: number;
  readonly done: PromiseWithResolvers<void>;
  /** Says that the carrier is wanted, as long as this is on its way. */
  carrier: Disposable | null;
}

/** What is in a bundle, and known to be as it was listed. */
interface Ready {
  readonly task: Task;
  readonly entry: Entry;
  readonly item: Item;
}

function emptyBundle(): Bundle {
  return { items: [], bytes: 0, done: Promise.withResolvers(), carrier: null };
}

function sightingOf(observation: PresentObservation, isLive: boolean, atMs: number): Sighting {
  return { observation, order: 0, isLive, isListed: true, atMs };
}

function newItem(seen: PresentObservation, isLive: boolean, atMs: number): Item {
  return { seen, entry: seen.entry, row: null, sighting: sightingOf(seen, isLive, atMs) };
}

/** What is to stand on the other side for a file that was changed on one alone; null: there is more to decide. */
function changedFile(row: ArchiveRow, sighting: Sighting, from: Side): Entry | null {
  if (row.entry.kind !== "file" || sighting.observation.kind !== "present") return null;
  const unchanged = { kind: "unchanged" } as const;
  const views = { left: unchanged, right: unchanged, [from]: viewOf(row, from, sighting) };
  const decision = reconcile({ base: row, ...views, later: from, isNeeded: false });
  if (decision.kind !== "change" || decision.clash !== null) return null;
  const step = decision[otherSide(from)];
  if (decision[from].kind !== "keep" || step.kind !== "put" || step.disposal !== "drop") return null;
  return step.entry.kind === "file" ? step.entry : null;
}

/** Whether it may end with a directory, and there may be more to come. */
function isLarge({ items, bytes }: Bundle): boolean {
  return items.length > BUNDLE_PATHS / 2 || bytes > BUNDLE_BYTES / 2;
}

/** The bundles that go from one side to the other. */
export class BundleLane {
  readonly #context: PairContext;
  readonly #from: Side;
  readonly #to: Side;
  #open = emptyBundle();
  #waiting: Bundle[] = [];
  readonly #slots = Array.from({ length: BUNDLE_SLOTS }, (_, number) => number);
  /** Directories that are being made, and the bundle that makes them. */
  readonly #making = new Map<RelPath, Bundle>();
  /** Directories that will be made with what is in them, once the scan has come there. */
  readonly #dirs = new Set<RelPath>();
  /** What is on its way, as it was listed. */
  readonly #sent = new Map<RelPath, PresentObservation>();
  #onRoom: (() => void)[] = [];

  constructor(context: PairContext, from: Side) {
    this.#context = context;
    this.#from = from;
    this.#to = otherSide(from);
  }

  /** Takes what a scan found, where it can go in a bundle; else it is news like any other. */
  offer(merged: MergedName, { isLive = false } = {}): boolean {
    const seen = merged[this.#from];
    const there = merged[this.#to];
    if (seen?.kind !== "present") return false;
    if (seen.entry.kind === "file" && seen.entry.sizeBytes > FILE_MAX_BYTES) return false;
    if (this.#isSent(seen)) return true;
    if (merged.row !== null) return this.#offerChanged(merged, { seen, row: merged.row, isLive });
    if (there !== null && there !== undefined) return false;
    if (seen.entry.kind === "dir") this.expect(seen.path);
    else if (this.#isFree(seen)) this.#add(newItem(seen, isLive, this.#nowMs()));
    else return false;
    return true;
  }

  /** A file that the archive knows: where one side alone changed it, it goes there as a new one does. */
  #offerChanged(
    merged: MergedName,
    { seen, row, isLive }: { readonly seen: PresentObservation; readonly row: ArchiveRow; readonly isLive: boolean },
  ): boolean {
    const there = merged[this.#to];
    const sighting = sightingOf(seen, isLive, this.#nowMs());
    if (there === null || (there !== undefined && !isAsArchived(row, this.#to, { ...sighting, observation: there }))) {
      return false;
    }
    const entry = changedFile(row, sighting, this.#from);
    const { settings, recovery } = this.#context;
    if (settings.followsLinks || recovery.examined.has(seen.path)) return false;
    if (entry === null || !this.#isFree(seen)) return false;
    this.#add({ seen, entry, row, sighting });
    return true;
  }

  /** Whether what is seen is on its way just as it is. */
  #isSent({ path, entry, stamp }: PresentObservation): boolean {
    const sent = this.#sent.get(path);
    return sent !== undefined && sent.entry.kind === entry.kind && sameStamp(entry.kind, sent.stamp, stamp) &&
      sameMetadata(sent.entry, entry);
  }

  /** Whether a directory is being made. */
  isMaking(dir: RelPath): boolean {
    return this.#making.has(dir) || this.#dirs.has(dir);
  }

  /** A directory that is new will be listed: it is made then with what is in it. */
  expect(dir: RelPath): void {
    this.#dirs.add(dir);
  }

  #nowMs(): number {
    return this.#context.clock.nowMs();
  }

  /**
   * The scan has come to a directory that was offered, and shows it anew. WHY not before: a directory
   * that is made with all that is in it is watched once it is whole, and nobody looks at what psync has
   * made itself.
   */
  enter(dir: RelPath, listing: Listing | undefined, { isLive = false } = {}): void {
    if (!this.#dirs.delete(dir)) return;
    const self = listing?.self;
    if (listing?.kind !== "listed" || self?.kind !== "present" || self.entry.kind !== "dir") {
      return lookAgain(this.#context, dir, SIDES);
    }
    // What the archive said when its parent was listed may be old by now.
    if (this.#context.archive.get(dir) === null && this.#isFree(self)) {
      this.#add(newItem(self, isLive, this.#nowMs()));
    } else this.#context.board.add(this.#from, self, { isLive: false, isListed: true });
  }

  /** The scan has gone through a directory. */
  exit(): void {
    if (isLarge(this.#open)) this.#close();
  }

  /** Sends what was offered until now. */
  flush(): void {
    if (this.#open.items.length > 0) this.#close();
    this.#pump();
  }

  /** Whether nothing more is to be offered before there is room. */
  get isFull(): boolean {
    return this.#waiting.length > WAITING && !this.#context.isStopped();
  }

  /** Resolves when more may be offered. */
  async room(): Promise<void> {
    while (this.isFull) await new Promise<void>((resolve) => this.#onRoom.push(resolve));
  }

  /** Whether nothing is known of a path but what was listed, and its directory is there or will be. */
  #isFree({ path, stamp }: PresentObservation): boolean {
    const { archive, board, flights, status, retry, recovery, apart } = this.#context;
    if (apart.wasKnown(this.#from, stamp)) return false;
    if (recovery.crashed.size > 0 || status.problems.has(path) || retry.has(path)) return false;
    if (board.peek(path) !== null || board.waitingAbove(path) !== null) return false;
    // A known object under a new name is a rename.
    if (this.#context.findsRenames()) {
      const names = archive.findObject(this.#from, stamp, 2);
      if (names.some((name) => name !== path)) return false;
    }
    const parent = parentOf(path);
    if (this.#making.has(parent)) return flights.at(path) === null;
    return flights.blockerOf(path, { subtree: true }) === null && archive.isDir(parent);
  }

  #add(item: Item): void {
    const { seen: { path, entry }, sighting } = item;
    const sizeBytes = entry.kind === "file" ? entry.sizeBytes : null;
    const units = path.length + (entry.kind === "link" ? entry.target.length : 0);
    const bytes = (sizeBytes ?? 0) + PATH_BYTES + UNIT_BYTES * units;
    const isFull = this.#open.items.length >= BUNDLE_PATHS || this.#open.bytes + bytes > BUNDLE_BYTES;
    if (isFull) this.#close();
    this.#context.flights.begin({
      path,
      shown: { target: this.#to, sizeBytes },
      sinceMs: sighting.isLive ? sighting.atMs : null,
      isBundled: true,
    });
    if (entry.kind === "dir") this.#making.set(path, this.#open);
    this.#sent.set(path, item.seen);
    this.#open.items.push(item);
    this.#open.bytes += bytes;
  }

  #close(): void {
    if (isLarge(this.#open)) this.#open.carrier = this.#context.wantCarrier();
    this.#waiting.push(this.#open);
    this.#open = emptyBundle();
    this.#pump();
  }

  #pump(): void {
    while (this.#slots.length > 0 && this.#waiting.length > 0 && !this.#context.isStopped()) {
      void this.#run(this.#waiting.shift()!, this.#slots.pop()!);
    }
  }

  async #run(bundle: Bundle, number: number): Promise<void> {
    const { endpoints, archive } = this.#context;
    const slot = { side: this.#to, number: LANE_SLOTS + number };
    try {
      const { ready, pieces, carried } = await this.#read(bundle);
      await this.#parentsOf(bundle);
      const transitions = ready.map(({ task: { path }, entry, item: { row } }) => ({
        kind: "put" as const,
        path,
        expected: expectedOf(row, this.#to),
        // What is in a pack needs no digest on its way.
        entry: entry.kind === "file" ? { ...entry, digest: null } : entry,
        content: entry.kind === "file" ? { kind: "packed" as const } : null,
        disposal: "drop" as const,
      }));
      intend(archive, slot, ready.map(({ task, entry }) => [task.path, entry] as const));
      const isNothing = ready.length === 0 && carried === null;
      const results = isNothing ? [] : await endpoints[this.#to].commit({ transitions, pack: pieces, carried });
      log.debug("bundle", { to: this.#to, paths: bundle.items.length, bytes: bundle.bytes, carried });
      log.trace("committed", () => ({
        side: this.#to,
        results: results.map(({ kind, ended }, i) => `put ${ready[i]!.task.path}: ${kind} ${ended}`),
      }));
      archive.transact(() => {
        ready.forEach(({ task }, i) => task.answer(this.#to, results[i]!));
        fulfil(archive, slot);
      });
      this.#slots.push(number);
      this.#context.touched();
    } catch (error) {
      this.#context.fail(error);
    }
    this.#ended(bundle);
  }

  #ended(bundle: Bundle): void {
    for (const [path, by] of this.#making) if (by === bundle) this.#making.delete(path);
    bundle.done.resolve();
    bundle.carrier?.[Symbol.dispose]();
    this.#pump();
    for (const resolve of this.#onRoom.splice(0)) resolve();
    this.#context.wake();
  }

  /** Reads the files of a bundle; what is not as it was listed is left to the ordinary way. */
  async #read({ items }: Bundle): Promise<Omit<Pack, "digests"> & { readonly ready: Ready[] }> {
    const files = items.filter(({ seen }) => seen.entry.kind === "file");
    const { digests, ...contents } = files.length === 0
      ? { digests: [], pieces: [], carried: null }
      : await this.#context.endpoints[this.#from].pack(files.map(({ seen: { path, stamp } }) => ({ path, stamp })));
    const ready: Ready[] = [];
    let next = 0;
    for (const item of items) {
      const { seen, entry } = item;
      const digest = seen.entry.kind === "file" ? digests[next++]! : null;
      const isAsListed = seen.entry.kind === "file" ? digest !== null : this.#context.evidence[this.#from].holds(seen);
      if (!isAsListed) this.#leave(seen.path);
      else ready.push(this.#decide(item, entry.kind === "file" ? { ...entry, digest } : entry));
    }
    return { ready, ...contents };
  }

  /** Directories that other bundles make are made before. */
  async #parentsOf(bundle: Bundle): Promise<void> {
    const before = new Set(bundle.items.map(({ seen: { path } }) => this.#making.get(parentOf(path))));
    before.delete(bundle);
    for (const other of before) await other?.done.promise;
  }

  #decide(item: Item, entry: Entry): Ready {
    const { seen, row } = item;
    const { evidence, moves, needed } = this.#context;
    log.debug("plan", () => ({ path: seen.path, plan: "bundle", to: this.#to }));
    needed.delete(seen.path);
    evidence[this.#from].decided(seen);
    moves.seen(seen);
    if (moves.takeArrived(seen.path)) this.#context.rescan(seen.path);
    const sighting = { ...item.sighting, observation: seen.entry.kind === "file" ? { ...seen, entry } : seen };
    const news: News = { path: seen.path, left: null, right: null, [this.#from]: sighting };
    const stamps = { left: row?.left ?? null, right: row?.right ?? null, [this.#from]: seen.stamp };
    const onEnd = (task: Task) => this.#settled(task, entry);
    return {
      task: new Task(this.#context, { news, entry, row, stamps, conflict: null, steps: 1, onEnd }),
      entry,
      item,
    };
  }

  #settled(task: Task, entry: Entry): void {
    const { status, sources, recovery } = this.#context;
    const { refusal, path } = task;
    if (refusal === null) {
      recovery.settle(path);
      if (entry.kind === "file") sources.add(this.#from);
      const bytes = entry.kind === "file" ? entry.sizeBytes : 0;
      const cause = causeOf(task.options.news, this.#to);
      const deed = task.options.row === null ? "created" : "changed";
      status.did({ side: this.#to, deed, path, from: null, kind: entry.kind, bytes, cause });
    } else if (refusal.result.kind === "orphan" || refusal.result.kind === "not-empty") {
      lookAgain(this.#context, path, SIDES);
    }
    this.#end(path);
  }

  #leave(path: RelPath): void {
    lookAgain(this.#context, path, SIDES);
    this.#end(path);
  }

  #end(path: RelPath): void {
    this.#sent.delete(path);
    this.#context.flights.end(path);
    this.#context.board.release(path);
  }
}
