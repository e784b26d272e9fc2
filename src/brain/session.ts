/**
 * A session: from the command line's settings to two equal trees, for as long as it is wanted.
 *
 * Opens both endpoints, lets a `Pair` work, and starts again from the archive when a link is lost
 * (for ever, with a delay that grows) or a root comes back after a halt. Called by cli/run.ts; the
 * only exports besides types.
 * @module
 */
import { type BannedError, EndpointLostError, PsyncError, SafetyHaltError, SetupError } from "../base/errors.ts";
import { logger } from "../base/log.ts";
import { collectGarbage } from "../base/memory.ts";
import type { Archive } from "../core/archive.ts";
import { CANNOT_OPEN_ROOT, type Endpoint } from "../core/endpoint.ts";
import { compileIgnore } from "../core/ignore.ts";
import type { Problem, Side } from "../core/problem.ts";
import { awaitBanned } from "./banned.ts";
import { Chronicle } from "./chronicle.ts";
import type { Sides } from "./context.ts";
import { answerControl } from "./control_requests.ts";
import { runDryRun } from "./dry_run.ts";
import { FullSyncTimer } from "./full_sync_timer.ts";
import { lockState } from "./identity.ts";
import { isAlive, isKnownPair, type JoinedPair, joinPair } from "./join.ts";
import { openBoth, type OpenedPair } from "./open_both.ts";
import { Pair } from "./pair.ts";
import { oldestLiveMs } from "./progress.ts";
import type { SessionPhase, SessionState, SideState } from "./report.ts";
import type { Outcome, SessionContext, SessionSettings } from "./settings.ts";
import { Status } from "./status.ts";
import { VitalSigns } from "./vitals.ts";

export type { Outcome, SelfBinary, SessionContext, SessionSettings } from "./settings.ts";

const log = logger("brain", "session");

/** The delay before a lost link is tried again, at first and at most. */
const RECONNECT_FIRST_MS = 1_000;
const RECONNECT_MAX_MS = 15_000;
/** How often a halted pair looks whether its root is back. */
const HALT_POLL_MS = 5_000;
/** With --sync-only a link that stays away this long ends the session. */
const SYNC_ONLY_LINK_MS = 60_000;
/** How long a dead psync's other half may take to end, and how often it is looked at. */
const LOCK_ENDING_MS = 35_000;
const LOCK_POLL_MS = 500;
/** How long an answer may take to leave before psync ends. */
const STOP_DELAY_MS = 50;
/** How long the end may take: what is under way, then the marks. */
const STOP_MS = 2_000;

/**
 * Runs a session to its end.
 * @throws {SetupError} where it could not begin; {UsageError} for settings that cannot be.
 */
export async function runSession(settings: SessionSettings, context: SessionContext): Promise<Outcome> {
  return settings.dryRun ? await runDryRun(settings, context) : await new Session(settings, context).run();
}

class Session {
  readonly #settings: SessionSettings;
  readonly #context: SessionContext;
  readonly #chronicle: Chronicle;
  readonly #vitals = new VitalSigns();
  readonly #status: Status;
  readonly #ended = new AbortController();
  readonly #startedMs: number;
  #phase: SessionPhase = "connecting";
  /** Ends the life under way. */
  #life: AbortController | null = null;
  /** Aborted when a pause ends; null: there is none. */
  #paused: AbortController | null = null;
  #why: string | null = null;
  #joined: JoinedPair | null = null;
  #pair: Pair | null = null;
  #opened: OpenedPair | null = null;
  #control: AsyncDisposable | null = null;
  #facts: SessionState["left"]["facts"][] = [null, null];
  #isFirstDone = false;
  #hasConnected = false;
  #downSinceMs: number | null = null;
  #endingSinceMs: number | null = null;
  #reconnects = 0;
  #banned: BannedError | null = null;
  #fullSyncTimer: FullSyncTimer | null = null;

