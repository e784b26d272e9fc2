/**
 * The lane of large files: supply on one side, stage on the other, rsync between them, then an
 * ordinary commit of what was staged.
 *
 * Small changes never wait for it. What does not fit on the target's disk is not sent: it is listed
 * and tried again, while the others go. A file is committed only if the source held it unchanged from
 * before rsync read it until after (I3); exit codes 23 and 24 mean no more than "look again". A transfer
 * that brings next to nothing is given up, so that the lane never waits for ever.
 * @module
 */
import { PsyncError } from "../base/errors.ts";
import type { BasisResult, SupplyRequest } from "../core/endpoint.ts";
import { growingStamp, sameStamp, type Stamp } from "../core/entry.ts";
import type { RelPath } from "../core/path.ts";
import { otherSide, type Side } from "../core/problem.ts";
import type { Step } from "../core/reconcile.ts";
import type { Expected, TransitionResult } from "../core/transition.ts";
import type { RsyncOutcome } from "../transfer/rsync.ts";
import { Attempts } from "./attempts.ts";
import type { PairContext } from "./context.ts";
import { keepsChanging } from "./growing.ts";
import type { Entry } from "../core/entry.ts";
import type { News } from "./news.ts";
import { Room } from "./room.ts";
import { transferIds } from "./transfer_ids.ts";

/** A batch of large files has no more files, and (but for one file) no more bytes, than these. */
const BATCH_FILES = 32;
const BATCH_BYTES = 256 << 20;
/** How many rsyncs run at once. */
const RUNS_AT_ONCE = 2;

/**
 * How long a transfer may bring next to nothing before it is given up, and with it its connection; doubled
 * each time, as a target may be busy with what it has already.
 */
const PATIENCE_FIRST_MS = 30_000;
const PATIENCE_LAST_MS = 3_600_000;

/** Runs rsync for one batch from one side to the other; gives it up where nothing comes for `patienceMs`. */
export type RunRsync = (
  batch: string,
  options: {
    readonly from: Side;
    readonly patienceMs: number;
    /** Called once it runs, with how to ask for how many bytes of content it has moved, about. */
    readonly onStart: (movedBytes: () => number) => void;
  },
) => Promise<RsyncOutcome>;

/** A large file that is wanted on the other side. */
export interface BulkWant {
  readonly path: RelPath;
  readonly from: Side;
  readonly news: News;
  readonly step: Extract<Step, { kind: "put" }>;
  readonly expected: Expected;
  readonly done: (result: TransitionResult) => void;
  /** As in the lane of small changes. */
  readonly intent?: Entry | undefined;
}

/** A file whose transfer is over. */
interface Arrived {
  readonly want: BulkWant;
  readonly id: number;
  /** Whether the source held it unchanged all the time (I3). */
  readonly isSound: boolean;
  /** The target's live file once it was linked as basis; null: it was not. */
  readonly basis: Stamp | null;
}

/** Moves large files. */
export class BulkLane {
  readonly #context: PairContext;
  readonly #run: RunRsync;
  readonly #room: Room;
  #queue: BulkWant[] = [];
  #running = 0;
  #batches = 0;
  readonly #moving = new Map<string, () => number>();
  /** How often the transfer of a path was given up. */
  readonly #stalled = new Attempts();

  constructor(context: PairContext, run: RunRsync) {
    this.#context = context;
    this.#run = run;
    this.#room = new Room(context.endpoints);
  }

  get size(): number {
    return this.#queue.length + this.#running;
  }

