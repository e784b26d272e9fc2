/**
 * From the news of one path to what is to be done about it: looks that are still wanted, a rename,
 * an agreement, or changes of one or both sides.
 *
 * Reads the archive, changes nothing: the same news and archive give the same plan. Called by
 * dispatch.ts, which carries the plan out.
 * @module
 */
import type { ArchiveRow } from "../core/archive.ts";
import type { FileEntry } from "../core/entry.ts";
import type { RelPath } from "../core/path.ts";
import { reconcileOneWay } from "../core/one_way.ts";
import { otherSide, type Side } from "../core/problem.ts";
import { type Decision, reconcile, type View } from "../core/reconcile.ts";
import { INLINE_LIMIT_BYTES, type WantedLook } from "./fetch.ts";
import { findMove, type MoveContext, type MoveFinding } from "./moves.ts";
import type { News, Sighting } from "./news.ts";
import { laterSide, viewOf } from "./view.ts";

/** A look that must come before the plan. */
export interface SideLook extends WantedLook {
  readonly side: Side;
}

/** A decision that changes something. */
export type Change = Extract<Decision, { kind: "change" }>;

/** What is to be done about a path. */
export type Plan =
  | { readonly kind: "settled" }
  | { readonly kind: "blocked"; readonly side: Side; readonly sighting: Sighting }
  | { readonly kind: "look"; readonly looks: readonly SideLook[] }
  | { readonly kind: "after"; readonly first: RelPath }
  | { readonly kind: "move"; readonly move: Extract<MoveFinding, { kind: "move" }> }
  | { readonly kind: "agree"; readonly decision: Extract<Decision, { kind: "agree" }>; readonly row: ArchiveRow | null }
  | { readonly kind: "forget" }
  | { readonly kind: "change"; readonly change: Change; readonly row: ArchiveRow | null; readonly views: Views };

/** What each side shows. */
export type Views = Readonly<Record<Side, View>>;

/** What planning reads. */
export interface PlanContext extends MoveContext {
  readonly isEvidence: (side: Side, sighting: Sighting) => boolean;
  readonly offsetNs: bigint;
  /** Whether a known path has come to be ignored: the rename of a folder above it may do that. */
  readonly isIgnored: (path: RelPath) => boolean;
  /** The side that wins a conflict at this path, whatever came later: the other one crashed. */
  readonly winner: (path: RelPath) => Side | null;
  /** Whether a side crashed before this scan: there size and mtime prove no content. */
  readonly isAfterCrash: boolean;
  /** Whether the left shows links as the files that they lead to (core/one_way.ts). */
  readonly followsLinks: boolean;
  /** Whether something new is known below a directory. */
  readonly hasLifeBelow: (dir: News) => boolean;
}

const SIDES = ["left", "right"] as const;

/** Plans one path. */
export function planPath(news: News, context: PlanContext, options: { readonly mayMove: boolean }): Plan {
  if (context.isIgnored(news.path)) return { kind: "forget" };
  const stale = SIDES.filter((side) => news[side] !== null && !context.isEvidence(side, news[side]!));
  if (stale.length > 0) return { kind: "look", looks: stale.map((side) => lookAt(news.path, side, { content: true })) };
  const isDoubtful = context.winner(news.path) !== null || (context.isAfterCrash && looksAlike(news));
  const unread = isDoubtful ? SIDES.filter((side) => isUnread(news[side])) : [];
  if (unread.length > 0) {
    return { kind: "look", looks: unread.map((side) => lookAt(news.path, side, { content: true, digest: true })) };
  }
  const row = context.archive.get(news.path);
  if (isLeftToParent(news, row)) return { kind: "settled" };
  const found = options.mayMove ? findMoves(news, context) : null;
  if (found !== null) return found;
  const views = { left: viewOf(row, "left", news.left), right: viewOf(row, "right", news.right) };
  const blocked = SIDES.find((side) => views[side].kind === "blocked");
  if (blocked !== undefined) return { kind: "blocked", side: blocked, sighting: news[blocked]! };
  const later = context.winner(news.path) ?? laterSide(news.left, news.right, context.offsetNs);
  const isNeeded = row?.entry.kind === "dir" && isOneSided(views) && context.hasLifeBelow(news);
  const input = { base: row, left: views.left, right: views.right, later, isNeeded };
  const decision = context.followsLinks ? reconcileOneWay(input) : reconcile(input);
  return decision.kind === "refused" ? oneWay(news) : planDecision(decision, { news, row, views });
}

