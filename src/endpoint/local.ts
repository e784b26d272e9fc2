/**
 * The in-process door: one root on this machine as an `Endpoint`, over two psync-natives.
 *
 * Puts the parts of src/replica together and keeps nothing of its own. Opening it changes nothing in
 * the root. Used by the brain for the left replica, and by `psync filter` (serve.ts) for the right one.
 * @module
 */
import type { Clock } from "../base/clock.ts";
import { EndpointLostError, type PsyncError, SafetyHaltError, SetupError } from "../base/errors.ts";
import { logger } from "../base/log.ts";
import type { Checkup, Vitals } from "../core/checkup.ts";
import {
  type Adopted,
  type BasisRequest,
  type BasisResult,
  type CarrierPlace,
  type DirClaim,
  type Endpoint,
  type EndpointEvent,
  type EndpointFacts,
  type EndpointOptions,
  type Findings,
  type Listing,
  type LookOptions,
  type Pack,
  type PackRequest,
  type SupplyRequest,
  type SupplyResult,
  type SyncOptions,
} from "../core/endpoint.ts";
import { compileIgnore, type Ignore } from "../core/ignore.ts";
import type { Observation } from "../core/observation.ts";
import { isRefused } from "../core/one_way.ts";
import type { RelPath } from "../core/path.ts";
import type { CommitBatch, Transition, TransitionResult } from "../core/transition.ts";
import type { Space, TrashAction, TrashPage, TrashQuery, TrashResult } from "../core/trash.ts";
import { Applier, type RawDone } from "../replica/applier.ts";
import { Batches } from "../replica/batches.ts";
import { type Committed, Committer, toldOfMove, TrashLabels } from "../replica/committer.ts";
import { Counter } from "../replica/counter.ts";
import { FollowedLinks } from "../replica/followed_links.ts";
import { writeTrouble } from "../replica/errno.ts";
import { factsOf, rsyncVersion } from "../replica/facts.ts";
import { hostCheckup, watchLimit } from "../replica/host_checkup.ts";
import { KnownStamps } from "../replica/known_stamps.ts";
import { ListAhead } from "../replica/list_ahead.ts";
import { type Listed, Lister } from "../replica/lister.ts";
import { Looker, OwnerNaming, type Sighting } from "../replica/looker.ts";
import { type RawStat, STATUS } from "../replica/native_format.ts";
import { packFiles } from "../replica/packer.ts";
import { findProgram } from "../replica/programs.ts";
import { stampOf } from "../replica/observe.ts";
import { Owners } from "../replica/owners.ts";
import { Reporter } from "../replica/reporter.ts";
import { rootCheckup } from "../replica/root_checkup.ts";
import { TrashCan } from "../replica/trash_can.ts";
import { verifyDirs } from "../replica/verifier.ts";
import { Watcher } from "../replica/watcher.ts";

/** What a local endpoint is opened with, besides what every endpoint is. */
export interface LocalEndpointOptions extends EndpointOptions {
  /** The psync-native to run. */
  readonly nativePath: string;
  readonly clock: Clock;
  /** The hash of this psync, for `facts`. */
  readonly build?: string;
  /** As `setCompareOwners`, from the start; off by default. */
  readonly compareOwners?: boolean;
  /**
   * Whether a symbolic link to a regular file is shown as that file, wherever it lies, and is nobody's to
   * change (core/one_way.ts); off by default. WHY here: no peer is ever to ask for it.
   */
  readonly followLinks?: boolean;
}

interface Parts {
  readonly nativePath: string;
  readonly clock: Clock;
  readonly facts: EndpointFacts;
  readonly ignore: Ignore;
  readonly applier: Applier;
  readonly watcher: Watcher;
  readonly looker: Looker;
  readonly counter: Counter;
  readonly lister: Lister;
  readonly committer: Committer;
  readonly batches: Batches;
  readonly reporter: Reporter;
  readonly known: KnownStamps;
  readonly naming: OwnerNaming;
  readonly labels: TrashLabels;
  readonly trash: TrashCan;
  /** Null where links are links. */
  readonly followed: FollowedLinks | null;
}

const MAX_COUNT = BigInt(Number.MAX_SAFE_INTEGER);

const log = logger("endpoint", "local");