  /** Of what is being transferred: how many bytes have come, about. */
  get movedBytes(): number {
    return [...this.#moving.values()].reduce((sum, moved) => sum + moved(), 0);
  }

  want(want: BulkWant): void {
    this.#queue.push(want);
    this.#context.flights.slow(want.path);
    queueMicrotask(() => this.#pump());
  }

  #pump(): void {
    while (this.#running < RUNS_AT_ONCE && this.#queue.length > 0) {
      this.#running++;
      void this.#transfer(this.#nextBatch());
    }
  }

  #nextBatch(): BulkWant[] {
    const { from } = this.#queue[0]!;
    const batch: BulkWant[] = [];
    let bytes = 0;
    this.#queue = this.#queue.filter((want) => {
      const size = sizeOf(want);
      const fits = want.from === from && batch.length < BATCH_FILES &&
        (batch.length === 0 || bytes + size <= BATCH_BYTES);
      if (fits) {
        batch.push(want);
        bytes += size;
      }
      return !fits;
    });
    return batch;
  }

  async #transfer(wants: readonly BulkWant[]): Promise<void> {
    try {
      await this.#transferWhatFits(wants);
    } catch (error) {
      this.#context.fail(error);
    }
    this.#running--;
    this.#pump();
    this.#context.wake();
  }

  /**
   * One transfer of all that fits by its size. What does not may be sparse, and take less: that is
   * known once it is open, so each of those goes by itself.
   */
  async #transferWhatFits(wants: readonly BulkWant[]): Promise<void> {
    const side = otherSide(wants[0]!.from);
    const fitting: BulkWant[] = [];
    const doubtful: BulkWant[] = [];
    await this.#room.begin(side, Math.max(...wants.map(sizeOf)), (left) => {
      let bytes = 0;
      for (const want of wants) {
        const fits = bytes + sizeOf(want) <= left;
        if (fits) bytes += sizeOf(want);
        (fits ? fitting : doubtful).push(want);
      }
      return fitting.length > 0 ? bytes : null;
    });
    if (fitting.length > 0) await this.#transferInRoom(side, fitting);
    for (const want of doubtful) await this.#transferDoubtful(side, want);
  }

  async #transferDoubtful(side: Side, want: BulkWant): Promise<void> {
    const { [want.from]: source } = this.#context.endpoints;
    const batch = this.#newBatch();
    const [supplied] = await source.supply(batch, [this.#supplyOf(want, 0)]);
    await source.release(batch);
    const bytes = Math.min(sizeOf(want), supplied?.diskBytes ?? 0);
    let refusal: TransitionResult | null = null;
    await this.#room.begin(side, bytes, (left) => {
      if (bytes > left) refusal = tooLarge(bytes, left);
      return refusal === null ? bytes : null;
    });
    if (refusal !== null) return this.#answer(want, refusal);
    await this.#transferInRoom(side, [want]);
  }

  /** A transfer whose room was taken. */
  async #transferInRoom(side: Side, wants: readonly BulkWant[]): Promise<void> {
    try {
      await this.#transferBatch(wants);
    } finally {
      this.#room.end(side);
    }
  }

  #newBatch(): string {
    return `b${this.#context.settings.run}-${++this.#batches}`;
  }

  async #transferBatch(wants: readonly BulkWant[]): Promise<void> {
    const batch = this.#newBatch();
    const from = wants[0]!.from;
    const { [from]: source, [otherSide(from)]: target } = this.#context.endpoints;
    const ids = transferIds(wants.map(({ path }) => path));
    const requests = wants.map((want, i) => this.#supplyOf(want, ids[i]!));
    const supplied = new Set(
      (await source.supply(batch, requests)).filter((r) => r.kind === "supplied").map((r) => r.id),
    );
    const bases = await target.prepare(
      batch,
      wants.map((want, i) => ({ id: ids[i]!, path: want.path, expected: want.expected, incomingBytes: sizeOf(want) })),
    );
    const linked = new Map(bases.map((basis) => [basis.id, basis]));
    for (const [i, want] of wants.entries()) this.#noteBasis(want, linked.get(ids[i]!), stampIn(want.expected));
    const bytes = wants.reduce((sum, want) => sum + sizeOf(want), 0);
    const onStart = (moved: () => number) => void this.#moving.set(batch, () => Math.min(bytes, moved()));
    const outcome = await this.#run(batch, { from, patienceMs: this.#patienceMs(wants), onStart });
    this.#noteStall(wants, outcome);
    const { stable } = await source.release(batch);
    const sound = new Set(stable.filter((id) => supplied.has(id)));
    this.#moving.delete(batch);
    const arrived = wants.map((want, i) => {
      const id = ids[i]!;
      return { want, id, isSound: sound.has(id), basis: linked.get(id)?.stamp ?? null };
    });
    const refused = await this.#commit(batch, arrived, outcome);
    const { stamps } = await target.release(batch);
    const freed = new Map(stamps.map((basis) => [basis.id, basis]));
    for (const { want, id, basis } of arrived) if (refused.has(want)) this.#noteBasis(want, freed.get(id), basis);
    // WHY not before: until its basis link is gone and recorded, an untouched file looks edited.
    for (const answer of refused.values()) answer();
  }

  /** A file that is changed whenever we come may have grown since it was read. */
  #supplyOf(want: BulkWant, id: number): SupplyRequest {
    const digest = want.step.entry.kind === "file" ? want.step.entry.digest : null;
    const mayGrow = digest !== null && keepsChanging(this.#context, want.path);
    const stamp = mayGrow ? growingStamp(stampOf(want)) : stampOf(want);
    return { id, path: want.path, stamp, digest };
  }

  #patienceMs(wants: readonly BulkWant[]): number {
    const stalls = Math.max(...wants.map(({ path }) => this.#stalled.at(path)));
    return Math.min(PATIENCE_LAST_MS, PATIENCE_FIRST_MS * 2 ** stalls);
  }

  #noteStall(wants: readonly BulkWant[], { stalledMs }: RsyncOutcome): void {
    for (const { path } of wants) {
      if (stalledMs === undefined) this.#stalled.forget(path);
      else this.#stalled.add(path);
    }
  }

  /** Commits what arrived whole; returns the answers of everything else: it stays as it was, and is looked at again. */
  async #commit(
    batch: string,
    arrived: readonly Arrived[],
    outcome: RsyncOutcome,
  ): Promise<ReadonlyMap<BulkWant, () => void>> {
    const refused = new Map<BulkWant, () => void>();
    const refuse = (want: BulkWant, result: TransitionResult) =>
      void refused.set(want, () => this.#answer(want, result));
    const lane = this.#context.lanes[otherSide(arrived[0]!.want.from)];
    const settled = arrived.map(({ want, id, isSound, basis }) => {
      if (!isSound) return refuse(want, { kind: "stale", kept: null, ended: 0 });
      const { promise, resolve } = Promise.withResolvers<void>();
      const expected = want.expected.kind === "file" && basis !== null
        ? { kind: "file" as const, stamp: basis }
        : want.expected;
      const transition = {
        kind: "put" as const,
        path: want.path,
        expected,
        entry: want.step.entry,
        content: { kind: "staged" as const, batch, id },
        disposal: want.step.disposal,
      };
      const done = (result: TransitionResult) => {
        if (result.kind === "done" || result.kind === "dirty") want.done(result);
        // What has its name in the stage arrived whole, however the run ended.
        else refuse(want, result.kind === "gone" && isFailure(outcome) ? failure(outcome) : result);
        resolve();
      };
      lane.add({ transition, done, intent: want.intent });
      return promise;
    });
    lane.flush();
    await Promise.all(settled);
    return refused;
  }

  #answer(want: BulkWant, result: TransitionResult): void {
    this.#context.archive.transact(() => want.done(result));
  }

  /**
   * A basis link, and its end, change the ctime of a file that stays: what was seen before is no evidence
   * any more (I13), and a record that is of the file as it was `before` follows (I14).
   */
  #noteBasis(want: BulkWant, basis: BasisResult | undefined, before: Stamp | null): void {
    if (basis === undefined) return;
    const { stamp, ended } = basis;
    const side = otherSide(want.from);
    const { archive, evidence } = this.#context;
    evidence[side].note(want.path, ended);
    const row = archive.get(want.path);
    if (stamp === null || before === null || row === null || !sameStamp("file", row[side], before)) return;
    archive.transact(() => archive.put(want.path, { ...row, [side]: stamp }));
  }
}

