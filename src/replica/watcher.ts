/**
 * `psync-native watch` through all of its lives: when one ends, a new generation is started, and its
 * owner is told that everything must be looked at again (I8).
 *
 * Gives no meaning to events (reporter.ts) and applies no filter: it lists what it is asked to list.
 * @module
 */
import type { Clock } from "../base/clock.ts";
import { EndpointLostError, ProtocolError, type PsyncError, SetupError, WatchError } from "../base/errors.ts";
import { logger } from "../base/log.ts";
import { CANNOT_OPEN_ROOT } from "../core/endpoint.ts";
import { type RelPath, showPath } from "../core/path.ts";
import { errnoName } from "./errno.ts";
import {
  decodeWatchRecord,
  encodeWatchCount,
  encodeWatchDrop,
  encodeWatchList,
  encodeWatchOpen,
  encodeWatchSum,
  encodeWatchSync,
  FORMAT_VERSION,
  type NativeRecord,
  type RawListed,
  type RawOpen,
  type RawStat,
  type RawSummed,
  type WatchListing,
  type WatchReady,
  type WatchRecord,
} from "./native_format.ts";
import { NativeProcess } from "./native_process.ts";

/** How long a new generation waits before it is started, one value for each try. */
const RESTART_DELAYS_MS = [100, 500, 2_000, 5_000, 10_000] as const;
/** A generation that lived this long starts the tries anew. */
const STABLE_MS = 60_000;
/** The most directories of one request. */
const REQUEST_DIRS = 256;

const log = logger("replica", "watcher");

/** What identifies the root, as the other psync-native opened it. */
export type RootIdentity = Pick<RawStat, "inode" | "mountId"> & { readonly device: bigint };

/** How a watcher is opened, and who hears of it. */
export interface WatcherOptions {
  readonly nativePath: string;
  /** Absolute and canonical. */
  readonly root: string;
  readonly identity: RootIdentity;
  readonly clock: Clock;
  /** The most watches it sets; 0: the kernel's limit alone. */
  readonly maxWatches: number;
  /** Whether links to regular files are listed as those. */
  readonly followLinks: boolean;
  /** Takes events in order. */
  readonly onEvent: (event: WatchRecord) => void;
  /** Called once all events of one read have been handed out. */
  readonly onIdle: () => void;
  /** Called when a new generation has begun: nothing is watched until it is listed. */
  readonly onRestart: (why: string) => void;
  /** Called once when no generation can be started any more. */
  readonly onLost: (error: WatchError) => void;
}

/** One directory as it was listed, all parts together. */
export interface RawListing {
  readonly path: RelPath;
  /** Not 0: the list is not complete (I1). */
  readonly errno: number;
  readonly isUnwatched: boolean;
  readonly stat: RawStat;
  readonly entries: readonly RawListed[];
}

/** The watches of one root. */
export class Watcher implements AsyncDisposable {
  readonly #options: WatcherOptions;
  readonly #stop = new AbortController();
  /** Settles with the process that runs; rejects once there will be none. */
  #generation: Promise<NativeProcess>;
  #process: NativeProcess | null = null;
  #startedMs = 0;
  #failures = 0;

  private constructor(options: WatcherOptions) {
    this.#options = options;
    this.#generation = this.#start();
  }

  /**
   * Starts the watcher; nothing is watched before it is listed.
   * @throws {SetupError} where it cannot be started; where the root went away meanwhile, as of one that is missing.
   */
  static async open(options: WatcherOptions): Promise<Watcher> {
    const watcher = new Watcher(options);
    try {
      await watcher.#generation;
      return watcher;
    } catch (error) {
      await watcher[Symbol.asyncDispose]();
      throw error instanceof WatchError ? new SetupError(error.message, { cause: error }) : error;
    }
  }

  /** The process id of the running generation; null between two. */
  get pid(): number | null {
    return this.#process?.pid ?? null;
  }

  /** Watches each directory, then lists it; one listing for each, in order. */
  async list(dirs: readonly RelPath[]): Promise<RawListing[]> {
    const out: RawListing[] = [];
    for (let from = 0; from < dirs.length; from += REQUEST_DIRS) {
      const part = dirs.slice(from, from + REQUEST_DIRS);
      out.push(...await this.#ask((process) => listOnce(process, part)));
    }
    return out;
  }

  /** Watches each directory, then sums up what is in it; one answer for each, in order. */
  async sum(key: string, dirs: readonly RelPath[]): Promise<RawSummed[]> {
    const parts: Promise<readonly RawSummed[]>[] = [];
    for (let from = 0; from < dirs.length; from += REQUEST_DIRS) {
      const part = dirs.slice(from, from + REQUEST_DIRS);
      parts.push(this.#ask((process) => sumOnce(process, key, part)));
    }
    return (await Promise.all(parts)).flat();
  }

  /** Forgets the watches at and below a path. */
  drop(path: RelPath): void {
    this.#process?.send(encodeWatchDrop(path));
  }

  /** Settles once every event that had happened before was handed to `onEvent`. */
  async barrier(): Promise<void> {
    await (await this.#generation).request(encodeWatchSync, (record) => decodeWatchRecord(record).kind === "barrier");
  }

  /** How many directories are watched now. */
  async count(): Promise<number> {
    let watches = 0;
    await (await this.#generation).request(encodeWatchCount, (record) => {
      watches = expectRecord(record, "counted").watches;
      return true;
    });
    return watches;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new EndpointLostError("Cannot list: the endpoint was disposed of"));
    await this.#generation.catch(() => {}); // what failed was reported when it failed
    await this.#process?.[Symbol.asyncDispose]();
  }

  /** A generation that dies under a question is followed by one that is asked again. */
  async #ask<T>(question: (process: NativeProcess) => Promise<T>): Promise<T> {
    for (let tries = 0;; tries++) {
      try {
        return await question(await this.#generation);
      } catch (error) {
        if (this.#stop.signal.aborted) throw this.#stop.signal.reason;
        if (!(error instanceof WatchError) || tries >= RESTART_DELAYS_MS.length) throw asLost(error);
      }
    }
  }

  async #start(): Promise<NativeProcess> {
    const { nativePath, clock, onEvent, onIdle } = this.#options;
    const process = NativeProcess.start({
      nativePath,
      mode: "watch",
      clock,
      onEvent: (record) => onEvent(decodeWatchRecord(record)),
      onIdle,
      onLost: (error) => this.#lost(process, error),
    });
    try {
      await this.#handshake(process);
    } catch (error) {
      await process[Symbol.asyncDispose]();
      throw error;
    }
    this.#process = process;
    this.#startedMs = clock.nowMs();
    return process;
  }

  async #handshake(process: NativeProcess): Promise<void> {
    const { root, maxWatches, followLinks } = this.#options;
    const ready = await openRoot(process, { root, maxWatches, followLinks });
    if (ready.version !== FORMAT_VERSION) {
      throw new ProtocolError(`Cannot watch as the format must be ${FORMAT_VERSION}: found ${ready.version}`);
    }
    if (ready.errno !== 0) {
      throw new WatchError(`${CANNOT_OPEN_ROOT} "${showPath(root)}": ${errnoName(ready.errno)}`);
    }
    const { identity } = this.#options;
    const isSame = ready.stat.inode === identity.inode && ready.device === identity.device &&
      ready.stat.mountId === identity.mountId;
    if (!isSame) this.#options.onEvent({ kind: "root", reason: "covered" });
  }

