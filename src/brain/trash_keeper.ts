/**
 * Keeps the trash of both replicas small: at start and every hour what is expired goes, and on a full
 * disk removed items go, oldest first. Losers that no conflict lists (late writes, finds of a sweep)
 * become conflicts.
 *
 * Works in the background in small steps; a trash that cannot be read is left for the next hour.
 * Decides nothing about the tree.
 * Owned by pair.ts, for one life of its endpoints.
 * @module
 */
import type { Timer } from "../base/clock.ts";
import { logger } from "../base/log.ts";
import { conflictRow } from "../core/conflict.ts";
import type { Side } from "../core/problem.ts";
import { isExpired, overShareBytes } from "../core/retention.ts";
import { type PlacedItem, type TrashAction, type TrashClass, trashItems } from "../core/trash.ts";
import type { PairContext } from "./context.ts";
import { lookAgain } from "./task.ts";

const SIDES = ["left", "right"] as const;

/** How often the trash is looked through. */
const ROUND_MS = 60 * 60 * 1000;
/** The second look at losers that no conflict lists: one whose row was still to be written has it then. */
const SECOND_ROUND_MS = 60 * 1000;
/** So many items are purged in one step, and so long is the pause between two. */
const STEP_ITEMS = 256;
const STEP_PAUSE_MS = 20;
/** At a full disk: how much is freed at once, in bytes and as a share of the file system. */
const FREE_AT_LEAST_BYTES = 64 * 2 ** 20;
const FREE_SHARE = 0.01;
/** How often a full disk may ask. */
const FREE_PAUSE_MS = 2_000;

const log = logger("brain", "trash");

/** What was purged. */
interface Purged {
  items: number;
  bytes: number;
}

/** Keeps both trashes. */
export class TrashKeeper {
  readonly #context: PairContext;
  readonly #closed = new AbortController();
  readonly #unlisted: Record<Side, ReadonlySet<string>> = { left: new Set(), right: new Set() };
  readonly #freeing: Record<Side, boolean> = { left: false, right: false };
  #timer: Timer | null = null;
  #work: Promise<void> = Promise.resolve();

  constructor(context: PairContext) {
    this.#context = context;
  }

  /** Begins: the first round comes at once. */
  start(): void {
    this.#context.status.onNoSpace = (side) => this.free(side);
    this.#queue(() => this.#round(SECOND_ROUND_MS));
  }

  /**
   * Ends it. WHY not awaited: what an endpoint was asked for last ends with the endpoint, at the latest,
   * and nothing is done with its answer.
   */
  close(): void {
    this.#context.status.onNoSpace = null;
    this.#timer?.cancel();
    this.#closed.abort();
  }

