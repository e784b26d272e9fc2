/**
 * Directories that the users renamed into each other: on one side A lies below B, on the other one B below
 * A. Both cannot be. The left rename stands, and the right one is taken back there by one rename, with all
 * that is in it; people are told. Then the left one is made on the right like any other.
 *
 * What is remembered is a hint: both names are looked at before anything is done (I13), and where they
 * show something else, or the way back is blocked, it is left to plain puts, which lose nothing.
 * Called by move_task.ts before a rename is made.
 * @module
 */
import { logger } from "../base/log.ts";
import type { Archive } from "../core/archive.ts";
import type { Move } from "../core/endpoint.ts";
import { sameObject, type Stamp } from "../core/entry.ts";
import { expectedObject } from "../core/expected.ts";
import type { Observation } from "../core/observation.ts";
import { ancestorsOf, isBelow, type RelPath, ROOT } from "../core/path.ts";
import { otherSide, type Side } from "../core/problem.ts";
import type { TransitionResult } from "../core/transition.ts";
import type { PairContext } from "./context.ts";
import { objectKey } from "./moves.ts";
import { lookAgain } from "./task.ts";

/** How many renames are remembered. */
const REMEMBERED = 1_000;

const SIDES = ["left", "right"] as const;

const log = logger("brain", "crossed");

/** One rename of a directory that the other side has not made. */
export interface OneSided {
  readonly side: Side;
  readonly move: Move;
  /** The object that moved. */
  readonly stamp: Stamp;
}

/** Two renames of which one leads below what the other one moved, and the other way round. */
export type Crossing = Readonly<Record<Side, OneSided>>;

/** Why a rename cannot be made as it is; `first`: the rename to that name is to be made before it. */
export type Obstacle = ({ readonly kind: "crossed" } & Crossing) | { readonly kind: "after"; readonly first: RelPath };

/** The renames of directories that were seen on one side. */
export class CrossedRenames {
  readonly #archive: Pick<Archive, "get">;
  readonly #seen = new Map<string, OneSided>();

  constructor(archive: Pick<Archive, "get">) {
    this.#archive = archive;
  }

