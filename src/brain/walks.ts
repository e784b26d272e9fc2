/**
 * Whether a walk goes on by itself: what waits for all that a walk may still find must not wait for one that
 * waits in its turn, be it for room or for work under way, since that work may be the very one.
 *
 * Used by scan.ts alone.
 * @module
 */

/** The walks that are under way, and who waits for them. */
export class Walks {
  #underWay = 0;
  #waiting = 0;
  #whenWalked: (() => void)[] = [];

  /** Runs a walk. */
  async run(walk: () => Promise<void>): Promise<void> {
    this.#underWay++;
    try {
      await walk();
    } finally {
      this.#underWay--;
      this.#tell();
    }
  }

  /** Waits within a walk for what is not its own to bring about. */
  async wait(what: Promise<void>): Promise<void> {
    this.#waiting++;
    this.#tell();
    try {
      await what;
    } finally {
      this.#waiting--;
    }
  }

  /** Resolves when no walk is under way that goes on by itself. */
  walked(): Promise<void> {
    if (this.#underWay === 0 || this.#waiting > 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenWalked.push(resolve));
  }

  #tell(): void {
    for (const resolve of this.#whenWalked.splice(0)) resolve();
  }
}
