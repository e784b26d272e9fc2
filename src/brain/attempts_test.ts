import { assertEquals } from "@std/assert";
import { at } from "../../tests/support/brain.ts";
import { Attempts } from "./attempts.ts";

Deno.test("Attempts counts by path, until a path is forgotten", () => {
  const attempts = new Attempts();
  assertEquals([attempts.add(at("p")), attempts.add(at("p")), attempts.add(at("q"))], [1, 2, 1]);
  attempts.forget(at("p"));
  assertEquals([attempts.at(at("p")), attempts.at(at("q"))], [0, 1]);
});

Deno.test("Attempts keeps its bound, and what was counted last", () => {
  const attempts = new Attempts(4);
  for (const path of ["a", "b", "c", "a", "d", "e"]) attempts.add(at(path));
  assertEquals(attempts.size, 2);
  assertEquals(["a", "b", "c", "d", "e"].map((path) => attempts.at(at(path))), [0, 0, 0, 1, 1]);
});
