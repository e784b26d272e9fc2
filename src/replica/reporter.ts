/**
 * From hints to reports: takes the watcher's events, looks when a path has settled, and says what
 * differs from what was last said or made.
 *
 * Events are hints; only looks are reported (I1). Silence is bought with stamps that have been
 * delivered before (known_stamps.ts). Owned by LocalEndpoint, which tells it of its own commits.
 * @module
 */
import type { Clock, Timer } from "../base/clock.ts";
import { type PsyncError, SafetyHaltError } from "../base/errors.ts";
import type { EndpointEvent, Move } from "../core/endpoint.ts";
import { isGrowing } from "../core/entry.ts";
import { type Ignore, isOwn } from "../core/ignore.ts";
import type { Observation } from "../core/observation.ts";
import { parentOf, rebase, type RelPath, ROOT } from "../core/path.ts";
import { Barriers } from "./barriers.ts";
import { Crowds, STORM_NAMES } from "./crowds.ts";
import type { KnownStamps } from "./known_stamps.ts";
import type { Looker, Sighting } from "./looker.ts";
import type { Listed } from "./lister.ts";
import { DIRTY, KIND, type RawDirty, type RawStat, type WatchRecord } from "./native_format.ts";
import { isJustMade, NewDirs } from "./new_dirs.ts";
import { Outbox } from "./outbox.ts";
import { isToldAsItGrew, type Look, lookAtDues } from "./report_looks.ts";
import { type Due, LOOK_DEEP, Settle } from "./settle.ts";
import type { Watcher } from "./watcher.ts";

/** The most paths of one batch of looks, and how many batches are under way at once. */
const BATCH_PATHS = 128;
const BATCHES_MAX = 3;
/** More dirty paths than this: the whole root is listed again instead. */
const DIRTY_MAX = 200_000;
/** A walk of new directories waits while more paths than this are dirty. */
const WALK_DIRTY_MAX = 20_000;
const MOVES_MAX = 10_000;
/** Kernels before 6.13 stamp in steps of up to 10 ms: a younger stamp may hide a later write. */
const RACY_MS = 20;

/** What a reporter works with. */
export interface ReporterParts {
  readonly clock: Clock;
  readonly looker: Pick<Looker, "look">;
  readonly known: KnownStamps;
  readonly ignore: Ignore;
}

/** A rename that was seen as a pair, and whether a directory was renamed. */
interface SeenMove extends Move {
  readonly isDir: boolean;
  /** The new name after the renames of directories that were seen since. */
  readonly now: RelPath;
}

/** Paths that are looked at and told together, after another batch was. */
interface Batch {
  readonly dues: readonly Due[];
  readonly moves: readonly SeenMove[];
  readonly after: Promise<void>;
}

/** What an endpoint reports by itself. */
export class Reporter {
  readonly #parts: ReporterParts;
  readonly #settle: Settle;
  readonly #outbox = new Outbox();
  readonly #crowds: Crowds;
  /** The counter when the newest listing began that the brain has. */
  #listedAt = 0;
  #newDirs: NewDirs | null = null;
  #watcher: Pick<Watcher, "list" | "drop"> | null = null;
  #moves: SeenMove[] = [];
  readonly #batches = new Set<Promise<void>>();
  /** The last batch that tells a rename of a directory. */
  #renaming: Promise<void> = Promise.resolve();
  #timer: Timer | null = null;
  #roomWaiters: (() => void)[] = [];
  readonly #barriers = new Barriers();

  constructor(parts: ReporterParts) {
    this.#parts = parts;
    this.#settle = new Settle(parts.clock);
    this.#crowds = new Crowds(parts.clock);
  }

  /** What is reported, for one reader. */
  get events(): AsyncIterable<EndpointEvent> {
    return this.#outbox.events;
  }

