/**
 * The reconciler: decides what becomes of one path from the archive's row and what each replica
 * shows. Pure: no I/O, no clock, no order of paths (the brain puts parents before children and
 * removals children first).
 *
 * In three steps: find what is new on each side, ask the table (rules.ts), turn its outcome into a
 * step for each side. Content merges three-way; mode and owner merge three-way by themselves; a
 * file's mtime goes with its content. Keeps I1 (only an absent view removes), I6 (a blocked side
 * decides nothing) and I9 (what would lose an unseen edit is a conflict, its loser kept). Whether a
 * host may set a mode or an owner at all is settled before (masks) or after (results), not here.
 * @module
 */
import type { ArchiveRow } from "./archive.ts";
import { type Entry, type FileEntry, type Owner, sameObject, sameOwner, sameStamp, type Stamp } from "./entry.ts";
import { otherSide, type Side } from "./problem.ts";
import { type Likeness, type News, type Rule, ruleFor } from "./rules.ts";
import type { Disposal } from "./transition.ts";

/** What the brain knows of one side at one path. */
export type View =
  /** No news: as the archive says (absent where it has no row). */
  | { readonly kind: "unchanged" }
  | { readonly kind: "present"; readonly entry: Entry; readonly stamp: Stamp }
  | { readonly kind: "absent" }
  /** Unreadable, busy, a mount, special: says nothing, decides nothing (I6). */
  | { readonly kind: "blocked" };

/** Which replica changed later; the tie-break of every conflict. */
export type Later = Side | "unknown";

/** What one decision is made from. */
export interface ReconcileInput {
  readonly base: ArchiveRow | null;
  readonly left: View;
  readonly right: View;
  readonly later: Later;
  /**
   * Whether something below this directory is new and will live: then its directory counts as
   * edited where the other side has none, so that it is put back and not removed. Not given: no.
   */
  readonly isNeeded?: boolean;
}

/** What one side has to do. */
export type Step =
  | { readonly kind: "keep" }
  /** Make `entry` stand here, with the content that `from` holds now; what is displaced meets `disposal`. */
  | { readonly kind: "put"; readonly entry: Entry; readonly from: Side; readonly disposal: Disposal }
  /** Content stays; mode, owner and a file's mtime become those of `entry`. */
  | { readonly kind: "meta"; readonly entry: Entry }
  | { readonly kind: "remove"; readonly disposal: Disposal };

/** Two versions met. Without a loser nothing is displaced: worth a line in the log, not in the list. */
export type Clash =
  | { readonly why: "edit-edit" | "type" | "first-sync"; readonly loser: Side }
  | { readonly why: "edit-remove"; readonly loser: null };

/** What is to be done about one path. */
export type Decision =
  /** Both sides are as the archive says. */
  | { readonly kind: "nothing" }
  /** A side is blocked. */
  | { readonly kind: "wait" }
  /** Both sides show `entry`: record it with the stamps at hand; no transition. */
  | { readonly kind: "agree"; readonly entry: Entry }
  /** Absent on both: drop the row. */
  | { readonly kind: "forget" }
  /** The digests of these sides' files are needed first; ask again with them (never asked twice). */
  | { readonly kind: "compare"; readonly sides: readonly Side[] }
  /** `entry` is what both sides hold in the end; `null`: nothing. */
  | {
    readonly kind: "change";
    readonly entry: Entry | null;
    readonly left: Step;
    readonly right: Step;
    readonly clash: Clash | null;
  };

const SIDES: readonly Side[] = ["left", "right"];
const KEEP: Step = { kind: "keep" };

/** A side with the archive's word filled in where it has no news. */
interface Seen {
  readonly view: View["kind"];
  readonly entry: Entry | null;
  readonly stamp: Stamp | null;
}

/**
 * The digest of the archived content; `null`: unknown. `torn`: neither side was touched and yet they
 * differ, so the agreement was made by size and mtime alone, and was wrong.
 */
type BaseDigest = string | null | "torn";

