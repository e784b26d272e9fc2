/**
 * How long changes took, over the last hour: from the moment at which one side told of a change until
 * it was made and recorded on the other one.
 *
 * Only counts, in a fixed amount of memory: one histogram for each minute, whose steps are a fourth of
 * an octave, so that a figure is at most 19 % too large. Owned by status.ts.
 * @module
 */

/** What is known of one direction. */
export interface LagSummary {
  /** Changes of the last hour. */
  readonly changes: number;
  /** Half of them took at most this long, ms; null where there were none. */
  readonly medianMs: number | null;
  /** 99 of 100 did. */
  readonly p99Ms: number | null;
}

const MINUTES = 60;
const MINUTE_MS = 60_000;
const STEPS_PER_OCTAVE = 4;
/** From below a millisecond to beyond a day. */
const STEPS = 27 * STEPS_PER_OCTAVE;

/** The changes of one minute. */
interface Minute {
  /** Since the clock's zero. */
  number: number;
  readonly steps: Uint32Array;
}

/** The times of the changes in one direction. */
export class LagMeter {
  readonly #minutes: Minute[] = Array.from({ length: MINUTES }, () => ({
    number: -MINUTES,
    steps: new Uint32Array(STEPS),
  }));

  /** Notes a change that took `ms` and ended at `nowMs`, on a monotonic clock. */
  note(ms: number, nowMs: number): void {
    const number = Math.floor(nowMs / MINUTE_MS);
    const minute = this.#minutes[number % MINUTES]!;
    if (minute.number !== number) {
      minute.number = number;
      minute.steps.fill(0);
    }
    minute.steps[stepOf(ms)]!++;
  }

  /** Sums the last hour up. */
  summary(nowMs: number): LagSummary {
    const oldest = Math.floor(nowMs / MINUTE_MS) - MINUTES;
    const sums = new Float64Array(STEPS);
    for (const { number, steps } of this.#minutes) {
      if (number > oldest) steps.forEach((count, step) => sums[step]! += count);
    }
    const changes = sums.reduce((sum, count) => sum + count, 0);
    return { changes, medianMs: quantile(sums, changes / 2), p99Ms: quantile(sums, changes * 0.99) };
  }
}

function stepOf(ms: number): number {
  const step = Math.ceil(Math.log2(Math.max(ms, 1)) * STEPS_PER_OCTAVE);
  return Math.min(step, STEPS - 1);
}

/** The end of the step in which the change with this rank lies, ms. */
function quantile(sums: Float64Array, rank: number): number | null {
  let seen = 0;
  for (const [step, count] of sums.entries()) {
    seen += count;
    if (count > 0 && seen >= rank) return Math.round(2 ** (step / STEPS_PER_OCTAVE) * 10) / 10;
  }
  return null;
}
