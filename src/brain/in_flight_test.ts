import { assertEquals } from "@std/assert";
import { at } from "../../tests/support/brain.ts";
import { FlightDeck } from "./in_flight.ts";

const LOOK = null;

Deno.test("FlightDeck blocks a path in flight and all below it; a subtree also by what is below", () => {
  const deck = new FlightDeck();
  deck.begin({ path: at("d/s"), shown: LOOK, sinceMs: null });
  const cases: [path: string, alone: string | null, subtree: string | null][] = [
    ["d/s", "d/s", "d/s"],
    ["d/s/x", "d/s", "d/s"],
    ["d", null, "d/s"],
    ["d/st", null, null],
    ["", null, "d/s"],
  ];
  for (const [path, alone, subtree] of cases) {
    assertEquals(deck.blockerOf(at(path), { subtree: false }), alone, path);
    assertEquals(deck.blockerOf(at(path), { subtree: true }), subtree, path);
  }
  deck.end(at("d/s"));
  assertEquals([deck.blockerOf(at("d"), { subtree: true }), deck.size], [null, 0]);
});

Deno.test("FlightDeck.blockerInOpened() minds the path and what is below, not the directory that is made", () => {
  const deck = new FlightDeck();
  deck.begin({ path: at("n"), shown: LOOK, sinceMs: null });
  assertEquals(deck.blockerInOpened(at("n/d")), null);
  deck.begin({ path: at("n/d/x"), shown: LOOK, sinceMs: null });
  assertEquals(deck.blockerInOpened(at("n/d")), "n/d/x");
  assertEquals(deck.blockerInOpened(at("n")), "n");
});

Deno.test("FlightDeck shows a rename once, under its new name, and blocks both", () => {
  const deck = new FlightDeck();
  deck.beginMove({ from: at("a"), to: at("b") }, { shown: { target: "right", sizeBytes: null }, sinceMs: 5 });
  assertEquals([...deck.shown()], [{ path: at("b"), target: "right", sizeBytes: null }]);
  assertEquals([deck.at(at("a"))?.path, deck.at(at("b"))?.path, deck.at(at("c"))], [at("a"), at("b"), null]);
});

Deno.test("FlightDeck.paths() has every path that is worked on, and no other", () => {
  const deck = new FlightDeck();
  deck.begin({ path: at("a"), shown: LOOK, sinceMs: null });
  deck.begin({ path: at("b"), shown: LOOK, sinceMs: null });
  deck.end(at("a"));
  assertEquals([...deck.paths()], [at("b")]);
});

Deno.test("FlightDeck counts what may take hours by itself, until it ends", () => {
  const deck = new FlightDeck();
  for (const path of ["a", "b"]) deck.begin({ path: at(path), shown: null, sinceMs: null });
  deck.slow(at("a"));
  assertEquals([deck.size, deck.quickCount, deck.slowCount, deck.isSlow(at("a")), deck.isSlow(at("b"))], [
    2,
    1,
    1,
    true,
    false,
  ]);
  deck.end(at("a"));
  assertEquals([deck.quickCount, deck.slowCount, deck.isSlow(at("a"))], [1, 0, false]);
});
