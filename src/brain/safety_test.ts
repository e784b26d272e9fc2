import { assertEquals } from "@std/assert";
import { isSuspiciouslyEmpty, mustHold } from "./safety.ts";

Deno.test("mustHold() holds more than 100 removals that are more than a tenth of what is known", () => {
  const cases: [removals: number, known: number, held: boolean][] = [
    [0, 0, false],
    [100, 100, false],
    [101, 101, true],
    [101, 1_000, true],
    [101, 1_010, false],
    [102, 1_010, true],
    [100_000, 1_000_000, false],
    [100_001, 1_000_000, true],
  ];
  for (const [removals, known, held] of cases) assertEquals(mustHold(removals, known), held, `${removals} of ${known}`);
});

Deno.test("isSuspiciouslyEmpty() minds an empty root only where more than ten paths are known", () => {
  assertEquals(isSuspiciouslyEmpty({ isEmpty: true }, 10), false);
  assertEquals(isSuspiciouslyEmpty({ isEmpty: true }, 11), true);
  assertEquals(isSuspiciouslyEmpty({ isEmpty: false }, 11), false);
});