/** A root of this machine. */
export class LocalEndpoint implements Endpoint {
  readonly #parts: Parts;
  #ahead: ListAhead | null = null;

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Opens a root: starts both psync-natives and watches nothing yet.
   * @throws {SetupError} where the root or psync-native cannot be opened.
   * @throws {UsageError} where an exclude pattern does not compile.
   */
  static async open(options: LocalEndpointOptions): Promise<LocalEndpoint> {
    const ignore = compileIgnore(options.rules);
    const { nativePath, clock, root, followLinks = false } = options;
    // The applier may be lost before there is a reporter to be told.
    let onLost = (_error: PsyncError): void => {};
    let onNews = (): void => {};
    const rsync = rsyncVersion();
    const { applier, ready } = await Applier.open({
      nativePath,
      root,
      followLinks,
      clock,
      onLost: (error) => onLost(error),
    });
    try {
      const counter = new Counter();
      const naming = new OwnerNaming(new Owners(), options.compareOwners ?? false);
      const known = new KnownStamps();
      const labels = new TrashLabels(clock);
      const looker: Looker = new Looker({ applier, counter, naming, onSeen: (seen) => followed?.note(seen) });
      const reporter = new Reporter({ clock, looker, known, ignore });
      const followed = followLinks ? new FollowedLinks({ clock, looker, reporter }) : null;
      onLost = (error) => reporter.end(error);
      const watcher = await Watcher.open({
        nativePath,
        clock,
        root: ready.root,
        identity: { inode: ready.stat.inode, mountId: ready.stat.mountId, device: ready.device },
        maxWatches: options.maxWatches ?? 0,
        followLinks,
        onEvent: (event) => (onNews(), reporter.take(event)),
        onIdle: () => reporter.pump(),
        onRestart: (why) => (onNews(), reporter.restart(why)),
        onLost: (error) => reporter.end(error),
      });
      reporter.attach(watcher);
      const opened: LocalEndpoint = new LocalEndpoint({
        nativePath,
        clock,
        facts: factsOf(ready, { rsync: await rsync, build: options.build ?? "", clock }),
        ignore,
        applier,
        watcher,
        looker,
        counter,
        reporter,
        known,
        naming,
        labels,
        trash: new TrashCan({ applier, labels }),
        lister: new Lister({ watcher, looker, counter, naming, ignore }),
        committer: new Committer({ applier, counter, naming, labels }),
        batches: openBatches({ root: ready.root, applier, reporter, counter }),
        followed,
      });
      onNews = () => opened.#endAhead();
      return opened;
    } catch (error) {
      await applier[Symbol.asyncDispose]();
      throw error instanceof EndpointLostError ? new SetupError(error.message, { cause: error }) : error;
    } finally {
      await rsync;
    }
  }

  get facts(): EndpointFacts {
    return this.#parts.facts;
  }

  /** The process ids of the psync-natives that run now; for tests and for status. */
  get nativePids(): readonly number[] {
    const { applier, watcher } = this.#parts;
    return watcher.pid === null ? [applier.pid] : [applier.pid, watcher.pid];
  }

  setCompareOwners(on: boolean): Promise<void> {
    if (on !== this.#parts.naming.isOn) this.#endAhead();
    this.#parts.naming.isOn = on;
    return Promise.resolve();
  }

  /** Lists what is there while nobody asks yet; `owners`: most likely to be compared. Returns at once. */
  listAhead({ owners }: { readonly owners: boolean }): void {
    this.#parts.naming.isOn = owners;
    this.#ahead = new ListAhead((dirs) => this.#list(dirs));
    this.#ahead.run().catch(() => this.#endAhead()); // told to whoever lists again
  }

  #endAhead(): void {
    this.#ahead?.end();
    this.#ahead = null;
  }

