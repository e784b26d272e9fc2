/**
 * What both endpoints last said of themselves, asked anew when somebody wants to see it.
 *
 * An endpoint that does not answer in time is not waited for. Owned by session.ts.
 * @module
 */
import type { Clock } from "../base/clock.ts";
import type { Vitals } from "../core/checkup.ts";
import type { Endpoint } from "../core/endpoint.ts";
import type { Side } from "../core/problem.ts";
import type { Sides } from "./context.ts";

const SIDES = ["left", "right"] as const;
/** So long whoever asks for a status may have to wait. */
const ANSWER_MS = 1_000;

/** The vital signs of both endpoints. */
export class VitalSigns {
  readonly #last: Record<Side, Vitals | null> = { left: null, right: null };

  /** What a side said last; null: nothing yet. */
  of(side: Side): Vitals | null {
    return this.#last[side];
  }

  /** Asks both, and resolves when they have answered, or are late. Never rejects. */
  async refresh(endpoints: Sides<Pick<Endpoint, "vitals">>, clock: Clock): Promise<void> {
    const over = new AbortController();
    const late = clock.sleep(ANSWER_MS, over.signal).catch(() => {});
    const asked = SIDES.map(async (side) => {
      // One that is gone has nothing to say; that it is gone is told elsewhere.
      this.#last[side] = await endpoints[side].vitals().catch(() => this.#last[side]);
    });
    await Promise.race([Promise.all(asked), late]);
    over.abort();
  }
}
