/**
 * The counter of an endpoint (I13): says whether a look began after a transition had ended.
 * @module
 */

/**
 * Counts beginnings of looks and ends of transitions, so that of two looks at one path, which never
 * overlap (looker.ts), the one with the greater value saw the later state.
 */
export class Counter {
  #value = 0;

  /** The value for a look or list that begins now, taken before its request is sent. */
  begin(): number {
    return ++this.#value;
  }

  /** The value for transitions whose results have just arrived. */
  end(): number {
    return ++this.#value;
  }
}
