/**
 * Which observations are evidence (I13): one that began before the last transition of its path, or
 * of a directory above it, ended, shows a state that may be gone; so does one that began before the
 * one from which its path was decided last.
 *
 * Memory is bounded: when too many transitions are remembered the oldest are forgotten and a floor
 * takes their place, below which nothing is evidence.
 * @module
 */
import type { Observation } from "../core/observation.ts";
import { ancestorsOf, parentOf, type RelPath } from "../core/path.ts";

/** How many transitions, and how many looks, are remembered by path. */
const REMEMBERED = 50_000;

/** A bounded memory of counters by path; what is forgotten raises the floor. */
class CounterMemory {
  #counters = new Map<RelPath, number>();
  floor = 0;

  note(path: RelPath, counter: number): void {
    const known = this.#counters.get(path);
    if (known !== undefined) this.#counters.delete(path); // so that it is the newest again
    this.#counters.set(path, Math.max(known ?? 0, counter));
    if (this.#counters.size <= REMEMBERED) return;
    const [oldest, forgotten] = this.#counters.entries().next().value!;
    this.#counters.delete(oldest);
    this.floor = Math.max(this.floor, forgotten);
  }

  at(path: RelPath): number {
    return this.#counters.get(path) ?? 0;
  }
}

/** The counters of one side, for one life of its endpoint. */
export class Evidence {
  readonly #transitions = new CounterMemory();
  readonly #decided = new CounterMemory();
  readonly #listings = new CounterMemory();

  /** Notes that a transition of `path` ended at counter `ended`. */
  note(path: RelPath, ended: number): void {
    this.#transitions.note(path, ended);
  }

  /** Notes that something was decided from an observation: an older one of that path decides nothing. */
  decided(observation: Observation): void {
    this.#decided.note(observation.path, observation.began);
  }

  /** Notes that a listing showed all that is in a directory: an older look at a name in it shows less. */
  listed(dir: RelPath, began: number): void {
    this.#listings.note(dir, began);
  }

  /** Whether all that is in its directory was listed after a look had begun. */
  isOutlisted({ path, began }: Observation): boolean {
    return began < this.#listings.floor || began < this.#listings.at(parentOf(path));
  }

  /** Whether an observation is evidence. */
  holds(observation: Observation): boolean {
    const { path, began } = observation;
    if (began < this.#transitions.floor || began < this.#decided.floor) return false;
    if (this.#transitions.at(path) > began || this.#decided.at(path) > began) return false;
    for (const ancestor of ancestorsOf(path)) {
      if (this.#transitions.at(ancestor) > began) return false;
    }
    return true;
  }
}