/** Everything that a decision looks at, found once. */
interface Case {
  readonly base: ArchiveRow | null;
  readonly digest: BaseDigest;
  readonly later: Later;
  readonly left: Seen;
  readonly right: Seen;
  readonly news: Readonly<Record<Side, News>>;
}

/** Decides one path. Swapping the sides, and `later` with them, swaps the decision. */
export function reconcile(input: ReconcileInput): Decision {
  if (input.left.kind === "unchanged" && input.right.kind === "unchanged") return { kind: "nothing" };
  const at = caseOf(input);
  const { outcome } = ruleOf(at);
  switch (outcome) {
    case "wait":
      return { kind: "wait" };
    case "compare":
      return { kind: "compare", sides: sidesToRead(at) };
    case "forget":
      return { kind: "forget" };
    case "merge":
      return mergeBoth(at);
    case "conflict":
      return settleConflict(at);
    case "remove":
      return removeBoth(at);
    case "restore":
      return restore(at);
    default:
      return unreachable(outcome);
  }
}

/** The row of the table that decides `input`; for the log and for tests. */
export function explain(input: ReconcileInput): Rule {
  return ruleOf(caseOf(input));
}

function ruleOf(at: Case): Rule {
  return ruleFor({ left: at.news.left, right: at.news.right, likeness: likenessOf(at) });
}

// ---- what is new ---------------------------------------------------------------------------------

function caseOf(input: ReconcileInput): Case {
  const { base, later } = input;
  const left = seenOf(input.left, base, "left");
  const right = seenOf(input.right, base, "right");
  const digest = baseDigest(base, left, right);
  const news = {
    left: newsOf({ base, digest, side: "left", seen: left, other: right }),
    right: newsOf({ base, digest, side: "right", seen: right, other: left }),
  };
  return { base, digest, later, left, right, news: input.isNeeded === true ? promoteNeeded(left, right, news) : news };
}

function seenOf(view: View, base: ArchiveRow | null, side: Side): Seen {
  if (view.kind === "present") return { view: "present", entry: view.entry, stamp: view.stamp };
  if (view.kind === "unchanged" && base !== null) return { view: "unchanged", entry: base.entry, stamp: base[side] };
  return { view: view.kind, entry: null, stamp: null };
}

/** A directory that something new needs counts as edited where the other side is no directory. */
function promoteNeeded(left: Seen, right: Seen, news: Case["news"]): Case["news"] {
  const promote = (side: Side, seen: Seen, other: Seen): News => {
    const isQuiet = news[side] === "none" || news[side] === "meta";
    return isQuiet && seen.entry?.kind === "dir" && other.entry?.kind !== "dir" ? "edit" : news[side];
  };
  return { left: promote("left", left, right), right: promote("right", right, left) };
}

/** What the row says, else what a side whose object was not touched since was read to be, else unknown. */
function baseDigest(base: ArchiveRow | null, left: Seen, right: Seen): BaseDigest {
  if (base === null || base.entry.kind !== "file") return null;
  if (base.entry.digest !== null) return base.entry.digest;
  const l = isUntouched(base, "left", left) ? digestOf(left.entry) : null;
  const r = isUntouched(base, "right", right) ? digestOf(right.entry) : null;
  return l !== null && r !== null && l !== r ? "torn" : l ?? r;
}

function digestOf(entry: Entry | null): string | null {
  return entry?.kind === "file" ? entry.digest : null;
}

/**
 * Whether the stamp proves that the archived content is still there: nothing changed at all, or
 * only the ctime, and a change of mode or owner tells why.
 */
function isUntouched(base: ArchiveRow, side: Side, seen: Seen): boolean {
  if (seen.view === "unchanged") return true;
  if (seen.entry === null || seen.stamp === null || seen.entry.kind !== base.entry.kind) return false;
  const was = base[side];
  if (sameStamp(seen.entry.kind, was, seen.stamp)) return true;
  return sameObject(was, seen.stamp) && was.sizeBytes === seen.stamp.sizeBytes && was.mtimeNs === seen.stamp.mtimeNs &&
    !sameModeAndOwner(base.entry, seen.entry);
}

