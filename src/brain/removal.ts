/**
 * The removal of a directory that the archive knows: its known entries go to the trash one by one,
 * children first, and then the empty directory goes.
 *
 * What is not known, or was changed meanwhile, stays, and with it every directory above it (I9). A
 * directory that could not go is forgotten and listed again, so that what lives in it comes back to
 * the other side; where only ignored or blocked things hold it, it stays and is listed.
 * Memory is bounded: the rows are taken in chunks. A few of them are on their way at once; a directory goes
 * in one that is sent when all that was in it has been answered for, or behind that in the same one.
 * @module
 */
import type { ArchiveRow } from "../core/archive.ts";
import { expectedOf } from "../core/expected.ts";
import { parentOf, type RelPath } from "../core/path.ts";
import type { Side } from "../core/problem.ts";
import type { FailedResult, Transition, TransitionResult } from "../core/transition.ts";
import type { PairContext } from "./context.ts";
import type { Cause } from "./report.ts";
import { BUSY_LIMIT_MS, FAILED_LIMIT_MS } from "./retry.ts";
import { lookAgain } from "./task.ts";
import { outlives } from "./view.ts";

/** How many rows one chunk has. */
const CHUNK = 512;
/** How many chunks are on their way at once: one is made there while another is read, and another recorded here. */
const CHUNKS_IN_FLIGHT = 3;

/** The removal of a tree. */
export interface TreeRemoval {
  readonly path: RelPath;
  /** Where it is removed. */
  readonly side: Side;
  readonly cause: Cause;
  /** Called at the end, whatever came of it; the path is in flight until then. */
  readonly end: () => void;
}

interface Item {
  readonly path: RelPath;
  readonly row: ArchiveRow;
}

/** Removes a directory and what the archive knows below it. */
export async function removeTree(context: PairContext, removal: TreeRemoval): Promise<void> {
  try {
    const failed = await emptyDirectory(context, removal);
    const row = context.archive.get(removal.path);
    if (row === null) return;
    if (failed !== null) notNow(context, removal, failed);
    else await removeTop(context, removal, row);
  } catch (error) {
    context.fail(error);
  } finally {
    removal.end();
  }
}

/** Removes what the archive knows below a directory, which itself stays. */
export async function removeContents(context: PairContext, removal: TreeRemoval): Promise<void> {
  try {
    await emptyDirectory(context, removal);
  } catch (error) {
    context.fail(error);
  } finally {
    removal.end();
  }
}

/** A chunk on its way. */
interface Sent {
  /** The directories above its paths, below the top. */
  readonly above: ReadonlySet<RelPath>;
  readonly ended: Promise<void>;
}

/** What of a directory was not sent yet. */
interface Rest {
  /** Children first. */
  readonly rows: Iterator<Item>;
  /** Directories that go once what was in them has gone; children first. */
  late: Item[];
}

/** Returns a failure of something that could not be removed, if there was one. */
async function emptyDirectory(context: PairContext, removal: TreeRemoval): Promise<FailedResult | null> {
  let failed: FailedResult | null = null;
  // Nobody else changes rows below a directory that is in flight.
  const rest: Rest = { rows: context.archive.below(removal.path)[Symbol.iterator](), late: [] };
  const sent = new Set<Sent>();
  const send = async (chunk: readonly Item[]) => {
    const results = await removeChunk(context, removal, chunk);
    failed ??= results.find((result) => result.kind === "failed") ?? null;
  };
  try {
    for (;;) {
      const chunk = nextChunk(context, removal, { rest, sent });
      if (chunk.length === 0 && sent.size === 0) return failed;
      if (chunk.length > 0) {
        const each = {
          above: directoriesAbove(chunk, removal.path),
          ended: send(chunk).then(() => void sent.delete(each)),
        };
        sent.add(each);
      }
      if (chunk.length === 0 || sent.size === CHUNKS_IN_FLIGHT) await Promise.race([...sent].map(({ ended }) => ended));
    }
  } finally {
    await Promise.allSettled([...sent].map(({ ended }) => ended));
  }
}

/** The next rows, children first, leaving out what is known to live, and for now what is not empty yet. */
function nextChunk(
  context: PairContext,
  removal: TreeRemoval,
  { rest, sent }: { readonly rest: Rest; readonly sent: ReadonlySet<Sent> },
): Item[] {
  const isWaiting = ({ path, row }: Item) => row.entry.kind === "dir" && [...sent].some(({ above }) => above.has(path));
  const isLeaving = (item: Item) => !isAlive(context, removal.side, item);
  const chunk = rest.late.filter((item) => !isWaiting(item) && isLeaving(item));
  rest.late = rest.late.filter(isWaiting);
  while (chunk.length < CHUNK) {
    const next = rest.rows.next();
    if (next.done === true) break;
    if (isWaiting(next.value)) rest.late.push(next.value);
    else if (isLeaving(next.value)) chunk.push(next.value);
  }
  return chunk;
}

/** The directories above some paths, below `top`. */
function directoriesAbove(items: readonly Item[], top: RelPath): Set<RelPath> {
  const above = new Set<RelPath>();
  for (const { path } of items) {
    for (let dir = parentOf(path); dir !== top && !above.has(dir); dir = parentOf(dir)) above.add(dir);
  }
  return above;
}

