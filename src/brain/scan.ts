/**
 * The scan: both trees and the archive walked together, directory by directory, so that memory does
 * not grow with the tree. Watches are set on the way (an endpoint watches before it lists).
 *
 * Of what is equal to the archive not even a listing travels (unchanged.ts); everything else goes onto the
 * board. What is missing is collected, and judged only when the walk is complete (I1; absences.ts). One walk at a
 * time; what is asked for meanwhile follows, many directories in one walk.
 * @module
 */
import { logger } from "../base/log.ts";
import type { Listing } from "../core/endpoint.ts";
import { ancestorsOf, joinPath, type RelPath, ROOT } from "../core/path.ts";
import type { Side } from "../core/problem.ts";
import type { Absences } from "./absences.ts";
import { BundleLane } from "./bundles.ts";
import type { PairContext } from "./context.ts";
import { CrowdMisses } from "./crowd_misses.ts";
import { InitialSkip } from "./initial_skip.ts";
import { hasGone, isDir, isSameDir, listed, newsOf } from "./listed.ts";
import { entriesOf, mergeDirectory, type MergedName } from "./merge.ts";
import { type SummedDir, unchangedDirs } from "./unchanged.ts";
import { isAsArchived } from "./view.ts";
import { Walks } from "./walks.ts";
import { WantedDirs } from "./wanted_dirs.ts";

/** How many directories are listed in one request. */
const LIST_DIRS = 16;
/** How many are held against the archive in one request. */
const VERIFY_DIRS = 1_024;
/** How many of the directories that were asked for are gone through in one walk: very many may be polled. */
const WALK_TOPS = 1_024;
/** With more crowded directories than this on one side all is gone through, as they are too many to be remembered. */
const CROWDS_MAX = 20_000;
/** While more paths than this are on the board the walk waits. */
const BOARD_LIMIT = 2_000;
/** The same for large files that wait to be transferred. */
const SLOW_LIMIT = 20_000;

const log = logger("brain", "scan");

const SIDES = ["left", "right"] as const;

/** A directory that is to be gone through, on the sides that have it. */
interface Todo {
  readonly path: RelPath;
  readonly left: boolean;
  readonly right: boolean;
  /** It is known not to be as the archive says, or may be: it is listed. */
  readonly isDifferent?: true;
  /** Much happened in it on one side, or it is new there. */
  readonly isCrowd?: true;
}

/** What comes next of a walk. */
interface Stretch {
  /** Maybe as the archive says on both sides. */
  readonly summed: SummedDir[];
  readonly toList: Todo[];
}

/** A stretch that both sides were asked about. */
interface Asked {
  readonly summed: readonly SummedDir[];
  readonly unchanged: Promise<ReadonlySet<RelPath>>;
}

/** Walks trees. */
export class Scanner {
  readonly #context: PairContext;
  readonly #absences: Absences;
  readonly #room: () => Promise<void>;
  readonly #bundles: Readonly<Record<Side, BundleLane>>;
  readonly #wanted = new WantedDirs();
  readonly #crowds: Readonly<Record<Side, Set<RelPath>>> = { left: new Set(), right: new Set() };
  readonly #misses: CrowdMisses;
  /** Null where all that differs is to become equal. */
  readonly #skip: InitialSkip | null;
  #isWalking = false;
  /** A walk that was asked for is under way, or what it found missing is looked at. */
  #isJudging = false;
  /** How often crowds were gone through. */
  readonly #crowdRounds = { begun: 0, ended: 0 };
  #whenRound: (() => void)[] = [];
  #running: Promise<void> = Promise.resolve();
  #isFirst = true;
  readonly #walks = new Walks();
  dirs = 0;
  entries = 0;

  /** `room` resolves when the board has room for more. */
  constructor(context: PairContext, absences: Absences, room: () => Promise<void>) {
    this.#context = context;
    this.#absences = absences;
    this.#skip = context.settings.skipInitialSync ? new InitialSkip(context) : null;
    this.#misses = new CrowdMisses(absences, (side, path) => this.#confirm(side, path));
    this.#room = room;
    this.#bundles = { left: new BundleLane(context, "left"), right: new BundleLane(context, "right") };
  }

  get isIdle(): boolean {
    return !this.#isWalking && this.#wanted.size === 0 && !this.#hasCrowds;
  }