interface NewsInput {
  readonly base: ArchiveRow | null;
  readonly digest: BaseDigest;
  readonly side: Side;
  readonly seen: Seen;
  readonly other: Seen;
}

function newsOf(input: NewsInput): News {
  const { base, seen } = input;
  if (seen.view === "blocked") return "blocked";
  if (base === null) return seen.entry === null ? "none" : "edit";
  if (seen.entry === null) return "gone";
  if (seen.view === "unchanged") return "none";
  const content = contentNews({ ...input, base, entry: seen.entry });
  if (content !== "same") return content;
  return sameMtime(base.entry, seen.entry) && sameModeAndOwner(base.entry, seen.entry) ? "none" : "meta";
}

/** Whether a present side holds the archived content. Digests decide before stamps do. */
function contentNews(
  input: NewsInput & { readonly base: ArchiveRow; readonly entry: Entry },
): "same" | "edit" | "doubt" {
  const { base, digest, side, seen, other, entry } = input;
  if (entry.kind !== base.entry.kind) return "edit";
  if (entry.kind === "link") return entry.target === (base.entry as typeof entry).target ? "same" : "edit";
  if (entry.kind === "dir") return "same";
  if (digest === "torn" || entry.sizeBytes !== (base.entry as FileEntry).sizeBytes) return "edit";
  if (digest !== null && entry.digest !== null) return digest === entry.digest ? "same" : "edit";
  if (isUntouched(base, side, seen)) return "same";
  // The base's digest can still be had: from the row, or by reading the untouched file of the other side.
  const canKnow = digest !== null || (other.entry !== null && isUntouched(base, otherSide(side), other));
  return canKnow ? "doubt" : "edit";
}

/** How two edits compare; `unlike` where not both sides are edited. */
function likenessOf(at: Case): Likeness {
  const { left, right } = at;
  if (at.news.left !== "edit" || at.news.right !== "edit" || left.entry === null || right.entry === null) {
    return "unlike";
  }
  return likeContent(left.entry, right.entry, isSurelyNew(at, left) && isSurelyNew(at, right));
}

/**
 * Compares two contents of which neither is archived. Equal size and mtime in nanoseconds stand for
 * equal content only where `isMtimeProof`; a whole-second mtime never does: tar, images and
 * reproducible builds set it.
 */
function likeContent(a: Entry, b: Entry, isMtimeProof: boolean): Likeness {
  if (a.kind === "link" && b.kind === "link") return a.target === b.target ? "equal" : "unlike";
  if (a.kind !== "file" || b.kind !== "file") return a.kind === b.kind ? "equal" : "unlike";
  if (a.sizeBytes !== b.sizeBytes) return "unlike";
  if (a.digest !== null && b.digest !== null) return a.digest === b.digest ? "equal" : "unlike";
  return isMtimeProof && a.mtimeNs === b.mtimeNs && a.mtimeNs % 1_000_000_000n !== 0n ? "equal" : "unsure";
}

/** Whether a file's mtime is not simply the archived one, which says nothing about what came later. */
function isSurelyNew(at: Case, seen: Seen): boolean {
  const was = at.base?.entry;
  return was?.kind !== "file" || seen.entry?.kind !== "file" || was.mtimeNs !== seen.entry.mtimeNs;
}

/** The sides whose files must be read before the case can be decided; never empty. */
function sidesToRead(at: Case): Side[] {
  const isBaseKnown = digestOf(at.base?.entry ?? null) !== null;
  const isInDoubt = at.news.left === "doubt" || at.news.right === "doubt";
  return SIDES.filter((side) => {
    const { entry } = at[side];
    if (entry?.kind !== "file" || entry.digest !== null) return false;
    return !isInDoubt || !isBaseKnown || at.news[side] === "doubt";
  });
}

// ---- what becomes of it --------------------------------------------------------------------------

