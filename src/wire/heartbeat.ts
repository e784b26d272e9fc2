/**
 * How long a connection has been silent: when a ping is due, and when the link is lost.
 *
 * Wakes only when one of both may be due: an idle connection costs one wake-up in five seconds.
 * Sends nothing itself; channel.ts does.
 * @module
 */
import type { Clock, Timer } from "../base/clock.ts";

/** A ping is sent when nothing else was received, or sent, for so long. */
export const PING_AFTER_MS = 5_000;

/** A timer that fires later than so long after its time tells that this process was held up. */
const LATE_MS = 1_000;
/** The least time between two looks at the clock. */
const STEP_MS = 100;

/** What a heartbeat does. */
export interface HeartbeatOptions {
  readonly clock: Clock;
  /** Called when a ping is due; null: this end does not ping. */
  readonly ping: (() => void) | null;
  readonly silenceLimitMs: number;
  /** Called once, when nothing was heard for too long. */
  readonly lost: () => void;
}

/** Measures the silence of one connection. */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #heardAtMs: number;
  #sentAtMs: number;
  #pingedAtMs: number;
  #dueAtMs = 0;
  #timer: Timer | null = null;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#heardAtMs = this.#sentAtMs = this.#pingedAtMs = options.clock.nowMs();
    this.#wait(this.#heardAtMs);
  }

  /** Something came. */
  heard(): void {
    this.#heardAtMs = this.#options.clock.nowMs();
  }

  /** Something was sent. */
  sent(): void {
    this.#sentAtMs = this.#options.clock.nowMs();
  }

  /** Measures no more. */
  end(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #wait(nowMs: number): void {
    const { clock, ping, silenceLimitMs } = this.#options;
    const pingAtMs = ping === null
      ? Infinity
      : Math.max(Math.min(this.#heardAtMs, this.#sentAtMs), this.#pingedAtMs) + PING_AFTER_MS;
    this.#dueAtMs = Math.max(nowMs + STEP_MS, Math.min(pingAtMs, this.#heardAtMs + silenceLimitMs));
    this.#timer = clock.after(this.#dueAtMs - nowMs, () => this.#look());
  }

  #look(): void {
    const { clock, ping, silenceLimitMs } = this.#options;
    const nowMs = clock.nowMs();
    // WHY: a process that was stopped, or busy, must read what came meanwhile before it judges.
    const lateMs = nowMs - this.#dueAtMs;
    if (lateMs > LATE_MS) {
      this.#heardAtMs = Math.min(nowMs, this.#heardAtMs + lateMs);
      return this.#wait(nowMs);
    }
    if (nowMs - this.#heardAtMs >= silenceLimitMs) {
      this.#timer = null;
      return this.#options.lost();
    }
    const quietAtMs = Math.min(this.#heardAtMs, this.#sentAtMs);
    if (ping !== null && nowMs - Math.max(quietAtMs, this.#pingedAtMs) >= PING_AFTER_MS) {
      this.#pingedAtMs = nowMs;
      ping();
    }
    this.#wait(nowMs);
  }
}