  get #hasCrowds(): boolean {
    return this.#crowds.left.size + this.#crowds.right.size > 0;
  }

  /**
   * Asks for one look into a directory in which much happened on one side: what is new in it is gone through,
   * the rest not. Walks that are under way make way for it.
   */
  crowd(side: Side, dir: RelPath): void {
    if (this.#context.ignore.isIgnoredDeep(dir, true)) return;
    this.#crowds[side].add(dir);
    if (this.#crowds[side].size > CROWDS_MAX) {
      this.#crowds[side].clear();
      return this.request(ROOT);
    }
    if (!this.#isWalking && !this.#isFirst) this.#running = this.#runWanted();
  }

  /** Asks for a walk at and below a directory. The first one is that of the start: `runFirst`. */
  request(dir: RelPath): void {
    const isNew = this.#wanted.add(dir);
    log.debug("rescan", { dir, covered: !isNew, walking: this.#isWalking });
    if (!isNew) return;
    if (!this.#isWalking && !this.#isFirst) this.#running = this.#runWanted();
  }

  /** Resolves when no walk is under way; what was asked for meanwhile may have begun another. */
  async idle(): Promise<void> {
    while (!this.isIdle && this.#running !== this.#awaited) {
      this.#awaited = this.#running;
      await this.#awaited;
    }
  }
  #awaited: Promise<void> | null = null;

  /** The walk of a start or a reconnect; its removals are braked. */
  async runFirst(): Promise<void> {
    this.#isWalking = true;
    await this.#walk([ROOT]);
    this.#isFirst = false;
    await this.#absences.judge({ brake: true });
    for (const { side, dir } of this.#misses.judged()) this.#crowds[side].add(dir);
    this.#isWalking = false;
    if (this.#wanted.size > 0 || this.#hasCrowds) this.#running = this.#runWanted();
  }

  async #runWanted(): Promise<void> {
    this.#isWalking = true;
    try {
      while (this.#wanted.size > 0 || this.#hasCrowds) {
        await this.#walkCrowds();
        if (this.#wanted.size === 0) continue;
        this.#isJudging = true;
        await this.#walk(this.#wanted.take(WALK_TOPS));
        await this.#absences.judge({ brake: false });
        this.#isJudging = false;
        this.#tellRound();
      }
    } catch (error) {
      this.#context.fail(error);
    }
    this.#isWalking = this.#isJudging = false;
    this.#tellRound();
    this.#context.wake();
  }

  /** Whether no walk is under way, and none is asked for; what is crowded again and again does not count. */
  get isSettled(): boolean {
    return this.#wanted.size === 0 && !this.#isJudging;
  }

  /** Resolves when what is crowded now was listed, and what was asked for was walked. */
  async settled(): Promise<void> {
    const rounds = this.#crowdRounds.begun + (this.#hasCrowds ? 1 : 0);
    const isOpen = () => this.#isWalking && (this.#crowdRounds.ended < rounds || !this.isSettled);
    while (isOpen()) await new Promise<void>((resolve) => this.#whenRound.push(resolve));
  }

  #tellRound(): void {
    for (const resolve of this.#whenRound.splice(0)) resolve();
  }

  /** Resolves when no walk is under way that goes on by itself: one that waits for something else does not. */
  walked(): Promise<void> {
    return this.#walks.walked();
  }

  /** Goes through directories, none of which lies in another, and what is below them. */
  #walk(tops: readonly RelPath[]): Promise<void> {
    return this.#walks.run(() => this.#walkFrom(tops));
  }

  async #walkFrom(tops: readonly RelPath[]): Promise<void> {
    // Last in, first out: the walk stays depth first, and the list of what is to be done short.
    const todo: Todo[] = tops.map((path) => ({ path, left: true, right: true })).reverse();
    let asked: Asked | null = null;
    while (todo.length > 0 || asked !== null) {
      await this.#walkCrowds();
      // WHY one stretch ahead: both sides read their disks while what they said of the last one is gone through.
      const { summed, toList } = this.#nextOf(todo);
      const next = this.#ask(summed);
      if (asked !== null) await this.#verified(asked, todo);
      await this.#listAll(toList, todo);
      asked = next;
      this.#context.report.scanProgress({ dirs: this.dirs, entries: this.entries });
      const isFull = this.#context.board.size > BOARD_LIMIT || this.#context.flights.slowCount > SLOW_LIMIT;
      if (isFull) await this.#walks.wait(this.#room());
    }
  }

  /** Lists what is crowded now, and goes through what is new in it; a walk never makes way for ever. */
  async #walkCrowds(): Promise<void> {
    // What is to be left alone as it differs is known once the first walk has come by.
    if (!this.#hasCrowds || (this.#isFirst && this.#skip !== null)) return;
    this.#crowdRounds.begun++;
    try {
      await this.#walkCrowdsNow();
    } finally {
      this.#crowdRounds.ended++;
      this.#tellRound();
    }
  }

  async #walkCrowdsNow(): Promise<void> {
    const todo: Todo[] = [];
    for (const side of SIDES) todo.push(...await this.#takeCrowds(side));
    while (todo.length > 0) {
      await this.#listAll(todo.splice(-LIST_DIRS).reverse(), todo);
      if (this.#context.board.size > BOARD_LIMIT) await this.#walks.wait(this.#room());
    }
  }

  /** The crowded directories of one side, last that which comes first. */
  async #takeCrowds(side: Side): Promise<Todo[]> {
    const dirs = [...this.#crowds[side]].sort().reverse();
    this.#crowds[side].clear();
    const { archive } = this.#context;
    const crowd = { left: false, right: false, [side]: true, isCrowd: true as const };
    const todo: Todo[] = [];
    for (const path of dirs) {
      if (path !== ROOT && archive.get(path) === null) await this.#made(path, side);
      const row = path === ROOT ? null : archive.get(path);
      if (row !== null && row.entry.kind !== "dir") this.#replaced(side, path);
      else todo.push({ ...crowd, path });
    }
    return todo;
  }

  /** What is made by itself, and not in a bundle, is made before what is in it. */
  async #made(dir: RelPath, side: Side): Promise<void> {
    const { flights, isStopped } = this.#context;
    for (const above of [...ancestorsOf(dir)].reverse().concat(dir)) {
      if (!this.#bundles[side].isMaking(above) && !isStopped()) await this.#walks.wait(flights.ended(above));
    }
  }

  /** Whether a crowded directory is another one than that of the archive: then all in it is gone through. */
  #isOther(path: RelPath, side: Side, listing: Listing | undefined): boolean {
    const row = path === ROOT ? null : this.#context.archive.get(path);
    return row !== null && listing?.kind === "listed" && !isSameDir(row, side, listing.self);
  }

  /** A crowded directory took the place of something else. */
  #replaced(side: Side, path: RelPath): void {
    this.#confirm(side, path);
    this.request(path);
  }

  /** Asks both sides about a stretch. */
  #ask(summed: readonly SummedDir[]): Asked | null {
    if (summed.length === 0) return null;
    const unchanged = unchangedDirs(this.#context, summed);
    unchanged.catch(() => {}); // told where it is waited for
    return { summed, unchanged };
  }

  /** Passes by what is as the archive says, and leaves the rest to be listed. */
  async #verified(asked: Asked, todo: Todo[]): Promise<void> {
    const unchanged = await asked.unchanged;
    for (const dir of asked.summed) {
      if (unchanged.has(dir.path)) this.#unchanged(dir, todo);
      else todo.push({ path: dir.path, left: true, right: true, isDifferent: true });
    }
  }

  /** Takes what is next off the end of what is to be done. */
  #nextOf(todo: Todo[]): Stretch {
    const next: Stretch = { summed: [], toList: [] };
    while (todo.length > 0 && next.summed.length < VERIFY_DIRS && next.toList.length < LIST_DIRS) {
      const dir = todo.pop()!;
      const isCandidate = dir.left && dir.right && dir.isDifferent !== true;
      const state = isCandidate ? this.#context.archive.dirState(dir.path) : null;
      if (state !== null && state.sums !== null) next.summed.push({ ...state, path: dir.path, sums: state.sums });
      else next.toList.push(dir);
    }
    return next;
  }

  /** A directory that is as the archive says on both sides: so are the directories in it there. */
  #unchanged({ path, sums, hasDirs }: SummedDir, todo: Todo[]): void {
    this.dirs++;
    this.entries += sums.entries;
    for (const side of SIDES) this.#readable(side, path);
    if (!hasDirs) return;
    for (const name of this.#context.archive.subdirs(path)) {
      todo.push({ path: joinPath(path, name), left: true, right: true });
    }
  }

  async #listAll(dirs: readonly Todo[], todo: Todo[]): Promise<void> {
    if (dirs.length === 0) return;
    const [left, right] = await Promise.all(SIDES.map((side) => this.#list(side, dirs)));
    for (const dir of dirs) {
      const listed = { left: left!.get(dir.path), right: right!.get(dir.path) };
      await this.#directory(dir, listed, todo);
      const isGone = SIDES.some((side) => hasGone(listed[side]));
      if (isGone && dir.path !== ROOT) this.#context.moves.notListed(dir.path);
    }
    for (const side of SIDES) this.#bundles[side].flush();
  }

  async #list(side: Side, batch: readonly Todo[]): Promise<Map<RelPath, Listing>> {
    const dirs = batch.filter((dir) => dir[side]).map(({ path }) => path);
    if (dirs.length === 0) return new Map();
    const listings = await this.#context.endpoints[side].list(dirs);
    return new Map(listings.map((listing) => [listing.path, listing]));
  }

  /** Waits in large directories: what was read of the archive before may be old then. */
  async #directory(dir: Todo, listed: Readonly<Record<Side, Listing | undefined>>, todo: Todo[]): Promise<void> {
    this.dirs++;
    const isLive = dir.isCrowd === true;
    const other = SIDES.find((side) => isLive && this.#isOther(dir.path, side, listed[side]));
    if (other !== undefined) return this.#replaced(other, dir.path);
    for (const side of SIDES) this.#self(side, dir.path, listed[side]);
    // WHY now: a row that was there when it was asked for may be gone.
    const isNew = isLive && dir.path !== ROOT && this.#context.archive.get(dir.path) === null;
    for (const side of SIDES) {
      if (isNew && dir[side] && !this.#bundles[side].isMaking(dir.path)) this.#bundles[side].expect(dir.path);
    }
    for (const side of SIDES) if (dir[side]) this.#bundles[side].enter(dir.path, listed[side], { isLive });
    const lists = {
      dir: dir.path,
      rows: this.#context.archive.children(dir.path),
      left: entriesOf(listed.left),
      right: entriesOf(listed.right),
    };
    let hasWaited = false;
    for (const found of mergeDirectory(lists)) {
      const row = hasWaited ? this.#context.archive.get(found.path) : found.row;
      const merged = this.#withoutIgnored({ ...found, row });
      this.entries++;
      const isSending = isLive && SIDES.some((side) => this.#bundles[side].isMaking(merged.path));
      this.#name(merged, isLive);
      const down = { path: merged.path, left: isDir(merged.left), right: isDir(merged.right) };
      if (!isLive && (down.left || down.right)) todo.push(down);
      if (isLive && (down.left || down.right) && !isSending) this.#enterNew({ ...down, isCrowd: true }, merged, todo);
      for (const side of SIDES) {
        if (!this.#bundles[side].isFull) continue;
        await this.#bundles[side].room();
        hasWaited = true;
      }
    }
    this.#misses.listed(dir.path);
    for (const side of SIDES) {
      const listing = listed[side];
      if (isLive && listing?.kind === "listed") this.#outlisted(side, listing);
      this.#bundles[side].exit();
    }
    this.#sumUp(dir.path);
  }

  /**
   * What was known in a crowded directory before it was listed: nobody looks again at what went away since, or is
   * again as the archive says.
   */
  #outlisted(side: Side, listing: Extract<Listing, { kind: "listed" }>): void {
    const { path: dir, began, entries } = listing;
    const { board, flights, evidence } = this.#context;
    evidence[side].listed(dir, began);
    const pending = new Set([...board.inside(dir), ...flights.inside(dir)]);
    if (pending.size === 0) return;
    for (const { path } of entries) pending.delete(path);
    for (const path of pending) this.#confirm(side, path);
  }

  /** A directory in a crowded one: gone through where it is new. */
  #enterNew(dir: Todo, merged: MergedName, todo: Todo[]): void {
    const { row, path } = merged;
    if (row === null) return void todo.push(dir);
    const isSame = SIDES.every((side) => merged[side]?.kind !== "present" || isSameDir(row, side, merged[side]));
    if (!isSame) this.request(path);
  }

  /** What is ignored was forgotten: from now on the rows of the directory may stand for it (sum_scope.ts). */
  #sumUp(dir: RelPath): void {
    const { archive } = this.#context;
    if (archive.dirState(dir)?.sums === null) archive.transact(() => archive.sumUp(dir));
  }

  /**
   * Of what is ignored now the archive may not speak any more: were the pattern taken away again, a row
   * would turn what happened meanwhile on one side into a removal on the other.
   */
  #withoutIgnored(merged: MergedName): MergedName {
    const { archive, ignore } = this.#context;
    const { path, row } = merged;
    if (row === null || !ignore.isIgnored(path, row.entry.kind === "dir")) return merged;
    archive.transact(() => archive.remove(path));
    return { ...merged, row: null };
  }

  /**
   * The directory itself, where it is not as archived, turned out not to be one, or is out of reach.
   * WHY also where it was listed: the endpoint is silent afterwards about what `self` showed.
   */
  #self(side: Side, path: RelPath, listing: Listing | undefined): void {
    if (listing === undefined || path === ROOT) return;
    if (listing.kind === "listed" && !listing.isWatched) this.#context.notWatched(side, path);
    if (listing.kind === "listed") this.#readable(side, path);
    const row = this.#context.archive.get(path);
    // Without a row the listing of its parent has told it, maybe as it was before, or nobody may (--skip-initial-sync).
    const { board, flights } = this.#context;
    const isTold = row !== null || board.peek(path) !== null || flights.at(path) !== null;
    if (!isTold && listing.kind === "listed") return;
    if (row !== null && isAsArchived(row, side, listed(listing.self))) return;
    this.#context.board.add(side, listing.self, { isLive: false, isListed: listing.kind === "listed" });
  }

  /** A directory that could not be listed before. */
  #readable(side: Side, path: RelPath): void {
    const { status, retry } = this.#context;
    const problem = status.problems.get(path);
    if (problem?.reason !== "unreadable" || problem.side !== side) return;
    retry.settle(path);
    status.fine(path);
  }

  #name(merged: MergedName, isLive: boolean): void {
    const { row } = merged;
    const news = { left: newsOf(merged, "left"), right: newsOf(merged, "right") };
    const isMissing = (side: Side) => row !== null && merged[side] === null;
    const missing = SIDES.filter(isMissing);
    // A crowd is no walk, at whose end it would be judged; and one of its listings may be older than the row.
    if (row !== null && missing.length === 2 && !isLive) return this.#absences.gone(merged.path);
    if (missing.length === 0 && news.left === null && news.right === null) {
      return isLive ? this.#asArchived(merged) : undefined;
    }
    if (this.#skip !== null && (this.#isFirst ? this.#skip.takes(merged) : isLive && this.#skip.isAsItWas(merged))) {
      return;
    }
    if (SIDES.some((side) => this.#bundles[side].offer(merged, { isLive }))) return;
    for (const side of missing) {
      if (isLive) this.#misses.note(side, merged.path);
      else this.#absences.note(side, merged.path);
    }
    for (const side of SIDES) {
      const seen = news[side];
      if (seen !== null) {
        this.#context.board.add(side, seen, { isLive: isLive && this.#context.recovery.isSound(side), isListed: true });
      }
    }
  }

  /** What is as the archive says, where something else is known that was seen before. */
  #asArchived(merged: MergedName): void {
    const { board, flights, recovery } = this.#context;
    if (board.peek(merged.path) === null && flights.at(merged.path) === null) return;
    for (const side of SIDES) {
      const seen = merged[side];
      if (seen !== null && seen !== undefined) {
        board.add(side, seen, { isLive: recovery.isSound(side), isListed: true });
      }
    }
  }

  /** What a user has just removed, or replaced: a look shows what is there (I1). */
  #confirm(side: Side, path: RelPath): void {
    const { looks, board } = this.#context;
    const look = { path, content: false, digest: false, sizeBytes: 0 };
    looks[side].want(look, (seen) => board.add(side, seen, { isLive: true }));
  }
}
