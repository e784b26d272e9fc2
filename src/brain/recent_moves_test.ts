import { assertEquals } from "@std/assert";
import { absent, at, present } from "../../tests/support/brain.ts";
import { file } from "../../tests/support/entries.ts";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { RecentMoves } from "./recent_moves.ts";

Deno.test("RecentMoves follows a path through renames in their order", () => {
  const moves = new RecentMoves(new FakeClock());
  assertEquals(moves.follow(at("d/x")), "d/x");
  moves.note({ from: at("d"), to: at("e") });
  moves.note({ from: at("e/x"), to: at("y") });
  assertEquals([moves.follow(at("d/x")), moves.follow(at("d/z")), moves.follow(at("dd"))], ["y", "e/z", "dd"]);
});

Deno.test("RecentMoves forgets a rename after a minute, and the oldest of too many", async () => {
  const clock = new FakeClock();
  const moves = new RecentMoves(clock);
  moves.note({ from: at("a"), to: at("b") });
  await clock.advance(61_000);
  moves.note({ from: at("c"), to: at("d") });
  assertEquals([moves.follow(at("a")), moves.follow(at("c"))], ["a", "d"]);
  for (let i = 0; i < 1_001; i++) moves.note({ from: at(`f${i}`), to: at(`g${i}`) });
  assertEquals([moves.follow(at("c")), moves.follow(at("f1000"))], ["c", "g1000"]);
});

Deno.test("RecentMoves takes along where a directory has come, and tells it once", () => {
  const moves = new RecentMoves(new FakeClock());
  moves.arrived(at("n/e"));
  moves.note({ from: at("n"), to: at("m") });
  assertEquals([moves.takeArrived(at("m/e")), moves.takeArrived(at("m/e"))], [true, false]);
});

Deno.test("RecentMoves asks for everything instead of remembering too many directories", () => {
  let asked = 0;
  const moves = new RecentMoves(new FakeClock(), () => asked++);
  for (let i = 0; i < 1_001; i++) moves.arrived(at(`d${i}`));
  assertEquals([asked, moves.takeArrived(at("d7"))], [1, false]);
});

Deno.test("RecentMoves tells where paths are now that were missed before their rename was told", async () => {
  const clock = new FakeClock();
  const moves = new RecentMoves(clock);
  moves.seen(absent("d/old"));
  await clock.advance(61_000);
  moves.seen(absent("d/x"));
  moves.seen({ kind: "orphan", path: at("d/y"), began: 1 });
  moves.seen(absent("d/z"));
  moves.seen(present("d/z", file("a")));
  moves.seen(absent("dd"));
  const move = { from: at("d"), to: at("e") };
  assertEquals(moves.takeMissed(move), [at("e/x"), at("e/y")]);
  assertEquals(moves.takeMissed(move), []);
});

Deno.test("RecentMoves tells once whether a walk missed what was renamed", () => {
  const moves = new RecentMoves(new FakeClock());
  moves.notListed(at("d/sub"));
  assertEquals(moves.takeNotListed({ from: at("dd"), to: at("e") }), false);
  assertEquals(moves.takeNotListed({ from: at("d"), to: at("e") }), true);
  assertEquals(moves.takeNotListed({ from: at("d"), to: at("e") }), false);
});

Deno.test("RecentMoves knows that both directories of an exchange have come", () => {
  const moves = new RecentMoves(new FakeClock());
  moves.note({ from: at("a"), to: at("b") });
  moves.arrived(at("b"));
  moves.note({ from: at("b"), to: at("a") });
  assertEquals([moves.takeArrived(at("a")), moves.takeArrived(at("b"))], [true, true]);
});
