/**
 * Outgoing frames of one end: two lanes, bounded, in order within each lane.
 *
 * Small frames (`urgent`: control, events, commit results) overtake large ones (`bulk`: contents,
 * listings), but do not starve them. Bulk frames may have a limit of bytes in a second, for which urgent
 * ones do not wait. Writes nothing itself; channel.ts takes chunks from it.
 * @module
 */

import type { Clock, Timer } from "../base/clock.ts";

/** Which frames overtake which. */
export type Lane = "urgent" | "bulk";

/** A lane takes no more than this before `push` waits. */
const LANE_LIMIT_BYTES = 2 << 20;

/** So many urgent bytes in a row, then one bulk frame goes first. */
const URGENT_RUN_BYTES = 1 << 20;

/** Small frames are written together, up to this size: a write costs more than a copy. */
const CHUNK_BYTES = 64 * 1024;

/** How long who waits for the limit sleeps at a time, so that the end of the queue is noticed. */
const PACE_STEP_MS = 500;

interface LaneState {
  frames: Uint8Array[];
  head: number;
  bytes: number;
  waiting: (() => void)[];
}

/** Frames that wait to be written. One reader takes chunks; any number of writers push. */
export class SendQueue {
  readonly #lanes: Record<Lane, LaneState> = { urgent: newLane(), bulk: newLane() };
  #urgentRun = 0;
  #wake: (() => void) | null = null;
  #closed = false;
  #error: unknown = null;
  #pace: { readonly clock: Clock; readonly bytesPerSecond: number } | null = null;
  /** When the next bulk frame may go, on the monotonic clock. */
  #bulkAtMs = -Infinity;
  #timer: Timer | null = null;

  /** From now on bulk frames take no more than so many bytes in a second. */
  limit(bytesPerSecond: number, clock: Clock): void {
    this.#pace = { clock, bytesPerSecond };
  }

  /** Resolves when the limit would let more go: for what is large, and has to keep its place among the urgent. */
  async paced(): Promise<void> {
    while (this.#pace !== null && !this.#closed) {
      const leftMs = this.#bulkAtMs - this.#pace.clock.nowMs();
      if (leftMs <= 0) return;
      await this.#pace.clock.sleep(Math.min(leftMs, PACE_STEP_MS));
    }
  }

  /** How many bytes wait. */
  get sizeBytes(): number {
    return this.#lanes.urgent.bytes + this.#lanes.bulk.bytes;
  }

  /** Adds a frame, waiting while its lane is full; rejects once the queue failed. */
  async push(frame: Uint8Array, lane: Lane): Promise<void> {
    const state = this.#lanes[lane];
    // Order: whoever needs it awaits each push before the next one.
    while (this.#error === null && state.bytes >= LANE_LIMIT_BYTES) {
      await new Promise<void>((resolve) => state.waiting.push(resolve));
    }
    if (this.#error !== null) throw this.#error;
    this.post(frame, lane);
  }

  /** Adds a frame at once, whatever waits: for control frames. Ignored once the queue is closed. */
  post(frame: Uint8Array, lane: Lane = "urgent"): void {
    if (this.#closed) return;
    const state = this.#lanes[lane];
    state.frames.push(frame);
    state.bytes += frame.length;
    this.#wakeReader();
  }

  /** Takes no more frames; what waits is still given out. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#wakeReader();
  }

  /** Drops what waits; every push rejects with `error`. */
  fail(error: unknown): void {
    this.#error ??= error;
    this.#closed = true;
    this.#timer?.cancel();
    for (const state of Object.values(this.#lanes)) {
      Object.assign(state, { frames: [], head: 0, bytes: 0 });
      release(state);
    }
    this.#wakeReader();
  }

  /** The next bytes to be written; waits for some; null once closed and empty. */
  async take(): Promise<Uint8Array | null> {
    for (;;) {
      const chunk = this.#next();
      if (chunk !== null) return chunk;
      if (this.#closed) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  #next(): Uint8Array | null {
    const { urgent, bulk } = this.#lanes;
    const isBulkDue = bulk.bytes > 0 && (urgent.bytes === 0 || this.#urgentRun >= URGENT_RUN_BYTES);
    if (isBulkDue && this.#mayTakeBulk()) {
      this.#urgentRun = 0;
      const frame = shift(bulk);
      this.#charge(frame.length);
      return frame;
    }
    if (urgent.bytes === 0) return null;
    const chunk = gather(urgent);
    this.#charge(chunk.length);
    this.#urgentRun += chunk.length;
    return chunk;
  }

  /** Whether the limit lets a bulk frame go now; else its time will wake the reader. Nobody waits for an end. */
  #mayTakeBulk(): boolean {
    if (this.#pace === null || this.#closed) return true;
    const leftMs = this.#bulkAtMs - this.#pace.clock.nowMs();
    if (leftMs <= 0) return true;
    this.#timer ??= this.#pace.clock.after(leftMs, () => {
      this.#timer = null;
      this.#wakeReader();
    });
    return false;
  }

  /** What is sent takes its share of the limit, also where it did not wait for it. */
  #charge(bytes: number): void {
    if (this.#pace === null) return;
    const { clock, bytesPerSecond } = this.#pace;
    this.#bulkAtMs = Math.max(this.#bulkAtMs, clock.nowMs()) + 1_000 * bytes / bytesPerSecond;
  }

  #wakeReader(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}

function newLane(): LaneState {
  return { frames: [], head: 0, bytes: 0, waiting: [] };
}

function release(state: LaneState): void {
  const waiting = state.waiting;
  state.waiting = [];
  for (const resolve of waiting) resolve();
}

function shift(state: LaneState): Uint8Array {
  const frame = state.frames[state.head++]!;
  if (state.head === state.frames.length) {
    state.frames = [];
    state.head = 0;
  }
  state.bytes -= frame.length;
  if (state.bytes < LANE_LIMIT_BYTES) release(state);
  return frame;
}

/** Takes as many small frames as fit one chunk, or one large frame. */
function gather(state: LaneState): Uint8Array {
  let total = 0;
  let count = 0;
  for (let i = state.head; i < state.frames.length; i++, count++) {
    const size = state.frames[i]!.length;
    if (count > 0 && total + size > CHUNK_BYTES) break;
    total += size;
  }
  if (count === 1) return shift(state);
  const chunk = new Uint8Array(total);
  for (let at = 0; count > 0; count--) {
    const frame = shift(state);
    chunk.set(frame, at);
    at += frame.length;
  }
  return chunk;
}
