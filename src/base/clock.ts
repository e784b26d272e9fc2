/**
 * Time as a value that is handed in: the only file that touches timers.
 *
 * `nowMs` is monotonic and for intervals; `wallMs` is for names and logs, and never decides
 * anything. Tests hand in a fake (tests/support/fake_clock.ts).
 * @module
 */

/** A timer that was started and can be taken back. */
export interface Timer {
  /** Takes the timer back; harmless once it has fired. */
  cancel(): void;
}

/** A source of time. */
export interface Clock {
  /** Monotonic milliseconds since some start. */
  nowMs(): number;
  /** Milliseconds since 1970 on the wall. */
  wallMs(): number;
  /** Waits; rejects with the signal's reason as soon as it is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `fn` once, `ms` from now. */
  after(ms: number, fn: () => void): Timer;
}

/** The clock of the machine. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(ms, fn) {
    const id = setTimeout(fn, ms);
    return { cancel: () => clearTimeout(id) };
  },
  sleep(ms, signal) {
    return sleepOn(this, ms, signal);
  },
};

/** The one way to sleep on any clock's `after`. */
export function sleepOn(clock: Pick<Clock, "after">, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const timer = clock.after(ms, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    const onAbort = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
