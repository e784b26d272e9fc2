import { assertEquals, assertStrictEquals } from "@std/assert";
import { at, pairParts } from "../../tests/support/brain.ts";
import { file } from "../../tests/support/entries.ts";
import type { Transition, TransitionResult } from "../core/transition.ts";
import { CommitLane } from "./lane.ts";

function put(path: string, bytes = 0): Transition {
  return {
    kind: "put",
    path: at(path),
    expected: { kind: "absent" },
    entry: file("a"),
    content: { kind: "inline", bytes: new Uint8Array(bytes) },
    disposal: "drop",
  };
}

/** A lane whose commits are answered when the test says so. */
function make() {
  const parts = pairParts();
  const asked: { paths: string[]; answer: (error?: Error) => Promise<void> }[] = [];
  const failures: unknown[] = [];
  let wakes = 0;
  parts.right.commit = ({ transitions }) =>
    new Promise((resolve, reject) => {
      const answer = async (error?: Error) => {
        if (error !== undefined) reject(error);
        const done = { kind: "done", stamp: null, kept: null, masked: false, ended: 1 } as const;
        resolve(transitions.map(() => done));
        for (let i = 0; i < 10; i++) await Promise.resolve();
      };
      asked.push({ paths: transitions.map((one) => one.kind === "move" ? one.to : one.path), answer });
    });
  const context = { ...parts.context, fail: (error: unknown) => failures.push(error), wake: () => wakes++ };
  const lane = new CommitLane(context, "right");
  const done: string[] = [];
  const add = (path: string, bytes = 0) =>
    lane.add({ transition: put(path, bytes), done: (result: TransitionResult) => done.push(`${path} ${result.kind}`) });
  return { ...parts, lane, asked, failures, done, add, wakes: () => wakes };
}

Deno.test("CommitLane sends the first step at once, and the open batch when there is a place", async () => {
  const { lane, asked, add, done } = make();
  for (let i = 0; i < 7; i++) {
    add(`f${i}`);
    lane.flush();
  }
  assertEquals(asked.map(({ paths }) => paths), [["f0"], ["f1"], ["f2"], ["f3"]]);
  await asked[2]!.answer();
  assertEquals([asked.at(-1)!.paths, done], [["f4", "f5", "f6"], ["f2 done"]]);
  for (const { answer } of asked) await answer();
  assertEquals([done.length, lane.isIdle], [7, true]);
});

Deno.test("CommitLane closes a batch that is full of steps or of bytes, and keeps their order", () => {
  const { lane, asked, add } = make();
  const first = lane.openBatch;
  for (let i = 0; i < 511; i++) add(`f${i}`);
  assertStrictEquals(lane.openBatch, first);
  add("f511");
  assertEquals(lane.openBatch === first, false);
  add("big", 1 << 20);
  add("last");
  lane.flush();
  assertEquals(asked.map(({ paths }) => paths.length), [512, 1, 1]);
  assertEquals(asked.flatMap(({ paths }) => paths).slice(-3), ["f511", "big", "last"]);
});

Deno.test("CommitLane has no room while full batches wait, and again when one was answered", async () => {
  const { lane, asked, add } = make();
  for (let i = 0; i < 6; i++) add(`big${i}`, 1 << 20);
  lane.flush();
  let hasRoom = false;
  const room = lane.room().then(() => hasRoom = true);
  await Promise.resolve();
  assertEquals([asked.length, hasRoom], [4, false]);
  await asked[0]!.answer();
  await room;
  assertEquals(hasRoom, true);
});

Deno.test("CommitLane records a batch in one transaction, or nothing of it", async () => {
  const { lane, asked, add, archive, failures, wakes } = make();
  add("a");
  lane.add({
    transition: put("b"),
    done: () => {
      archive.setMeta("b", "recorded"); // throws outside of a transaction
      throw new Error("no");
    },
  });
  lane.flush();
  await asked[0]!.answer();
  assertEquals([archive.meta("b"), failures.length, lane.isIdle, wakes() > 0], [null, 1, true, true]);
});

Deno.test("CommitLane tells of a lost endpoint, answers nothing for it, and gives its place back", async () => {
  const { lane, asked, add, failures, done } = make();
  add("a");
  lane.flush();
  await asked[0]!.answer(new Error("lost"));
  assertEquals([failures.length, done, lane.isIdle], [1, [], true]);
});