  /** Begins a new generation, unless the one that was lost never was one. */
  #lost(process: NativeProcess, error: PsyncError): void {
    if (this.#process !== process || this.#stop.signal.aborted) return;
    this.#process = null;
    if (this.#options.clock.nowMs() - this.#startedMs > STABLE_MS) this.#failures = 0;
    this.#generation = this.#restart(process, error);
    this.#generation.catch((last) => {
      if (this.#stop.signal.aborted) return;
      this.#options.onLost(last instanceof WatchError ? last : new WatchError(String(last), { cause: last }));
    });
  }

  async #restart(old: NativeProcess, error: PsyncError): Promise<NativeProcess> {
    await old[Symbol.asyncDispose]();
    let last: unknown = error;
    while (this.#failures < RESTART_DELAYS_MS.length && !(last instanceof ProtocolError)) {
      await this.#options.clock.sleep(RESTART_DELAYS_MS[this.#failures++]!, this.#stop.signal);
      try {
        const process = await this.#start();
        log.warning("a new generation of the watcher runs", { why: error.message, tries: this.#failures });
        this.#options.onRestart("the watcher was started again");
        return process;
      } catch (again) {
        last = again;
      }
    }
    throw new WatchError(`Cannot start the watcher again: ${last instanceof Error ? last.message : last}`, {
      cause: last,
    });
  }
}

/** A list has no reader for `WatchError`: to it, the endpoint is lost. */
function asLost(error: unknown): unknown {
  if (!(error instanceof WatchError)) return error;
  return new EndpointLostError(`Cannot list: ${error.message}`, { cause: error });
}

async function openRoot(
  process: NativeProcess,
  open: RawOpen & { readonly maxWatches: number },
): Promise<WatchReady> {
  let ready: WatchReady | null = null;
  await process.request((id) => encodeWatchOpen(id, open), (record) => {
    ready = expectRecord(record, "ready");
    return true;
  });
  return ready!;
}

function expectRecord<K extends WatchRecord["kind"]>(
  record: NativeRecord,
  kind: K,
): Extract<WatchRecord, { kind: K }> {
  const decoded = decodeWatchRecord(record);
  if (decoded.kind !== kind) {
    throw new ProtocolError(`Cannot read answer of psync-native: expected "${kind}", found "${decoded.kind}"`);
  }
  return decoded as Extract<WatchRecord, { kind: K }>;
}

async function listOnce(process: NativeProcess, dirs: readonly RelPath[]): Promise<RawListing[]> {
  const out: RawListing[] = [];
  let parts: WatchListing[] = [];
  if (dirs.length === 0) return out;
  await process.request((id) => encodeWatchList(id, dirs), (record) => {
    const part = expectRecord(record, "listing");
    if (part.path !== dirs[out.length]) throw new ProtocolError("Cannot read listing: it is of another directory");
    parts.push(part);
    if (!part.isLast) return false;
    out.push(joinParts(parts));
    parts = [];
    return out.length === dirs.length;
  });
  return out;
}

async function sumOnce(process: NativeProcess, key: string, dirs: readonly RelPath[]): Promise<readonly RawSummed[]> {
  let out: readonly RawSummed[] = [];
  await process.request((id) => encodeWatchSum(id, key, dirs), (record) => {
    out = expectRecord(record, "summed").dirs;
    if (out.length !== dirs.length) throw new ProtocolError("Cannot read sums: they are not as many as were asked for");
    return true;
  });
  return out;
}

function joinParts(parts: readonly WatchListing[]): RawListing {
  const last = parts[parts.length - 1]!;
  return {
    path: last.path,
    errno: parts.find(({ errno }) => errno !== 0)?.errno ?? 0,
    isUnwatched: parts.some(({ isUnwatched }) => isUnwatched),
    stat: last.stat,
    entries: parts.length === 1 ? last.entries : parts.flatMap(({ entries }) => entries),
  };
}
