/**
 * The lane of transitions of one side: one batch is open and grows while the others are under way,
 * so that the first change goes out at once and batching comes with load alone.
 *
 * Transitions of one batch are made in order; batches run side by side. That a parent comes before
 * its children is the planner's duty (`isOpen`).
 * @module
 */
import { logger } from "../base/log.ts";
import type { Entry } from "../core/entry.ts";
import type { Side } from "../core/problem.ts";
import type { Transition, TransitionResult } from "../core/transition.ts";
import type { PairContext } from "./context.ts";
import { fulfil, intend, type Intent, LANE_SLOTS } from "./intents.ts";

const log = logger("brain", "lane");

/** How many batches are under way on one side. */
const BATCHES_IN_FLIGHT = LANE_SLOTS;
/** An open batch takes no more transitions, or bytes of content, than these. */
const BATCH_TRANSITIONS = 512;
const BATCH_BYTES = 1 << 20;

const SIDES = ["left", "right"] as const;

/** One step on its way, and who waits for its result. */
export interface Step {
  readonly transition: Transition;
  readonly done: (result: TransitionResult) => void;
  /** What may be recorded though the answer never comes; left out: nothing. */
  readonly intent?: Entry | undefined;
}

interface Batch {
  readonly steps: Step[];
  bytes: number;
}

function emptyBatch(): Batch {
  return { steps: [], bytes: 0 };
}

/** Commits transitions on one side. */
export class CommitLane {
  readonly #context: PairContext;
  readonly #side: Side;
  #open = emptyBatch();
  #full: Batch[] = [];
  #inFlight = 0;
  readonly #slots = Array.from({ length: LANE_SLOTS }, (_, number) => number);
  #contentBytes = 0;
  #onRoom: (() => void)[] = [];

  constructor(context: PairContext, side: Side) {
    this.#context = context;
    this.#side = side;
  }

  /** Identifies the batch that `add` fills now: as long as it is the same, order is kept. */
  get openBatch(): object {
    return this.#open;
  }

  /** The content that was added and is not answered yet, in bytes. */
  get contentBytes(): number {
    return this.#contentBytes;
  }

  /** Whether nothing was added that is not answered. */
  get isIdle(): boolean {
    return this.#inFlight === 0 && this.#open.steps.length === 0 && this.#full.length === 0;
  }

  /** Adds a step to the open batch. `flush` sends it. */
  add(step: Step): void {
    this.#open.steps.push(step);
    const bytes = contentBytes(step.transition);
    this.#open.bytes += bytes;
    this.#contentBytes += bytes;
    if (this.#open.steps.length < BATCH_TRANSITIONS && this.#open.bytes < BATCH_BYTES) return;
    this.#full.push(this.#open);
    this.#open = emptyBatch();
  }

  /** Sends what can be sent now. Called at the end of a round, and whenever a batch is answered. */
  flush(): void {
    while (this.#inFlight < BATCHES_IN_FLIGHT) {
      const batch = this.#full.shift() ?? this.#takeOpen();
      if (batch === null) return;
      this.#inFlight++;
      void this.#run(batch);
    }
  }

  /** Resolves when there is room for more: the cycle waits here, and so does everything before it. */
  async room(): Promise<void> {
    while (this.#full.length > 1) await new Promise<void>((resolve) => this.#onRoom.push(resolve));
  }

  #takeOpen(): Batch | null {
    if (this.#open.steps.length === 0) return null;
    const batch = this.#open;
    this.#open = emptyBatch();
    return batch;
  }

  async #run(batch: Batch): Promise<void> {
    const { archive } = this.#context;
    const slot = { side: this.#side, number: this.#slots.pop()! };
    try {
      const transitions = batch.steps.map(({ transition }) => transition);
      intend(archive, slot, batch.steps.flatMap(intentOf));
      const results = await this.#context.endpoints[this.#side].commit({ transitions });
      log.trace("committed", () => ({
        side: this.#side,
        results: results.map((result, i) => `${describe(transitions[i]!)}: ${result.kind} ${result.ended}`),
      }));
      archive.transact(() => {
        this.#settle(batch, results);
        fulfil(archive, slot);
      });
      this.#slots.push(slot.number);
      this.#context.touched();
    } catch (error) {
      this.#context.fail(error);
    }
    this.#inFlight--;
    this.#contentBytes -= batch.bytes;
    for (const resolve of this.#onRoom.splice(0)) resolve();
    this.flush();
    for (const side of SIDES) this.#context.looks[side].resume();
    this.#context.wake();
  }

  /** One transaction for the records of a whole batch (I4: commit, then record). */
  #settle(batch: Batch, results: readonly TransitionResult[]): void {
    batch.steps.forEach((step, i) => step.done(results[i]!));
  }
}

function intentOf({ transition, intent }: Step): Intent[] {
  return intent === undefined || transition.kind === "move" ? [] : [[transition.path, intent]];
}

function describe(transition: Transition): string {
  return transition.kind === "move"
    ? `move ${transition.from} -> ${transition.to}`
    : `${transition.kind} ${transition.path}`;
}

function contentBytes(transition: Transition): number {
  return transition.kind === "put" && transition.content?.kind === "inline" ? transition.content.bytes.length : 0;
}
