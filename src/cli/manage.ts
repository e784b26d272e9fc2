/**
 * `psync conflicts` and `psync trash`: shows what psync has kept and does what is asked for, after
 * having said exactly that.
 *
 * Asks before it changes something; without a terminal, and without -y, it changes nothing. What it
 * does is done by the psync that runs, or by control/direct.ts. Called by run.ts.
 * @module
 */
import type { Pair } from "../archive/pair_store.ts";
import { UsageError } from "../base/errors.ts";
import type { ControlRequest, Deed } from "../brain/control_requests.ts";
import type { Control } from "../control/client.ts";
import type { ConflictRow } from "../core/archive.ts";
import { isBelow, type RelPath, showPath } from "../core/path.ts";
import type { Side } from "../core/problem.ts";
import type { PlacedItem, TrashClass } from "../core/trash.ts";
import { bytesText, countText } from "./format.ts";
import type { ManageCommand, ManageTask } from "./manage_options.ts";
import { conflictDetails, conflictLines, itemText, keepText, rootText, troubleText } from "./manage_text.ts";

/** All was done; or something was not. */
const EXIT_DONE = 0;
const EXIT_LEFT = 1;

/** So many lines of a plan are shown before it is asked whether to do it. */
const PLAN_LINES = 50;
/** A request is cut at so many items, and at so much text. */
const PART_ITEMS = 256;
const PART_UNITS = 100_000;

/** How a command speaks to its user. */
export interface ManageIo {
  /** Resolves when the line was written. */
  out(line: string): Promise<void>;
  err(line: string): void;
  /** Asks a question that yes or no answers; null: there is nobody to ask. */
  readonly ask: ((question: string) => Promise<boolean>) | null;
}

/** What a command works on. */
export interface ManageWorld {
  readonly pair: Pair;
  readonly control: Control;
  /** The paths that were named, below the roots. */
  readonly paths: readonly RelPath[];
  readonly io: ManageIo;
}

type TaskOf<K extends ManageTask["kind"]> = Extract<ManageTask, { kind: K }>;

/** Does a command; returns its exit code. */
export async function manage(command: ManageCommand, world: ManageWorld): Promise<number> {
  const { task } = command;
  switch (task.kind) {
    case "help":
      return EXIT_DONE;
    case "conflicts.list":
      return await listConflicts(world);
    case "conflicts.show":
      return await showConflicts(task, world);
    case "conflicts.keep":
      return await keepConflicts(task, command, world);
    case "trash.list":
      return await listTrash(command, world);
    case "trash.restore":
      return await restoreTrash(command, world);
    case "trash.empty":
      return await emptyTrash(command, world);
  }
}

async function conflictsOf({ control, paths }: ManageWorld): Promise<readonly ConflictRow[]> {
  const { conflicts } = await control.ask({ kind: "conflicts.list" }, "conflicts");
  return paths.length === 0 ? conflicts : conflicts.filter(({ path }) => isNamed(path, paths));
}

async function listConflicts(world: ManageWorld): Promise<number> {
  const { io, pair } = world;
  const conflicts = await conflictsOf(world);
  await io.out(
    conflicts.length === 0
      ? `No conflicts between ${rootText(pair, "left")} and ${rootText(pair, "right")}`
      : `${countText(conflicts.length, "conflict")} between ${rootText(pair, "left")} and ${rootText(pair, "right")}:`,
  );
  for (const row of conflicts) for (const line of conflictLines(row, pair)) await io.out(line);
  if (conflicts.length > 0) await io.out(`Decide with: psync conflicts keep left|right|both ID...`);
  return EXIT_DONE;
}

async function showConflicts({ ids }: TaskOf<"conflicts.show">, world: ManageWorld): Promise<number> {
  const { rows, missing } = pick(await conflictsOf(world), ids);
  for (const row of rows) for (const line of conflictDetails(row, world.pair)) await world.io.out(line);
  return tellMissing(missing, world.io);
}

function pick(conflicts: readonly ConflictRow[], ids: readonly number[]) {
  const byId = new Map(conflicts.map((row) => [row.id, row]));
  return {
    rows: ids.flatMap((id) => byId.get(id) ?? []),
    missing: ids.filter((id) => !byId.has(id)),
  };
}

function tellMissing(ids: readonly number[], io: ManageIo): number {
  for (const id of ids) io.err(`psync: Cannot find conflict #${id}: "psync conflicts" lists those that there are`);
  return ids.length === 0 ? EXIT_DONE : EXIT_LEFT;
}

