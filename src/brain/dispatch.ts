/**
 * Carries plans out: asks for looks, records agreements, and turns changes into tasks with steps in
 * the lanes. Called by cycle.ts with one round of news at a time.
 *
 * Order within a round: renames first (a removal of the old name would spoil them), then the rest,
 * parents before children. A path whose turn has not come is parked on what stands in its way.
 * @module
 */
import { logger } from "../base/log.ts";
import type { ArchiveRow } from "../core/archive.ts";
import { sameObject, type Stamp } from "../core/entry.ts";
import { ancestorsOf, type RelPath } from "../core/path.ts";
import { otherSide, type Side } from "../core/problem.ts";
import type { Step as DecidedStep } from "../core/reconcile.ts";
import type { BulkLane } from "./bulk.ts";
import type { PairContext } from "./context.ts";
import { liveSince, type News, type Sighting } from "./news.ts";
import { describePlan } from "./describe_plan.ts";
import { growingLooks } from "./growing.ts";
import { dispatchMove, editOf, obstacleOf } from "./move_task.ts";
import { objectKey } from "./moves.ts";
import { type Change, isBulk, type Plan, type PlanContext, planPath, type SideLook, type Views } from "./plan.ts";
import { removeContents, removeTree } from "./removal.ts";
import { HeldPaths } from "./held.ts";
import { causeOf } from "./cause.ts";
import { countChanges } from "./count_changes.ts";
import { displaceDirectory } from "./displace.ts";
import { isNeeded, reviveParents } from "./revive.ts";
import { BUSY_LIMIT_MS, FAILED_LIMIT_MS, isLasting } from "./retry.ts";
import { expectedAt, taskConflict, transitionOf } from "./step_transition.ts";
import { outlives } from "./view.ts";
import { blockedProblem, hasRecordedParent, lookAtParent, Task } from "./task.ts";

const SIDES = ["left", "right"] as const;

const log = logger("brain", "dispatch");

/** Carries out rounds of news for one pair. */
export class Dispatcher {
  readonly #context: PairContext;
  readonly #bulk: BulkLane;
  #round = new Map<RelPath, News>();
  /** The paths of this round in their order, once they were asked for. */
  #sorted: readonly RelPath[] | null = null;
  /** The whole round, also what was begun: what was seen there is still the newest that is known. */
  #seen: ReadonlyMap<RelPath, News> = new Map();
  #seenObjects = new Map<string, RelPath>();
  /** Directories being made whose step is in a batch that is still open: children may follow in it. */
  #opened = new Map<RelPath, { side: Side; batch: object }>();
  /** Directories that were emptied of what the archive knows, so that something else can take their place. */
  readonly #tried = new Set<RelPath>();
  /** Plans of this round that were made while looking for renames. */
  #plans = new Map<RelPath, Plan>();

  readonly #held: HeldPaths;

  constructor(context: PairContext, bulk: BulkLane) {
    this.#context = context;
    this.#held = new HeldPaths(context.archive);
    this.#bulk = bulk;
  }

  /** Plans and begins everything of one round that can be begun. */
  round(news: readonly News[]): void {
    this.#round = new Map(news.map((item) => [item.path, item]));
    this.#seen = new Map(this.#round);
    this.#sorted = null;
    this.#noteObjects(news);
    this.#opened.clear();
    this.#plans.clear();
    this.#held.refresh();
    this.#context.archive.transact(() => {
      for (const item of news) if (this.#mayBeMove(item)) this.#planOne(item, { onlyMoves: true });
      for (const item of news) if (this.#round.has(item.path)) this.#planOne(item, { onlyMoves: false });
    });
    for (const side of SIDES) this.#context.lanes[side].flush();
  }