function mergeBoth(at: Case): Decision {
  const { left, right, base } = at;
  if (left.entry === null && right.entry === null) return { kind: "nothing" };
  const edited = SIDES.filter((side) => at.news[side] === "edit");
  const source = edited.length === 1 ? edited[0]! : null;
  const entry = mergeEntry(at, source);
  const step = (side: Side) => stepTo(at, { side, entry, source });
  const steps = { left: step("left"), right: step("right") };
  if (steps.left.kind !== "keep" || steps.right.kind !== "keep") {
    return { kind: "change", entry, ...steps, clash: null };
  }
  const isKnown = base !== null && isRecorded(base, entry, at);
  return isKnown ? { kind: "nothing" } : { kind: "agree", entry };
}

/** The step that makes `side` hold `entry`, whose content is that of `source`, or of both (`null`). */
function stepTo(at: Case, to: { readonly side: Side; readonly entry: Entry; readonly source: Side | null }): Step {
  const { side, entry, source } = to;
  const mine = at[side].entry;
  if (source !== null && source !== side) {
    const isOtherKind = mine !== null && mine.kind !== entry.kind;
    return { kind: "put", entry, from: source, disposal: isOtherKind ? "removed" : "drop" };
  }
  return mine !== null && sameMtime(mine, entry) && sameModeAndOwner(mine, entry) ? KEEP : { kind: "meta", entry };
}

/** Two unlike edits: the later one (left where nobody knows) stands, the other is kept (I9). */
function settleConflict(at: Case): Decision {
  const winner: Side = at.later === "unknown" ? "left" : at.later;
  const loser = otherSide(winner);
  const entry = mergeEntry(at, winner);
  const won = stepTo(at, { side: winner, entry, source: winner });
  const lost: Step = { kind: "put", entry, from: winner, disposal: "conflict" };
  const clash: Clash = { why: whyOf(at), loser };
  return winner === "left"
    ? { kind: "change", entry, left: won, right: lost, clash }
    : { kind: "change", entry, left: lost, right: won, clash };
}

function whyOf(at: Case): "type" | "first-sync" | "edit-edit" {
  if (at.left.entry?.kind !== at.right.entry?.kind) return "type";
  return at.base === null || at.digest === "torn" ? "first-sync" : "edit-edit";
}

/** Gone on one side, not edited on the other: what is left goes to the trash. */
function removeBoth(at: Case): Decision {
  const step = (side: Side): Step => at[side].entry === null ? KEEP : { kind: "remove", disposal: "removed" };
  return { kind: "change", entry: null, left: step("left"), right: step("right"), clash: null };
}

/** Gone on one side, edited on the other: the edit is put back. */
function restore(at: Case): Decision {
  const from: Side = at.left.entry !== null ? "left" : "right";
  const entry = mergeEntry(at, from);
  const step = (side: Side) => stepTo(at, { side, entry, source: from });
  return {
    kind: "change",
    entry,
    left: step("left"),
    right: step("right"),
    clash: { why: "edit-remove", loser: null },
  };
}

// ---- merging entries -----------------------------------------------------------------------------

/** The entry that both sides hold in the end; content of `source`, or of both where it is null. */
function mergeEntry(at: Case, source: Side | null): Entry {
  const model = modelOf(at, source);
  const isConflict = source !== null && at.news.left === "edit" && at.news.right === "edit";
  const heirs = heirsOf(at, { kind: model.kind, only: isConflict && at.base === null ? source : null });
  const tie = tieOf(at);
  const pick = <T>(of: (entry: Entry) => T, same: (a: T, b: T) => boolean): T => threeWay(heirs, { of, same, tie });
  const mode = model.kind === "link" ? model.mode : pick((entry) => entry.mode, Object.is);
  const owner = isOwnerUntold(heirs, source) ? null : pick((entry) => entry.owner, sameOwner) ?? anyOwner(heirs);
  const mtimeNs = source !== null || model.kind !== "file" ? model.mtimeNs : pick((entry) => entry.mtimeNs, Object.is);
  if (model.kind !== "file") return { ...model, mode, owner };
  return { ...model, mode, owner, mtimeNs, digest: source === null ? sharedDigest(at) : model.digest };
}