  /** Hands the watcher over, whose events come in already. */
  attach(watcher: Pick<Watcher, "list" | "drop">): void {
    this.#watcher = watcher;
    this.#newDirs = new NewDirs({
      watcher,
      clock: this.#parts.clock,
      ignore: this.#parts.ignore,
      mark: (path, bits) => this.#hint(path, bits),
      crowd: (dir) => this.#crowds.add(dir),
      isOwn: (path, stat) => this.#parts.known.isOwn(path) && this.#parts.known.match(path, stat) !== "different",
      pump: () => this.pump(),
      room: () => this.#room(),
      rescan: (path, why) => this.#outbox.rescan(path, why),
      unwatched: (path) => void this.#outbox.post(() => ({ kind: "unwatched", path })),
    });
  }

  /** Takes one event of the watcher. */
  take(event: WatchRecord): void {
    switch (event.kind) {
      case "dirty":
        return this.#takeDirty(event.names);
      case "move":
        return this.#takeMove(event, event.isDir);
      case "overflow":
        return this.restart("events were lost");
      case "root":
        return void this.#outbox.post(() => ({ kind: "root-lost", why: `the root was ${event.reason}` }));
      case "mount":
        return this.#takeMount(event.path);
      default:
        return; // answers to requests do not come here
    }
  }

  /** Everything is to be listed again; hints that wait are worth nothing any more (I8). */
  restart(why: string): void {
    this.#settle.clear();
    this.#crowds.clear();
    this.#moves = [];
    this.#newDirs?.clear();
    this.#outbox.rescan(ROOT, why);
  }

  /** Says that psync itself begins to change these paths: looks at them wait. */
  hold(paths: readonly RelPath[]): void {
    this.#settle.hold(paths);
  }

  /** Ends a `hold`, once what was made is remembered. */
  release(paths: readonly RelPath[]): void {
    this.#settle.release(paths);
    this.pump();
  }

  /** Says that the brain looks at these paths: a rename that is still unheard of may lead it astray. */
  looking(paths: readonly RelPath[]): void {
    this.#settle.noteLooks(paths);
  }

  /** Reports a barrier behind all that the watcher has told of until now. */
  barrier(id: number): void {
    // WHY: a writer may have closed between the last look and this barrier, and its close came before that look.
    this.#settle.markBusy();
    this.#barriers.add(id, this.#settle.pending());
    this.pump();
  }

  /** Takes note of a listing that is handed out; `stats` of its entries. */
  listed({ listing, stat, stats }: Listed): void {
    // WHY: it was looked at instead, and whoever asked has been told that.
    if (listing.kind !== "listed") return this.remember({ observation: listing.self, stat });
    this.#listedAt = Math.max(this.#listedAt, listing.began);
    this.#crowds.noteListed(listing.path, stats.length);
    listing.entries.forEach(({ path }, i) => this.#parts.known.listed(path, stats[i]!, listing.began));
  }

  /** Remembers what was handed out by another way than an event. */
  remember({ observation, stat }: Sighting): void {
    const { known } = this.#parts;
    const { kind, path, began } = observation;
    if (kind === "orphan") this.#settle.noteOrphan(path);
    // A listing that began later may have shown another state, and been handed out before.
    if (began < this.#listedAt) known.forget(path, began);
    else if (kind === "present") known.remember(path, stat, { began, isOwn: false, isRacy: this.#isRacy(stat) });
    else if (kind === "absent") known.remember(path, null, { began, isOwn: false, isRacy: false });
    else known.forget(path, began);
    if (kind === "busy") {
      this.#settle.noteBusy(path);
      this.#startTimer();
    }
  }

  /** Whether a writer has had a path open for so long that it may be shown as it grows. */
  isLongBusy(path: RelPath): boolean {
    return this.#settle.isLongBusy(path);
  }

  /** Remembers what psync itself made at a path, by its end; `stat` null: nothing is there now. */
  rememberOwn(path: RelPath, stat: RawStat | null, ended: number): void {
    this.#parts.known.remember(path, stat, { began: ended, isOwn: true, isRacy: this.#isRacy(stat) });
    this.#newDirs?.made(path, stat !== null);
  }

  /** Says that psync itself made a directory, in which nothing is watched yet. */
  madeDir(path: RelPath): void {
    this.#newDirs?.madeDir(path);
  }

  /** Ends the events, with an error or without; what is under way ends with the processes. */
  end(error: PsyncError | null): void {
    this.#outbox.close(error);
    this.#timer?.cancel();
    this.#timer = null;
    this.#wakeRoom();
  }

  /** Settles when nothing is under way any more; after `end` and the end of both processes. */
  async drained(): Promise<void> {
    await this.#newDirs?.stop();
    await Promise.all(this.#batches);
  }

  /** Starts the looks that are due, and the timer for those that are not. */
  pump(): void {
    if (this.#outbox.isClosed) return;
    this.#tellCrowds({ isHurried: !this.#barriers.isEmpty });
    while (this.#batches.size < BATCHES_MAX) {
      const dues = this.#settle.take(BATCH_PATHS);
      const moves = this.#takeMoves(dues);
      if (dues.length === 0) break;
      // WHY: what was seen under a new name is told after the rename that gave it.
      const batch: Promise<void> = this.#run({ dues, moves, after: this.#renaming }).finally(() => {
        this.#batches.delete(batch);
        this.#wakeRoom();
        this.pump();
      });
      this.#batches.add(batch);
      if (moves.some(({ isDir }) => isDir)) this.#renaming = batch;
    }
    this.#startTimer();
    this.#passBarriers();
  }

  #passBarriers(): void {
    const passed = this.#barriers.takePassed({ settle: this.#settle, newDirs: this.#newDirs });
    for (const id of passed) void this.#outbox.post(() => ({ kind: "barrier", id }));
  }

  #startTimer(): void {
    this.#timer?.cancel();
    this.#timer = null;
    // With all batches under way, the end of one of them comes here again.
    const lookMs = this.#batches.size < BATCHES_MAX ? this.#settle.nextDueMs() : null;
    const crowdMs = this.#crowds.nextDueMs();
    if (lookMs === null && crowdMs === null) return;
    const dueMs = Math.min(lookMs ?? Infinity, crowdMs ?? Infinity);
    const { clock } = this.#parts;
    this.#timer = clock.after(Math.max(0, dueMs - clock.nowMs()), () => this.pump());
  }

  #takeDirty(names: readonly RawDirty[]): void {
    for (const { path, bits } of names) {
      if (this.#isIgnored(path, null)) continue;
      if ((bits & DIRTY.whole) !== 0) this.#outbox.rescan(path, "too many changes in one directory");
      if (path === ROOT) continue; // the root itself is nobody's to synchronise
      this.#hint(path, bits & ~DIRTY.whole);
    }
    if (this.#settle.size > DIRTY_MAX) this.restart("too many changes at once");
  }

  /** Takes a hint: a path is looked at, or its directory is listed with all that happens there. */
  #hint(path: RelPath, bits: number): void {
    if (!this.#isCrowded(path, bits)) this.#settle.mark(path, bits);
  }

  /**
   * What psync made is looked at by itself, as that is silent; so is what a listing may show as it was though it
   * was written to (I14), and a directory that came from elsewhere: the brain may know it, and takes it for the
   * same then, though nobody has watched what is in it. So is one that is ignored as a directory.
   */
  #isCrowded(path: RelPath, bits: number): boolean {
    const isStorm = this.#settle.size > STORM_NAMES;
    if (!isStorm && this.#crowds.isEmpty) return false;
    const { known } = this.#parts;
    if (this.#settle.isEngaged(path) || known.isOwn(path) || known.isRacy(path)) return false;
    if ((bits & DIRTY.newDir) === 0) return this.#crowds.take(path, isStorm);
    if (!isJustMade(bits) || this.#isIgnored(path, true)) return false;
    this.#crowds.add(path);
    return true;
  }

  /** Tells what is crowded; `isHurried`: all of it now. */
  #tellCrowds({ isHurried = false } = {}): void {
    if (this.#settle.size <= STORM_NAMES) this.#crowds.calm();
    if (this.#crowds.takeFormed()) {
      const moved = new Set(this.#moves.flatMap(({ from, now }) => [from, now]));
      const isTold = (path: RelPath) => !moved.has(path) && this.#crowds.has(parentOf(path));
      this.#settle.withdraw((path, bits) => isTold(path) && this.#isCrowded(path, bits));
    }
    for (const path of this.#crowds.takeDue({ isHurried })) this.#outbox.crowd(path);
  }

  #takeMove(move: Move, isDir: boolean): void {
    const { from, to } = move;
    const hidden = { from: this.#isIgnored(from, isDir), to: this.#isIgnored(to, isDir) };
    if (hidden.from && hidden.to) return;
    if (hidden.to) {
      if (isDir) this.#watcher?.drop(to);
      return this.#settle.mark(from, DIRTY.gone);
    }
    if (hidden.from) {
      // What was ignored was never listed: its content is new, whatever is known of the name.
      return this.#settle.mark(to, DIRTY.moved | (isDir ? DIRTY.dir | DIRTY.newDir : 0));
    }
    if (isDir) {
      this.#parts.known.move(move);
      this.#settle.followMove(move);
      this.#newDirs?.followMove(move);
      this.#crowds.followMove(move);
      this.#moves = this.#moves.map((seen) => ({ ...seen, now: rebase(seen.now, move) }));
    }
    if (this.#moves.length < MOVES_MAX) this.#moves.push({ from, to, isDir, now: to });
    this.#barriers.followMove(move);
    this.#settle.mark(from, DIRTY.gone);
    this.#settle.mark(to, DIRTY.moved);
  }

  #takeMount(path: RelPath): void {
    if (path === ROOT || this.#isIgnored(path, null)) return;
    this.#settle.mark(path, DIRTY.attrib | LOOK_DEEP);
    this.#outbox.rescan(path, "a mount came or went");
  }

  #isIgnored(path: RelPath, isDir: boolean | null): boolean {
    return isOwn(path) || this.#parts.ignore.isIgnoredDeep(path, isDir);
  }

  /** Adds both names of each rename to a batch; a rename of a path that psync changes now waits. */
  #takeMoves(dues: Due[]): SeenMove[] {
    if (this.#moves.length === 0) return [];
    const isHeld = ({ from, now }: SeenMove) => this.#settle.isHeld(from) || this.#settle.isHeld(now);
    const moves = this.#moves.filter((move) => !isHeld(move));
    this.#moves = this.#moves.filter(isHeld);
    const taken = new Set(dues.map(({ path }) => path));
    for (const path of moves.flatMap(({ from, now }) => [from, now])) {
      if (taken.has(path)) continue;
      taken.add(path);
      const due = this.#settle.takeNow(path);
      if (due !== null) dues.push(due);
    }
    return moves;
  }

  async #run({ dues, moves, after }: Batch): Promise<void> {
    try {
      const looks = await lookAtDues(dues, { ...this.#parts, settle: this.#settle });
      await after;
      await this.#outbox.post(() => this.#judge(looks, moves));
    } catch (error) {
      for (const { path } of dues) this.#settle.finish(path, "silent");
      if (error instanceof SafetyHaltError) {
        await this.#outbox.post(() => ({ kind: "root-lost", why: error.message }));
      } else this.end(error as PsyncError);
    }
  }

  #judge(looks: readonly Look[], moves: readonly SeenMove[]): EndpointEvent | null {
    const inMoves = new Set(moves.flatMap(({ from, now }) => [from, now]));
    const reported = new Set<RelPath>();
    for (const look of looks) {
      if (this.#judgeOne(look)) reported.add(look.due.path);
    }
    // WHY a directory's, too, of which both names were told: a look may have come before its event,
    // and then nobody knows that all that is in it has a new name.
    const isNews = ({ now, isDir }: SeenMove) => isDir && !this.#parts.known.isOwn(now);
    const told = moves.filter((move) => reported.has(move.from) || reported.has(move.now) || isNews(move));
    const toldNames = new Set(told.flatMap(({ from, now }) => [from, now]));
    const observations: Observation[] = [];
    for (const { sighting: { observation } } of looks) {
      const { path, kind } = observation;
      // A rename is told with what was seen at both of its names, but an orphan says nothing.
      const isTold = reported.has(path) || (inMoves.has(path) && toldNames.has(path) && kind !== "orphan");
      if (isTold) observations.push(observation);
    }
    if (observations.length === 0) return null;
    return {
      kind: "observed",
      observations,
      moves: told.map(({ from, to }) => ({ from, to })),
    };
  }

  /** Whether a look is to be reported; remembers it, and sees to what follows from it. */
  #judgeOne({ due, sighting }: Look): boolean {
    const { path, bits } = due;
    const { kind, began } = sighting.observation;
    // An event does not tell of every name whether it is one of a directory.
    if (kind === "present" && this.#parts.ignore.isIgnored(path, sighting.stat?.kind === KIND.dir)) {
      return this.#finish(path, false);
    }
    // Who was told of a later state has no use for this one; what came after that has its own event.
    if (this.#parts.known.isOutdated(path, began)) {
      this.#finish(path, false);
      // But nobody was told of what is in a new directory.
      if ((bits & DIRTY.newDir) !== 0) this.#settle.mark(path, bits);
      return false;
    }
    const isGone = kind === "absent" || kind === "orphan";
    if (isGone && (bits & DIRTY.newDir) !== 0) this.#newDirs?.noteGone(path);
    switch (kind) {
      case "present":
        return this.#judgePresent(due, sighting);
      case "absent": {
        const isNews = this.#parts.known.match(path, null) !== "same";
        if (isNews) this.remember(sighting);
        return this.#finish(path, isNews);
      }
      case "orphan":
        this.remember(sighting);
        this.#settle.mark(parentOf(path), DIRTY.gone);
        return this.#finish(path, false);
      case "busy": {
        if (this.#settle.isLongBusy(path) && isToldAsItGrew(this.#parts.known, path, sighting.stat)) {
          this.#settle.finishGrowing(path, 0);
          return false;
        }
        const isNews = !this.#settle.isBusy(path) || (bits & LOOK_DEEP) !== 0;
        this.remember(sighting);
        this.#settle.finish(path, "busy");
        return isNews;
      }
      case "blocked":
        this.remember(sighting);
        return this.#finish(path, true);
    }
  }

  #judgePresent({ path, bits }: Due, sighting: Sighting): boolean {
    const { known } = this.#parts;
    const stat = sighting.stat!;
    const match = known.match(path, stat);
    const isDeep = (bits & LOOK_DEEP) !== 0;
    if (stat.kind === KIND.dir) this.#judgeDir({ path, bits, stat, isKnown: match !== "different" });
    // WHY: not MODIFIED, which setting an mtime makes too; a writer that has not closed yet is busy.
    const isWritten = (bits & DIRTY.closed) !== 0;
    if (match === "racy" && isWritten && !isDeep && stat.kind === KIND.file) {
      this.#finish(path, false);
      this.#settle.defer(path, { bits: LOOK_DEEP, afterMs: RACY_MS });
      return false;
    }
    const isNews = match === "different" || isDeep;
    if (isNews) this.remember(sighting);
    if (isShownAsItGrows(sighting)) {
      this.#settle.finishGrowing(path, stat.sizeBytes);
      return isNews;
    }
    this.#settle.finish(path, isNews ? "reported" : match === "same" ? "same" : "silent");
    return isNews;
  }

  /** Sees to what is in a directory that is new here, or another than was known. */
  #judgeDir(
    { path, bits, stat, isKnown }: { path: RelPath; bits: number; stat: RawStat; isKnown: boolean },
  ): void {
    const { known } = this.#parts;
    const isNew = (bits & DIRTY.newDir) !== 0;
    const isOther = known.isDir(path) && !known.isSameDir(path, stat);
    const isOwnWork = isKnown && known.isOwn(path);
    if (isOther || (isNew && !isOwnWork && ((bits & DIRTY.gone) !== 0 || known.isDir(path)))) {
      // Something else may have been in it that is gone now: only a listing shows that.
      this.#outbox.rescan(path, "another directory took this name");
    } else if (isNew) this.#newDirs?.add(path, { isJustMade: isJustMade(bits) });
  }

  #finish(path: RelPath, isReported: boolean): boolean {
    this.#settle.finish(path, isReported ? "reported" : "silent");
    return isReported;
  }

  #isRacy(stat: RawStat | null): boolean {
    if (stat === null || stat.kind !== KIND.file) return false;
    return stat.ctimeNs > BigInt(Math.floor(this.#parts.clock.wallMs() - RACY_MS)) * 1_000_000n;
  }

  /** Settles when a walk may hand on more names. */
  async #room(): Promise<void> {
    while (this.#settle.size > WALK_DIRTY_MAX && !this.#outbox.isClosed) {
      await new Promise<void>((resolve) => this.#roomWaiters.push(resolve));
    }
  }

  #wakeRoom(): void {
    const waiters = this.#roomWaiters;
    this.#roomWaiters = [];
    for (const wake of waiters) wake();
  }
}

function isShownAsItGrows({ observation }: Sighting): boolean {
  return observation.kind === "present" && isGrowing(observation.stamp);
}
