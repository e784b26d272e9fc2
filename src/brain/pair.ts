/**
 * One pair during one life of its two endpoints: listens to both, scans, runs the cycle, and closes
 * epochs. When a link is lost this object is thrown away and a new one starts from the archive (I8).
 *
 * Owns everything that context.ts lists except endpoints, archive, status and report.
 * @module
 */
import { CrossedRenames } from "./crossed.ts";
import { logger } from "../base/log.ts";
import { EndpointLostError, SafetyHaltError, WatchError } from "../base/errors.ts";
import type { Endpoint, EndpointEvent, Findings, Move } from "../core/endpoint.ts";
import type { Observation } from "../core/observation.ts";
import { type RelPath, ROOT } from "../core/path.ts";
import type { Side } from "../core/problem.ts";
import { Absences } from "./absences.ts";
import { BulkLane, type RunRsync } from "./bulk.ts";
import type { PairContext, Sides } from "./context.ts";
import { FLIGHT_LIMIT, ROUND_PATHS, runCycle } from "./cycle.ts";
import { Dispatcher } from "./dispatch.ts";
import { EpochKeeper } from "./epoch.ts";
import { Evidence } from "./evidence.ts";
import { LookLane } from "./fetch.ts";
import { recordFindings } from "./findings.ts";
import { FlightDeck } from "./in_flight.ts";
import { CommitLane } from "./lane.ts";
import { NewsBoard } from "./news.ts";
import { Progress } from "./progress.ts";
import { RecentMoves } from "./recent_moves.ts";
import { RenamedApart } from "./renamed_apart.ts";
import { RetryList } from "./retry.ts";
import { examineEpoch, noteBoots, Recovery } from "./rolled_back.ts";
import { Scanner } from "./scan.ts";
import { examineIntents } from "./intents.ts";
import { keepsChanging } from "./growing.ts";
import { lookAgain } from "./task.ts";
import { TrashKeeper } from "./trash_keeper.ts";
import { Unwatched } from "./unwatched.ts";

const log = logger("brain", "pair");

const SIDES = ["left", "right"] as const;
/** How long paths that are changed all the time can hold up the end of a scan, and how many they may be. */
const UNQUIET_MS = 30_000;
const UNQUIET_PATHS = 100;
/** Barriers have numbers of 32 bits. */
const BARRIER_IDS = 2 ** 32;
/** The board has room again for a scan below this number of paths. */
const ROOM_PATHS = 1_000;
/** A scan finds no more while so many large files wait to be transferred. */
const SLOW_PATHS = 20_000;

/** What a pair is given. */
export type PairOptions =
  & Pick<PairContext, "endpoints" | "archive" | "status" | "report" | "ignore" | "clock" | "offsetNs" | "settings">
  & {
    readonly runRsync: RunRsync;
    readonly wantCarrier?: () => Disposable;
    /** What the endpoints found of an earlier life when they were adopted. */
    readonly found?: Sides<Findings>;
    /** Called once, when the first scan is done and everything that it found is settled. */
    readonly onFirstSync: () => void;
  };

/** A pair at work. */
export class Pair {
  readonly #options: PairOptions;
  readonly #context: PairContext;
  readonly #scanner: Scanner;
  readonly #bulk: BulkLane;
  readonly #epoch: EpochKeeper;
  readonly #trash: TrashKeeper;
  readonly #progress: Progress;
  #stopped = false;
  #findsRenames: boolean;
  #firstScanned: Promise<void> = Promise.resolve();
  #failure: unknown = null;
  #wake: (() => void) | null = null;
  #isAwake = false;
  #whenQuiet: { readonly isSettled: () => boolean; readonly resolve: () => void }[] = [];
  readonly #barriers = new Map<number, () => void>();
  #nextBarrier = 0;
  #whenRoom: (() => void)[] = [];
  readonly unwatched: Unwatched;

