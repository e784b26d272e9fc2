/**
 * What both users renamed, each to a name of his own: both names stay, and people are told, as nobody
 * else would tell them why there are two.
 *
 * Only notes what it is told and reads the archive; decides nothing. Called by dispatch.ts.
 * @module
 */
import type { Archive } from "../core/archive.ts";
import type { Stamp } from "../core/entry.ts";
import type { Observation, PresentObservation } from "../core/observation.ts";
import { isBelow, type RelPath } from "../core/path.ts";
import type { Side } from "../core/problem.ts";
import { objectKey } from "./moves.ts";
import type { Report } from "./report.ts";

/** How many renames, and how many old names, are remembered. */
const REMEMBERED = 1_000;

/** Where the object of an old name is now on each side, as far as it was seen. */
interface Renamed {
  readonly names: Map<Side, RelPath>;
  /** Whether neither side shows the old name any more. */
  isGone: boolean;
}

/** The names that one object got on both sides. */
export class RenamedApart {
  readonly #archive: Pick<Archive, "get" | "findObject">;
  readonly #report: Pick<Report, "notice">;
  readonly #renamed = new Map<RelPath, Renamed>();
  /** The old names of objects that the archive has forgotten, by `objectKey`. */
  readonly #forgotten = new Map<string, RelPath>();
  /** What was told last: what is in a directory comes with it. */
  readonly #told: RelPath[] = [];

  constructor(archive: Pick<Archive, "get" | "findObject">, report: Pick<Report, "notice">) {
    this.#archive = archive;
    this.#report = report;
  }

  /** Takes what a side shows, before it is recorded. */
  seen(side: Side, observation: Observation): void {
    if (observation.kind !== "present" || observation.stamp.inode === 0n) return;
    const from = this.#originOf(side, observation);
    if (from === null || from === observation.path) return;
    this.#at(from).names.set(side, observation.path);
    this.#tell(from);
  }

  /** Whether an object was known under a name that is forgotten now. */
  wasKnown(side: Side, stamp: Stamp): boolean {
    return this.#forgotten.size > 0 && this.#forgotten.has(objectKey(side, stamp));
  }

  /** Takes a path that the archive is about to forget, as neither side shows it. */
  gone(path: RelPath): void {
    const row = this.#archive.get(path);
    if (row === null) return;
    for (const side of ["left", "right"] as const) remember(this.#forgotten, objectKey(side, row[side]), path);
    this.#at(path).isGone = true;
    this.#tell(path);
  }

  #originOf(side: Side, { path, stamp }: PresentObservation): RelPath | null {
    if (this.#archive.get(path) !== null) return null;
    const known = this.#archive.findObject(side, stamp, 2);
    if (known.length > 1) return null;
    return known[0] ?? this.#forgotten.get(objectKey(side, stamp)) ?? null;
  }

  #at(from: RelPath): Renamed {
    const renamed = this.#renamed.get(from) ?? { names: new Map(), isGone: false };
    remember(this.#renamed, from, renamed);
    return renamed;
  }

  #tell(from: RelPath): void {
    const { names, isGone } = this.#renamed.get(from)!;
    const [left, right] = [names.get("left"), names.get("right")];
    if (!isGone || left === undefined || right === undefined) return;
    this.#renamed.delete(from);
    if (left === right || this.#isInTold(from)) return;
    this.#told.push(from);
    if (this.#told.length > REMEMBERED) this.#told.shift();
    this.#report.notice({ kind: "renamed-apart", path: from, left, right });
  }

  /** Whether a directory above was told already, or is about to be. */
  #isInTold(from: RelPath): boolean {
    const isApart = ({ names }: Renamed) => names.size === 2 && names.get("left") !== names.get("right");
    return this.#told.some((told) => isBelow(from, told)) ||
      [...this.#renamed].some(([above, renamed]) => isBelow(from, above) && isApart(renamed));
  }
}

/** Adds to a bounded map, as its newest. */
function remember<K, V>(map: Map<K, V>, key: K, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= REMEMBERED) return;
  const [oldest] = map.keys();
  map.delete(oldest!);
}