  constructor(settings: SessionSettings, context: SessionContext) {
    this.#settings = settings;
    this.#chronicle = new Chronicle(context.report, context.clock);
    this.#context = { ...context, report: this.#chronicle };
    this.#status = new Status(this.#chronicle);
    this.#startedMs = context.clock.nowMs();
  }

  async run(): Promise<Outcome> {
    this.#context.report.attach(() => this.#state());
    const onAbort = () => this.#ended.abort();
    this.#context.signal.addEventListener("abort", onAbort, { once: true });
    if (this.#context.signal.aborted) onAbort();
    try {
      await this.#runLives();
      if (this.#banned !== null) throw this.#banned;
      return { exitCode: this.#settings.syncOnly ? this.#syncOnlyExit() : 0 };
    } finally {
      this.#context.signal.removeEventListener("abort", onAbort);
      this.#phase = "stopping";
      this.#fullSyncTimer?.[Symbol.dispose]();
      await this.#control?.[Symbol.asyncDispose]();
      await this.#chronicle[Symbol.asyncDispose]();
      this.#joined?.archive[Symbol.dispose]();
    }
  }

  /** One life of the endpoints after another. */
  async #runLives(): Promise<void> {
    let delayMs = RECONNECT_FIRST_MS;
    while (!this.#ended.signal.aborted) {
      await this.#whilePaused();
      if (this.#ended.signal.aborted) return;
      try {
        await this.#oneLife(() => delayMs = RECONNECT_FIRST_MS);
      } catch (error) {
        if (this.#ended.signal.aborted) return;
        if (!await this.#survive(error, delayMs)) return;
        delayMs = Math.min(RECONNECT_MAX_MS, delayMs * 2);
      }
    }
  }

  async #oneLife(onConnected: () => void): Promise<void> {
    if (this.#settings.remoteHost !== null && !this.#hasConnected) {
      this.#context.report.notice({ kind: "connecting", host: this.#settings.remoteHost });
    }
    await using opened = await openBoth(this.#settings, { ...this.#context, signal: this.#ended.signal });
    if (this.#isLockEnding(opened)) {
      throw new EndpointLostError("Cannot take the lock: an earlier psync is still ending");
    }
    this.#joined = await joinPair(opened.endpoints, this.#joined, this.#settings, this.#context);
    this.#opened = opened;
    const { id } = this.#joined;
    this.#chronicle.open(() => this.#context.openJournal?.(id) ?? null);
    this.#serveControl(this.#joined);
    onConnected();
    this.#connected(opened);
    try {
      await this.#work(opened, this.#joined);
    } catch (error) {
      // Told before what is left of the link is taken down, which may take its time.
      if (error instanceof EndpointLostError) this.#lost(error, RECONNECT_FIRST_MS);
      throw error;
    } finally {
      this.#opened = null;
      this.#pair = null;
      await this.#leave(opened);
    }
  }

  /** From the first life on commands may ask, also while there is no link. */
  #serveControl({ id, archive }: JoinedPair): void {
    this.#control ??= this.#context.serveControl?.(id, (request) =>
      answerControl(request, {
        archive,
        endpoint: (side) => this.#endpoint(side),
        session: {
          state: () => this.#freshState(),
          stop: () => this.#stopSoon(),
          fullSync: () => this.#fullSync(),
          flush: () => this.#flush(),
          pause: (on) => this.#setPaused(on),
        },
      })) ?? null;
  }

  /** The answer goes out before the socket is closed. */
  #stopSoon(): number {
    this.#context.clock.after(STOP_DELAY_MS, () => this.#ended.abort());
    return Deno.pid;
  }

  /** Compares everything with what is known, and repairs what differs. */
  async #fullSync(): Promise<number> {
    const pair = this.#pair;
    if (pair === null) throw new EndpointLostError(`Cannot compare now: psync runs without a link: ${this.#reason()}`);
    const before = this.#status.totalChanges;
    await pair.fullSync();
    if (this.#pair !== pair) throw new EndpointLostError("Cannot compare: the link was lost meanwhile");
    const changes = this.#status.totalChanges - before;
    this.#context.report.notice({ kind: "full-sync", changes });
    return changes;
  }

  /** Waits until all that was written before is settled; gives what is left. */
  async #flush(): Promise<readonly Problem[]> {
    const pair = this.#pair;
    if (pair === null) throw new EndpointLostError(`Cannot flush now: psync runs without a link: ${this.#reason()}`);
    await pair.flush();
    if (this.#pair !== pair || this.#ended.signal.aborted) {
      throw new EndpointLostError(`Cannot flush: psync lost its link meanwhile, or ended`);
    }
    return [...this.#status.problems.values()].filter(isLeft);
  }

  /** Leaves the pair, or comes back to it; tells whether that is a change. */
  #setPaused(on: boolean): boolean {
    if (on === (this.#paused !== null)) return false;
    this.#context.report.notice({ kind: on ? "paused" : "resumed" });
    if (on) {
      this.#paused = new AbortController();
      this.#life?.abort();
    } else {
      this.#paused?.abort();
      this.#paused = null;
    }
    return true;
  }

  /** Waits for the end of a pause; what happens meanwhile is found by the next life. */
  async #whilePaused(): Promise<void> {
    while (this.#paused !== null && !this.#ended.signal.aborted) {
      this.#phase = "paused";
      this.#why = null;
      const over = AbortSignal.any([this.#paused.signal, this.#ended.signal]);
      await new Promise<void>((resolve) => over.addEventListener("abort", () => resolve(), { once: true }));
    }
  }

  #reason(): string {
    return this.#why ?? this.#phase;
  }

  #endpoint(side: Side): Promise<Endpoint> {
    if (this.#opened !== null) return Promise.resolve(this.#opened.endpoints[side]);
    return Promise.reject(
      new EndpointLostError(`Cannot change a root now: psync runs without a link: ${this.#reason()}`),
    );
  }

  /** Whether what is left of a psync that died on this host still holds a root; it ends by itself. */
  #isLockEnding(opened: OpenedPair): boolean {
    const { left, right } = opened.endpoints;
    const isEnding = [left, right].some(({ facts }) =>
      lockState(facts, { bootId: left.facts.bootId, isAlive }).kind === "ending"
    );
    const now = this.#context.clock.nowMs();
    this.#endingSinceMs = isEnding ? this.#endingSinceMs ?? now : null;
    return isEnding;
  }

  #connected(opened: OpenedPair): void {
    const { report, clock } = this.#context;
    const { left, right } = opened.endpoints;
    this.#facts = [left.facts, right.facts];
    if (this.#phase === "halted") report.healed();
    else if (this.#downSinceMs !== null) report.linkBack({ downMs: clock.nowMs() - this.#downSinceMs });
    else report.connected({ left: left.facts, right: right.facts, deployed: opened.deployed });
    if (this.#hasConnected) this.#reconnects++;
    for (const [side, facts] of [["left", left.facts], ["right", right.facts]] as const) {
      if (!this.#hasConnected && facts.reduced.length > 0) {
        report.notice({ kind: "reduced", side, features: facts.reduced });
      }
    }
    this.#hasConnected = true;
    this.#downSinceMs = null;
    this.#why = null;
    this.#phase = this.#isFirstDone ? "live" : "first-sync";
  }

  async #work(opened: OpenedPair, joined: JoinedPair): Promise<void> {
    const { report, clock } = this.#context;
    const startMs = clock.nowMs();
    const pair = new Pair({
      endpoints: opened.endpoints,
      archive: joined.archive,
      found: joined.found,
      status: this.#status,
      report,
      clock,
      ignore: compileIgnore(this.#settings.rules),
      offsetNs: offsetNs(opened, clock.wallMs()),
      settings: {
        force: this.#settings.force,
        followsLinks: this.#settings.rsync.followsLinks,
        // What differs after a lost link was changed since the first sync.
        skipInitialSync: this.#settings.skipInitialSync && !this.#isFirstDone,
        run: joined.run,
      },
      runRsync: opened.runRsync,
      wantCarrier: opened.wantCarrier,
      onFirstSync: () => this.#firstSynced(startMs),
    });
    this.#pair = pair;
    const left = new AbortController();
    const guarding = this.#guard(opened.endpoints, left.signal);
    this.#life = new AbortController();
    if (this.#paused !== null) this.#life.abort();
    try {
      await pair.run(AbortSignal.any([this.#ended.signal, this.#life.signal]));
    } finally {
      this.#life = null;
      left.abort();
      await guarding;
    }
  }

  /** Ends the session where a banned program appears. */
  async #guard(endpoints: Sides<Endpoint>, signal: AbortSignal): Promise<void> {
    const found = await awaitBanned(endpoints, this.#settings.banned, { clock: this.#context.clock, signal });
    if (found === null || this.#ended.signal.aborted) return;
    this.#banned = found;
    this.#ended.abort();
  }

  #firstSynced(startMs: number): void {
    this.#phase = "live";
    if (this.#isFirstDone) return;
    this.#isFirstDone = true;
    const ms = this.#context.clock.nowMs() - startMs;
    this.#context.report.firstSyncDone(this.#status.summary({ ms, heldRemovals: this.#heldCount() }));
    if (this.#settings.syncOnly) return this.#ended.abort();
    collectGarbage();
    this.#fullSyncTimer = new FullSyncTimer(this.#context.clock, this.#settings.fullSync, () => this.#timedSync());
  }

  /** A comparison that cannot be made now is made at the next hour; a new link is one by itself. */
  #timedSync(): void {
    this.#fullSync().catch((error) => log.info("no full comparison", { why: String(error) }));
  }

  /** Gives the locks back; what does not answer in time is left to its host. */
  async #leave(opened: OpenedPair): Promise<void> {
    const { clock } = this.#context;
    const gone = Promise.allSettled([opened.endpoints.left.releaseLock(), opened.endpoints.right.releaseLock()]);
    const timeout = new AbortController();
    await Promise.race([gone, clock.sleep(STOP_MS, timeout.signal).catch(() => {})]);
    timeout.abort();
  }

  /** Decides what an error means for the session; resolves to false where it is over. */
  async #survive(error: unknown, delayMs: number): Promise<boolean> {
    if (!(error instanceof PsyncError)) throw error;
    if (error instanceof SafetyHaltError || this.#isRootMissing(error)) return await this.#halt(error);
    const { clock } = this.#context;
    if (this.#endingSinceMs !== null && clock.nowMs() - this.#endingSinceMs < LOCK_ENDING_MS) {
      return await this.#wait(LOCK_POLL_MS);
    }
    const isRetried = error instanceof EndpointLostError || error instanceof SetupError;
    if (!this.#hasConnected || !isRetried) throw error;
    this.#downSinceMs ??= clock.nowMs();
    if (this.#settings.syncOnly && clock.nowMs() - this.#downSinceMs > SYNC_ONLY_LINK_MS) {
      throw new SetupError(`Cannot reach the other side for ${SYNC_ONLY_LINK_MS / 1000} s: ${error.message}`, {
        cause: error,
      });
    }
    this.#lost(error, delayMs);
    return await this.#wait(delayMs);
  }

  /** A root that was synced before and cannot be opened halts the pair; a new one is a mistake of the user's. */
  #isRootMissing(error: PsyncError): boolean {
    if (!(error instanceof SetupError) || !error.message.startsWith(CANNOT_OPEN_ROOT)) return false;
    return this.#hasConnected || isKnownPair(this.#settings, this.#context.stateDir);
  }

  #lost(error: PsyncError, retryMs: number): void {
    if (this.#ended.signal.aborted) return;
    this.#downSinceMs ??= this.#context.clock.nowMs();
    if (this.#phase !== "link-lost") this.#context.report.linkLost({ why: error.message, retryMs });
    this.#phase = "link-lost";
    this.#why = error.message;
  }

  async #halt(error: PsyncError): Promise<boolean> {
    if (this.#settings.syncOnly) throw new SafetyHaltError(error.message, { cause: error });
    if (this.#phase !== "halted") this.#context.report.halted({ why: error.message });
    this.#phase = "halted";
    this.#why = error.message;
    return await this.#wait(HALT_POLL_MS);
  }

  async #wait(ms: number): Promise<boolean> {
    await this.#context.clock.sleep(ms, this.#ended.signal).catch(() => {});
    return !this.#ended.signal.aborted;
  }

  #heldCount(): number {
    return this.#archive()?.holds().reduce((sum, hold) => sum + hold.paths.length, 0) ?? 0;
  }

  #archive(): Archive | null {
    return this.#joined?.archive ?? null;
  }

  #syncOnlyExit(): number {
    const left = this.#status.countProblems(isLeft);
    if (this.#heldCount() > 0) return 4;
    if (left > 0 || !this.#isFirstDone) return 1;
    return this.#status.totalConflicts > 0 ? 5 : 0;
  }

  /** The state, with what only the endpoints know. */
  async #freshState(): Promise<SessionState> {
    if (this.#opened !== null) await this.#vitals.refresh(this.#opened.endpoints, this.#context.clock);
    return this.#state();
  }

  #state(): SessionState {
    const archive = this.#phase === "stopping" ? null : this.#archive();
    const context = this.#pair?.context ?? null;
    const { clock } = this.#context;
    const oldest = context === null ? null : oldestLiveMs(context);
    return {
      phase: this.#phase,
      why: this.#why,
      left: this.#sideState("left"),
      right: this.#sideState("right"),
      archived: archive?.count() ?? 0,
      inFlight: context === null ? [] : [...context.flights.shown()],
      waiting: context?.board.size ?? 0,
      conflicts: archive?.conflicts() ?? [],
      holds: archive?.holds() ?? [],
      problems: [...this.#status.problems.values()],
      totals: {
        runMs: clock.nowMs() - this.#startedMs,
        files: this.#status.totalFiles,
        bytes: this.#status.totalBytes,
        conflicts: this.#status.totalConflicts,
        reconnects: this.#reconnects,
      },
      lagMs: oldest === null ? null : clock.nowMs() - oldest,
      lag: { left: this.#status.lag.left.summary(clock.nowMs()), right: this.#status.lag.right.summary(clock.nowMs()) },
    };
  }

  #sideState(side: keyof Sides<unknown>): SideState {
    const host = side === "right" && this.#settings.remoteHost !== null ? `${this.#settings.remoteHost}:` : "";
    return {
      given: host + this.#settings[side],
      isConnected: this.#opened !== null,
      facts: this.#facts[side === "left" ? 0 : 1] ?? null,
      watches: this.#opened === null ? null : this.#vitals.of(side)?.watches ?? null,
      watchLimit: this.#vitals.of(side)?.watchLimit ?? null,
      unwatched: this.#pair?.unwatched.countOf(side) ?? 0,
    };
  }
}

/** Whether a path counts as left: what is never synchronised does not. */
function isLeft({ reason }: Problem): boolean {
  return reason !== "special" && reason !== "mount";
}

/** What must be added to the right's clock to get the left's; its answer is as old as half a round trip at most. */
function offsetNs(opened: OpenedPair, wallMs: number): bigint {
  const { left, right } = opened.endpoints;
  if (left.facts.bootId === right.facts.bootId) return 0n;
  return BigInt(Math.round(wallMs - right.facts.clockMs)) * 1_000_000n;
}
