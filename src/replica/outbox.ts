/**
 * What an endpoint says by itself, in order and bounded: a reader that is slow makes the looks wait,
 * and rescans and crowds that nobody has read yet are merged.
 *
 * Judges nothing; reporter.ts decides what is said.
 * @module
 */
import type { EndpointEvent } from "../core/endpoint.ts";
import { isBelow, type RelPath, ROOT } from "../core/path.ts";
import { BoundedQueue } from "../base/queue.ts";

/** How many events wait for their reader; each may hold the contents of one batch of looks. */
const EVENTS_MAX = 16;
/** More directories to be listed again than this: the whole root is. */
const RESCANS_MAX = 1_000;

/** The ordered way out. */
export class Outbox {
  readonly #queue = new BoundedQueue<EndpointEvent>(EVENTS_MAX);
  #tail: Promise<void> = Promise.resolve();
  #rescans = new Map<RelPath, string>();
  readonly #crowds = new Set<RelPath>();
  #isClosed = false;

  /** What was said, for one reader. */
  get events(): AsyncIterable<EndpointEvent> {
    return this.#queue;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * Says what `produce` returns, once everything before it was said; null: nothing. Settles when the
   * reader has room for it.
   */
  post(produce: () => EndpointEvent | null): Promise<void> {
    this.#tail = this.#tail.then(async () => {
      if (this.#isClosed) return;
      const event = produce();
      // A queue that is closed while this waits has no reader any more.
      if (event !== null) await this.#queue.push(event).catch(() => {});
    });
    return this.#tail;
  }

  /** Says that a directory is to be listed again with all below it; merged with what waits. */
  rescan(path: RelPath, why: string): void {
    const isFirst = this.#rescans.size === 0;
    const isTooMany = this.#rescans.size >= RESCANS_MAX;
    if (isTooMany) this.#rescans.clear();
    this.#rescans.set(isTooMany ? ROOT : path, why);
    if (isFirst) void this.post(() => this.#nextRescan());
  }

  /** Says that a directory is to be listed, as much happened in it; once where that waits for its reader already. */
  crowd(path: RelPath): void {
    if (this.#crowds.has(path)) return;
    this.#crowds.add(path);
    void this.post(() => {
      this.#crowds.delete(path);
      return { kind: "crowd", path };
    });
  }

  /** Ends the events: the reader reads what is there, then ends, or gets `error`. */
  close(error: Error | null): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#queue.close(error);
  }

  #nextRescan(): EndpointEvent | null {
    const covering = this.#rescans.has(ROOT) ? ROOT : null;
    const [first] = this.#rescans;
    if (first === undefined) return null;
    const path = covering ?? first[0];
    const why = this.#rescans.get(path)!;
    for (const other of [...this.#rescans.keys()]) {
      if (other === path || isBelow(other, path)) this.#rescans.delete(other);
    }
    if (this.#rescans.size > 0) void this.post(() => this.#nextRescan());
    return { kind: "rescan", path, why };
  }
}