async function keepConflicts(
  { keep, ids }: TaskOf<"conflicts.keep">,
  command: ManageCommand,
  world: ManageWorld,
): Promise<number> {
  const { io, control } = world;
  const conflicts = await conflictsOf(world);
  const { rows, missing } = ids === null ? { rows: conflicts, missing: [] } : pick(conflicts, ids);
  if (missing.length > 0) return tellMissing(missing, io);
  if (rows.length === 0) {
    await io.out("No conflicts");
    return EXIT_DONE;
  }
  const plan = rows.map((row) => `#${row.id} ${showPath(row.path)}: ${keepText(row, keep)}`);
  if (!await isWanted(plan, command, io)) return EXIT_LEFT;
  let code = EXIT_DONE;
  for (const part of inParts(rows, () => 1)) {
    const request: ControlRequest = { kind: "conflicts.resolve", ids: part.map(({ id }) => id), keep };
    const { deeds } = await control.ask(request, "deeds");
    for (const [i, row] of part.entries()) {
      if (!await tellDeed(`#${row.id} ${showPath(row.path)}`, deeds[i]!, io)) code = EXIT_LEFT;
    }
  }
  return code;
}

/** Says what became of one thing; returns whether it is done. */
async function tellDeed(what: string, deed: Deed, io: ManageIo): Promise<boolean> {
  if (deed.outcome !== "done") {
    io.err(`psync: ${what}: ${troubleText(deed)}`);
    return false;
  }
  await io.out(`${what}: done${deed.to === null ? "" : `, now at ${showPath(deed.to)}`}`);
  return true;
}

function sidesOf({ side }: ManageCommand): readonly Side[] {
  return side === null ? ["left", "right"] : [side];
}

/** The items of one trash at and below the named paths; a path may be that of a place in the trash. */
async function* itemsOf(
  side: Side,
  { control, paths }: ManageWorld,
  only: TrashClass | null,
): AsyncGenerator<PlacedItem> {
  let after: string | null = null;
  do {
    const page: { items: readonly PlacedItem[]; after: string | null } = await control.ask(
      { kind: "trash.list", side, only, after },
      "page",
    );
    for (const item of page.items) {
      if (paths.length === 0 || isNamed(item.path, paths) || isPlaceNamed(item, paths)) yield item;
    }
    after = page.after;
  } while (after !== null);
}

function isNamed(path: RelPath, names: readonly RelPath[]): boolean {
  return names.some((name) => path === name || isBelow(path, name));
}

/** Whether an item was named by its place in the trash, as the list shows it. */
function isPlaceNamed({ kept }: PlacedItem, names: readonly RelPath[]): boolean {
  return names.some((name) => name !== "" && (kept === name || kept.startsWith(`${name}/`)));
}

async function listTrash(command: ManageCommand, world: ManageWorld): Promise<number> {
  for (const side of sidesOf(command)) {
    const total = { items: 0, bytes: 0 };
    for await (const item of itemsOf(side, world, null)) {
      await world.io.out(itemText(item, side));
      total.items++;
      total.bytes += item.sizeBytes;
    }
    await world.io.out(
      `${countText(total.items, "item")}${total.items === 0 ? "" : ` (${bytesText(total.bytes)})`} in ${
        rootText(world.pair, side)
      }/.psync/trash`,
    );
  }
  return EXIT_DONE;
}

interface Found {
  readonly side: Side;
  readonly item: PlacedItem;
}

/** What is to be given back: places as they were named, and of each named path the newest removed version. */
async function versionsToRestore(command: ManageCommand, world: ManageWorld): Promise<Found[]> {
  const newest = new Map<RelPath, Found>();
  const places: Found[] = [];
  for (const side of sidesOf(command)) {
    for await (const item of itemsOf(side, world, null)) {
      if (isPlaceNamed(item, world.paths)) places.push({ side, item });
      else if (item.trashClass === "removed" && (newest.get(item.path)?.item.atMs ?? -1) <= item.atMs) {
        newest.set(item.path, { side, item });
      }
    }
  }
  return [...places, ...newest.values()];
}

async function restoreTrash(command: ManageCommand, world: ManageWorld): Promise<number> {
  const { io, pair, control, paths } = world;
  if (paths.length === 0) {
    throw new UsageError(`Cannot restore everything: name paths, or places that "psync trash list" shows`);
  }
  const found = await versionsToRestore(command, world);
  if (found.length === 0) {
    io.err(`psync: Cannot find ${paths.map((path) => `"${showPath(path)}"`).join(", ")} in the trash`);
    return EXIT_LEFT;
  }
  const plan = found.map(({ side, item }) =>
    `puts back ${rootText(pair, side)}/${showPath(item.path)} from ${showPath(item.kept)}`
  );
  if (!await isWanted(plan, command, io)) return EXIT_LEFT;
  let code = EXIT_DONE;
  for (const side of sidesOf(command)) {
    const items = found.filter((each) => each.side === side).map(({ item }) => item);
    for (const part of inParts(items, ({ kept }) => 2 * kept.length)) {
      const asked = part.map(({ kept, path }) => ({ kept, to: path }));
      const { deeds } = await control.ask({ kind: "trash.restore", side, items: asked }, "deeds");
      for (const [i, { path }] of part.entries()) {
        const deed = { ...deeds[i]!, to: null };
        if (!await tellDeed(`${rootText(pair, side)}/${showPath(path)}`, deed, io)) code = EXIT_LEFT;
      }
    }
  }
  return code;
}

