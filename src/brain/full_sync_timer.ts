/**
 * When the full comparison of `--full-sync` is due: at the beginning of each of some hours of the day.
 *
 * Local time, as the host has it. Long waits are cut, so that a host that slept is late by minutes at
 * most. Called by session.ts.
 * @module
 */
import type { Clock, Timer } from "../base/clock.ts";

/** The longest wait without a look at the wall clock. */
const LOOK_MS = 60_000;

/** The beginning of the next of some hours, in ms since 1970; `hours` must not be empty. */
export function nextHourMs(wallMs: number, hours: readonly number[]): number {
  const at = new Date(wallMs);
  at.setMinutes(0, 0, 0);
  do at.setTime(at.getTime() + 3_600_000); while (!hours.includes(at.getHours()));
  return at.getTime();
}

/** Runs something at each of some hours. */
export class FullSyncTimer implements Disposable {
  readonly #clock: Clock;
  readonly #hours: readonly number[];
  readonly #run: () => void;
  #dueMs: number;
  #timer: Timer | null = null;

  constructor(clock: Clock, hours: readonly number[], run: () => void) {
    this.#clock = clock;
    this.#hours = hours;
    this.#run = run;
    this.#dueMs = hours.length === 0 ? Infinity : nextHourMs(clock.wallMs(), hours);
    this.#wait();
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
  }

  #wait(): void {
    if (this.#dueMs === Infinity) return;
    const leftMs = Math.max(0, this.#dueMs - this.#clock.wallMs());
    this.#timer = this.#clock.after(Math.min(leftMs, LOOK_MS), () => this.#look());
  }

  #look(): void {
    const wallMs = this.#clock.wallMs();
    if (wallMs >= this.#dueMs) {
      this.#dueMs = nextHourMs(wallMs, this.#hours);
      this.#run();
    }
    this.#wait();
  }
}