/** The entry whose kind and content stand in the end. */
function modelOf(at: Case, source: Side | null): Entry {
  const isArchived = at.news.left !== "edit" && at.news.right !== "edit";
  const model = source !== null ? at[source].entry : isArchived ? at.base?.entry : at[tieOf(at)].entry;
  if (model === null || model === undefined) throw new Error("Cannot merge an entry: found none");
  return model;
}

/** Whose value stands where nothing else decides; without an archive the left's. */
function tieOf(at: Case): Side {
  return at.base === null || at.later === "unknown" ? "left" : at.later;
}

/** The digest that is proven for both sides, where both hold the same content. */
function sharedDigest(at: Case): string | null {
  const left = digestOf(at.left.entry);
  const isArchived = at.news.left !== "edit" && at.news.right !== "edit";
  const known = isArchived ? digestOf(at.base?.entry ?? null) : null;
  return known ?? (left !== null && left === digestOf(at.right.entry) ? left : null);
}

/** Who has a say in metadata: only entries of the kind that stands in the end. */
interface Heirs {
  readonly base: Entry | null;
  readonly left: Entry | null;
  readonly right: Entry | null;
}

/**
 * `only`: two different objects met without an archive. WHY: their metadata does not mix, or the
 * content of a private file would get the mode of a public one.
 */
function heirsOf(at: Case, of: { readonly kind: Entry["kind"]; readonly only: Side | null }): Heirs {
  const fit = (entry: Entry | null | undefined) => entry?.kind === of.kind ? entry : null;
  const say = (side: Side) => of.only === null || of.only === side ? fit(at[side].entry) : null;
  return { base: fit(at.base?.entry), left: say("left"), right: say("right") };
}

interface Field<T> {
  readonly of: (entry: Entry) => T;
  readonly same: (a: T, b: T) => boolean;
  readonly tie: Side;
}

/** The changed value of two; the one of `tie` where both changed, or nobody knows which did. */
function threeWay<T>(heirs: Heirs, field: Field<T>): T {
  const { base, left, right } = heirs;
  if (left === null || right === null) return field.of((left ?? right ?? base)!);
  const values = { left: field.of(left), right: field.of(right) };
  const was = base === null ? null : field.of(base);
  if (was !== null && !field.same(values.left, values.right)) {
    if (field.same(values.left, was)) return values.right;
    if (field.same(values.right, was)) return values.left;
  }
  return values[field.tie];
}

/** Whether the owner of one side is not known, so that no agreement on it can be recorded (I4). */
function isOwnerUntold(heirs: Heirs, source: Side | null): boolean {
  const isTold = (entry: Entry | null) => entry === null || entry.owner !== null;
  return source === null && (heirs.base?.owner ?? null) === null && !(isTold(heirs.left) && isTold(heirs.right));
}

/** An owner that anybody knows. */
function anyOwner(heirs: Heirs): Owner | null {
  return heirs.left?.owner ?? heirs.right?.owner ?? heirs.base?.owner ?? null;
}

function sameMtime(a: Entry, b: Entry): boolean {
  return a.kind !== "file" || b.kind !== "file" || a.mtimeNs === b.mtimeNs;
}

function sameModeAndOwner(a: Entry, b: Entry): boolean {
  return (a.kind === "link" || a.mode === b.mode) && sameOwner(a.owner, b.owner);
}

/** Whether the archive says already all that both sides show now. */
function isRecorded(base: ArchiveRow, entry: Entry, at: Case): boolean {
  const isSameSide = (side: Side) => at[side].stamp !== null && sameStamp(entry.kind, base[side], at[side].stamp);
  const isOwnerNew = base.entry.owner === null && at.left.entry?.owner && at.right.entry?.owner;
  return at.news.left === "none" && at.news.right === "none" && isSameSide("left") && isSameSide("right") &&
    !isOwnerNew && digestOf(base.entry) === digestOf(entry);
}

function unreachable(value: never): never {
  throw new Error(`Cannot decide: found outcome ${JSON.stringify(value)}`);
}
