/**
 * The plan of the first sync, without any of it: both trees are walked and decided path by path, and
 * each decision becomes a line. Nothing is adopted, committed or recorded.
 *
 * The same reconciler decides as in a real run. Removals are printed at the end, since a rename that
 * is found later may explain one.
 * @module
 */
import { copyArchive, openArchive } from "../archive/archive.ts";
import { archivePath, findPair } from "../archive/pair_store.ts";
import type { Archive, ArchiveRow } from "../core/archive.ts";
import type { Listing } from "../core/endpoint.ts";
import { isFollowed } from "../core/entry.ts";
import { compileIgnore, type Ignore } from "../core/ignore.ts";
import type { Observation } from "../core/observation.ts";
import { type RelPath, ROOT } from "../core/path.ts";
import { reconcileOneWay } from "../core/one_way.ts";
import { otherSide, type Side } from "../core/problem.ts";
import { type Decision, reconcile } from "../core/reconcile.ts";
import type { Sides } from "./context.ts";
import { markedPair, requireDistinct, requireKnownRoots } from "./identity.ts";
import { mergeDirectory, type MergedName } from "./merge.ts";
import { findMove } from "./moves.ts";
import type { Sighting } from "./news.ts";
import { openBoth, type OpenedPair } from "./open_both.ts";
import type { ConflictCause, PlanLine, Report } from "./report.ts";
import { mustHold } from "./safety.ts";
import type { Outcome, SessionContext, SessionSettings } from "./settings.ts";
import { followTranslation } from "./translation_change.ts";
import { laterSide, viewOf } from "./view.ts";

const SIDES = ["left", "right"] as const;
const BATCH_DIRS = 64;

/** Prints the plan of a first sync. */
export async function runDryRun(settings: SessionSettings, context: SessionContext): Promise<Outcome> {
  await using opened = await openBoth(settings, context);
  const facts = { left: opened.endpoints.left.facts, right: opened.endpoints.right.facts };
  requireDistinct(facts);
  const spec = { leftRoot: facts.left.root, rightHost: settings.remoteHost, rightRoot: facts.right.root };
  const place = findPair(context.stateDir, spec);
  markedPair(facts, place?.id ?? null);
  using copy = place === null ? null : copyArchive(archivePath(context.stateDir, place.id));
  using archive = openArchive(copy?.path ?? ":memory:");
  requireKnownRoots(facts, archive);
  followTranslation(archive, settings.translate);
  context.report.connected({ ...facts, deployed: opened.deployed });
  await new DryRun(opened, archive, settings, context).run();
  return { exitCode: 0 };
}

interface Todo {
  readonly path: RelPath;
  readonly left: boolean;
  readonly right: boolean;
}

class DryRun {
  readonly #opened: OpenedPair;
  readonly #archive: Archive;
  readonly #ignore: Ignore;
  readonly #report: Report;
  readonly #settings: SessionSettings;
  readonly #signal: AbortSignal;
  /** Old names that a rename explains. */
  readonly #renamed = new Set<RelPath>();
  #missing: { side: Side; path: RelPath; row: ArchiveRow }[] = [];

  constructor(opened: OpenedPair, archive: Archive, settings: SessionSettings, context: SessionContext) {
    this.#opened = opened;
    this.#archive = archive;
    this.#ignore = compileIgnore(settings.rules);
    this.#report = context.report;
    this.#settings = settings;
    this.#signal = context.signal;
  }

  async run(): Promise<void> {
    const todo: Todo[] = [{ path: ROOT, left: true, right: true }];
    while (todo.length > 0 && !this.#signal.aborted) {
      const batch = todo.splice(Math.max(0, todo.length - BATCH_DIRS));
      const [left, right] = await Promise.all(SIDES.map((side) => this.#list(side, batch)));
      for (const dir of batch.toReversed()) {
        await this.#directory(dir, { left: left!.get(dir.path), right: right!.get(dir.path) }, todo);
      }
    }
    await this.#printMissing();
  }

  async #list(side: Side, batch: readonly Todo[]): Promise<Map<RelPath, Listing>> {
    const dirs = batch.filter((dir) => dir[side]).map(({ path }) => path);
    const listings = dirs.length === 0 ? [] : await this.#opened.endpoints[side].list(dirs);
    return new Map(listings.map((listing) => [listing.path, listing]));
  }

  async #directory(dir: Todo, listed: Readonly<Record<Side, Listing | undefined>>, todo: Todo[]): Promise<void> {
    const entriesOf = (listing: Listing | undefined) => listing?.kind === "listed" ? listing.entries : undefined;
    const rows = this.#archive.children(dir.path);
    const lists = { dir: dir.path, rows, left: entriesOf(listed.left), right: entriesOf(listed.right) };
    for (const found of mergeDirectory(lists)) {
      const isForgotten = found.row !== null && this.#ignore.isIgnored(found.path, found.row.entry.kind === "dir");
      const merged = isForgotten ? { ...found, row: null } : found;
      const isMoved = await this.#name(merged);
      const isDir = (side: Side) => {
        const seen = merged[side];
        return seen?.kind === "present" && seen.entry.kind === "dir";
      };
      if (!isMoved && (isDir("left") || isDir("right"))) {
        todo.push({ path: merged.path, left: isDir("left"), right: isDir("right") });
      }
    }
  }

  /** @returns whether the path is a renamed one, below which nothing else is news. */
  async #name(merged: MergedName): Promise<boolean> {
    const { path, row } = merged;
    for (const side of SIDES) {
      if (row !== null && merged[side] === null) this.#missing.push({ side, path, row });
    }
    for (const side of SIDES) if (await this.#rename(merged, side)) return true;
    const seen = { left: merged.left ?? null, right: merged.right ?? null };
    if (row !== null && (merged.left === null || merged.right === null)) return false;
    await this.#decide(path, row, seen);
    return false;
  }

