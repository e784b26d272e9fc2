/**
 * Renames of the last seconds, made by users or by psync: what was seen, or is being looked at, under
 * an old name must be looked at under the new one.
 *
 * A look that ends after a rename finds nothing, or something else, under the name that it was given;
 * without this the change that caused it would be forgotten.
 * @module
 */
import type { Clock } from "../base/clock.ts";
import type { Move } from "../core/endpoint.ts";
import { rebase, type RelPath } from "../core/path.ts";

/** How long a rename is remembered: longer than any look may take to be answered. */
const REMEMBERED_MS = 60_000;
/** How many renames are remembered. */
const REMEMBERED = 1_000;

/** Follows paths through recent renames. */
export class RecentMoves {
  readonly #clock: Clock;
  #moves: { readonly move: Move; readonly atMs: number }[] = [];
  /** Where directories came of which it is not known yet whether psync makes that as a rename. */
  #arrived = new Set<RelPath>();
  readonly #onTooMany: () => void;

  /** `onTooMany`: so many directories came that they are forgotten; everything is to be listed again. */
  constructor(clock: Clock, onTooMany: () => void = () => {}) {
    this.#clock = clock;
    this.#onTooMany = onTooMany;
  }

  /** Remembers a rename. */
  note(move: Move): void {
    if (this.#arrived.size > 0) this.#arrived = new Set([...this.#arrived].map((path) => rebase(path, move)));
    const atMs = this.#clock.nowMs();
    this.#moves = this.#moves.filter((old) => atMs - old.atMs < REMEMBERED_MS).slice(-REMEMBERED);
    this.#moves.push({ move, atMs });
  }

  /** Notes that a directory came to a name by a rename: what is in it is new under that name. */
  arrived(path: RelPath): void {
    this.#arrived.add(path);
    if (this.#arrived.size <= REMEMBERED) return;
    this.#arrived.clear();
    this.#onTooMany();
  }

  /** Whether a directory came to a name; asked once, when it is decided what becomes of it. */
  takeArrived(path: RelPath): boolean {
    return this.#arrived.delete(path);
  }

  /** Where a path is now, as far as recent renames tell; the path itself where none touched it. */
  follow(path: RelPath): RelPath {
    return this.#moves.reduce((at, { move }) => rebase(at, move), path);
  }
}
