/**
 * A clock that stands still until a test moves it.
 * @module
 */
import { type Clock, sleepOn, type Timer } from "../../src/base/clock.ts";

interface Waiting {
  readonly atMs: number;
  readonly order: number;
  readonly fn: () => void;
}

/** A clock under a test's control; timers fire in the order of their times. */
export class FakeClock implements Clock {
  #nowMs = 0;
  #order = 0;
  #waiting: Waiting[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  after(ms: number, fn: () => void): Timer {
    const waiting = { atMs: this.#nowMs + ms, order: this.#order++, fn };
    this.#waiting.push(waiting);
    return { cancel: () => void (this.#waiting = this.#waiting.filter((other) => other !== waiting)) };
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#waiting.length;
  }

  /** Moves time on; every timer that comes due fires, and what it causes settles before the next. */
  async advance(ms: number): Promise<void> {
    const end = this.#nowMs + ms;
    for (;;) {
      await settle();
      const next = this.#waiting.sort((a, b) => a.atMs - b.atMs || a.order - b.order)[0];
      if (next === undefined || next.atMs > end) break;
      this.#waiting.shift();
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.fn();
    }
    this.#nowMs = end;
    await settle();
  }
}

/** Lets every promise that can go on go on. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