  constructor(options: PairOptions) {
    this.#options = options;
    this.#findsRenames = options.archive.count() > 0;
    this.unwatched = new Unwatched({ ...options, rescan: (dir) => this.#scanner.request(dir) });
    this.#context = this.#makeContext();
    const absences = new Absences(this.#context, () => this.#quiet({ isSlowToo: false }));
    this.#scanner = new Scanner(this.#context, absences, () => this.#room());
    this.#bulk = new BulkLane(this.#context, options.runRsync);
    this.#epoch = new EpochKeeper(this.#context);
    this.#trash = new TrashKeeper(this.#context);
    this.#progress = new Progress({
      ...this.#context,
      movedBytes: () => this.#bulk.movedBytes,
      isScanning: () => !this.#scanner.isIdle,
    });
  }

  /** Paths known to be in flight, for people. */
  get context(): PairContext {
    return this.#context;
  }

  /**
   * Runs until `signal` is aborted.
   * @throws {EndpointLostError} when an endpoint is gone; {SafetyHaltError} when a root is.
   */
  async run(signal: AbortSignal): Promise<void> {
    const stop = () => this.#stop(null);
    if (signal.aborted) return;
    signal.addEventListener("abort", stop, { once: true });
    for (const side of SIDES) void this.#listen(side);
    this.#firstScanned = this.#firstScan();
    this.#trash.start();
    // All that one side has will have to go to the other: reaching it takes a moment.
    if (!this.#findsRenames) this.#context.wantCarrier()[Symbol.dispose]();
    try {
      await runCycle(this.#context, new Dispatcher(this.#context, this.#bulk), () => this.#next());
    } finally {
      signal.removeEventListener("abort", stop);
      this.#stop(null);
      this.#context.retry[Symbol.dispose]();
      this.#progress[Symbol.dispose]();
      this.#trash.close();
      if (this.#failure === null) await this.#epoch.flush();
      await this.#epoch.close();
    }
    if (this.#failure !== null) throw this.#failure;
  }

  /** Whether nothing is known that is not settled, apart from listed problems. */
  get isQuiet(): boolean {
    const { board, flights, looks, lanes } = this.#context;
    return board.size === 0 && flights.size === 0 && this.#bulk.size === 0 &&
      SIDES.every((side) => looks[side].size === 0 && lanes[side].isIdle);
  }

  /** Closes the open epoch on both sides now. */
  async sync(): Promise<void> {
    await this.#epoch.flush();
  }

  /** Walks both trees again, and resolves when what was found is settled, or the pair has ended. */
  async fullSync(): Promise<void> {
    await this.#firstScanned;
    this.#scanner.request(ROOT);
    while (!this.#scanner.isSettled && !this.#stopped) {
      await this.#scanner.settled();
      await this.#quiet();
      await this.#tried();
    }
  }

  /**
   * Resolves when all that was written before is on the other side, and durable there, or is listed as
   * a problem; or when the pair has ended.
   */
  async flush(): Promise<void> {
    await this.#firstScanned;
    await Promise.all(SIDES.map((side) => this.#barrier(side)));
    do {
      await this.#scanner.settled();
      await this.#quiet();
    } while (!this.#scanner.isSettled && !this.#stopped);
    if (!this.#stopped) await this.#epoch.flush();
  }

  /** Resolves when all that happened before on a side was told. */
  async #barrier(side: Side): Promise<void> {
    const id = this.#nextBarrier++ % BARRIER_IDS;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#barriers.set(id, resolve);
    await this.#context.endpoints[side].barrier(id);
    await promise;
  }

  #makeContext(): PairContext {
    const { clock, endpoints, archive, status, report, ignore, offsetNs, settings } = this.#options;
    const wake = () => this.#awake();
    const retry = new RetryList(clock, (paths) => {
      for (const path of paths) lookAgain(this.#context, path, SIDES, { growing: keepsChanging(this.#context, path) });
    });
    const base = { clock, endpoints, archive, status, report, ignore, offsetNs, settings };
    const context = {
      ...base,
      board: new NewsBoard(wake, () => clock.nowMs()),
      flights: new FlightDeck(),
      evidence: { left: new Evidence(), right: new Evidence() },
      retry,
      findsRenames: () => this.#findsRenames,
      moves: new RecentMoves(clock, () => this.#scanner.request(ROOT)),
      apart: new RenamedApart(archive, report),
      crossed: new CrossedRenames(archive),
      recovery: new Recovery(),
      // An epoch that an earlier life left open ends with all contents on disk.
      sources: new Set<Side>(archive.epochEnd() === 0 ? [] : SIDES),
      needed: new Map<RelPath, ReadonlySet<Side>>(),
      fail: (error: unknown) => this.#stop(error),
      isStopped: () => this.#stopped,
      rescan: (dir: RelPath) => this.#scanner.request(dir),
      told: async (side: Side) => {
        await this.#barrier(side);
        await this.#scanner.walked();
      },
      notWatched: (side: Side, path: RelPath) => this.unwatched.note(side, path),
      rescanIfWalking: (dir: RelPath) => this.#scanner.isIdle || this.#scanner.request(dir),
      wake,
    };
    const looks = {} as Record<Side, LookLane>;
    const lanes = {} as Record<Side, CommitLane>;
    const { wantCarrier = () => ({ [Symbol.dispose]: () => {} }) } = this.#options;
    const whole: PairContext = { ...context, looks, lanes, wantCarrier, touched: () => this.#epoch.touched() };
    for (const side of SIDES) {
      looks[side] = new LookLane(whole, side);
      lanes[side] = new CommitLane(whole, side);
    }
    return whole;
  }

  async #firstScan(): Promise<void> {
    try {
      this.#listFindings();
      await examineEpoch(this.#context);
      await examineIntents(this.#context);
      await this.#scanner.runFirst();
      await this.#quiet();
      await this.#tried();
      while (!this.#scanner.isSettled && !this.#stopped) {
        await this.#scanner.settled();
        await this.#quiet();
      }
      if (!this.#stopped) noteBoots(this.#context);
      this.#findsRenames = true;
      if (!this.#stopped) this.#options.onFirstSync();
    } catch (error) {
      this.#stop(error);
    }
  }

  #listFindings(): void {
    const { found } = this.#options;
    if (found === undefined) return;
    this.#context.archive.transact(() => {
      for (const side of SIDES) recordFindings(this.#context, side, found[side], "unexpected-find");
    });
  }

  async #listen(side: Side): Promise<void> {
    try {
      const endpoint: Endpoint = this.#context.endpoints[side];
      for await (const event of endpoint.events()) {
        if (this.#stopped) return;
        this.#take(side, event);
      }
      if (!this.#stopped) this.#stop(new EndpointLostError(`Cannot go on: the ${side} endpoint has ended`));
    } catch (error) {
      const isLost = error instanceof WatchError;
      this.#stop(isLost ? new EndpointLostError(error.message, { cause: error }) : error);
    }
  }

  #take(side: Side, event: EndpointEvent): void {
    const { board, report } = this.#context;
    switch (event.kind) {
      case "observed":
        log.trace("observed", () => ({
          side,
          moves: event.moves.map(({ from, to }) => `${from} -> ${to}`),
          seen: event.observations.map((o) =>
            `${o.path} ${o.kind} ${o.began} ${o.kind === "present" ? `${o.entry.kind} ${o.stamp.inode}` : ""}`
          ),
        }));
        for (const move of event.moves) {
          this.#context.moves.note(move);
          if (mayHoldSomething(move, event.observations)) this.#context.moves.arrived(move.to);
          const moved = board.moveAway(move, (each) => each === side ? "old" : "new");
          // WHY both: what the other side showed of it may have been left to the directory that was thought to be gone.
          const missed = new Set(this.#context.moves.takeMissed(move));
          for (const path of missed) lookAgain(this.#context, path, SIDES);
          for (const path of new Set(moved)) if (!missed.has(path)) lookAgain(this.#context, path, [side]);
        }
        for (const seen of event.observations) board.add(side, seen, { isLive: true });
        return;
      case "rescan":
        report.notice({ kind: "rescan", side, path: event.path, why: event.why });
        return this.#scanner.request(event.path);
      case "crowd":
        return this.#scanner.crowd(side, event.path);
      case "unwatched":
        return this.unwatched.note(side, event.path);
      case "barrier":
        this.#barriers.get(event.id)?.();
        return void this.#barriers.delete(event.id);
      case "root-lost":
        return this.#stop(new SafetyHaltError(`The ${side} root is gone: ${event.why}`));
    }
  }

  /** Resolves to true when there may be work, to false at the end. */
  async #next(): Promise<boolean> {
    if (this.#context.archive.epochEnd() !== 0) this.#epoch.touched();
    this.#settleWaiters();
    this.#progress.tick();
    if (!this.#isAwake && !this.#stopped) await new Promise<void>((resolve) => this.#wake = resolve);
    // WHY: with too many in flight the loop leaves some, and would spin without ever letting an answer in.
    const { board, flights } = this.#context;
    this.#isAwake = (flights.quickCount > FLIGHT_LIMIT ? board.heldCount : board.readyCount) > ROUND_PATHS;
    return !this.#stopped;
  }

  #awake(): void {
    this.#isAwake = true;
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  #stop(error: unknown): void {
    if (error !== null) this.#failure ??= error;
    this.#stopped = true;
    this.#awake();
    this.unwatched[Symbol.dispose]();
    for (const { resolve } of this.#whenQuiet.splice(0)) resolve();
    for (const resolve of this.#barriers.values()) resolve();
    for (const resolve of this.#whenRoom.splice(0)) resolve();
    this.#context.flights.wakeAll();
  }

  /**
   * Resolves when every path that is known now has been settled: what users go on changing meanwhile
   * elsewhere is not waited for, and a path that somebody changes all the time not for ever. What is
   * transferred for hours is decided, which is enough where only that is asked.
   */
  #quiet({ isSlowToo = true } = {}): Promise<void> {
    if (this.isQuiet || this.#stopped) return Promise.resolve();
    const { board, flights, looks, clock } = this.#context;
    const pending = [...board.paths(), ...flights.paths()];
    const untilMs = clock.nowMs() + UNQUIET_MS + pending.length;
    const isOpen = (path: RelPath) => flights.at(path) !== null && (isSlowToo || !flights.isSlow(path));
    const isParked = (path: RelPath) => !isSlowToo && flights.isSlow(board.waitsFor(path) ?? path);
    const isKnown = (path: RelPath) => (board.peek(path) !== null && !isParked(path)) || isOpen(path);
    const isSettled = () => {
      while (pending.length > 0 && !isKnown(pending.at(-1)!)) pending.pop();
      const isDone = pending.length === 0 && SIDES.every((side) => looks[side].size === 0);
      return this.isQuiet || isDone || (clock.nowMs() > untilMs && pending.length < UNQUIET_PATHS);
    };
    return isSettled() ? Promise.resolve() : this.#whenSettled(isSettled, untilMs);
  }

  /** Resolves when `isSettled`, which may depend on the time until `untilMs`: then it is asked though nothing happens. */
  #whenSettled(isSettled: () => boolean, untilMs: number): Promise<void> {
    const { clock } = this.#context;
    return new Promise((done) => {
      const timer = clock.after(untilMs - clock.nowMs() + 1, () => this.#awake());
      const resolve = () => {
        timer.cancel();
        done();
      };
      this.#whenQuiet.push({ isSettled, resolve });
    });
  }

  /** Resolves when nothing waits to be tried again that is not listed as a problem. */
  #tried(): Promise<void> {
    const { retry, status, clock } = this.#context;
    const hasUnlisted = () => retry.hasUnlisted((path) => status.isListed(path));
    const untilMs = clock.nowMs() + UNQUIET_MS;
    const isSettled = () => !hasUnlisted() && (this.isQuiet || clock.nowMs() > untilMs);
    return !hasUnlisted() || this.#stopped ? Promise.resolve() : this.#whenSettled(isSettled, untilMs);
  }

  #room(): Promise<void> {
    if (this.#hasRoom() || this.#stopped) return Promise.resolve();
    return new Promise((resolve) => this.#whenRoom.push(resolve));
  }

  #hasRoom(): boolean {
    return this.#context.board.size < ROOM_PATHS && this.#context.flights.slowCount < SLOW_PATHS;
  }

  #settleWaiters(): void {
    if (this.#whenRoom.length > 0 && this.#hasRoom()) {
      for (const resolve of this.#whenRoom.splice(0)) resolve();
    }
    const settled = this.#whenQuiet.filter(({ isSettled }) => isSettled());
    if (settled.length === 0) return;
    this.#whenQuiet = this.#whenQuiet.filter((waiter) => !settled.includes(waiter));
    for (const { resolve } of settled) resolve();
  }
}

/** Whether a directory may have come to the new name of a rename; an orphan is not told. */
function mayHoldSomething({ to }: Move, seen: readonly Observation[]): boolean {
  const there = seen.find(({ path }) => path === to);
  return there === undefined || (there.kind === "present" ? there.entry.kind === "dir" : there.kind !== "absent");
}
