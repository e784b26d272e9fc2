/**
 * What was about to be committed: written before each batch, taken back with its records. A kill, or a
 * lost link, between a commit and its record leaves on the target what nobody else made; without this it
 * would look like an edit of the user there, and bring back what the other user removes in that instant.
 *
 * An intent alone is no record (I4): it counts only where a look shows the very thing that was intended,
 * which the other side held as well when it was written. After a crash of a side it counts for nothing.
 * Not synced: a power cut of the brain may lose it, and then the other side looks edited, which loses
 * nothing. Written by lane.ts, examined by pair.ts before the first scan.
 * @module
 */
import { logger } from "../base/log.ts";
import type { Archive } from "../core/archive.ts";
import { type Entry, sameEntry, type Stamp } from "../core/entry.ts";
import type { Observation } from "../core/observation.ts";
import type { RelPath } from "../core/path.ts";
import { otherSide, type Side } from "../core/problem.ts";
import type { PairContext } from "./context.ts";
import { hasRecordedParent, NO_STAMP } from "./task.ts";

const SIDES = ["left", "right"] as const;
/** How many batches of one side are on their way at most; the slots of bundles come behind those of the lane. */
export const LANE_SLOTS = 4;
export const BUNDLE_SLOTS = 5;
const INTENT_SLOTS = LANE_SLOTS + BUNDLE_SLOTS;
/** How many paths are looked at in one request. */
const LOOK_PATHS = 256;

const log = logger("brain", "intents");

/** What a side that has no other change to wait for is to hold, and the other side holds already. */
export type Intent = readonly [RelPath, Entry];

/** One intent as it was found. */
interface Found {
  readonly side: Side;
  readonly path: RelPath;
  readonly entry: Entry;
}

/** Where an intent is written: the lane and the bundles of a side have slots of their own. */
export interface IntentSlot {
  readonly side: Side;
  readonly number: number;
}

/** Writes down what a batch is about to do, in a transaction of its own. */
export function intend(archive: Archive, slot: IntentSlot, intents: readonly Intent[]): void {
  if (intents.length > 0) archive.transact(() => archive.setMeta(keyOf(slot), encode(intents)));
}

/** Takes an intent back; called in the transaction that records what became of it. */
export function fulfil(archive: Archive, slot: IntentSlot): void {
  archive.setMeta(keyOf(slot), null);
}

/** Forgets every intent; called in a transaction. */
export function forgetIntents(archive: Pick<Archive, "setMeta">): void {
  for (const side of SIDES) {
    for (let number = 0; number < INTENT_SLOTS; number++) archive.setMeta(keyOf({ side, number }), null);
  }
}

/** Records what an earlier life committed and could not record. Nothing else is under way yet. */
export async function examineIntents(context: PairContext): Promise<void> {
  const { archive, recovery, endpoints } = context;
  const found = readIntents(archive);
  if (found.length === 0) return;
  const isSound = recovery.crashed.size === 0;
  for (const side of isSound ? SIDES : []) {
    const mine = found.filter((intent) => intent.side === side);
    for (let i = 0; i < mine.length; i += LOOK_PATHS) {
      const part = mine.slice(i, i + LOOK_PATHS);
      const seen = await endpoints[side].look(part.map(({ path }) => path), { contentLimitBytes: 0, digests: true });
      archive.transact(() => part.forEach((intent, k) => adopt(context, intent, seen[k]!)));
    }
  }
  archive.transact(() => forgetIntents(archive));
  context.touched();
}

/** The other side is recorded with no stamp: the scan looks at what it holds now. */
function adopt(context: PairContext, { path, side, entry }: Found, seen: Observation): void {
  if (seen.kind !== "present" || !sameEntry(seen.entry, entry) || !hasRecordedParent(context, path)) return;
  log.debug("committed without a record", { path, side });
  const stamps = { [side]: seen.stamp, [otherSide(side)]: NO_STAMP } as Record<Side, Stamp>;
  context.archive.put(path, { entry, ...stamps });
}

function keyOf({ side, number }: IntentSlot): string {
  return `intent.${side}.${number}`;
}

/** All intents, directories before what is in them. */
function readIntents(archive: Pick<Archive, "meta">): Found[] {
  const found: Found[] = [];
  for (const side of SIDES) {
    for (let number = 0; number < INTENT_SLOTS; number++) {
      const text = archive.meta(keyOf({ side, number }));
      if (text !== null) { for (const each of decode(text)) found.push({ side, ...each }); }
    }
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** One line of JSON each, which keeps the lone surrogates of names. */
function encode(intents: readonly Intent[]): string {
  return intents.map(lineOf).join("\n");
}

function lineOf([path, entry]: Intent): string {
  const { kind, mode, mtimeNs, owner } = entry;
  const more = kind === "file" ? [entry.sizeBytes, entry.digest] : kind === "link" ? [entry.target] : [];
  return JSON.stringify([kind, path, mode, `${mtimeNs}`, owner?.user ?? null, owner?.group ?? null, ...more]);
}

function decode(text: string): { readonly path: RelPath; readonly entry: Entry }[] {
  try {
    return text.split("\n").filter(Boolean).map(ofLine);
  } catch (error) {
    log.warning("an intent cannot be read", { why: String(error) });
    return [];
  }
}

function ofLine(line: string): { readonly path: RelPath; readonly entry: Entry } {
  const [kind, path, mode, mtime, user, group, first, second] = JSON.parse(line);
  const base = { mode, owner: user === null ? null : { user, group }, mtimeNs: BigInt(mtime) };
  if (kind === "file") return { path, entry: { kind, ...base, sizeBytes: first, digest: second } };
  if (kind === "link") return { path, entry: { kind, ...base, target: first } };
  return { path, entry: { kind: "dir", ...base } };
}