  async list(
    dirs: readonly RelPath[],
    options?: { readonly signal?: AbortSignal },
  ): Promise<readonly Listing[]> {
    const ahead = dirs.map((dir) => this.#ahead?.take(dir) ?? null);
    const rest = dirs.filter((_, i) => ahead[i] === null);
    const listed = rest.length === 0 ? [] : await orAborted(this.#list(rest), options?.signal);
    let next = 0;
    return ahead.map((each) => (each ?? listed[next++]!).listing);
  }

  async #list(dirs: readonly RelPath[]): Promise<readonly Listed[]> {
    const { followed, reporter, lister } = this.#parts;
    const listed = await lister.list(dirs);
    for (const { listing: { kind, path, self }, stat } of listed) {
      if (kind === "listed" && self.kind === "present" && stat !== null) {
        this.#rememberDir(path, { stat, began: self.began });
      }
    }
    for (const each of listed) {
      reporter.listed(each);
      followed?.noteListing(each.listing);
    }
    return listed;
  }

  async verify(key: string, claims: readonly DirClaim[]): Promise<readonly boolean[]> {
    const verified = await verifyDirs(key, claims, this.#parts);
    return verified.map((each, i) => {
      if (each.isSame) this.#rememberDir(claims[i]!.path, each);
      return each.isSame;
    });
  }

  async look(paths: readonly RelPath[], options: LookOptions): Promise<readonly Observation[]> {
    this.#parts.reporter.looking(paths);
    const sightings = await orAborted(this.#look(paths, options), options.signal);
    for (const sighting of sightings) this.#parts.reporter.remember(sighting);
    return sightings.map(({ observation }) => this.#hideExcluded(observation));
  }

  /** What somebody appends to for long is shown as it grows. */
  async #look(paths: readonly RelPath[], options: LookOptions): Promise<readonly Sighting[]> {
    const { looker, reporter } = this.#parts;
    const asked = { ...options, growing: options.growing === true ? "closed" as const : null };
    const open = new Set(paths.filter((path) => reporter.isLongBusy(path)));
    if (open.size === 0) return await looker.look(paths, asked);
    const [opened, rest] = await Promise.all([
      looker.look([...open], { ...options, growing: "open" }),
      looker.look(paths.filter((path) => !open.has(path)), asked),
    ]);
    const found = new Map([...opened, ...rest].map((sighting) => [sighting.observation.path, sighting]));
    return paths.map((path) => found.get(path)!);
  }

  /** What is excluded for its kind, where it took the place of something that is not. */
  #hideExcluded(seen: Observation): Observation {
    const { ignore } = this.#parts;
    if (seen.kind !== "present" || !ignore.isIgnored(seen.path, seen.entry.kind === "dir")) return seen;
    if (ignore.isIgnored(seen.path, null)) return seen; // whoever asked knows the patterns as well
    return { kind: "blocked", path: seen.path, began: seen.began, reason: "excluded", detail: seen.entry.kind };
  }

  pack(requests: readonly PackRequest[]): Promise<Pack> {
    return packFiles(requests, this.#parts);
  }

  async carry(): Promise<CarrierPlace | null> {
    const { applier, nativePath } = this.#parts;
    const socket = await applier.carry();
    return socket === null ? null : { socket, nativePath };
  }

  async commit(batch: CommitBatch): Promise<readonly TransitionResult[]> {
    return this.#parts.followed === null ? await this.#commit(batch) : await this.#commitAllowed(batch);
  }

  /** Makes those transitions that go against no link. */
  async #commitAllowed(batch: CommitBatch): Promise<readonly TransitionResult[]> {
    const allowed = batch.transitions.filter((transition) => !isRefused(transition));
    const results = [...await this.#commit({ ...batch, transitions: allowed })];
    const ended = this.#parts.counter.end();
    return batch.transitions.map((transition) => isRefused(transition) ? refusedResult(ended) : results.shift()!);
  }

  async #commit(batch: CommitBatch): Promise<readonly TransitionResult[]> {
    const { committer, reporter, known, counter } = this.#parts;
    const paths = batch.transitions.flatMap(pathsOf);
    reporter.hold(paths);
    try {
      const committed = await committer.commit(batch);
      for (const [i, each] of committed.entries()) this.#rememberCommitted(batch.transitions[i]!, each);
      return committed.map(({ result }) => result);
    } catch (error) {
      // What was done is not known: let the events tell.
      const ended = counter.end();
      for (const path of paths) known.forget(path, ended);
      throw error;
    } finally {
      reporter.release(paths);
    }
  }

  supply(batch: string, requests: readonly SupplyRequest[]): Promise<readonly SupplyResult[]> {
    return this.#parts.batches.supply(batch, requests);
  }

  prepare(batch: string, requests: readonly BasisRequest[]): Promise<readonly BasisResult[]> {
    return this.#parts.batches.prepare(batch, requests);
  }

  release(batch: string): Promise<{ readonly stable: readonly number[]; readonly stamps: readonly BasisResult[] }> {
    return this.#parts.batches.release(batch);
  }

  async adopt(
    marks: { readonly pair: string; readonly lock: string; readonly oldLock: string | null },
  ): Promise<Adopted> {
    const { applier, labels } = this.#parts;
    const done = await applier.adopt(marks);
    if (done.status === STATUS.stale) {
      throw new SetupError(`Cannot adopt root ${JSON.stringify(this.facts.root)}: another psync has locked it`);
    }
    this.#check(done, "adopt root");
    const { kept, renewed } = await applier.sweep(labels.next());
    if (kept.length > 0) log.warning("an earlier run left versions that were kept", { kept });
    return {
      kept,
      renewed: renewed.map(({ path, before, now }) => ({ path, before: stampOf(before), now: stampOf(now) })),
    };
  }

  async releaseLock(): Promise<void> {
    const done = await this.#parts.applier.unlock();
    // A lock or root that is not ours any more is not ours to change, and there is nothing to give back.
    if (done.status === STATUS.stale || done.status === STATUS.guard) return;
    this.#check(done, "release the lock of root");
  }

  async sync(what: SyncOptions = { contents: false }): Promise<Findings> {
    const synced = await this.#parts.applier.sync(what);
    this.#check(synced, "make durable what was committed to root");
    return { kept: synced.kept };
  }

  trashList(query: TrashQuery): Promise<TrashPage> {
    return this.#parts.trash.list(query);
  }

  trashAct(actions: readonly TrashAction[]): Promise<readonly TrashResult[]> {
    return this.#parts.trash.act(actions);
  }

  space(neededBytes?: number): Promise<Space> {
    return this.#parts.trash.space(neededBytes);
  }

  // deno-lint-ignore require-await -- the contract is asynchronous
  async findProgram(parts: readonly string[]): Promise<string | null> {
    return findProgram(parts);
  }

  async barrier(id: number): Promise<void> {
    const { watcher, reporter, followed } = this.#parts;
    await followed?.poll();
    await watcher.barrier();
    reporter.barrier(id);
  }

  async checkup({ signal }: { readonly signal?: AbortSignal } = {}): Promise<Checkup> {
    const { nativePath, lister, applier } = this.#parts;
    const list = async (dirs: readonly RelPath[]) => (await lister.list(dirs)).map(({ listing }) => listing);
    const root = rootCheckup({
      root: this.facts.root,
      nativePath,
      list,
      space: async () => {
        const { freeBytes, totalBytes, freeInodes, totalInodes } = await applier.space();
        return {
          freeBytes: countable(freeBytes),
          totalBytes: countable(totalBytes),
          freeInodes: countable(freeInodes),
          totalInodes: countable(totalInodes),
        };
      },
      ...(signal === undefined ? {} : { signal }),
    });
    return { root: await root, host: await hostCheckup() };
  }

  // deno-lint-ignore require-await -- the contract is asynchronous
  async echo(): Promise<{ readonly clockMs: number }> {
    return { clockMs: this.#parts.clock.wallMs() };
  }

  async vitals(): Promise<Vitals> {
    return { watches: await this.#parts.watcher.count(), watchLimit: watchLimit() };
  }

  events(): AsyncIterable<EndpointEvent> {
    return this.#parts.reporter.events;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { reporter, watcher, applier, followed } = this.#parts;
    followed?.end();
    reporter.end(null);
    await Promise.all([watcher[Symbol.asyncDispose](), applier[Symbol.asyncDispose]()]);
    await reporter.drained();
  }

  /** Turns a status that is not "done" into the error of its class. */
  #check(done: RawDone, what: string): void {
    if (done.status === STATUS.done) return;
    const root = JSON.stringify(this.facts.root);
    if (done.status === STATUS.guard) {
      throw new SafetyHaltError(`Cannot ${what} ${root}: it is not the root that was opened`);
    }
    throw new SetupError(`Cannot ${what} ${root}: ${writeTrouble(done.errno)}`);
  }

  /** A directory that was listed, or is as was claimed, is told; what is in it may then be told less often. */
  #rememberDir(path: RelPath, { stat, began }: { readonly stat: RawStat; readonly began: number }): void {
    const { known } = this.#parts;
    if (known.match(path, stat) !== "same") known.remember(path, stat, { began, isOwn: false, isRacy: false });
  }

  #rememberCommitted(transition: Transition, { result, stat }: Committed): void {
    const { known, reporter } = this.#parts;
    const { ended } = result;
    if (result.kind !== "done") {
      for (const path of pathsOf(transition)) known.forget(path, ended);
      return;
    }
    if (transition.kind === "remove") return reporter.rememberOwn(transition.path, null, ended);
    if (transition.kind === "put" && transition.entry.kind === "dir") reporter.madeDir(transition.path);
    if (transition.kind !== "move") return reporter.rememberOwn(transition.path, stat, ended);
    known.move(transition);
    reporter.rememberOwn(transition.from, null, ended);
    reporter.rememberOwn(transition.to, stat === null ? null : toldOfMove(transition, stat), ended);
  }
}

/** Of what would change a link that is shown as a file. */
function refusedResult(ended: number): TransitionResult {
  return { kind: "failed", ended, reason: "one-way", detail: "-L" };
}

/** Some file systems say that they have no end. */
function countable(value: bigint): number {
  return Number(value > MAX_COUNT ? MAX_COUNT : value);
}

function pathsOf(transition: Transition): RelPath[] {
  return transition.kind === "move" ? [transition.from, transition.to] : [transition.path];
}

function openBatches(
  { reporter, ...parts }: {
    readonly root: string;
    readonly applier: Applier;
    readonly reporter: Reporter;
    readonly counter: Counter;
  },
): Batches {
  return new Batches({
    ...parts,
    hold: (paths) => reporter.hold(paths),
    release: (paths) => reporter.release(paths),
    remember: (path, stat, ended) => reporter.rememberOwn(path, stat, ended),
  });
}

/** Settles with `work`, or rejects with the signal's reason; the work itself is not taken back. */
async function orAborted<T>(work: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (signal === undefined) return await work;
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    work.catch(() => {}); // whoever aborted does not wait for how it ends
  }
}