  /** Remembers a rename that was found. */
  note(one: OneSided): void {
    const key = keyOf(one.side, one.move.from);
    this.#seen.delete(key);
    this.#seen.set(key, one);
    if (this.#seen.size > REMEMBERED) this.#seen.delete(this.#seen.keys().next().value!);
  }

  /** Forgets the rename of what stood at a path. */
  forget(side: Side, from: RelPath): void {
    this.#seen.delete(keyOf(side, from));
  }

  /**
   * What stands in the way of a rename: on the other side, what is to hold it was renamed as well, and maybe
   * below it. `objects`: where an object was seen, by `objectKey`.
   */
  find(one: OneSided, objects: ReadonlyMap<string, RelPath>): Obstacle | null {
    const side = otherSide(one.side);
    // What holds the others first: with it they came where they are.
    for (const above of [...ancestorsOf(one.move.to)].reverse()) {
      const row = above === ROOT ? null : this.#archive.get(above);
      if (row?.entry.kind !== "dir") continue;
      const seen = objects.get(objectKey(side, row[side]));
      const known = this.#seen.get(keyOf(side, above));
      const to = seen ?? (known !== undefined && sameObject(known.stamp, row[side]) ? known.move.to : above);
      if (to === above) continue;
      if (!isBelow(to, one.move.from)) return { kind: "after", first: to };
      const other = { side, move: { from: above, to }, stamp: row[side] };
      return { kind: "crossed", left: side === "left" ? other : one, right: side === "left" ? one : other };
    }
    return null;
  }
}

function keyOf(side: Side, from: RelPath): string {
  return `${side}:${from}`;
}

/** Takes the right rename back; returns what stands in its way, else null. */
export function dispatchUndo(context: PairContext, crossing: Crossing): RelPath | null {
  const { flights, board, wake } = context;
  // Each new name lies below the old name of the other rename.
  const tops = SIDES.map((side) => crossing[side].move.from);
  for (const top of tops) {
    const blocker = flights.blockerOf(top, { subtree: true });
    if (blocker !== null) return blocker;
  }
  for (const path of tops) flights.begin({ path, shown: null, sinceMs: null });
  void undo(context, crossing).catch((error) => context.fail(error)).finally(() => {
    for (const path of tops) flights.end(path);
    for (const path of tops) board.release(path);
    wake();
  });
  return null;
}

async function undo(context: PairContext, crossing: Crossing): Promise<void> {
  const { left, right } = crossing;
  const seen = await lookAtNames(context, crossing);
  const isStill = SIDES.every((side) => isThere(seen[side], crossing[side]));
  const result = isStill ? await takeBack(context, right, seen.right) : null;
  log.debug("undo", () => ({ ...right.move, left: left.move.to, result: result?.kind ?? "not as it was" }));
  if (result?.kind === "done") undone(context, crossing);
  else refused(context, crossing);
  // What moved it as well, and is to be taken back in its stead, may be told in a moment.
  if (result?.kind === "orphan") await context.told("right");
  await lookAtAll(context, crossing);
}

async function lookAtNames({ endpoints }: PairContext, crossing: Crossing): Promise<Record<Side, Observation>> {
  const look = async (side: Side) =>
    (await endpoints[side].look([crossing[side].move.to], { contentLimitBytes: 0, digests: false }))[0]!;
  const [left, right] = await Promise.all([look("left"), look("right")]);
  return { left, right };
}

function isThere(seen: Observation, { stamp }: OneSided): boolean {
  return seen.kind === "present" && seen.entry.kind === "dir" && sameObject(seen.stamp, stamp);
}

async function takeBack(context: PairContext, { move }: OneSided, seen: Observation): Promise<TransitionResult | null> {
  if (seen.kind !== "present") return null;
  const [result] = await context.endpoints.right.commit({
    transitions: [{
      kind: "move",
      from: move.to,
      to: move.from,
      expectedFrom: expectedObject(seen.entry, seen.stamp),
      expectedTo: { kind: "absent" },
      disposal: "drop",
    }],
  });
  for (const path of [move.from, move.to]) context.evidence.right.note(path, result!.ended);
  return result!;
}

/** What was seen below the name that is gone is looked at where it is now. */
function undone(context: PairContext, { left, right }: Crossing): void {
  const { board, moves, status, report, retry } = context;
  const back: Move = { from: right.move.to, to: right.move.from };
  context.touched();
  context.crossed.forget("right", right.move.from);
  const cause = { side: "left", how: "look" } as const;
  status.did({ side: "right", deed: "renamed", path: back.to, from: back.from, kind: "dir", bytes: 0, cause });
  report.notice({ kind: "rename-undone", path: back.to, undone: back.from, into: left.move.to });
  moves.note(back);
  const moved = [...board.moveAway(back, (side) => side === "right" ? "old" : "new"), ...moves.takeMissed(back)];
  for (const path of new Set(moved)) lookAgain(context, path, ["right"]);
  retry.settle(left.move.to);
  retry.settle(right.move.to);
  context.rescan(back.to);
}

/** Somebody was faster, or something is in the way: after some attempts both get both names. */
function refused({ crossed, retry }: PairContext, { left, right }: Crossing): void {
  for (const { side, move } of [left, right]) {
    crossed.forget(side, move.from);
    retry.moveRefused(move.to);
  }
}

/** WHY all at once: an old name alone would be taken for a removal. */
async function lookAtAll({ endpoints, board }: PairContext, { left, right }: Crossing): Promise<void> {
  const paths = [left.move, right.move].flatMap(({ from, to }) => [from, to]);
  const options = { contentLimitBytes: 0, digests: false };
  const seen = await Promise.all(SIDES.map((side) => endpoints[side].look(paths, options)));
  for (const path of paths) board.drop(path);
  seen.forEach((each, i) => each.forEach((one) => board.add(SIDES[i]!, one, { isLive: false })));
}
