/**
 * What a scan found missing: confirmed by a look each, and braked where it is too much.
 *
 * design: removals of one scan at start or reconnect beyond max(100, 10 %) of the known paths are
 * held, with an id, until a later run with --force; creations and edits flow. A path that is held
 * stays as it is on the other side.
 * @module
 */
import { logger } from "../base/log.ts";
import type { HoldRow } from "../core/archive.ts";
import type { RelPath } from "../core/path.ts";
import { otherSide, type Side } from "../core/problem.ts";
import type { PairContext } from "./context.ts";
import { mustHold } from "./safety.ts";

const log = logger("brain", "absences");

/** How many missing paths are looked at in one request. */
const LOOK_PATHS = 256;
/** How many paths of a hold are shown. */
const SAMPLE = 5;

/** A path of the archive that a side does not show. */
export interface Missing {
  readonly side: Side;
  readonly path: RelPath;
}

/** Collects and judges what is missing. */
export class Absences {
  readonly #context: PairContext;
  /** Resolves when the news that the scan found are settled: a rename explains an absence. */
  readonly #quiet: () => Promise<void>;
  #missing: Missing[] = [];
  #gone: RelPath[] = [];

  constructor(context: PairContext, quiet: () => Promise<void>) {
    this.#context = context;
    this.#quiet = quiet;
  }

  /** A path of the archive that `side` does not show any more. */
  note(side: Side, path: RelPath): void {
    this.#missing.push({ side, path });
  }

  /** A path of the archive that neither side shows any more. */
  gone(path: RelPath): void {
    this.#gone.push(path);
  }

  /** Judges what was collected; called when the walk is complete. */
  async judge(options: { readonly brake: boolean }): Promise<void> {
    const [missing, gone] = [this.#missing, this.#gone];
    log.debug("missing", () => ({ missing: missing.map(({ side, path }) => `${side} ${path}`), gone }));
    this.#missing = [];
    this.#gone = [];
    if (options.brake) this.#releaseHolds();
    if (missing.length === 0 && gone.length === 0) return options.brake ? this.#dropHolds([]) : undefined;
    await this.#quiet();
    const still = missing.filter(({ path }) => this.#context.archive.get(path) !== null);
    if (options.brake) this.#dropHolds(still);
    const held = this.#heldPaths();
    const free = still.filter(({ path }) => !held.has(path));
    const passed = options.brake ? this.#brake(free) : free;
    for (const path of gone) for (const side of ["left", "right"] as const) passed.push({ side, path });
    log.debug("to be confirmed", () => ({ passed: passed.map(({ side, path }) => `${side} ${path}`) }));
    await this.#confirm(passed);
  }

  /** `-f` releases what an earlier run held, never what this run holds. */
  #releaseHolds(): void {
    const { archive, settings, report } = this.#context;
    if (!settings.force) return;
    for (const hold of archive.holds()) {
      if (hold.run >= settings.run) continue;
      archive.transact(() => archive.removeHold(hold.id));
      report.notice({ kind: "hold-released", id: hold.id, count: hold.paths.length });
      for (const path of hold.paths) this.#released.add(path);
    }
  }

  readonly #released = new Set<RelPath>();

  /** A hold none of whose paths is missing any more is void. */
  #dropHolds(still: readonly Missing[]): void {
    const { archive, report } = this.#context;
    const paths = new Set(still.map(({ path }) => path));
    for (const hold of archive.holds()) {
      if (hold.paths.some((path) => paths.has(path))) continue;
      archive.transact(() => archive.removeHold(hold.id));
      report.notice({ kind: "hold-gone", id: hold.id });
    }
  }

  /** Those that no hold is about. */
  notHeld(missing: readonly Missing[]): readonly Missing[] {
    if (missing.length === 0) return missing;
    const held = this.#heldPaths();
    return missing.filter(({ path }) => !held.has(path));
  }

  #heldPaths(): Set<RelPath> {
    return new Set(this.#context.archive.holds().flatMap((hold) => [...hold.paths]));
  }

  #brake(missing: readonly Missing[]): Missing[] {
    const isApproved = (path: RelPath) => this.#released.has(path) || this.#context.recovery.rolledBack.has(path);
    const passed: Missing[] = missing.filter(({ path }) => isApproved(path));
    const judged = missing.filter(({ path }) => !isApproved(path));
    const known = this.#context.archive.count();
    const removals = judged.reduce((sum, { path }) => sum + 1 + this.#countBelow(path), 0);
    if (!mustHold(removals, known)) return [...passed, ...judged];
    for (const side of ["left", "right"] as const) this.#hold(side, judged.filter((item) => item.side === side));
    return passed;
  }

  #countBelow(path: RelPath): number {
    let count = 0;
    for (const _ of this.#context.archive.below(path)) count++;
    return count;
  }

  #hold(missingOn: Side, missing: readonly Missing[]): void {
    if (missing.length === 0) return;
    const { archive, report, settings, clock } = this.#context;
    const side = otherSide(missingOn);
    const paths = missing.map(({ path }) => path);
    const count = paths.reduce((sum, path) => sum + 1 + this.#countBelow(path), 0);
    const hold: Omit<HoldRow, "id"> = { run: settings.run, atMs: clock.wallMs(), side, paths };
    const id = archive.transact(() => archive.addHold(hold));
    report.held({ id, side, count, sample: paths.slice(0, SAMPLE) });
  }

  /** Each absence is looked at before anything is planned. */
  async #confirm(missing: readonly Missing[]): Promise<void> {
    const { endpoints, board } = this.#context;
    for (const side of ["left", "right"] as const) {
      const paths = missing.filter((item) => item.side === side).map(({ path }) => path);
      for (let i = 0; i < paths.length; i += LOOK_PATHS) {
        const seen = await endpoints[side].look(paths.slice(i, i + LOOK_PATHS), {
          contentLimitBytes: 0,
          digests: false,
        });
        for (const observation of seen) board.add(side, observation, { isLive: false });
      }
    }
  }
}
