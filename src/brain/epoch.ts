/**
 * Epochs of durability: some seconds after something was recorded both sides are asked to make it
 * durable, and drop what was displaced as expected; the archive then forgets the earlier states of
 * what had been recorded when they were asked (I12).
 * @module
 */
import type { Timer } from "../base/clock.ts";
import type { PairContext } from "./context.ts";
import { raiseAge } from "./archive_age.ts";
import { recordFindings } from "./findings.ts";
import { closeEpoch } from "./rolled_back.ts";

/** How long an epoch stays open once something was committed in it. */
const EPOCH_MS = 3_000;

/** Closes epochs while there is activity, and is idle otherwise. */
export class EpochKeeper {
  readonly #context: PairContext;
  #timer: Timer | null = null;
  #closing: Promise<void> = Promise.resolve();
  #isOpen = false;

  constructor(context: PairContext) {
    this.#context = context;
  }

  /** Notes that something was committed or recorded. */
  touched(): void {
    this.#isOpen = true;
    this.#timer ??= this.#context.clock.after(EPOCH_MS, () => {
      this.#timer = null;
      void this.flush();
    });
  }

  /** Closes the open epoch on both sides; a failure ends the pair. */
  flush(): Promise<void> {
    if (this.#isOpen) {
      this.#isOpen = false;
      this.#closing = this.#closing.then(() => this.#syncBoth());
    }
    return this.#closing;
  }

  /** Ends the timer and waits for a sync that is under way. */
  async close(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = null;
    await this.#closing;
  }

  async #syncBoth(): Promise<void> {
    try {
      const { archive, sources, endpoints: { left, right } } = this.#context;
      const end = archive.epochEnd();
      if (end === 0) return;
      const age = raiseAge(archive);
      const options = { left: { age, contents: sources.has("left") }, right: { age, contents: sources.has("right") } };
      sources.clear();
      const kept = await Promise.all([left.sync(options.left), right.sync(options.right)]);
      archive.transact(() => {
        closeEpoch(archive, end);
        recordFindings(this.#context, "left", kept[0], "late-write");
        recordFindings(this.#context, "right", kept[1], "late-write");
      });
    } catch (error) {
      this.#context.fail(error);
    }
  }
}
