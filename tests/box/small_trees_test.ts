/**
 * The whole brain at small trees: some of all cases each time, from all over; every case there is with
 * `./scripts/torture planner`.
 * @module
 */
import { assertEquals } from "@std/assert";
import { testSeed } from "../support/seed.ts";
import { runTriples } from "./small_runs.ts";
import { countSlices, countTriples, describe, parseTriple, SLICE, sliceOf, STRIDE } from "./small_trees.ts";

const SEED = testSeed(1);
const CASES = 1_000;

Deno.test(`psync comes to an end with small trees, loses and resurrects nothing, in any order, seed ${SEED}`, async () => {
  assertEquals(await runTriples(sliceOf(SEED % countSlices(), CASES), SEED), []);
});

/** Cases that failed once, as nothing came to an end, or a directory was put back for what was removed in it. */
const ONCE = [
  "[a=file b=dir b/a=file] left: b=new-dir b/a=new-dir; right: a=b/a!(file) b=a!(file); right later",
  "[a=dir a/a=file b=dir b/a=file] left: a=b(dir) b=a(dir) b/a=a/a!(file); right: a=a(dir) b=a/a(file) a/a=b/a!(file); apart",
  "[a=dir a/a=dir b=dir b/a=file] left: b=a/a(dir); right: b=a/a(dir) b/a=a(dir); apart",
  "[a=dir a/a=file] left: a=a(dir); right: b=new-file; right later",
];

for (const text of ONCE) {
  Deno.test(`psync comes to an end with ${text}`, async () => {
    assertEquals(describe(parseTriple(text)), text);
    for (const seed of [1, 2, 3, 27, 78]) assertEquals(await runTriples([parseTriple(text)], seed), []);
  });
}

Deno.test("the slices hold every case once", () => {
  const [first, last] = [sliceOf(0), sliceOf(countSlices() - 1)];
  assertEquals((countSlices() - 1) * SLICE + last.length, countTriples());
  assertEquals(gcd(STRIDE, countTriples()), 1);
  assertEquals(new Set([...first, ...last].map(describe)).size, first.length + last.length);
});

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
