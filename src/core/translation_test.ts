import { assertEquals, assertThrows } from "@std/assert";
import { fc } from "../../tests/support/properties.ts";
import { UsageError } from "../base/errors.ts";
import { compileIgnore, NO_RULES } from "./ignore.ts";
import { parseRelPath, type RelPath } from "./path.ts";
import { compileTranslation, parseTranslations } from "./translation.ts";

const PAIRS = parseTranslations(["A:B", "x y:z"]);

Deno.test("a translation exchanges whole parts of paths", () => {
  const { translate } = compileTranslation(PAIRS);
  const rows = [["A", "B"], ["a/A/c", "a/B/c"], ["AA/A", "AA/B"], ["x y/B", "z/A"], ["", ""], ["a", "a"]];
  for (const [from, to] of rows) assertEquals(translate(from as RelPath), to as RelPath);
});

Deno.test("a translation is its own way back, and two paths never become one", () => {
  const { translate } = compileTranslation(PAIRS);
  const path = fc.array(fc.constantFrom("A", "B", "x y", "z", "c"), { minLength: 1, maxLength: 4 })
    .map((names) => parseRelPath(names.join("/")));
  fc.assert(fc.property(path, (each) => assertEquals(translate(translate(each)), each)));
});

Deno.test("a name of the right is taken on the left, and so is what is below it", () => {
  const names = compileTranslation(PAIRS);
  assertEquals(["A", "B", "c/B", "B/c", ""].map((path) => names.isTaken(path as RelPath)), [
    false,
    true,
    true,
    false,
    false,
  ]);
  assertEquals(["B", "B/c", "a/B/c/d"].map((path) => names.isBelowTaken(path as RelPath)), [false, true, true]);
});

Deno.test("patterns are for the left's names on both sides", () => {
  const right = compileIgnore({ ...NO_RULES, excludes: ["^/A/cache"], names: PAIRS });
  assertEquals(right.isIgnored(parseRelPath("B/cache"), true), true);
  assertEquals(right.isIgnored(parseRelPath("A/cache"), true), false);
});

Deno.test("parseTranslations() refuses what are no two names", () => {
  for (const wrong of ["", "A", "A:", ":B", "A:B:C", "a/b:c", "..:a", ".psync:a", "A:A"]) {
    assertThrows(() => parseTranslations([wrong]), UsageError);
  }
  assertThrows(() => parseTranslations(["A:B", "B:C"]), UsageError, `"B" twice`);
});
