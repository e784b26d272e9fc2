import { assertEquals } from "@std/assert";
import { absent, at, pairParts } from "../../tests/support/brain.ts";
import type { LookOptions } from "../core/endpoint.ts";
import type { Observation } from "../core/observation.ts";
import type { RelPath } from "../core/path.ts";
import { LookLane, type WantedLook } from "./fetch.ts";

/** A lane whose looks are answered when the test says so. */
function make() {
  const parts = pairParts();
  const asked: { paths: readonly RelPath[]; options: LookOptions; answer: () => Promise<void> }[] = [];
  const failures: unknown[] = [];
  parts.left.look = (paths, options) =>
    new Promise((resolve, reject) => {
      const answer = async () => {
        if (paths.includes(at("broken"))) reject(new Error("gone"));
        else resolve(paths.map((path) => absent(path)));
        for (let i = 0; i < 10; i++) await Promise.resolve();
      };
      asked.push({ paths, options, answer });
    });
  const lane = new LookLane({ ...parts.context, fail: (error) => failures.push(error) }, "left");
  const seen: string[] = [];
  const want = (path: string, look: Partial<WantedLook> = {}) =>
    lane.want({ path: at(path), content: true, digest: false, sizeBytes: 0, ...look }, (one: Observation) => {
      seen.push(`${one.kind} ${one.path}`);
    });
  return { ...parts, lane, asked, failures, seen, want };
}

const limits = (asked: readonly { paths: readonly RelPath[]; options: LookOptions }[]) =>
  asked.map(({ paths, options }) => `${paths.length} ${options.contentLimitBytes} ${options.digests}`);

Deno.test("LookLane asks together for what is of one kind, in the order in which it was wanted", async () => {
  const { asked, want, seen, lane } = make();
  want("a");
  want("b", { sizeBytes: 100_000 });
  want("c", { digest: true });
  want("d", { content: false });
  await Promise.resolve();
  assertEquals(limits(asked), ["2 200000 false", "1 65536 true", "1 0 false"]);
  for (const { answer } of asked) await answer();
  assertEquals(seen, ["absent a", "absent b", "absent c", "absent d"]);
  assertEquals(lane.size, 0);
});

Deno.test("LookLane bounds a batch by its bytes and its paths, and the batches that are under way", async () => {
  const { asked, want, lane } = make();
  for (let i = 0; i < 2; i++) want(`big${i}`, { sizeBytes: 1 << 20 });
  for (let i = 0; i < 20; i++) want(`large${i}`, { sizeBytes: 1 << 16 });
  for (let i = 0; i < 300; i++) want(`small${i}`);
  await Promise.resolve();
  // Nobody knows how large the small ones are: with a large one among them each may bring as much.
  assertEquals(limits(asked), ["1 1048576 false", "1 1048576 false", "16 131072 false"]);
  for (let i = 0; i < asked.length; i++) await asked[i]!.answer();
  assertEquals(limits(asked).slice(3), ["128 131072 false", "176 65536 false"]);
  assertEquals(lane.size, 0);
});

Deno.test("LookLane asks for more than a file had when it was last seen, as it may have grown", async () => {
  const { asked, want } = make();
  want("log", { sizeBytes: 300_000 });
  await Promise.resolve();
  assertEquals(limits(asked), ["1 600000 false"]);
});

Deno.test("LookLane lets no file of unknown size share the limit of a large one with many", async () => {
  const { asked, want } = make();
  want("large", { sizeBytes: 900_000 });
  for (let i = 0; i < 100; i++) want(`unknown${i}`);
  await Promise.resolve();
  assertEquals(limits(asked), ["16 1048576 false", "85 65536 false"]);
});

Deno.test("LookLane looks also where a rename took a path meanwhile, and follows no circle for ever", async () => {
  const { asked, want, seen, context, clock } = make();
  want("d/x");
  await Promise.resolve();
  context.moves.note({ from: at("d"), to: at("e") });
  for (let i = 0; i < asked.length; i++) await asked[i]!.answer();
  assertEquals(asked.map(({ paths }) => paths.join()), ["d/x", "e/x"]);
  assertEquals([seen, context.board.peek(at("e/x"))?.left?.observation.kind], [["absent d/x"], "absent"]);
  for (let i = 0; i < 9; i++) {
    context.moves.note({ from: at("p"), to: at("t") });
    context.moves.note({ from: at("q"), to: at("p") });
    context.moves.note({ from: at("t"), to: at("q") });
  }
  want("p");
  await clock.advance(0);
  for (let i = 2; i < asked.length; i++) await asked[i]!.answer();
  assertEquals(asked.length, 2 + 4);
});

Deno.test("LookLane tells of a failure and goes on with what waits", async () => {
  const { asked, want, seen, failures } = make();
  want("broken");
  want("b", { digest: true });
  await Promise.resolve();
  for (const { answer } of asked) await answer();
  assertEquals([seen, failures.length], [["absent b"], 1]);
});

Deno.test("LookLane reads no more content while much of it waits for a commit, and goes on when that ends", async () => {
  const { asked, context } = make();
  const busy = { contentBytes: 8 << 20, isIdle: false };
  Object.assign(context, { lanes: { left: context.lanes.left, right: busy } });
  const held = new LookLane(context, "left");
  for (let i = 0; i < 2; i++) {
    held.want({ path: at(`f${i}`), content: true, digest: false, sizeBytes: 1 << 20 }, () => {});
  }
  await Promise.resolve();
  assertEquals([asked.length, held.size], [0, 2]);
  held.want({ path: at("g"), content: false, digest: false, sizeBytes: 0 }, () => {});
  busy.isIdle = true; // nothing will end by itself: one batch after the other
  held.resume();
  assertEquals(asked.length, 1);
  busy.contentBytes = 0;
  held.resume();
  assertEquals(asked.length, 3);
});
