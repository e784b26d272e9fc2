/**
 * The lane of looks that the brain asks for: bounded batches, a few at a time on each side.
 *
 * What comes back goes onto the board as news; the path is in flight meanwhile. Decides nothing.
 * @module
 */
import { Fifo } from "../base/queue.ts";
import type { AgreedContent, LookOptions } from "../core/endpoint.ts";
import type { Observation } from "../core/observation.ts";
import type { RelPath } from "../core/path.ts";
import type { Side } from "../core/problem.ts";
import type { PairContext } from "./context.ts";

/** Content up to this size travels in frames; larger files go through rsync. */
export const INLINE_LIMIT_BYTES = 1 << 20;

/** How much content one batch of looks may bring, in bytes. */
const BATCH_BYTES = 1 << 20;
/** What one batch of looks may bring if every file has grown to the batch's limit, in bytes. */
const BATCH_WORST_BYTES = 16 << 20;
/** How many paths one batch of looks may have. */
const BATCH_PATHS = 256;
/** Content up to this size is asked for even where nothing is known of the size. */
const CONTENT_MIN_BYTES = 64 << 10;
/** How many batches are under way on one side. */
const BATCHES_IN_FLIGHT = 3;
/** With more content than this at hand or on its way, in bytes, no more is read until some is committed. */
const CONTENT_LIMIT_BYTES = 8 << 20;

/** A look follows at most so many renames in a row: names that were swapped would be followed for ever. */
const HOPS = 3;

/** One look that is wanted. */
export interface WantedLook {
  readonly path: RelPath;
  /** Whether the content of a small file is wanted. */
  readonly content: boolean;
  readonly digest: boolean;
  /** Whether a file that somebody appends to may be shown as it was for a moment. */
  readonly growing?: boolean;
  /** What both sides held of it last, where that may tell that it has only grown. */
  readonly agreed?: AgreedContent | null;
  /** How much content is expected, for the size of the batch. */
  readonly sizeBytes: number;
}

interface Queued extends WantedLook {
  /** How many renames were followed to come here. */
  readonly hops: number;
  readonly done: (observation: Observation) => void;
}

/** Looks at one side. */
export class LookLane {
  readonly #context: PairContext;
  readonly #side: Side;
  readonly #queue = new Fifo<Queued>();
  #inFlight = 0;

  constructor(context: PairContext, side: Side) {
    this.#context = context;
    this.#side = side;
  }

  get size(): number {
    return this.#queue.size + this.#inFlight;
  }

  /** Looks at one path soon; `done` gets the observation, in the order of the answers. */
  want(look: WantedLook, done: (observation: Observation) => void): void {
    this.#queue.push({ ...look, done, hops: 0 });
    queueMicrotask(() => this.#pump());
  }

  /** Goes on where the limit of content held it up. */
  resume(): void {
    this.#pump();
  }

  #pump(): void {
    while (this.#inFlight < BATCHES_IN_FLIGHT && this.#queue.size > 0 && this.#mayRead()) {
      this.#inFlight++;
      void this.#run(this.#nextBatch());
    }
  }

  /**
   * Whether the next batch may begin. Where nothing is being committed nothing will end by itself, so
   * one batch at a time goes on: what it brings may be what all the rest waits for.
   */
  #mayRead(): boolean {
    const { board, lanes } = this.#context;
    if (!this.#queue.peek()!.content) return true;
    const bytes = board.contentBytes + lanes.left.contentBytes + lanes.right.contentBytes;
    if (bytes + this.#inFlight * BATCH_BYTES < CONTENT_LIMIT_BYTES) return true;
    return this.#inFlight === 0 && lanes.left.isIdle && lanes.right.isIdle;
  }

  /** Takes looks of the same kind from the front. */
  #nextBatch(): Queued[] {
    const first = this.#queue.peek()!;
    const batch: Queued[] = [];
    let bytes = 0;
    let limit = CONTENT_MIN_BYTES;
    for (let next = this.#queue.peek(); next !== undefined && batch.length < BATCH_PATHS; next = this.#queue.peek()) {
      if (next.content !== first.content || next.digest !== first.digest || next.growing !== first.growing) break;
      limit = next.content ? Math.max(limit, limitOf(next.sizeBytes)) : limit;
      const isTooMuch = bytes + next.sizeBytes > BATCH_BYTES || (batch.length + 1) * limit > BATCH_WORST_BYTES;
      if (batch.length > 0 && next.content && isTooMuch) break;
      bytes += next.content ? next.sizeBytes : 0;
      batch.push(next);
      this.#queue.take();
    }
    return batch;
  }

  /** Hands an answer on; a path that a rename took along meanwhile is looked at where it is now. */
  #answer(wanted: Queued, seen: Observation): void {
    const isOutlisted = this.#context.evidence[this.#side].isOutlisted(seen);
    if (isOutlisted && wanted.hops < HOPS) return this.#queue.push({ ...wanted, hops: wanted.hops + 1 });
    const now = this.#context.moves.follow(wanted.path);
    wanted.done(seen);
    if (now === wanted.path || wanted.hops >= HOPS) return;
    const done = (there: Observation) => this.#context.board.add(this.#side, there, { isLive: false });
    this.#queue.push({ ...wanted, path: now, done, hops: wanted.hops + 1 });
  }

  async #run(batch: readonly Queued[]): Promise<void> {
    const first = batch[0]!;
    const options: LookOptions = {
      contentLimitBytes: first.content ? limitOf(Math.max(...batch.map(({ sizeBytes }) => sizeBytes))) : 0,
      digests: first.digest,
      growing: first.growing ?? false,
      agreed: batch.flatMap(({ path, agreed }) => agreed ? [{ path, ...agreed }] : []),
    };
    try {
      const seen = await this.#context.endpoints[this.#side].look(batch.map(({ path }) => path), options);
      batch.forEach((wanted, i) => this.#answer(wanted, seen[i]!));
    } catch (error) {
      this.#context.fail(error);
    }
    this.#inFlight--;
    this.#pump();
    // Somebody may wait for the last look to end.
    if (this.size === 0) this.#context.wake();
  }
}

/**
 * How much of a file is asked for that had a size when it was last seen. WHY twice: a log that grows all the
 * time would else be longer than what was asked for, each time that it is looked at, and never be read.
 */
function limitOf(sizeBytes: number): number {
  return Math.min(INLINE_LIMIT_BYTES, Math.max(CONTENT_MIN_BYTES, 2 * sizeBytes));
}
