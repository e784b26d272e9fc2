/**
 * Which paths are being worked on, so that no two pieces of work touch the same tree at once.
 *
 * Work at a path blocks that path and everything below it; work that takes a whole subtree (a
 * rename, a removal) may begin only when nothing is under way below it.
 * @module
 */
import type { Move } from "../core/endpoint.ts";
import { ancestorsOf, type RelPath } from "../core/path.ts";
import { PathTree } from "./path_tree.ts";
import type { InFlight } from "./report.ts";

/** What is being done at a path. */
export interface Work {
  readonly path: RelPath;
  /** The target and size, for people; null while it is only looked at. */
  readonly shown: Omit<InFlight, "path"> | null;
  /** When the live change came for which it is done, on the monotonic clock; null: for none. */
  readonly sinceMs: number | null;
  /** Whether it is one of many in a bundle; no by default. */
  readonly isBundled?: boolean;
}

/** The paths in flight. */
export class FlightDeck {
  #works = new Map<RelPath, Work>();
  readonly #paths = new PathTree();
  readonly #slow = new Set<RelPath>();
  readonly #waiters = new Map<RelPath, (() => void)[]>();
  /** Paths in bundles: they hold nothing that a limit is there for. */
  #bundled = 0;

  /** Every path that is worked on. */
  paths(): Iterable<RelPath> {
    return this.#works.keys();
  }

  /** Every path that is worked on and lies in a directory itself. */
  inside(dir: RelPath): Iterable<RelPath> {
    return this.#paths.inside(dir);
  }

  get size(): number {
    return this.#works.size;
  }

  /** When the oldest live change came that is worked on; null: there is none. */
  oldestMs(): number | null {
    let oldest: number | null = null;
    for (const { sinceMs } of this.#works.values()) {
      if (sinceMs !== null && (oldest === null || sinceMs < oldest)) oldest = sinceMs;
    }
    return oldest;
  }

  /** The path whose work stands in the way of work at `path`, or null; `subtree`: also work below it. */
  blockerOf(path: RelPath, options: { readonly subtree: boolean }): RelPath | null {
    if (this.#works.has(path)) return path;
    for (const ancestor of ancestorsOf(path)) {
      if (this.#works.has(ancestor)) return ancestor;
    }
    return options.subtree ? this.#below(path) : null;
  }

  /** The same for a path whose directory is made in the batch that it will be in. */
  blockerInOpened(path: RelPath): RelPath | null {
    return this.#works.has(path) ? path : this.#below(path);
  }

  #below(path: RelPath): RelPath | null {
    for (const other of this.#paths.below(path)) return other;
    return null;
  }

  /** The work at a path, if any. */
  at(path: RelPath): Work | null {
    return this.#works.get(path) ?? null;
  }

  /** Tells that work at a path may take hours: a large file is transferred, and its content held nowhere. */
  slow(path: RelPath): void {
    this.#slow.add(path);
  }

  /** Whether work at a path may take hours. */
  isSlow(path: RelPath): boolean {
    return this.#slow.has(path);
  }

  /** How many paths are worked on for hours, perhaps. */
  get slowCount(): number {
    return this.#slow.size;
  }

  /** How many paths are worked on one by one that nobody has to wait for long. */
  get quickCount(): number {
    return this.#works.size - this.#slow.size - this.#bundled;
  }

  begin(work: Work): void {
    this.#works.set(work.path, work);
    if (work.isBundled === true) this.#bundled++;
    this.#paths.add(work.path);
  }

  end(path: RelPath): void {
    if (this.#works.get(path)?.isBundled === true) this.#bundled--;
    this.#works.delete(path);
    this.#paths.delete(path);
    this.#slow.delete(path);
    this.#wake(path);
  }

  /** Resolves when the work has ended that is under way at a path now, or nobody is waited for any more. */
  async ended(path: RelPath): Promise<void> {
    if (!this.#works.has(path)) return;
    const waiters = this.#waiters.get(path) ?? [];
    this.#waiters.set(path, waiters);
    await new Promise<void>((resolve) => waiters.push(resolve));
  }

  /** Wakes whoever waits: the pair is at its end. */
  wakeAll(): void {
    for (const path of [...this.#waiters.keys()]) this.#wake(path);
  }

  #wake(path: RelPath): void {
    if (this.#waiters.size === 0) return;
    const waiters = this.#waiters.get(path) ?? [];
    this.#waiters.delete(path);
    for (const resolve of waiters) resolve();
  }

  /** A rename blocks both of its names. */
  beginMove(move: Move, { shown, sinceMs }: Omit<Work, "path">): void {
    this.begin({ path: move.from, shown: null, sinceMs });
    this.begin({ path: move.to, shown, sinceMs });
  }

  /** For people: what is being transferred. */
  *shown(): Generator<InFlight> {
    for (const { path, shown } of this.#works.values()) if (shown !== null) yield { path, ...shown };
  }
}
