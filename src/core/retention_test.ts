/** Tests of how long the trash keeps what. @module */
import { assertEquals } from "@std/assert";
import { isExpired, KEEP_AT_LEAST_MS, KEEP_MS, overShareBytes } from "./retention.ts";

const NOW_MS = 1_800_000_000_000;

const ROWS: readonly (readonly ["removed" | "conflict", ageMs: number, overBytes: number, boolean])[] = [
  ["removed", 0, 0, false],
  ["removed", KEEP_MS - 1, 0, false],
  ["removed", KEEP_MS, 0, true],
  ["removed", KEEP_AT_LEAST_MS, 0, false],
  ["removed", KEEP_AT_LEAST_MS - 1, 1e12, false],
  ["removed", KEEP_AT_LEAST_MS, 1, true],
  ["removed", -KEEP_MS, 1e12, false],
  ["conflict", 10 * KEEP_MS, 1e12, false],
];

Deno.test("isExpired() tells by class, age and share", () => {
  for (const [trashClass, ageMs, overBytes, expected] of ROWS) {
    const item = { trashClass, atMs: NOW_MS - ageMs };
    assertEquals(isExpired(item, { nowMs: NOW_MS, overBytes }), expected, `${trashClass} ${ageMs} ${overBytes}`);
  }
});

Deno.test("overShareBytes() is what is more than a tenth of the file system", () => {
  assertEquals([overShareBytes(100, 1000), overShareBytes(101, 1000), overShareBytes(0, 0)], [0, 1, 0]);
});
