/**
 * Keeps many lines of one kind from burying the others: so many in a span, then a count.
 *
 * @module
 */
import type { Clock, Timer } from "../base/clock.ts";

/** How many lines pass in which span. */
export interface RateOptions {
  readonly clock: Clock;
  readonly lines: number;
  readonly spanMs: number;
  /** Told at the end of a span how many lines did not pass. */
  readonly onSuppressed: (count: number) => void;
}

/** A gate for lines. Its owner calls `close`, or a timer stays behind for up to one span. */
export class RateGate {
  readonly #options: RateOptions;
  #passed = 0;
  #suppressed = 0;
  #span: Timer | null = null;

  constructor(options: RateOptions) {
    this.#options = options;
  }

  /** Whether one more line may be shown now. */
  pass(): boolean {
    this.#span ??= this.#options.clock.after(this.#options.spanMs, () => this.#endSpan());
    if (this.#passed < this.#options.lines) {
      this.#passed++;
      return true;
    }
    this.#suppressed++;
    return false;
  }

  /** Ends the span at once. */
  close(): void {
    this.#span?.cancel();
    this.#endSpan();
  }

  #endSpan(): void {
    const suppressed = this.#suppressed;
    this.#span = null;
    this.#passed = 0;
    this.#suppressed = 0;
    if (suppressed > 0) this.#options.onSuppressed(suppressed);
  }
}
