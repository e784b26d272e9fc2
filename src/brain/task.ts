/**
 * One path's change on its way: the steps it takes, what came of them, and its record.
 *
 * A task is recorded when all of its steps are done (I4); when one is refused nothing is recorded
 * and both sides are looked at again. Steps are answered inside one archive transaction per batch
 * (lane.ts).
 * @module
 */
import type { ArchiveRow } from "../core/archive.ts";
import type { AgreedContent } from "../core/endpoint.ts";
import { conflictRow, type KeptLoser } from "../core/conflict.ts";
import type { Entry, Stamp } from "../core/entry.ts";
import type { Observation } from "../core/observation.ts";
import { parentOf, type RelPath } from "../core/path.ts";
import { otherSide, type ProblemReason, type Side } from "../core/problem.ts";
import type { FailedResult, RefusedResult, TransitionResult } from "../core/transition.ts";
import type { PairContext } from "./context.ts";
import type { News } from "./news.ts";
import type { ConflictCause } from "./report.ts";
import { BUSY_LIMIT_MS, FAILED_LIMIT_MS } from "./retry.ts";

const SIDES = ["left", "right"] as const;

/** A stamp that no object has: a side recorded with it is looked at as changed. */
export const NO_STAMP: Stamp = { inode: 0n, birthNs: 0n, sizeBytes: -1, mtimeNs: 0n, ctimeNs: 0n };

/** A conflict that a task decides. */
export interface TaskConflict {
  readonly loser: Side;
  readonly why: ConflictCause;
}

/** What a task is made of. */
export interface TaskOptions {
  readonly news: News;
  /** What both sides will hold; null: nothing. */
  readonly entry: Entry | null;
  readonly row: ArchiveRow | null;
  /** The stamps of sides that already hold the result. */
  readonly stamps: Readonly<Record<Side, Stamp | null>>;
  readonly conflict: TaskConflict | null;
  readonly steps: number;
  /** Called once, after the record or the refusal, while the path is still in flight. */
  readonly onEnd: (task: Task) => void;
}

/** The change of one path. */
export class Task {
  readonly path: RelPath;
  readonly options: TaskOptions;
  readonly #context: PairContext;
  readonly #stamps: Record<Side, Stamp | null>;
  #left: number;
  #refused: { side: Side; result: RefusedResult | FailedResult } | null = null;
  #dirty: Side | null = null;
  readonly #changed = new Set<Side>();
  #kept: string | null = null;

  constructor(context: PairContext, options: TaskOptions) {
    this.#context = context;
    this.options = options;
    this.path = options.news.path;
    this.#stamps = { ...options.stamps };
    this.#left = options.steps;
  }

  /** The result that was refused, if one was. */
  get refusal(): { readonly side: Side; readonly result: RefusedResult | FailedResult } | null {
    return this.#refused;
  }

