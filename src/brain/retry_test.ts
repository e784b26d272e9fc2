import { assert, assertEquals } from "@std/assert";
import { at } from "../../tests/support/brain.ts";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { RetryList } from "./retry.ts";

function list() {
  const clock = new FakeClock();
  const due: string[] = [];
  const retry = new RetryList(clock, (paths) => due.push(`${clock.nowMs()} ${paths.join()}`));
  return { clock, due, retry };
}

Deno.test("RetryList tries again with a delay that doubles up to the limit, until the path is settled", async () => {
  const { clock, due, retry } = list();
  for (let i = 0; i < 5; i++) {
    retry.later(at("p"), 1_000);
    await clock.advance(1_000);
  }
  assertEquals(due, ["250 p", "1500 p", "3000 p", "4000 p", "5000 p"]);
  retry.settle(at("p"));
  retry.later(at("p"), 1_000);
  await clock.advance(250);
  assertEquals(due.at(-1), "5250 p");
});

Deno.test("RetryList has one timer for all paths, and none when nothing waits", async () => {
  const { clock, due, retry } = list();
  retry.later(at("p"), 5_000);
  await clock.advance(100);
  retry.later(at("q"), 5_000);
  retry.later(at("q"), 5_000); // keeps its time
  assertEquals([clock.pending, retry.size], [1, 2]);
  await clock.advance(1_000);
  assertEquals(due, ["250 p", "350 q"]);
  assertEquals([clock.pending, retry.size], [0, 0]);
});

Deno.test("RetryList does not try what was settled or disposed of", async () => {
  const { clock, due, retry } = list();
  retry.later(at("p"), 5_000);
  retry.later(at("q"), 5_000);
  retry.settle(at("p"));
  await clock.advance(300);
  assertEquals(due, ["250 q"]);
  retry.later(at("q"), 5_000);
  retry[Symbol.dispose]();
  await clock.advance(10_000);
  assertEquals([due.length, clock.pending], [1, 0]);
});

Deno.test("RetryList follows a rename, with the delay that a path has come to", async () => {
  const { clock, due, retry } = list();
  retry.later(at("d/x"), 5_000);
  await clock.advance(250);
  retry.later(at("d/x"), 5_000);
  retry.move({ from: at("d"), to: at("e") });
  assert(retry.has(at("e/x")) && !retry.has(at("d/x")) && retry.hasBelow(at("e")) && !retry.hasBelow(at("d")));
  await clock.advance(500);
  retry.later(at("e/x"), 5_000);
  await clock.advance(1_000);
  assertEquals(due, ["250 d/x", "750 e/x", "1750 e/x"]);
});

Deno.test("RetryList lets a refused path be tried at once a few times, and again once it worked", () => {
  const { retry } = list();
  const tries = () => Array.from({ length: 6 }, () => retry.mayTryAtOnce(at("p")));
  assertEquals(tries(), [true, true, true, true, false, false]);
  assertEquals(retry.mayTryAtOnce(at("q")), true);
  retry.settle(at("p"));
  assertEquals(tries()[0], true);
});

Deno.test("RetryList tells of what waits without being listed", () => {
  const { retry } = list();
  assertEquals(retry.hasUnlisted(() => false), false);
  retry.later(at("p"), 5_000);
  assertEquals(retry.hasUnlisted((path) => path === "p"), false);
  retry.later(at("q"), 5_000);
  assertEquals(retry.hasUnlisted((path) => path === "p"), true);
});

Deno.test("RetryList has a rename tried three times, and again once the path worked", () => {
  const { retry } = list();
  for (let i = 0; i < 3; i++) {
    assertEquals(retry.mayMove(at("p")), true);
    retry.moveRefused(at("p"));
  }
  assertEquals([retry.mayMove(at("p")), retry.mayMove(at("q"))], [false, true]);
  retry.settle(at("p"));
  assertEquals(retry.mayMove(at("p")), true);
});
