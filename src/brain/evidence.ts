/**
 * Which observations are evidence (I13): one that began before the last transition of its path, or
 * of a directory above it, ended, shows a state that may be gone.
 *
 * Memory is bounded: when too many transitions are remembered the oldest are forgotten and a floor
 * takes their place, below which nothing is evidence.
 * @module
 */
import type { Observation } from "../core/observation.ts";
import { ancestorsOf, type RelPath } from "../core/path.ts";

/** How many transitions are remembered by path. */
const REMEMBERED = 50_000;

/** The counters of one side's transitions, for one life of its endpoint. */
export class Evidence {
  #ended = new Map<RelPath, number>();
  #floor = 0;

  /** Notes that a transition of `path` ended at counter `ended`. */
  note(path: RelPath, ended: number): void {
    this.#ended.delete(path);
    this.#ended.set(path, ended);
    if (this.#ended.size <= REMEMBERED) return;
    const [oldest, counter] = this.#ended.entries().next().value!;
    this.#ended.delete(oldest);
    this.#floor = Math.max(this.#floor, counter);
  }

  /** Whether an observation is evidence. */
  holds(observation: Observation): boolean {
    const { path, began } = observation;
    if (began < this.#floor) return false;
    if ((this.#ended.get(path) ?? 0) > began) return false;
    for (const ancestor of ancestorsOf(path)) {
      if ((this.#ended.get(ancestor) ?? 0) > began) return false;
    }
    return true;
  }
}
