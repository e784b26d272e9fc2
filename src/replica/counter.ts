/**
 * The counter of an endpoint (I13): says whether a look began after a transition had ended.
 * @module
 */

/** Counts the transitions that have ended. */
export class Counter {
  #ended = 0;

  /** The value for a look or list that begins now, taken before its request is sent. */
  begin(): number {
    return this.#ended;
  }

  /** The value for transitions whose results have just arrived. */
  end(): number {
    return ++this.#ended;
  }
}
