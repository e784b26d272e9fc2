/**
 * Owns things that end side by side, as an AsyncDisposableStack owns such as end one after another: where
 * each of them is a process to be waited for, the end takes as long as the slowest.
 * @module
 */

/** Several things with one owner. What is owned here must not need what else is while it ends. */
export class Together implements AsyncDisposable {
  #owned: AsyncDisposable[] = [];

  /** Takes a thing over, and gives it back for use. */
  use<T extends AsyncDisposable>(thing: T): T {
    this.#owned.push(thing);
    return thing;
  }

  /** Hands all that is owned to a new owner. */
  move(): Together {
    const next = new Together();
    next.#owned = this.#owned;
    this.#owned = [];
    return next;
  }

  /** Begins the ends in the order in which things came, and waits for all of them. @throws the first error */
  async [Symbol.asyncDispose](): Promise<void> {
    const owned = this.#owned;
    this.#owned = [];
    const ends = await Promise.allSettled(owned.map(async (thing) => await thing[Symbol.asyncDispose]()));
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }
}