  /** A disk is full: removed items go, whatever their age; then what did not fit is tried again. */
  free(side: Side): void {
    if (this.#freeing[side] || this.#closed.signal.aborted) return;
    this.#freeing[side] = true;
    this.#queue(async () => {
      try {
        await this.#freeSome(side);
        await this.#pause(FREE_PAUSE_MS);
      } finally {
        this.#freeing[side] = false;
      }
    });
  }

  /** One thing after another; a failure is told and forgotten: the endpoint's end is the pair's matter. */
  #queue(work: () => Promise<void>): void {
    this.#work = this.#work.then(work).catch((error) => {
      if (!this.#closed.signal.aborted) log.warning("cannot look through the trash", { error: String(error) });
    });
  }

  async #round(nextMs: number): Promise<void> {
    try {
      for (const side of SIDES) {
        await this.#adoptLosers(side);
        await this.#purgeExpired(side);
      }
    } finally {
      if (!this.#closed.signal.aborted) {
        this.#timer = this.#context.clock.after(nextMs, () => this.#queue(() => this.#round(ROUND_MS)));
      }
    }
  }

  async #purgeExpired(side: Side): Promise<void> {
    const endpoint = this.#context.endpoints[side];
    let removedBytes = 0;
    for await (const item of this.#items(side, "removed")) removedBytes += item.sizeBytes;
    let overBytes = overShareBytes(removedBytes, (await endpoint.space()).totalBytes);
    const nowMs = this.#nowOf(side);
    await this.#purgeOldest(side, (item) => {
      if (!isExpired(item, { nowMs, overBytes })) return false;
      overBytes -= item.sizeBytes;
      return true;
    });
  }

  async #freeSome(side: Side): Promise<void> {
    const { totalBytes } = await this.#context.endpoints[side].space();
    let wanted = Math.max(FREE_AT_LEAST_BYTES, totalBytes * FREE_SHARE);
    const { items } = await this.#purgeOldest(side, (item) => {
      if (wanted <= 0) return false;
      wanted -= item.sizeBytes;
      return true;
    });
    if (items === 0) return;
    const { status } = this.#context;
    const waiting = [...status.problems.values()].filter((each) => each.reason === "no-space" && each.side === side);
    for (const { path } of waiting) lookAgain(this.#context, path, SIDES);
  }

  /** Purges from the oldest on as long as `goes` says so. */
  async #purgeOldest(side: Side, goes: (item: PlacedItem) => boolean): Promise<Purged> {
    const purged: Purged = { items: 0, bytes: 0 };
    let step: PlacedItem[] = [];
    for await (const item of this.#items(side, "removed")) {
      if (!goes(item)) break;
      step.push(item);
      if (step.length < STEP_ITEMS) continue;
      await this.#purge(side, step, purged);
      step = [];
      await this.#pause(STEP_PAUSE_MS);
    }
    await this.#purge(side, step, purged);
    if (purged.items > 0) this.#context.report.notice({ kind: "purged", side, ...purged });
    return purged;
  }

  async #purge(side: Side, items: readonly PlacedItem[], purged: Purged): Promise<void> {
    if (items.length === 0) return;
    const actions = items.map(({ kept }): TrashAction => ({ kind: "purge", kept }));
    const results = await this.#context.endpoints[side].trashAct(actions);
    this.#closed.signal.throwIfAborted();
    for (const [i, { kind }] of results.entries()) {
      if (kind !== "done") continue;
      purged.items++;
      purged.bytes += items[i]!.sizeBytes;
    }
  }

  /** Losers that two rounds in a row found in no conflict become one each. */
  async #adoptLosers(side: Side): Promise<void> {
    const { archive, report, status } = this.#context;
    const known = new Set(archive.conflicts().filter(({ loser }) => loser === side).map(({ kept }) => kept));
    const unlisted = new Set<string>();
    for await (const item of this.#items(side, "conflict")) {
      if (isListed(item.kept, known)) continue;
      unlisted.add(item.kept);
      if (!this.#unlisted[side].has(item.kept)) continue;
      const { path, kept, atMs } = item;
      const row = { ...conflictRow({ path, loser: side, kept, atMs, left: null, right: null }), ...loserOf(item) };
      archive.transact(() => archive.addConflict(row));
      status.totalConflicts++;
      report.conflict({ path, loser: side, kept, why: "late-write" });
    }
    this.#unlisted[side] = unlisted;
  }

  /** The items of a trash, until this is closed. */
  async *#items(side: Side, only: TrashClass): AsyncGenerator<PlacedItem> {
    for await (const item of trashItems(this.#context.endpoints[side], only)) {
      this.#closed.signal.throwIfAborted();
      yield item;
    }
    this.#closed.signal.throwIfAborted();
  }

  /** The wall clock of a side, as the names of its places tell it. */
  #nowOf(side: Side): number {
    const { clock, offsetNs } = this.#context;
    return side === "left" ? clock.wallMs() : clock.wallMs() - Number(offsetNs / 1_000_000n);
  }

  async #pause(ms: number): Promise<void> {
    await this.#context.clock.sleep(ms, this.#closed.signal);
  }
}

function loserOf(item: PlacedItem): { readonly loserSizeBytes: number | null; readonly loserMtimeNs: bigint } {
  return { loserSizeBytes: item.kind === "file" ? item.sizeBytes : null, loserMtimeNs: item.mtimeNs };
}

/** Whether a place is a known loser, or lies in one that is a directory. */
function isListed(kept: string, known: ReadonlySet<string>): boolean {
  for (let at = kept.length; at > 0; at = kept.lastIndexOf("/", at - 1)) {
    if (known.has(kept.slice(0, at))) return true;
  }
  return false;
}
