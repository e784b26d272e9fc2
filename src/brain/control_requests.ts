/**
 * What a psync can be asked from outside about conflicts and trash, and the answers.
 *
 * The same for a running psync (session.ts, through control/server.ts) and for a command that opens
 * the archive itself (control/direct.ts). Asks nobody back: whoever sends a request has asked the user.
 * An action comes before its record (I4): after a crash in between a conflict is listed whose loser is
 * not there any more.
 * @module
 */
import { SetupError } from "../base/errors.ts";
import type { Archive, ConflictRow } from "../core/archive.ts";
import { conflictRow } from "../core/conflict.ts";
import { conflictName } from "../core/conflict_name.ts";
import type { Endpoint, Findings } from "../core/endpoint.ts";
import { joinPath, nameOf, parentOf, type RelPath } from "../core/path.ts";
import { otherSide, type Problem, type Side } from "../core/problem.ts";
import {
  parseTrashPlace,
  type PlacedItem,
  type TrashAction,
  type TrashClass,
  type TrashResult,
} from "../core/trash.ts";
import type { SessionState } from "./report.ts";

/** Whose version is to stay. */
export type Keep = Side | "both";

/** What may be asked. */
export type ControlRequest =
  | { readonly kind: "status" }
  /** Ends psync as SIGTERM does; the answer comes first. */
  | { readonly kind: "stop" }
  /** Compares everything with what is known, and repairs what differs; the answer comes afterwards. */
  | { readonly kind: "full-sync" }
  /** Answered when all that was written before is on the other side and durable there. */
  | { readonly kind: "flush" }
  /** Changes nothing until `resume`, or until the session ends. */
  | { readonly kind: "pause" | "resume" }
  | { readonly kind: "conflicts.list" }
  | { readonly kind: "conflicts.resolve"; readonly ids: readonly number[]; readonly keep: Keep }
  | {
    readonly kind: "trash.list";
    readonly side: Side;
    readonly only: TrashClass | null;
    readonly after: string | null;
  }
  | {
    readonly kind: "trash.restore";
    readonly side: Side;
    readonly items: readonly { readonly kept: string; readonly to: RelPath }[];
  }
  /** Purges removed items; a conflict's loser is left alone. */
  | { readonly kind: "trash.empty"; readonly side: Side; readonly kept: readonly string[] };

/** What became of one thing that was asked for. */
export interface Deed {
  readonly outcome: TrashResult["kind"] | "unknown";
  /** Of `failed`: why. */
  readonly detail: string | null;
  /** Where it stands in the tree now; null: nowhere. */
  readonly to: RelPath | null;
  /** Below `.psync/trash/`: where the loser, or what had to go, lies now; null: nothing does. */
  readonly kept: string | null;
}

/** The answers. */
export type ControlAnswer =
  | { readonly kind: "status"; readonly state: SessionState | null }
  | { readonly kind: "stopping"; readonly processId: number }
  /** How many changes were made meanwhile. */
  | { readonly kind: "full-synced"; readonly changes: number }
  /** What could not be brought over. */
  | { readonly kind: "flushed"; readonly problems: readonly Problem[] }
  /** `isChanged`: it was not so before. */
  | { readonly kind: "pausing"; readonly isChanged: boolean }
  | { readonly kind: "conflicts"; readonly conflicts: readonly ConflictRow[] }
  | { readonly kind: "page"; readonly items: readonly PlacedItem[]; readonly after: string | null }
  /** One for each id or item, in order. */
  | { readonly kind: "deeds"; readonly deeds: readonly Deed[] };

/** What requests are answered with. */
export interface ControlWorld {
  readonly archive: Archive;
  /** The replica of a side, ready to be changed. @throws {EndpointLostError | SetupError} where it cannot be had. */
  endpoint(side: Side): Promise<Endpoint>;
  /** null: no session runs. */
  readonly session: RunningSession | null;
}

/** What can be asked of a session itself. */
export interface RunningSession {
  state(): SessionState | Promise<SessionState>;
  /** Ends it soon; returns the id of its process. */
  stop(): number;
  /** Resolves to the number of changes. @throws {EndpointLostError} where there is no link. */
  fullSync(): Promise<number>;
  /** Resolves when all that was written before is settled. @throws {EndpointLostError} where there is no link. */
  flush(): Promise<readonly Problem[]>;
  /** Tells whether it was the other way before. */
  pause(on: boolean): boolean;
}

/** A name that is taken is tried again with the next number this often. */
const NAMES_MAX = 100;
/** What is changed while it is replaced is tried again this often. */
const TRIES_MAX = 5;

/** Answers one request. */
export async function answerControl(request: ControlRequest, world: ControlWorld): Promise<ControlAnswer> {
  switch (request.kind) {
    case "status":
      return { kind: "status", state: await world.session?.state() ?? null };
    case "stop":
      return { kind: "stopping", processId: runningOf(world).stop() };
    case "full-sync":
      return { kind: "full-synced", changes: await runningOf(world).fullSync() };
    case "flush":
      return { kind: "flushed", problems: await runningOf(world).flush() };
    case "pause":
    case "resume":
      return { kind: "pausing", isChanged: runningOf(world).pause(request.kind === "pause") };
    case "conflicts.list":
      return { kind: "conflicts", conflicts: world.archive.conflicts() };
    case "conflicts.resolve":
      return { kind: "deeds", deeds: await resolve(request, world) };
    case "trash.list":
      return await listTrash(request, world);
    case "trash.restore":
      return { kind: "deeds", deeds: await restore(request, world) };
    case "trash.empty":
      return { kind: "deeds", deeds: await empty(request, world) };
  }
}

