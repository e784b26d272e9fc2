/** Tests of what requests about conflicts and trash do to an endpoint and the archive. @module */
import { assertEquals } from "@std/assert";
import { FakeEndpoint } from "../../tests/support/fake_endpoint.ts";
import { MemoryArchive } from "../../tests/support/memory_archive.ts";
import type { Endpoint } from "../core/endpoint.ts";
import { parseRelPath } from "../core/path.ts";
import type { Side } from "../core/problem.ts";
import type { TrashAction, TrashResult } from "../core/trash.ts";
import { answerControl, type ControlRequest, type ControlWorld, type Keep } from "./control_requests.ts";

const KEPT = "20260131T235959Z-7.conflict/d/notes.txt";
const PATH = parseRelPath("d/notes.txt");
const BESIDE = "d/notes.psync-conflict-20260131T235959Z-right";

/** An endpoint whose answers about the trash are given. */
class Answering extends FakeEndpoint {
  readonly actions: TrashAction[] = [];

  constructor(readonly answers: TrashResult[]) {
    super();
  }

  override trashAct: Endpoint["trashAct"] = (actions) => {
    this.actions.push(...actions);
    return Promise.resolve(actions.map(() => this.answers.shift() ?? { kind: "done", kept: null }));
  };
}

function makeWorld(answers: TrashResult[] = []) {
  const archive = new MemoryArchive();
  const row = {
    path: PATH,
    loser: "right" as const,
    kept: KEPT,
    atMs: Date.UTC(2026, 0, 31, 23, 59, 59),
    winnerSizeBytes: 1,
    loserSizeBytes: 2,
    winnerMtimeNs: null,
    loserMtimeNs: null,
  };
  const id = archive.transact(() => archive.addConflict(row));
  const endpoint = new Answering(answers);
  const asked: Side[] = [];
  const world: ControlWorld = {
    archive,
    endpoint: (side) => {
      asked.push(side);
      return Promise.resolve(endpoint);
    },
    session: null,
  };
  return { archive, id, endpoint, world, asked };
}

async function deeds(request: ControlRequest, world: ControlWorld) {
  const answer = await answerControl(request, world);
  return answer.kind === "deeds" ? answer.deeds : [];
}

const DONE: TrashResult = { kind: "done", kept: null };
const TAKEN: TrashResult = { kind: "taken" };
const restore = (to: string, replaces: boolean): TrashAction => ({
  kind: "restore",
  kept: KEPT,
  to: parseRelPath(to),
  replaces,
});

const ROWS:
  readonly (readonly [Keep, TrashResult[], TrashAction[], outcome: string, to: string | null, left: number])[] = [
    ["left", [DONE], [{ kind: "release", kept: KEPT }], "done", null, 0],
    ["left", [{ kind: "gone" }], [{ kind: "release", kept: KEPT }], "done", null, 0],
    ["right", [DONE], [restore(PATH, true)], "done", PATH, 0],
    ["right", [{ kind: "gone" }], [restore(PATH, true)], "gone", null, 1],
    ["right", [{ kind: "busy" }], [restore(PATH, true)], "busy", null, 1],
    ["right", [TAKEN, DONE], [restore(PATH, true), restore(PATH, true)], "done", PATH, 0],
    ["both", [DONE], [restore(`${BESIDE}.txt`, false)], "done", `${BESIDE}.txt`, 0],
    [
      "both",
      [TAKEN, TAKEN, DONE],
      [restore(`${BESIDE}.txt`, false), restore(`${BESIDE}-2.txt`, false), restore(`${BESIDE}-3.txt`, false)],
      "done",
      `${BESIDE}-3.txt`,
      0,
    ],
    [
      "both",
      [{ kind: "failed", reason: "no-space", detail: "ENOSPC" }],
      [restore(`${BESIDE}.txt`, false)],
      "failed",
      null,
      1,
    ],
  ];

Deno.test("a decision acts on the loser's replica and ends the conflict only when it was done", async () => {
  for (const [keep, answers, actions, outcome, to, left] of ROWS) {
    const { archive, id, endpoint, world, asked } = makeWorld([...answers]);
    const [deed] = await deeds({ kind: "conflicts.resolve", ids: [id], keep }, world);
    assertEquals(endpoint.actions, actions);
    assertEquals([deed!.outcome, deed!.to, archive.conflicts().length], [outcome, to, left], `${keep} ${outcome}`);
    assertEquals(new Set(asked), new Set(["right"]));
    assertEquals(endpoint.asked.map(({ name }) => name), ["sync"]);
  }
});

Deno.test("an unknown id is told, and the others are decided", async () => {
  const { archive, id, world } = makeWorld();
  const found = await deeds({ kind: "conflicts.resolve", ids: [99, id, id], keep: "left" }, world);
  assertEquals(found.map(({ outcome }) => outcome), ["unknown", "done", "unknown"]);
  assertEquals(archive.conflicts(), []);
});

Deno.test("a loser that is given back from the trash ends its conflict", async () => {
  const { archive, world } = makeWorld();
  const items = [{ kept: KEPT, to: PATH }];
  assertEquals((await deeds({ kind: "trash.restore", side: "left", items }, world))[0]!.outcome, "done");
  assertEquals(archive.conflicts().length, 1);
  await deeds({ kind: "trash.restore", side: "right", items }, world);
  assertEquals(archive.conflicts().length, 0);
});

Deno.test("a conflict's loser is never purged, whatever is asked for", async () => {
  const { endpoint, world } = makeWorld();
  const removed = "20260131T235959Z-7.removed/x";
  const found = await deeds({ kind: "trash.empty", side: "right", kept: [KEPT, removed, "mine/x"] }, world);
  assertEquals(found.map(({ outcome }) => outcome), ["unknown", "done", "unknown"]);
  assertEquals(endpoint.actions, [{ kind: "purge", kept: removed }]);
});