  #noteObjects(news: readonly News[]): void {
    this.#seenObjects.clear();
    for (const item of news) {
      for (const side of SIDES) {
        const seen = item[side]?.observation;
        if (seen?.kind === "present") this.#seenObjects.set(objectKey(side, seen.stamp), item.path);
      }
    }
  }

  #mayMove(news: News): boolean {
    return this.#context.findsRenames() && this.#context.retry.mayMove(news.path);
  }

  #mayBeMove(news: News): boolean {
    return SIDES.some((side) => news[side]?.observation.kind === "present");
  }

  #planOne(news: News, options: { readonly onlyMoves: boolean }): void {
    const { flights, board } = this.#context;
    const blocker = flights.blockerOf(news.path, { subtree: false });
    // WHY above: a rename of the directory that has to wait is not in the archive yet.
    const obstacle = blocker !== null && !this.#isOpened(blocker) ? blocker : board.waitingAbove(news.path);
    if (obstacle !== null) {
      this.#round.delete(news.path);
      const plan = options.onlyMoves && this.#mayMove(news)
        ? planPath(news, this.#planContext(), { mayMove: true })
        : null;
      if (plan?.kind === "move") this.#parkOldName(plan.move.from, obstacle);
      return board.park(news, obstacle);
    }
    const plan = this.#plans.get(news.path) ?? this.#lookAtOther(news) ??
      planPath(news, this.#planContext(), { mayMove: this.#mayMove(news) });
    this.#plans.set(news.path, plan);
    if (options.onlyMoves && plan.kind !== "move" && plan.kind !== "after") return;
    this.#round.delete(news.path);
    if (plan.kind !== "move") return this.#carryOut(news, plan, blocker);
    const crossing = obstacleOf(this.#context, plan.move, news.path, this.#seenObjects);
    if (crossing?.kind === "after" && this.#isUnderWay(crossing.first)) return this.#after(news, crossing.first);
    if (crossing === null) this.#planParents(news.path);
    this.#carryOut(news, plan, flights.blockerOf(news.path, { subtree: false }));
  }

  /** Whether a path is planned in this round, or worked on. */
  #isUnderWay(path: RelPath): boolean {
    return this.#round.has(path) || this.#context.flights.blockerOf(path, { subtree: false }) !== null;
  }

  /** The directories that are new above a renamed path are made before it. */
  #planParents(path: RelPath): void {
    for (const above of [...ancestorsOf(path)].reverse()) {
      const item = this.#round.get(above);
      if (item !== undefined) this.#planOne(item, { onlyMoves: false });
    }
  }

  /** Where a rename has to wait, so has its old name, which would be taken for a removal. */
  #parkOldName(from: RelPath, blocker: RelPath): void {
    const old = this.#round.get(from);
    if (old === undefined) return;
    this.#round.delete(from);
    this.#context.board.park(old, blocker);
  }

  /**
   * A path that is listed or waits was not carried out when it was planned, so the side without news
   * may hold what the archive does not know: it is decided from a look at both.
   */
  #lookAtOther(news: News): Plan | null {
    const { path, left, right } = news;
    const { retry, status } = this.#context;
    if (!status.problems.has(path) && !retry.has(path)) return null;
    const looks = growingLooks(this.#context, news);
    if (left === null || right === null) {
      looks.push({ path, side: left === null ? "left" : "right", content: true, digest: false, sizeBytes: 0 });
    }
    return looks.length === 0 ? null : { kind: "look", looks };
  }

  #isOpened(path: RelPath): boolean {
    const opened = this.#opened.get(path);
    return opened !== undefined && this.#context.lanes[opened.side].openBatch === opened.batch;
  }

  #planContext(): PlanContext {
    const { archive, ignore, offsetNs, settings } = this.#context;
    return {
      archive,
      offsetNs,
      followsLinks: settings.followsLinks,
      isAfterCrash: this.#context.recovery.crashed.size > 0,
      isIgnored: (path) => ignore.dependsOnPlace && ignore.isIgnoredDeep(path, null),
      winner: (path) => this.#context.recovery.winners.get(path) ?? null,
      seenObjects: this.#seenObjects,
      isEvidence: (side, { observation }) => {
        const { evidence } = this.#context;
        // What came before a listing of its directory, and had to wait for the other side, may be gone by it.
        return evidence[side].holds(observation) && !evidence[side].isOutlisted(observation);
      },
      sighting: (side, path) => this.#sighting(side, path),
      hasLifeBelow: (news) => this.#hasLifeBelow(news),
    };
  }

  #sighting(side: Side, path: RelPath): Sighting | null {
    const sighting = (this.#seen.get(path) ?? this.#context.board.peek(path))?.[side] ?? null;
    return sighting !== null && this.#context.evidence[side].holds(sighting.observation) ? sighting : null;
  }

  /**
   * Something below a directory that lives though its directory is gone on the other side. What was seen on a
   * side before the directory itself was seen to be gone there lives no more.
   */
  #hasLifeBelow(top: News): boolean {
    const dir = top.path;
    if (isNeeded(this.#context, top)) return true;
    const isRefuted = (side: Side, sighting: Sighting) => {
      const seen = top[side]?.observation;
      return seen !== undefined && seen.kind !== "present" && sighting.observation.began < seen.began;
    };
    const isAlive = (news: News) => {
      const row = this.#context.archive.get(news.path);
      return SIDES.some((side) => {
        const sighting = news[side];
        if (sighting === null || isRefuted(side, sighting)) return false;
        return this.#context.evidence[side].holds(sighting.observation) && outlives(row, side, sighting);
      });
    };
    for (const news of this.#context.board.below(dir)) if (isAlive(news)) return true;
    for (const news of this.#roundBelow(dir)) if (isAlive(news)) return true;
    return false;
  }

  /** What is not begun yet of this round below a directory: that stands together in the order of paths. */
  *#roundBelow(dir: RelPath): Generator<News> {
    const sorted = this.#sorted ??= [...this.#round.keys()].sort();
    const prefix = `${dir}/`;
    for (let i = firstFrom(sorted, prefix); sorted[i]?.startsWith(prefix); i++) {
      const news = this.#round.get(sorted[i]!);
      if (news !== undefined) yield news;
    }
  }

  #carryOut(news: News, plan: Plan, blocker: RelPath | null): void {
    log.debug("plan", () => ({ path: news.path, plan: plan.kind, ...describePlan(news, plan) }));
    if (plan.kind !== "look" && plan.kind !== "move" && plan.kind !== "after") this.#decided(news);
    if (plan.kind !== "look" && plan.kind !== "change") this.#tried.delete(news.path);
    switch (plan.kind) {
      case "settled":
        return this.#settled(news);
      case "blocked":
        return this.#blocked(news, plan.side, plan.sighting);
      case "look":
        return this.#look(news, plan.looks);
      case "after":
        return this.#after(news, plan.first);
      case "agree":
        return this.#agree(news, plan);
      case "forget":
        this.#context.apart.gone(news.path);
        this.#context.archive.remove(news.path);
        return this.#settled(news);
      case "move":
        return this.#move(news, plan, blocker);
      case "change":
        return this.#change(news, plan, blocker);
    }
  }

  #decided(news: News): void {
    if (this.#wasUnlisted(news)) this.#context.rescan(news.path);
    this.#context.needed.delete(news.path);
    this.#arrived(news);
    for (const side of SIDES) {
      const sighting = news[side];
      if (sighting === null) continue;
      this.#context.evidence[side].decided(sighting.observation);
      this.#context.moves.seen(sighting.observation);
      this.#context.apart.seen(side, sighting.observation);
    }
  }

  /**
   * A directory that was renamed here and is not made as a rename, or that took the place of another
   * one: what is in it is new here, and what the other one held is gone.
   */
  #arrived(news: News): void {
    const hasArrived = this.#context.moves.takeArrived(news.path);
    const isNewHere = (side: Side) => {
      const seen = news[side]?.observation;
      if (seen?.kind !== "present" || seen.entry.kind !== "dir") return false;
      const row = this.#context.archive.get(news.path);
      return hasArrived || (!news[side]!.isListed && row?.entry.kind === "dir" && !sameObject(row[side], seen.stamp));
    };
    if (SIDES.some(isNewHere)) this.#context.rescan(news.path);
  }

  /**
   * Whether a directory is seen that could not be listed (EACCES): a look at it alone tells nothing of
   * what is in it. It stays on the list until a walk could (scan.ts).
   */
  #wasUnlisted(news: News): boolean {
    const problem = this.#context.status.problems.get(news.path);
    if (problem?.reason !== "unreadable" || problem.side === null) return false;
    const seen = news[problem.side]?.observation;
    return seen?.kind === "present" && seen.entry.kind === "dir";
  }

  #settled(news: News): void {
    this.#context.recovery.settle(news.path);
    if (this.#wasUnlisted(news)) return;
    this.#context.retry.settle(news.path);
    this.#context.status.fine(news.path);
  }

  /** Not absent, not known (I6): listed, and looked at again by and by. */
  #blocked(news: News, side: Side, sighting: Sighting): void {
    const { status, retry } = this.#context;
    const problem = blockedProblem(news.path, side, sighting.observation);
    // A file that is simply being written is busy for a moment: only one that stays so is listed.
    if (problem.reason !== "busy" || retry.isTiredOf(news.path)) status.problem(problem);
    if (isLasting(problem.reason)) return;
    retry.later(news.path, problem.reason === "busy" ? BUSY_LIMIT_MS : FAILED_LIMIT_MS);
  }

  #look(news: News, looks: readonly SideLook[]): void {
    const { flights, board } = this.#context;
    flights.begin({ path: news.path, shown: null, sinceMs: liveSince(news) });
    let left = looks.length;
    for (const look of looks) {
      this.#context.looks[look.side].want(look, (seen) => {
        const known = look.path === news.path ? news[look.side] : null;
        board.add(look.side, seen, { isLive: known?.isLive ?? false });
        if (--left > 0) return;
        board.put(withoutStale(news, looks));
        this.#end(news.path);
      });
    }
  }

  /** Waits for the rename that goes first, where there really is one under way. */
  #after(news: News, first: RelPath): void {
    const waiting = this.#round.get(first);
    if (waiting !== undefined) this.#planOne(waiting, { onlyMoves: true });
    const blocker = this.#context.flights.blockerOf(first, { subtree: false });
    if (blocker !== null) return this.#context.board.park(news, blocker);
    this.#carryOut(news, planPath(news, this.#planContext(), { mayMove: false }), null);
  }

  #agree(news: News, plan: Extract<Plan, { kind: "agree" }>): void {
    const { archive, status } = this.#context;
    const stamps = stampsOf(news, plan.row);
    if (stamps.left === null || stamps.right === null) return;
    if (!hasRecordedParent(this.#context, news.path)) return lookAtParent(this.#context, news.path);
    archive.put(news.path, { entry: plan.decision.entry, left: stamps.left, right: stamps.right });
    if (plan.decision.entry.kind === "file") SIDES.forEach((side) => this.#context.sources.add(side));
    if (plan.row === null) status.agreed++;
    this.#settled(news);
  }

  #move(news: News, { move }: Extract<Plan, { kind: "move" }>, blocker: RelPath | null): void {
    const opened = blocker === null ? undefined : this.#opened.get(blocker);
    const mayFollow = blocker !== null && this.#isOpened(blocker) && opened?.side === otherSide(move.side);
    const edited = editOf(move, this.#sighting(otherSide(move.side), move.from));
    const target = { isOpened: mayFollow, edited, objects: this.#seenObjects };
    const inTheWay = blocker !== null && !mayFollow ? blocker : dispatchMove(this.#context, news, move, target);
    if (inTheWay === null) return;
    this.#context.board.park(news, inTheWay);
    this.#parkOldName(move.from, inTheWay);
  }

  #change(news: News, plan: Extract<Plan, { kind: "change" }>, blocker: RelPath | null): void {
    const { change, row } = plan;
    const sides = SIDES.filter((side) => change[side].kind !== "keep");
    if (sides.some((side) => change[side].kind === "remove" && this.#held.covers(news, side))) {
      return this.#context.retry.settle(news.path);
    }
    if (blocker !== null && !this.#mayFollow(blocker, sides, change)) return this.#context.board.park(news, blocker);
    const tree = sides.find((side) => this.#needsEmptying(change[side], news.path, row));
    if (tree !== undefined) return this.#emptyFirst(news, { change, row, side: tree });
    const task = new Task(this.#context, {
      news,
      entry: change.entry,
      row,
      stamps: stampsOf(news, row),
      conflict: taskConflict(change, { isCrash: this.#context.recovery.winners.has(news.path) }),
      steps: sides.length,
      onEnd: (ended) => this.#ended(ended, change),
    });
    const target = sides[0]!;
    const sizeBytes = change.entry?.kind === "file" ? change.entry.sizeBytes : null;
    this.#context.flights.begin({ path: news.path, shown: { target, sizeBytes }, sinceMs: liveSince(news) });
    for (const side of sides) this.#step(task, side, plan);
    if (change.entry?.kind === "dir" && sides.length === 1 && change[target].kind === "put") {
      this.#opened.set(news.path, { side: target, batch: this.#context.lanes[target].openBatch });
    }
  }

  /** Whether a step takes away a directory of which the archive knows contents: they go first. */
  #needsEmptying(step: DecidedStep, path: RelPath, row: ArchiveRow | null): boolean {
    if (row?.entry.kind !== "dir") return false;
    if (step.kind === "remove") return true;
    if (step.kind !== "put" || step.entry.kind === "dir" || this.#tried.has(path)) return false;
    const { archive, flights } = this.#context;
    return archive.children(path).length > 0 || flights.blockerOf(path, { subtree: true }) !== null;
  }

  /** Whether a step may go into the batch in which its directory is made. */
  #mayFollow(blocker: RelPath, sides: readonly Side[], change: Change): boolean {
    const opened = this.#opened.get(blocker);
    if (opened === undefined || sides.length !== 1 || sides[0] !== opened.side) return false;
    const step = change[opened.side];
    return step.kind === "put" && !(step.entry.kind === "file" && isBulk(step.entry));
  }

  #step(
    task: Task,
    side: Side,
    plan: { readonly change: Change; readonly row: ArchiveRow | null; readonly views: Views },
  ): void {
    const step = this.#sparing(plan.change[side], task.options.news);
    const expected = expectedAt(plan.views, plan.row, side);
    const done = (result: Parameters<Task["answer"]>[1]) => task.answer(side, result);
    const { news, steps, stamps, entry } = task.options;
    const other = stamps[otherSide(side)];
    // Where both sides change, one commit alone makes nothing that could be recorded.
    const intent = steps === 1 && entry !== null && other !== null ? entry : undefined;
    if (step.kind === "put" && step.entry.kind === "file" && isBulk(step.entry)) {
      return this.#bulk.want({ path: task.path, from: step.from, news, step, expected, done, intent });
    }
    const transition = transitionOf(news, step, expected);
    if (transition !== null) this.#context.lanes[side].add({ transition, done, intent });
  }

  /** After a crash nothing is dropped: what comes may be torn, what goes may have left the trash again. */
  #sparing(step: DecidedStep, news: News): DecidedStep {
    if (step.kind !== "put" || step.disposal !== "drop") return step;
    const { crashed, examined } = this.#context.recovery;
    const isDoubtful = crashed.has(step.from) && news[step.from]?.isLive !== true;
    return isDoubtful || examined.has(news.path) ? { ...step, disposal: "removed" } : step;
  }

  /** A directory goes with what the archive knows in it, children first. */
  #emptyFirst(
    news: News,
    tree: { readonly change: Change; readonly row: ArchiveRow | null; readonly side: Side },
  ): void {
    const { flights, board } = this.#context;
    const below = flights.blockerOf(news.path, { subtree: true });
    if (below !== null) return board.park(news, below);
    const step = tree.change[tree.side];
    flights.begin({ path: news.path, shown: { target: tree.side, sizeBytes: null }, sinceMs: liveSince(news) });
    const end = () => this.#end(news.path);
    const removal = { path: news.path, side: tree.side, cause: causeOf(news, tree.side) };
    if (step.kind === "remove") return void removeTree(this.#context, { ...removal, end });
    const again = () => {
      this.#tried.add(news.path);
      board.put(news);
      end();
    };
    void removeContents(this.#context, { ...removal, end: again });
  }

  #ended(task: Task, change: Change): void {
    const refusal = task.refusal;
    this.#tried.delete(task.path);
    // A directory that was put back for what lives in it: what else it held is gone on one side.
    if (change.clash?.why === "edit-remove" && change.entry?.kind === "dir") this.#context.rescan(task.path);
    if (refusal === null) this.#context.recovery.settle(task.path);
    if (refusal === null) this.#noteSources(change);
    if (refusal === null) countChanges(this.#context.status, task, change);
    else if (refusal.result.kind === "orphan") reviveParents(this.#context, task.options);
    else if (refusal.result.kind === "not-empty") {
      return displaceDirectory(this.#context, task, refusal.side, () => this.#end(task.path));
    }
    this.#end(task.path);
  }

  /** The sides that had the recorded content by themselves: psync has not flushed it there. */
  #noteSources(change: Change): void {
    if (change.entry?.kind !== "file") return;
    for (const side of SIDES) if (change[side].kind !== "put") this.#context.sources.add(side);
  }

  #end(path: RelPath): void {
    this.#context.flights.end(path);
    this.#context.board.release(path);
    this.#context.wake();
  }
}

/** The place of the first of sorted texts that is not before `text`. */
function firstFrom(sorted: readonly string[], text: string): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < text) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** News without the sightings that are being replaced by looks. */
function withoutStale(news: News, looks: readonly SideLook[]): News {
  const replaced = (side: Side) => looks.some((look) => look.side === side && look.path === news.path);
  return { path: news.path, left: replaced("left") ? null : news.left, right: replaced("right") ? null : news.right };
}

/** The stamps by which each side is to be recorded if nothing is changed there. */
export function stampsOf(news: News, row: ArchiveRow | null): Record<Side, Stamp | null> {
  const of = (side: Side) => {
    const seen = news[side]?.observation;
    return seen?.kind === "present" ? seen.stamp : row?.[side] ?? null;
  };
  return { left: of("left"), right: of("right") };
}