function runningOf({ session }: ControlWorld): RunningSession {
  if (session === null) throw new SetupError("Cannot ask psync: none runs on this pair");
  return session;
}

async function listTrash(
  { side, only, after }: Extract<ControlRequest, { kind: "trash.list" }>,
  world: ControlWorld,
): Promise<ControlAnswer> {
  const page = await (await world.endpoint(side)).trashList({ only, after });
  const items = page.items.flatMap((item) => {
    const place = parseTrashPlace(item.kept);
    return place === null ? [] : [{ ...item, ...place }];
  });
  return { kind: "page", items, after: page.hasMore ? page.items.at(-1)?.kept ?? null : null };
}

async function resolve(
  { ids, keep }: Extract<ControlRequest, { kind: "conflicts.resolve" }>,
  world: ControlWorld,
): Promise<Deed[]> {
  const deeds: Deed[] = [];
  const touched = new Set<Side>();
  for (const id of ids) {
    // Looked up one by one: another command may have resolved it meanwhile.
    const row = world.archive.conflicts().find((each) => each.id === id);
    if (row === undefined) {
      deeds.push({ outcome: "unknown", detail: null, to: null, kept: null });
      continue;
    }
    const endpoint = await world.endpoint(row.loser);
    touched.add(row.loser);
    const deed = await resolveOne(row, keep, endpoint);
    // The other version stands already: a loser that is gone leaves nothing to decide.
    const isOver = deed.outcome === "done" || (deed.outcome === "gone" && keep === otherSide(row.loser));
    if (isOver) world.archive.transact(() => world.archive.removeConflict(id));
    deeds.push(isOver ? { ...deed, outcome: "done" } : deed);
  }
  await syncAll(touched, world);
  return deeds;
}

async function resolveOne(row: ConflictRow, keep: Keep, endpoint: Endpoint): Promise<Deed> {
  const { path, kept, loser } = row;
  if (keep === "both") return await putBeside(row, endpoint);
  if (keep !== loser) return deedOf(await act(endpoint, { kind: "release", kept }), null);
  for (let tries = 1;; tries++) {
    const result = await act(endpoint, { kind: "restore", kept, to: path, replaces: true });
    if (result.kind !== "taken" || tries === TRIES_MAX) return deedOf(result, path);
  }
}

async function putBeside(row: ConflictRow, endpoint: Endpoint): Promise<Deed> {
  for (let nth = 1;; nth++) {
    const to = joinPath(parentOf(row.path), conflictName(nameOf(row.path), { ...row, nth }));
    const result = await act(endpoint, { kind: "restore", kept: row.kept, to, replaces: false });
    if (result.kind !== "taken" || nth === NAMES_MAX) return deedOf(result, to);
  }
}

async function restore(
  { side, items }: Extract<ControlRequest, { kind: "trash.restore" }>,
  world: ControlWorld,
): Promise<Deed[]> {
  const endpoint = await world.endpoint(side);
  const actions = items.map(({ kept, to }): TrashAction => ({ kind: "restore", kept, to, replaces: false }));
  const results = await endpoint.trashAct(actions);
  const back = new Set(items.filter((_, i) => results[i]!.kind === "done").map(({ kept }) => kept));
  const over = world.archive.conflicts().filter(({ loser, kept }) => loser === side && back.has(kept));
  world.archive.transact(() => over.forEach(({ id }) => world.archive.removeConflict(id)));
  await syncAll([side], world);
  return results.map((result, i) => deedOf(result, items[i]!.to));
}

async function empty(
  { side, kept }: Extract<ControlRequest, { kind: "trash.empty" }>,
  world: ControlWorld,
): Promise<Deed[]> {
  const endpoint = await world.endpoint(side);
  const mayGo = kept.filter((each) => parseTrashPlace(each)?.trashClass === "removed");
  const results = await endpoint.trashAct(mayGo.map((each): TrashAction => ({ kind: "purge", kept: each })));
  const byPlace = new Map(mayGo.map((each, i) => [each, results[i]!]));
  return kept.map((each) => {
    const result = byPlace.get(each);
    return result === undefined ? { outcome: "unknown", detail: null, to: null, kept: each } : deedOf(result, null);
  });
}

async function act(endpoint: Endpoint, action: TrashAction): Promise<TrashResult> {
  const [result] = await endpoint.trashAct([action]);
  return result!;
}

function deedOf(result: TrashResult, to: RelPath | null): Deed {
  const isDone = result.kind === "done";
  return {
    outcome: result.kind,
    detail: result.kind === "failed" ? result.detail : null,
    to: isDone ? to : null,
    kept: isDone ? result.kept : null,
  };
}

/** What was asked for by a human is to survive a power cut. */
async function syncAll(sides: Iterable<Side>, world: ControlWorld): Promise<void> {
  for (const side of sides) listFindings(world.archive, side, await (await world.endpoint(side)).sync());
}

/** Lists as conflicts what an endpoint found by itself and kept, where no pair is at work that does. */
export function listFindings(archive: Archive, side: Side, found: Findings): void {
  if (found.kept.length === 0) return;
  archive.transact(() => {
    for (const kept of found.kept) {
      const place = parseTrashPlace(kept);
      if (place === null) continue;
      archive.addConflict(conflictRow({ ...place, loser: side, kept, left: null, right: null }));
    }
  });
}