/** What emptying one trash takes away. */
interface Emptying {
  readonly side: Side;
  items: number;
  bytes: number;
  losers: number;
  /** What came into the trash after this was not told to the user. */
  untilMs: number;
}

async function measure(side: Side, world: ManageWorld): Promise<Emptying> {
  const found: Emptying = { side, items: 0, bytes: 0, losers: 0, untilMs: 0 };
  for await (const item of itemsOf(side, world, null)) {
    if (item.trashClass === "conflict") {
      found.losers++;
      continue;
    }
    found.items++;
    found.bytes += item.sizeBytes;
    found.untilMs = Math.max(found.untilMs, item.atMs);
  }
  return found;
}

async function emptyTrash(command: ManageCommand, world: ManageWorld): Promise<number> {
  const { io, pair } = world;
  const found: Emptying[] = [];
  for (const side of sidesOf(command)) found.push(await measure(side, world));
  for (const { side, losers } of found) {
    if (losers === 0) continue;
    io.err(
      `${countText(losers, "loser of a conflict", "losers of conflicts")} in ${
        rootText(pair, side)
      } stay: see psync conflicts`,
    );
  }
  const full = found.filter(({ items }) => items > 0);
  if (full.length === 0) {
    await io.out("Nothing to empty");
    return EXIT_DONE;
  }
  const plan = full.map(({ side, items, bytes }) =>
    `deletes ${countText(items, "item")} (${bytesText(bytes)}) in ${rootText(pair, side)}/.psync/trash for good`
  );
  if (!await isWanted(plan, command, io)) return EXIT_LEFT;
  let code = EXIT_DONE;
  for (const each of full) if (!await purge(each, world)) code = EXIT_LEFT;
  return code;
}

async function purge({ side, untilMs }: Emptying, world: ManageWorld): Promise<boolean> {
  const { io, pair, control } = world;
  let [items, bytes, failed] = [0, 0, 0];
  let part: PlacedItem[] = [];
  const flush = async () => {
    const [asked] = [part, part = []];
    if (asked.length === 0) return;
    const { deeds } = await control.ask({ kind: "trash.empty", side, kept: asked.map(({ kept }) => kept) }, "deeds");
    for (const [i, deed] of deeds.entries()) {
      if (deed.outcome === "gone") continue;
      if (deed.outcome === "done") [items, bytes] = [items + 1, bytes + asked[i]!.sizeBytes];
      else {
        failed++;
        io.err(`psync: ${showPath(asked[i]!.kept)}: ${troubleText(deed)}`);
      }
    }
  };
  for await (const item of itemsOf(side, world, "removed")) {
    if (item.atMs > untilMs) continue;
    part.push(item);
    if (part.length >= PART_ITEMS || part.length * item.kept.length > PART_UNITS) await flush();
  }
  await flush();
  await io.out(`Deleted ${countText(items, "item")} (${bytesText(bytes)}) in ${rootText(pair, side)}/.psync/trash`);
  return failed === 0;
}

/** Says what will be done and asks. @throws {UsageError} where there is nobody to ask, and no -y. */
async function isWanted(plan: readonly string[], { yes }: ManageCommand, io: ManageIo): Promise<boolean> {
  for (const line of plan.slice(0, PLAN_LINES)) await io.out(line);
  const more = plan.length - PLAN_LINES;
  if (more > 0) await io.out(`... and ${more.toLocaleString("en")} more`);
  if (yes) return true;
  if (io.ask === null) throw new UsageError("Cannot ask without a terminal: add -y to do this");
  if (await io.ask("Do it?")) return true;
  await io.out("Nothing was done");
  return false;
}

function* inParts<T>(items: readonly T[], units: (item: T) => number): Generator<readonly T[]> {
  let part: T[] = [];
  let size = 0;
  for (const item of items) {
    if (part.length >= PART_ITEMS || (part.length > 0 && size + units(item) > PART_UNITS)) {
      yield part;
      [part, size] = [[], 0];
    }
    part.push(item);
    size += units(item);
  }
  if (part.length > 0) yield part;
}
