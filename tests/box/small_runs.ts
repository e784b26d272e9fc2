/**
 * Lets psync at small trees (small_trees.ts), many of them side by side in one root, and holds what
 * becomes of each against what the two users did.
 *
 * Each batch runs thrice: twice under orders of their own, and once with the sides exchanged, and the
 * "later" with them. Each must come to an end, with nothing lost or resurrected, and a second start
 * idle. Where nobody renamed anything the ends must be the same. WHY only there: whether a rename is
 * made as a rename or as a new name and a removal depends on what is seen first; then the same
 * versions live or are kept, but not always under the same name.
 * @module
 */
import type { RelPath } from "../../src/core/path.ts";
import { otherSide, type Side as Which } from "../../src/core/problem.ts";
import { type Base, describe, type Item, kindOf, type Place, PLACES, type Side, type Triple } from "./small_trees.ts";
import type { MemoryTree, Node } from "./tree.ts";
import { World } from "./world.ts";

/** More at once could be held by the brake on removals, which is no part of this. */
const BATCH = 25;

const SIDES = ["left", "right"] as const;
/** Of what the users wrote while psync was down; whole seconds would have to be read. */
const T_NS = 1_800_000_000_000_000_007n;

/** What became of one case. */
interface End {
  /** Paths with kind and text, sorted; the texts with the sides exchanged where the run had them so. */
  readonly live: string;
  readonly faults: readonly string[];
}

/** Runs cases; one line for each fault. */
export async function runTriples(triples: readonly Triple[], seed: number): Promise<readonly string[]> {
  const faults: string[] = [];
  for (let i = 0; i < triples.length; i += BATCH) faults.push(...await runBatch(triples.slice(i, i + BATCH), seed + i));
  return faults;
}

async function runBatch(triples: readonly Triple[], seed: number): Promise<readonly string[]> {
  const [one, other, mirrored] = [
    await runOnce(triples, { seed, isMirrored: false }),
    await runOnce(triples, { seed: seed + 1_000_003, isMirrored: false }),
    await runOnce(triples, { seed: seed + 2_000_003, isMirrored: true }),
  ];
  return triples.flatMap((triple, i) => {
    const faults = [
      ...one[i]!.faults,
      ...other[i]!.faults,
      ...mirrored[i]!.faults.map((fault) => `mirrored: ${fault}`),
    ];
    if (hasMoves(triple)) return faults.map((fault) => `${describe(triple)}: ${fault}`);
    if (one[i]!.live !== other[i]!.live) faults.push(`the order matters: ${one[i]!.live} | ${other[i]!.live}`);
    // Where nobody knows what is later the left wins, also if it is the other one.
    const isTied = triple.meeting !== "right later";
    if (!isTied && one[i]!.live !== mirrored[i]!.live) {
      faults.push(`not symmetric: ${one[i]!.live} | ${mirrored[i]!.live}`);
    }
    return faults.map((fault) => `${describe(triple)}: ${fault}`);
  });
}

/** Whether a user renamed something. */
function hasMoves({ left, right }: Triple): boolean {
  return [...left, ...right].some(([place, item]) => item.kind === "old" && item.from !== place);
}

interface How {
  readonly seed: number;
  readonly isMirrored: boolean;
}

async function runOnce(triples: readonly Triple[], { seed, isMirrored }: How): Promise<readonly End[]> {
  const world = new World({ seed });
  const { left } = world.trees;
  triples.forEach(({ base }, i) => makeBase(left, base, i));
  try {
    world.start();
    await world.rest();
    await world.kill();
    for (const which of SIDES) {
      const user = isMirrored ? otherSide(which) : which;
      triples.forEach((triple, i) => makeSide(world.trees[which], { triple, user, number: i }));
    }
    world.start();
    await world.rest();
    const ends = triples.map((triple, i) => endOf(world, { triple, number: i, isMirrored }));
    const changes = world.status.totalChanges;
    await world.kill();
    world.start();
    await world.rest();
    // The number is the batch's, not the case's.
    const isIdle = world.status.totalChanges === changes && triples.every((_, i) => show(left, i) === ends[i]!.live);
    return isIdle ? ends : ends.map((end) => ({ ...end, faults: [...end.faults, "the second start did something"] }));
  } catch (error) {
    if (triples.length === 1) return [{ live: "", faults: [String(error)] }];
    // Which one it was is found out alone.
    const ends: End[] = [];
    for (const triple of triples) ends.push(...await runOnce([triple], { seed, isMirrored }));
    return ends;
  } finally {
    await world.kill();
  }
}

// ---- making ----------------------------------------------------------------------------------------

function at(number: number, place: Place): RelPath {
  return `${number}/${place}` as RelPath;
}

function makeBase(tree: MemoryTree, base: Base, number: number): void {
  tree.put(`${number}` as RelPath, tree.make("dir"));
  for (const place of PLACES) {
    const what = base.get(place);
    if (what !== undefined) tree.put(at(number, place), tree.make(what, what === "dir" ? "" : `${number}:${place}`));
  }
}