  async #rename(merged: MergedName, side: Side): Promise<boolean> {
    const seen = merged[side];
    if (seen?.kind !== "present") return false;
    const news = { path: merged.path, left: null, right: null, [side]: sighting(seen) };
    const looked = new Map<RelPath, Sighting>();
    const context = {
      archive: this.#archive,
      sighting: (_: Side, path: RelPath) => looked.get(path) ?? null,
      seenObjects: new Map<string, RelPath>(),
    };
    let found = findMove(news, side, context);
    if (found.kind === "look") {
      const [old] = await this.#opened.endpoints[side].look([found.from], { contentLimitBytes: 0, digests: false });
      looked.set(found.from, sighting(old!));
      found = findMove(news, side, context);
    }
    if (found.kind !== "move") return false;
    this.#renamed.add(found.from);
    await this.#report.plan({ kind: "rename", target: otherSide(side), from: found.from, path: merged.path });
    return true;
  }

  async #decide(path: RelPath, row: ArchiveRow | null, seen: Sides<Observation | null>): Promise<void> {
    const blocked = SIDES.find((side) => seen[side]?.kind === "blocked" || seen[side]?.kind === "busy");
    if (blocked !== undefined) return await this.#leave(path, blocked, seen[blocked]!);
    const left = seen.left === null ? null : sighting(seen.left);
    const right = seen.right === null ? null : sighting(seen.right);
    const views = { left: viewOf(row, "left", left), right: viewOf(row, "right", right) };
    const input = { base: row, ...views, later: laterSide(left, right, 0n) };
    const decision = this.#settings.rsync.followsLinks ? reconcileOneWay(input) : reconcile(input);
    if (decision.kind === "refused") return await this.#leaveOneWay(path);
    if (decision.kind === "compare") return await this.#compare(path, row, seen, decision.sides);
    await this.#print(path, row, decision);
  }

  async #compare(
    path: RelPath,
    row: ArchiveRow | null,
    seen: Sides<Observation | null>,
    sides: readonly Side[],
  ): Promise<void> {
    const read: Record<Side, Observation | null> = { ...seen };
    for (const side of sides) {
      const [again] = await this.#opened.endpoints[side].look([path], { contentLimitBytes: 0, digests: true });
      read[side] = again!;
    }
    await this.#decide(path, row, read);
  }

  async #leave(path: RelPath, side: Side, seen: Observation): Promise<void> {
    const reason = seen.kind === "blocked" ? seen.reason : "busy";
    const detail = seen.kind === "blocked" ? seen.detail : "somebody writes to the file";
    await this.#report.plan({ kind: "leave", path, problem: { path, side, reason, detail } });
  }

  async #leaveOneWay(path: RelPath): Promise<void> {
    await this.#report.plan({ kind: "leave", path, problem: { path, side: "left", reason: "one-way", detail: "" } });
  }

  async #print(path: RelPath, row: ArchiveRow | null, decision: Decision): Promise<void> {
    if (decision.kind !== "change") return;
    if (this.#settings.skipInitialSync) {
      const problem = { path, side: null, reason: "skipped" as const, detail: "differs, left alone by -k" };
      return await this.#report.plan({ kind: "leave", path, problem });
    }
    const loser = decision.clash?.loser ?? null;
    if (loser !== null) {
      const why: ConflictCause = decision.clash?.why === "first-sync" ? "both-created" : "both-changed";
      return await this.#report.plan({ kind: "conflict", path, loser, why });
    }
    for (const side of SIDES) {
      const line = planLine(path, side, decision, row);
      if (line !== null) await this.#report.plan(line);
    }
  }

  /** What is missing on one side goes on the other, unless a rename explains it or the brake holds it. */
  async #printMissing(): Promise<void> {
    const missing = this.#missing.filter(({ path }) => !this.#renamed.has(path));
    const held = this.#archive.holds().length > 0 && !this.#settings.force;
    const isHeld = held || mustHold(missing.length, this.#archive.count());
    for (const { side, path, row } of missing) {
      const target = otherSide(side);
      const isOneWay = this.#settings.rsync.followsLinks && target === "left" &&
        (row.entry.kind === "link" || isFollowed(row.left));
      if (isOneWay) await this.#leaveOneWay(path);
      else if (isHeld) await this.#report.plan({ kind: "hold", target, path });
      else await this.#report.plan({ kind: "remove", target, path, entryKind: row.entry.kind, sizeBytes: null });
    }
  }
}

function sighting(observation: Observation): Sighting {
  return { observation, order: 0, isLive: false, isListed: true, atMs: 0 };
}

function planLine(
  path: RelPath,
  target: Side,
  decision: Extract<Decision, { kind: "change" }>,
  row: ArchiveRow | null,
): PlanLine | null {
  const step = decision[target];
  switch (step.kind) {
    case "keep":
      return null;
    case "remove":
      return row === null ? null : { kind: "remove", target, path, entryKind: row.entry.kind, sizeBytes: null };
    case "meta":
      return { kind: "metadata", target, path, entryKind: step.entry.kind, sizeBytes: null };
    case "put": {
      const sizeBytes = step.entry.kind === "file" ? step.entry.sizeBytes : null;
      const isNew = row === null && decision.clash === null;
      return { kind: isNew ? "create" : "change", target, path, entryKind: step.entry.kind, sizeBytes };
    }
  }
}
