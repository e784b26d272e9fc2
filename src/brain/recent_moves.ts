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
import type { Observation } from "../core/observation.ts";
import { isBelow, rebase, type RelPath } from "../core/path.ts";

/** How long a rename is remembered: longer than any look may take to be answered. */
const REMEMBERED_MS = 60_000;
/** How many renames are remembered. */
const REMEMBERED = 1_000;
/** How many paths are remembered that were not found. */
const MISSED = 10_000;

/** Follows paths through recent renames. */
export class RecentMoves {
  readonly #clock: Clock;
  #moves: { readonly move: Move; readonly atMs: number }[] = [];
  /** Paths at which nothing was found, and when: a rename that is told later may explain it. */
  readonly #missed = new Map<RelPath, number>();
  readonly #notListed = new Set<RelPath>();
  /** Where directories came of which it is not known yet whether psync makes that as a rename. */
  #arrived = new Set<RelPath>();
  readonly #onTooMany: () => void;

  /** `onTooMany`: so many directories came or went that they are forgotten; everything is to be listed again. */
  constructor(clock: Clock, onTooMany: () => void = () => {}) {
    this.#clock = clock;
    this.#onTooMany = onTooMany;
  }

  /** Remembers a rename. */
  note(move: Move): void {
    // WHY not under the new name alone: the rename may be told late, of what stood there before, or be half
    // of an exchange.
    const moved = [...this.#arrived].flatMap((path) => [path, rebase(path, move)]);
    this.#arrived = new Set(moved);
    const atMs = this.#clock.nowMs();
    this.#moves = this.#moves.filter((old) => atMs - old.atMs < REMEMBERED_MS).slice(-REMEMBERED);
    this.#moves.push({ move, atMs });
  }

  /** Notes what was seen at a path: where nothing was, the look may have come after a rename that is not told yet. */
  seen({ path, kind }: Observation): void {
    this.#missed.delete(path);
    if (kind !== "absent" && kind !== "orphan") return;
    this.#missed.set(path, this.#clock.nowMs());
    if (this.#missed.size <= MISSED) return;
    // WHY many at once: the first of a map is found behind all that were deleted before it.
    for (const old of this.#missed.keys()) {
      if (this.#missed.size <= MISSED / 2) return;
      this.#missed.delete(old);
    }
  }

  /** Where the paths are now that were not found below the old name of a rename; each is told once. */
  takeMissed(move: Move): RelPath[] {
    const oldest = this.#clock.nowMs() - REMEMBERED_MS;
    const moved: RelPath[] = [];
    for (const [path, atMs] of this.#missed) {
      if (atMs >= oldest && !isBelow(path, move.from)) continue;
      this.#missed.delete(path);
      if (atMs >= oldest) moved.push(rebase(path, move));
    }
    return moved;
  }

  /** Notes a directory that a walk found on its way and could not list any more: it may have been renamed. */
  notListed(dir: RelPath): void {
    this.#notListed.add(dir);
    if (this.#notListed.size <= MISSED) return;
    this.#notListed.clear();
    this.#onTooMany();
  }

  /** Whether a walk missed the directory that was renamed, or one in it; told once. */
  takeNotListed({ from }: Move): boolean {
    const missed = [...this.#notListed].filter((dir) => dir === from || isBelow(dir, from));
    for (const dir of missed) this.#notListed.delete(dir);
    return missed.length > 0;
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