/** Two files that would be taken for equal by size and mtime. */
function looksAlike({ left, right }: News): boolean {
  const [a, b] = [left?.observation, right?.observation];
  return a?.kind === "present" && b?.kind === "present" && a.entry.kind === "file" && b.entry.kind === "file" &&
    a.entry.sizeBytes === b.entry.sizeBytes && a.entry.mtimeNs === b.entry.mtimeNs;
}

/** A file of which only the stamp is known: what a power cut left may have the same one. */
function isUnread(sighting: Sighting | null): boolean {
  const seen = sighting?.observation;
  return seen?.kind === "present" && seen.entry.kind === "file" && seen.entry.digest === null;
}

/** A path whose directory is gone, with nothing new on the other side: the directory decides. */
function isLeftToParent(news: News, row: ArchiveRow | null): boolean {
  const isOrphan = (side: Side) => news[side]?.observation.kind === "orphan";
  return SIDES.some((side) => isOrphan(side) && isQuiet(news, row, otherSide(side)));
}

function isQuiet(news: News, row: ArchiveRow | null, side: Side): boolean {
  const kind = viewOf(row, side, news[side]).kind;
  return kind === "unchanged" || kind === "absent";
}

/** What would change a link of the left that is shown as a file is listed, until the left changes. */
function oneWay({ path, left }: News): Plan {
  const began = left?.observation.began ?? 0;
  const observation = { kind: "blocked", path, began, reason: "one-way", detail: "" } as const;
  const sighting = { observation, order: 0, isLive: false, isListed: false, atMs: 0 };
  return { kind: "blocked", side: "left", sighting };
}

/** Whether one side shows nothing. */
function isOneSided(views: Views): boolean {
  return views.left.kind === "absent" || views.right.kind === "absent";
}

function findMoves(news: News, context: PlanContext): Plan | null {
  const row = context.archive.get(news.path);
  const isUntold = (side: Side) => viewOf(row, side, news[side]).kind === "unchanged";
  for (const side of SIDES) {
    const found = findMove(news, side, context);
    if (found.kind === "after") return found;
    // Where the other side has news of its own no rename is made, and none is looked for.
    if (!isUntold(otherSide(side))) continue;
    if (found.kind === "look") return { kind: "look", looks: [lookAt(found.from, side, { content: false })] };
    if (found.kind === "move") return { kind: "move", move: found };
  }
  return null;
}

interface Known {
  readonly news: News;
  readonly row: ArchiveRow | null;
  readonly views: Views;
}

function planDecision(decision: Decision, known: Known): Plan {
  switch (decision.kind) {
    case "nothing":
    case "wait":
      return { kind: "settled" };
    case "forget":
      return { kind: "forget" };
    case "agree":
      return { kind: "agree", decision, row: known.row };
    case "compare":
      return {
        kind: "look",
        looks: decision.sides.map((side) => lookAt(known.news.path, side, { content: true, digest: true })),
      };
    case "change": {
      const looks = missingContent(decision, known);
      return looks.length > 0
        ? { kind: "look", looks }
        : { kind: "change", change: decision, row: known.row, views: known.views };
    }
  }
}

/** Looks at the source of a put whose small content, or whose state, is not at hand. */
function missingContent(change: Change, known: Known): SideLook[] {
  const looks: SideLook[] = [];
  for (const side of SIDES) {
    const step = change[side];
    if (step.kind !== "put" || step.entry.kind !== "file") continue;
    const seen = known.news[step.from]?.observation;
    const isAtHand = seen?.kind === "present" &&
      (seen.content?.length === step.entry.sizeBytes || isBulk(step.entry));
    if (!isAtHand) looks.push(lookAt(known.news.path, step.from, { content: true, sizeBytes: step.entry.sizeBytes }));
  }
  return looks;
}

/** Whether a file is moved by rsync. */
export function isBulk(entry: FileEntry): boolean {
  return entry.sizeBytes > INLINE_LIMIT_BYTES;
}

function lookAt(
  path: RelPath,
  side: Side,
  options: { readonly content: boolean; readonly digest?: boolean; readonly sizeBytes?: number },
): SideLook {
  const { content, digest = false, sizeBytes = 0 } = options;
  return { path, side, content, digest, sizeBytes: Math.min(sizeBytes, INLINE_LIMIT_BYTES) };
}
