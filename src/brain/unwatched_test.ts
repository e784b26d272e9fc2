import { assertEquals } from "@std/assert";
import { at } from "../../tests/support/brain.ts";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import type { RelPath } from "../core/path.ts";
import type { Notice } from "./report.ts";
import { POLL_MS, Unwatched } from "./unwatched.ts";

function make() {
  const clock = new FakeClock();
  const told: string[] = [];
  const rescanned: RelPath[] = [];
  const notice = (one: Notice) => void told.push(one.kind === "unwatched" ? `${one.side} ${one.path}` : one.kind);
  const unwatched = new Unwatched({ clock, report: { notice }, rescan: (dir) => void rescanned.push(dir) });
  return { clock, told, rescanned, unwatched };
}

Deno.test("Unwatched tells of the first directory of each side, and polls all of them", async () => {
  const { clock, told, rescanned, unwatched } = make();
  for (const path of ["a", "b", "c"]) unwatched.note("left", at(path));
  unwatched.note("right", at("b"));
  assertEquals(told, ["left a", "right b"]);
  assertEquals([unwatched.countOf("left"), unwatched.countOf("right")], [3, 1]);
  await clock.advance(POLL_MS);
  assertEquals(rescanned, ["a", "b", "c", "b"].map(at));
  unwatched.note("left", at("a"));
  assertEquals(told.length, 2, "it is known that the left has too many");
  await clock.advance(POLL_MS);
  assertEquals(rescanned.length, 5);
});

Deno.test("Unwatched tells again once there was none for a while", async () => {
  const { clock, told, unwatched } = make();
  unwatched.note("left", at("a"));
  await clock.advance(POLL_MS);
  unwatched.note("right", at("x"));
  await clock.advance(POLL_MS);
  unwatched.note("left", at("a"));
  assertEquals(told, ["left a", "right x", "left a"]);
});

Deno.test("Unwatched polls nothing once it has ended", async () => {
  const { clock, rescanned, unwatched } = make();
  unwatched.note("left", at("a"));
  unwatched[Symbol.dispose]();
  unwatched.note("left", at("b"));
  await clock.advance(2 * POLL_MS);
  assertEquals(rescanned, []);
});