/** Whether something new is known to stand at a path, or something of which nothing can be said yet. */
function isAlive(context: PairContext, side: Side, { path, row }: Item): boolean {
  const sighting = context.board.peek(path)?.[side] ?? null;
  if (sighting === null || !context.evidence[side].holds(sighting.observation)) return false;
  const { kind } = sighting.observation;
  return kind === "busy" || kind === "blocked" || outlives(row, side, sighting);
}

async function removeChunk(
  context: PairContext,
  removal: TreeRemoval,
  chunk: readonly Item[],
): Promise<readonly TransitionResult[]> {
  const { side } = removal;
  const transitions = chunk.map(({ path, row }): Transition => ({
    kind: "remove",
    path,
    expected: expectedOf(row, side),
    disposal: "removed",
    force: false,
  }));
  const results = await context.endpoints[side].commit({ transitions });
  context.touched();
  context.archive.transact(() => chunk.forEach((item, i) => settle(context, removal, item, results[i]!)));
  return results;
}

function settle(context: PairContext, removal: TreeRemoval, item: Item, result: TransitionResult): void {
  const { side } = removal;
  context.evidence[side].note(item.path, result.ended);
  if (result.kind === "done") {
    context.archive.remove(item.path);
    context.retry.settle(item.path);
    context.status.fine(item.path);
    return tell(context, removal, item);
  }
  // A child that is gone already, or was changed: its own news decide.
  if (item.row.entry.kind !== "dir" && result.kind !== "failed") lookAgain(context, item.path, ["left", "right"]);
}

async function removeTop(context: PairContext, removal: TreeRemoval, row: ArchiveRow): Promise<void> {
  const { path, side } = removal;
  const remove = async (force: boolean) => {
    const expected = expectedOf(row, side);
    const [result] = await context.endpoints[side].commit({
      transitions: [{ kind: "remove", path, expected, disposal: "removed", force }],
    });
    context.evidence[side].note(path, result!.ended);
    return result!;
  };
  let result = await remove(false);
  if (result.kind === "not-empty") {
    const holder = await whatHolds(context, removal);
    // What held it has gone since.
    if (holder === "nothing") return context.retry.later(path, BUSY_LIMIT_MS);
    if (holder === "ignored" && !context.settings.force) return stay(context, removal);
    if (holder === "ignored") result = await remove(true);
  }
  if (result.kind === "done") return removed(context, removal, row);
  if (result.kind === "failed") return notNow(context, removal, result);
  revive(context, removal);
}

function removed(context: PairContext, removal: TreeRemoval, row: ArchiveRow): void {
  context.apart.gone(removal.path);
  context.archive.transact(() => context.archive.remove(removal.path));
  tell(context, removal, { path: removal.path, row });
  context.status.goneBelow(removal.path);
  context.status.fine(removal.path);
}

function tell({ status }: PairContext, { side, cause }: TreeRemoval, { path, row }: Item): void {
  status.did({ side, deed: "removed", path, from: null, kind: row.entry.kind, bytes: 0, cause });
}

/** Nothing lives in it, but the host refuses: what is left of it is tried again by and by. */
function notNow(context: PairContext, { path, side }: TreeRemoval, { reason, detail }: FailedResult): void {
  context.status.problem({ path, side, reason, detail });
  context.retry.later(path, FAILED_LIMIT_MS);
}

/**
 * It stays on this side, removed on the other, as long as something in it cannot be synchronised. WHY
 * tried again: no event tells that an ignored name has gone.
 */
function stay(context: PairContext, removal: TreeRemoval): void {
  const { path, side } = removal;
  context.status.problem({ path, side, reason: "not-empty", detail: "it holds what is not synchronised" });
  context.retry.later(path, FAILED_LIMIT_MS);
}

/** Something in it lives: the directory comes back, and with it all that is left. */
function revive(context: PairContext, removal: TreeRemoval): void {
  context.apart.gone(removal.path);
  context.archive.transact(() => context.archive.remove(removal.path));
  context.rescan(removal.path);
  lookAgain(context, removal.path, ["left", "right"]);
}

/** What is left at and below a directory: life; else ignored or blocked things; else nothing, or known directories. */
async function whatHolds(context: PairContext, removal: TreeRemoval): Promise<"nothing" | "ignored" | "life"> {
  const pending = [removal.path];
  let holder: "nothing" | "ignored" = "nothing";
  while (pending.length > 0) {
    const listings = await context.endpoints[removal.side].list(pending.splice(0, 64));
    for (const listing of listings) {
      if (listing.kind === "unlisted") {
        if (listing.self.kind === "present" || listing.self.kind === "blocked") holder = "ignored";
        continue;
      }
      if (listing.hasIgnored) holder = "ignored";
      for (const seen of listing.entries) {
        // A directory that the archive knows could not go because of what is in it: that decides.
        const isKnownDir = seen.kind === "present" && seen.entry.kind === "dir" &&
          context.archive.get(seen.path) !== null;
        if (isKnownDir) pending.push(seen.path);
        else if (seen.kind === "blocked") holder = "ignored";
        else return "life";
      }
    }
  }
  return holder;
}
