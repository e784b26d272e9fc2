/**
 * Whether a large file fits on the disk of its target, before any byte of it is sent.
 *
 * Knows what transfers under way will still take. Decides nothing about small files: those are staged
 * in one step, which fails by itself. Asked by bulk.ts.
 * @module
 */
import type { Endpoint } from "../core/endpoint.ts";
import type { Side } from "../core/problem.ts";
import type { Sides } from "./context.ts";

/** So much of a disk is left for others, and at most so much. */
const RESERVE_SHARE = 0.01;
const RESERVE_MAX_BYTES = 256 << 20;

/** The room on both disks. */
export class Room {
  readonly #endpoints: Sides<Endpoint>;
  /** What will be free on a side when all transfers to it are done; null while there is none. */
  readonly #expected: Record<Side, number | null> = { left: null, right: null };
  readonly #transfers: Record<Side, number> = { left: 0, right: 0 };

  constructor(endpoints: Sides<Endpoint>) {
    this.#endpoints = endpoints;
  }

  /**
   * Begins a transfer to a side that would like to take so many bytes: `choose` is told how many it may
   * take (0 or less: none), and gives how many it will take; `null`: it is not made. Ended by `end`.
   */
  async begin(side: Side, wantedBytes: number, choose: (leftBytes: number) => number | null): Promise<void> {
    const { freeBytes, totalBytes } = await this.#endpoints[side].space(wantedBytes + RESERVE_MAX_BYTES);
    const reserve = Math.min(RESERVE_MAX_BYTES, totalBytes * RESERVE_SHARE);
    // RACE: from here on nothing is awaited: two that begin at once must not take the same room.
    const left = Math.min(freeBytes, this.#expected[side] ?? freeBytes);
    const bytes = choose(left - reserve);
    if (bytes === null) return;
    this.#transfers[side]++;
    this.#expected[side] = left - bytes;
  }

  /** The transfer is over. What others left of the disk is known again once all are. */
  end(side: Side): void {
    if (--this.#transfers[side] === 0) this.#expected[side] = null;
  }
}
