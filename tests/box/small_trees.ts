/**
 * Every small tree that two users can make of a small archive: names a and b, directories in which an
 * `a` may lie, files, links; objects keep their identity, so that they are renamed, exchanged, moved
 * into directories and out of them, edited in place or replaced.
 *
 * Only the cases; small_runs.ts lets psync at them.
 * @module
 */

/** Where something may lie, parents first. */
export const PLACES = ["a", "b", "a/a", "b/a"] as const;

/** One of them. */
export type Place = typeof PLACES[number];

/** What the archive holds, by place. */
export type Base = ReadonlyMap<Place, "file" | "link" | "dir">;

/** What one user left at a place: an object that was there before, or a new one. */
export type Item =
  | { readonly kind: "old"; readonly from: Place; readonly isEdited: boolean }
  | { readonly kind: "new"; readonly what: "file" | "link" | "dir" };

/** What one user left. */
export type Side = ReadonlyMap<Place, Item>;

/** How the two sides meet: what is new is as new on both; is newer on the right; is the same on both. */
export type Meeting = "apart" | "right later" | "alike";

/** All of them. */
export const MEETINGS: readonly Meeting[] = ["apart", "right later", "alike"];

/** One case. */
export interface Triple {
  readonly base: Base;
  readonly left: Side;
  readonly right: Side;
  readonly meeting: Meeting;
}

/** Every archive. */
export function bases(): readonly Base[] {
  const tops = (place: "a" | "b"): [Place, "file" | "link" | "dir"][][] => [
    [],
    [[place, "file"]],
    [[place, "link"]],
    [[place, "dir"]],
    [[place, "dir"], [`${place}/a`, "file"]],
    [[place, "dir"], [`${place}/a`, "dir"]],
  ];
  return tops("a").flatMap((a) => tops("b").map((b) => new Map([...a, ...b])));
}

/** Everything that one user can make of an archive; the archive itself comes among them. */
export function sidesOf(base: Base): readonly Side[] {
  let sides: Side[] = [new Map()];
  for (const place of PLACES) sides = sides.flatMap((side) => [side, ...fill(base, side, place)]);
  return sides;
}

function fill(base: Base, side: Side, place: Place): Side[] {
  const parent = place.length > 1 ? side.get(place[0] as Place) : undefined;
  if (place.length > 1 && (parent === undefined || kindOf(base, parent) !== "dir")) return [];
  const used = new Set([...side.values()].flatMap((item) => item.kind === "old" ? [item.from] : []));
  const items: Item[] = (["file", "link", "dir"] as const).map((what) => ({ kind: "new", what }));
  for (const [from, what] of base) {
    if (used.has(from)) continue;
    items.push({ kind: "old", from, isEdited: false });
    if (what === "file") items.push({ kind: "old", from, isEdited: true });
  }
  return items.map((item) => new Map([...side, [place, item]]));
}

/** The kind of what an item is. */
export function kindOf(base: Base, item: Item): "file" | "link" | "dir" {
  return item.kind === "new" ? item.what : base.get(item.from)!;
}

/** How many cases there are. */
export function countTriples(): number {
  return SPACE.reduce((sum, { sides }) => sum + sides.length ** 2 * MEETINGS.length, 0);
}

const SPACE = bases().map((base) => ({ base, sides: sidesOf(base) }));

/** Has no divisor in common with how many there are, so that its multiples meet each case once. */
export const STRIDE = 7_919_117;
/** So many cases make a slice. */
export const SLICE = 5_000;

/** How many slices hold every case. */
export function countSlices(): number {
  return Math.ceil(countTriples() / SLICE);
}

/** Some cases from all over; slices 0 to `countSlices()` hold each of them. */
export function sliceOf(slice: number, size = SLICE): readonly Triple[] {
  const [count, first] = [countTriples(), slice * SLICE];
  const length = Math.max(0, Math.min(size, count - first));
  return Array.from({ length }, (_, i) => tripleAt(((first + i) * STRIDE) % count));
}

/** The case of a number, from 0. */
function tripleAt(index: number): Triple {
  let rest = index;
  for (const { base, sides } of SPACE) {
    const count = sides.length ** 2 * MEETINGS.length;
    if (rest >= count) {
      rest -= count;
      continue;
    }
    const meeting = MEETINGS[rest % MEETINGS.length]!;
    rest = Math.floor(rest / MEETINGS.length);
    return { base, meeting, left: sides[rest % sides.length]!, right: sides[Math.floor(rest / sides.length)]! };
  }
  throw new RangeError(`Cannot find case ${index}: there are ${countTriples()}`);
}

/** A case in words. */
export function describe({ base, left, right, meeting }: Triple): string {
  const items = (side: Side) => [...side].map(([place, item]) => `${place}=${itemText(base, item)}`).join(" ");
  return `[${[...base].map(([place, what]) => `${place}=${what}`).join(" ")}] left: ${items(left)}; right: ${
    items(right)
  }; ${meeting}`;
}

/** The case that `describe` told of; what is behind it is left out. */
export function parseTriple(text: string): Triple {
  const match = /^\[(.*?)\] left: (.*?); right: (.*?); (apart|right later|alike)/.exec(text);
  if (match === null) throw new RangeError(`Cannot read case "${text}"`);
  const [, base, left, right, meeting] = match;
  const pairs = (words: string) => words.split(" ").filter(Boolean).map((word) => word.split("=") as [Place, string]);
  const side = (words: string) => new Map(pairs(words).map(([place, item]) => [place, parseItem(item)] as const));
  return {
    base: new Map(pairs(base!)) as unknown as Base,
    left: side(left!),
    right: side(right!),
    meeting: meeting as Meeting,
  };
}

function parseItem(text: string): Item {
  const kind = /^new-(file|link|dir)$/.exec(text)?.[1];
  if (kind !== undefined) return { kind: "new", what: kind as "file" | "link" | "dir" };
  return { kind: "old", from: /^[ab/]+/.exec(text)![0] as Place, isEdited: text.includes("!") };
}

function itemText(base: Base, item: Item): string {
  if (item.kind === "new") return `new-${item.what}`;
  return `${item.from}${item.isEdited ? "!" : ""}(${base.get(item.from)})`;
}
