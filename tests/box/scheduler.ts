/**
 * A scheduler under a seed: everything that waits in the box waits here, and one waiter at a time is
 * let go, in an order that the seed decides. The same seed gives the same run.
 * @module
 */

/** A small seeded generator (mulberry32): its whole state is one number. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A number in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** An integer in [0, n). */
  below(n: number): number {
    return Math.floor(this.next() * n);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}

/** Lets waiters go one by one. */
export class Scheduler {
  readonly random: Random;
  /** Packs on their way past the brain, by their number: a carrier has no other state. */
  readonly carried = new Map<number, Uint8Array>();
  /** How many packs were sent on their way. */
  sent = 0;
  #waiting: (() => void)[] = [];

  constructor(random: Random) {
    this.random = random;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Waits for its turn. */
  turn(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Lets one waiter go; tells whether there was one. */
  async step(): Promise<boolean> {
    await settle();
    if (this.#waiting.length === 0) return false;
    const [resolve] = this.#waiting.splice(this.random.below(this.#waiting.length), 1);
    resolve!();
    await settle();
    return true;
  }
}

/** Lets every promise that can go on go on. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 30; i++) await Promise.resolve();
}
