/**
 * Queues: one without a limit, and a bounded one between one or more writers and one reader.
 * @module
 */

/** First in, first out; what was taken is let go of soon, also where the queue never runs empty. */
export class Fifo<T> {
  #items: T[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** The item that `take` would give. */
  peek(): T | undefined {
    return this.#items[this.#head];
  }

  take(): T | undefined {
    const item = this.#items[this.#head];
    if (this.size === 0) return undefined;
    this.#head++;
    if (this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    } else if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}

/** Holds at most `capacity` items; `push` waits while it is full. Read by one `for await`. */
export class BoundedQueue<T> implements AsyncIterable<T> {
  readonly #capacity: number;
  readonly #items = new Fifo<T>();
  #closed = false;
  #error: unknown = null;
  #reader: (() => void) | null = null;
  #writers: (() => void)[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#items.size;
  }

  /** Adds an item, waiting for room; rejects once the queue is closed. */
  async push(item: T): Promise<void> {
    while (!this.tryPush(item)) {
      if (this.#closed) throw this.#error ?? new Error("Cannot push: the queue is closed");
      await new Promise<void>((resolve) => this.#writers.push(resolve));
    }
  }

  /** Adds an item if there is room and the queue is open; tells whether it did. */
  tryPush(item: T): boolean {
    if (this.#closed || this.size >= this.#capacity) return false;
    this.#items.push(item);
    this.#wakeReader();
    return true;
  }

  /** Ends the queue: what is in it is still read, then the reader ends, or throws `error`. */
  close(error: unknown = null): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#error = error;
    this.#wakeReader();
    this.#wakeWriters();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for (;;) {
      if (this.size > 0) {
        yield this.#take();
        continue;
      }
      if (this.#closed) {
        if (this.#error !== null) throw this.#error;
        return;
      }
      await new Promise<void>((resolve) => this.#reader = resolve);
    }
  }

  #take(): T {
    const item = this.#items.take()!;
    this.#wakeWriters();
    return item;
  }

  #wakeReader(): void {
    const reader = this.#reader;
    this.#reader = null;
    reader?.();
  }

  #wakeWriters(): void {
    const writers = this.#writers;
    this.#writers = [];
    for (const writer of writers) writer();
  }
}