function stampOf(want: BulkWant): Stamp {
  const seen = want.news[want.from]?.observation;
  if (seen?.kind !== "present") {
    throw new PsyncError("protocol", `Cannot transfer a file that nobody saw: found ${seen?.kind}`);
  }
  return seen.stamp;
}

function stampIn(expected: Expected): Stamp | null {
  return expected.kind === "file" ? expected.stamp : null;
}

function sizeOf(want: BulkWant): number {
  return want.step.entry.kind === "file" ? want.step.entry.sizeBytes : 0;
}

/** 23 and 24: some files could not be transferred, or vanished: each is judged by itself. */
function isFailure({ exitCode }: RsyncOutcome): boolean {
  return exitCode !== 0 && exitCode !== 23 && exitCode !== 24;
}

function tooLarge(bytes: number, leftBytes: number): TransitionResult {
  const text = (count: number) => `${Math.max(0, Math.floor(count / 1e6))} MB`;
  const detail = `it takes ${text(bytes)}, and ${text(leftBytes)} are free`;
  return { kind: "failed", reason: "no-space", detail, ended: 0 };
}

function failure(outcome: RsyncOutcome): TransitionResult {
  if (outcome.stalledMs !== undefined) {
    const detail = `next to nothing came through for ${Math.round(outcome.stalledMs / 1000)} s`;
    return { kind: "failed", reason: "io", detail, ended: 0 };
  }
  const lastLine = outcome.stderr.split("\n").findLast((line) => line.trim() !== "") ?? "";
  const isFull = outcome.exitCode === 11 && /No space|quota/i.test(outcome.stderr);
  return {
    kind: "failed",
    reason: isFull ? "no-space" : "io",
    detail: `rsync exit ${outcome.exitCode}: ${lastLine.slice(0, 200)}`,
    ended: 0,
  };
}