interface Making {
  readonly triple: Triple;
  readonly user: Which;
  readonly number: number;
}

/** Turns the archive's tree into what a user made of it; psync is down, so that no event tells. */
function makeSide(tree: MemoryTree, making: Making): void {
  const { triple, number, user } = making;
  const old = new Map([...triple.base.keys()].map((place) => [place, tree.find(at(number, place))!]));
  const top = tree.find(`${number}` as RelPath)!;
  for (const node of [top, ...old.values()]) node.children.clear();
  for (const [place, item] of triple[user]) {
    const node = item.kind === "old" ? old.get(item.from)! : tree.make(item.what);
    if (item.kind === "new" || item.isEdited) {
      if (node.kind !== "dir") node.text = textOf(making, place, item);
      node.mtimeNs = T_NS + (triple.meeting === "right later" && user === "right" ? 1_000_000n : 0n);
    }
    if (item.kind === "old" && item.from === place && !item.isEdited) {
      tree.parent(at(number, place))!.children.set(place.at(-1)!, node);
    } else tree.put(at(number, place), node);
  }
}

/** What a file holds, or a link names: who wrote it where; the archive's, where it was not written since. */
function textOf({ triple, user, number }: Making, place: Place, item: Item): string {
  if (item.kind === "old" && !item.isEdited) return `${number}:${item.from}`;
  const name = item.kind === "old" ? `${item.from}!` : `${place}+${item.what}`;
  // Of lengths of their own: equal size and time stand for equal content, by design.
  const length = 16 + PLACES.indexOf(place) + 5 * (item.kind === "old" ? 1 + PLACES.indexOf(item.from) : 0);
  return `${number}:${name}`.padEnd(length, ".") + (triple.meeting === "alike" ? "" : ` ${user}`);
}

// ---- judging ---------------------------------------------------------------------------------------

function show(tree: MemoryTree, number: number): string {
  const top = tree.find(`${number}` as RelPath);
  if (top === null) return "(nothing)";
  // Without the number of the case, which is another one where it runs alone.
  return [...tree.walk(top)].map(([path, { kind, text }]) =>
    `${path} ${kind}${kind === "dir" ? "" : ` <${text.slice(`${number}:`.length)}>`}`
  ).sort().join(", ");
}

function textsOf(tree: MemoryTree, number: number): ReadonlySet<string> {
  const top = tree.find(`${number}` as RelPath);
  return new Set(top === null ? [] : [...tree.walk(top)].map(([, { text }]) => text).filter(Boolean));
}

function endOf(world: World, of: { triple: Triple; number: number; isMirrored: boolean }): End {
  const { triple, number } = of;
  const { left, right } = world.trees;
  const live = show(left, number);
  const faults: string[] = [];
  if (live !== show(right, number)) faults.push(`not equal: ${live} | ${show(right, number)}`);
  const found = textsOf(left, number);
  const kept = new Set(world.losers().flatMap(texts));
  const wrote = (user: Which) => textsBy({ triple, user, number });
  const [lefts, rights] = [wrote("left"), wrote("right")];
  const archived = new Set([...triple.base.keys()].map((place) => `${number}:${place}`));
  for (const text of new Set([...lefts, ...rights])) {
    const isOwed = !archived.has(text) || (lefts.has(text) && rights.has(text));
    if (isOwed && !found.has(text) && !kept.has(text)) faults.push(`lost <${text}>: ${live}`);
  }
  for (const text of resurrected(triple, number)) if (found.has(text)) faults.push(`resurrected <${text}>: ${live}`);
  for (const text of found) if (!lefts.has(text) && !rights.has(text)) faults.push(`unknown <${text}>: ${live}`);
  return { live, faults };
}

function texts(node: Node): string[] {
  return node.kind === "dir" ? [...node.children.values()].flatMap(texts) : [node.text];
}

/** Every text on a user's side when psync was started. */
function textsBy(making: Making): ReadonlySet<string> {
  const { triple, user } = making;
  const items = [...triple[user]].filter(([, item]) => kindOf(triple.base, item) !== "dir");
  return new Set(items.map(([place, item]) => textOf(making, place, item)));
}

/** What one user destroyed, and the other one left just as it was. */
function resurrected({ base, left, right }: Triple, number: number): readonly string[] {
  const isGone = (side: Side, place: Place) => ![...side.values()].some((item) => isUnedited(item, place));
  const isAsItWas = (side: Side, place: Place) =>
    isUnedited(side.get(place), place) && (place.length === 1 || isUnedited(side.get(place[0] as Place), place[0]));
  return [...base].filter(([place, what]) =>
    what !== "dir" &&
    ((isGone(left, place) && isAsItWas(right, place)) || (isGone(right, place) && isAsItWas(left, place)))
  ).map(([place]) => `${number}:${place}`);
}

function isUnedited(item: Item | undefined, place: string | undefined): boolean {
  return item?.kind === "old" && item.from === place && !item.isEdited;
}