  /** Takes the result of one step. */
  answer(side: Side, result: TransitionResult): void {
    this.#context.evidence[side].note(this.path, result.ended);
    this.#left--;
    this.#changed.add(side);
    if (result.kind === "done") {
      this.#stamps[side] = result.stamp;
      this.#kept ??= result.kept;
      if (result.masked) this.#context.status.masked(side, this.path);
    } else if (result.kind === "dirty") {
      this.#stamps[side] = NO_STAMP;
      this.#dirty = side;
    } else {
      this.#refused ??= { side, result };
      if (result.kind !== "failed" && result.kept !== null) this.#keepFind(side, result.kept);
    }
    if (this.#left === 0) this.#end();
  }

  #end(): void {
    const { conflict } = this.options;
    // I9: the loser was displaced and is listed, even where the winner's own step was refused.
    if (conflict !== null && this.#kept !== null) this.#recordConflict(conflict, this.#kept);
    if (this.#refused === null) this.#record();
    else this.#refuse(this.#refused.side, this.#refused.result);
    this.options.onEnd(this);
  }

  #record(): void {
    const { archive, status, retry } = this.#context;
    const { entry } = this.options;
    if (entry !== null && !hasRecordedParent(this.#context, this.path)) return lookAtParent(this.#context, this.path);
    if (entry === null) archive.remove(this.path);
    else archive.put(this.path, { entry, left: this.#stamps.left ?? NO_STAMP, right: this.#stamps.right ?? NO_STAMP });
    retry.settle(this.path);
    status.fine(this.path);
    for (const side of this.#changed) noteLag(this.#context, this.options.news, side);
    if (this.#dirty !== null) lookAgain(this.#context, this.path, [this.#dirty]);
    for (const side of SIDES) if (this.#isOutdated(side)) lookAgain(this.#context, this.path, [side]);
  }

  /** Whether a side that needed no change was seen before a directory above the path was made anew there. */
  #isOutdated(side: Side): boolean {
    const seen = this.options.news[side]?.observation;
    return seen !== undefined && !this.#changed.has(side) && !this.#context.evidence[side].holds(seen);
  }

  #recordConflict(conflict: TaskConflict, kept: string): void {
    const { news, entry } = this.options;
    const loserEntry = entryOf(news, conflict.loser);
    const [left, right] = conflict.loser === "left" ? [loserEntry, entry] : [entry, loserEntry];
    recordConflict(this.#context, { path: this.path, ...conflict, kept, left, right });
  }

  /** An unexpected find went to the trash: a conflict that nobody had planned. */
  #keepFind(loser: Side, kept: string): void {
    const { entry } = this.options;
    const [left, right] = loser === "left" ? [null, entry] : [entry, null];
    recordConflict(this.#context, { path: this.path, loser, why: "unexpected-find", kept, left, right });
  }

  #refuse(side: Side, result: RefusedResult | FailedResult): void {
    const { retry, status } = this.#context;
    switch (result.kind) {
      case "stale":
      case "stale-kept":
      case "gone":
        if (!retry.mayTryAtOnce(this.path)) {
          status.problem({ path: this.path, side, reason: "busy", detail: "it changes again and again" });
          return retry.later(this.path, BUSY_LIMIT_MS);
        }
        return lookAgain(this.#context, this.path, ["left", "right"]);
      case "busy":
        status.problem({ path: this.path, side, reason: "busy", detail: "somebody writes to the file" });
        return retry.later(this.path, BUSY_LIMIT_MS);
      case "orphan":
      case "not-empty":
        return; // its directory, or what is in it, comes first: dispatch.ts
      case "failed":
        status.problem({ path: this.path, side, reason: result.reason, detail: result.detail });
        return retry.later(this.path, FAILED_LIMIT_MS);
      case "dirty":
        return;
    }
  }
}

function entryOf(news: News, side: Side): Entry | null {
  const seen = news[side]?.observation;
  return seen?.kind === "present" ? seen.entry : null;
}

/** Counts how long a change that a user made took until it is made on `target`, too. */
export function noteLag({ clock, status }: PairContext, news: News, target: Side): void {
  const seen = news[otherSide(target)];
  const nowMs = clock.nowMs();
  if (seen?.isLive === true) status.lag[target].note(nowMs - seen.atMs, nowMs);
}

/** Lists and reports a conflict whose loser lies in the trash. */
export function recordConflict(
  context: PairContext,
  conflict: Omit<KeptLoser, "atMs"> & { readonly why: ConflictCause },
): void {
  const { path, loser, why, kept } = conflict;
  context.archive.addConflict(conflictRow({ ...conflict, atMs: context.clock.wallMs() }));
  context.status.totalConflicts++;
  context.report.conflict({ path, loser, kept, why });
}

/**
 * Looks at a path again on the sides given; what is seen comes back as news, of all sides at once:
 * each alone would be planned against an archive that the other one no longer equals.
 */
export function lookAgain(
  context: PairContext,
  path: RelPath,
  sides: readonly Side[],
  { growing = false } = {},
): void {
  const seen: { side: Side; observation: Observation }[] = [];
  const agreed = agreedOf(context, path);
  for (const side of sides) {
    context.looks[side].want({ path, content: true, digest: growing, growing, agreed, sizeBytes: 0 }, (observation) => {
      seen.push({ side, observation });
      if (seen.length < sides.length) return;
      for (const each of seen) context.board.add(each.side, each.observation, { isLive: false });
    });
  }
}

/** What both sides held last of a file that has been waited for. */
function agreedOf({ archive, retry }: PairContext, path: RelPath): AgreedContent | null {
  const entry = retry.isTiredOf(path) ? archive.get(path)?.entry : undefined;
  if (entry?.kind !== "file" || entry.digest === null) return null;
  return { sizeBytes: entry.sizeBytes, digest: entry.digest };
}

/** Whether the archive knows the directory of a path, as a directory: only then can the path be recorded. */
export function hasRecordedParent(context: PairContext, path: RelPath): boolean {
  return context.archive.isDir(parentOf(path));
}

/** What cannot be recorded yet is looked at again after its directory. */
export function lookAtParent(context: PairContext, path: RelPath): void {
  lookAgain(context, parentOf(path), ["left", "right"]);
  context.retry.later(path, BUSY_LIMIT_MS);
}

/** The reason and words for a path that shows something that cannot be synchronised. */
export function blockedProblem(
  path: RelPath,
  side: Side,
  seen: { kind: string; reason?: ProblemReason; detail?: string },
) {
  return seen.kind === "busy"
    ? { path, side, reason: "busy" as const, detail: "somebody writes to the file" }
    : { path, side, reason: seen.reason ?? ("io" as const), detail: seen.detail ?? "" };
}
