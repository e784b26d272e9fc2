/**
 * Directories that the users rename into each other: the left rename stands, the right one is undone, and
 * people are told; nothing of either is lost.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { RelPath } from "../../src/core/path.ts";
import { Script } from "./script.ts";

interface Case {
  readonly what: string;
  /** Directories of the start, each with a file `x` in it. */
  readonly dirs: readonly string[];
  readonly left: readonly (readonly [from: string, to: string])[];
  readonly right: readonly (readonly [from: string, to: string])[];
  /** The directories of the end. */
  readonly end: readonly string[];
  /** The notice: which rename was undone, where it had led to, and what stands on the left. */
  readonly told: { readonly path: string; readonly undone: string; readonly into: string };
}

const CASES: readonly Case[] = [
  {
    what: "two directories",
    dirs: ["a", "b"],
    left: [["a", "b/a"]],
    right: [["b", "a/b"]],
    end: ["b", "b/a"],
    told: { path: "b", undone: "a/b", into: "b/a" },
  },
  {
    what: "two directories, the other way round",
    dirs: ["a", "b"],
    left: [["b", "a/b"]],
    right: [["a", "b/a"]],
    end: ["a", "a/b"],
    told: { path: "a", undone: "b/a", into: "a/b" },
  },
  {
    what: "directories in directories, under other names",
    dirs: ["p", "p/a", "q", "q/b"],
    left: [["p/a", "q/b/n"]],
    right: [["q", "p/a/m"]],
    end: ["p", "q", "q/b", "q/b/n"],
    told: { path: "q", undone: "p/a/m", into: "q/b/n" },
  },
  {
    what: "three directories",
    dirs: ["a", "b", "c"],
    left: [["a", "b/a"]],
    right: [["c", "a/c"], ["b", "a/c/b"]],
    end: ["b", "b/a", "b/a/c"],
    told: { path: "b", undone: "a/c/b", into: "b/a" },
  },
];

/** How often a rename of psync's is tried where two cross: once in vain, back, and as on the left. */
const ROUNDS = 3;

/** How many renames psync has tried, whatever became of them. */
function triedRenames(run: Script): number {
  return run.world.log.filter((line) => /^ +(left|right): move /.test(line)).length;
}

for (const { what, dirs, left, right, end, told } of CASES) {
  for (const isDown of [false, true]) {
    Deno.test(`${what} renamed into each other ${isDown ? "while psync was down " : ""}are as on the left`, async () => {
      await Script.everywhere(async (run) => {
        for (const dir of dirs) {
          run.mkdir("left", dir);
          run.write("left", `${dir}/x`, `x of ${dir}`);
        }
        run.world.start();
        await run.rest();
        if (isDown) await run.world.kill();
        for (const [from, to] of left) run.rename("left", from, to);
        for (const [from, to] of right) run.rename("right", from, to);
        run.write("left", `${left[0]![1]}/x`, "edited on the left");
        run.write("right", `${told.undone}/x`, "edited on the right");
        run.write("right", `${told.undone}/new`, "new on the right");
        if (isDown) run.world.start();
        await run.rest();
        const shown = run.world.trees.left.show();
        assertEquals(run.world.trees.right.show(), shown);
        assertEquals(shown.split("\n").flatMap((line) => /^(\S+) dir/.exec(line)?.[1] ?? []), end);
        const notices = run.world.notices.filter(({ kind }) => kind === "rename-undone");
        assertEquals(notices, [{ kind: "rename-undone", ...told }] as unknown as typeof notices);
        const texts = [`${told.into}/x`, `${told.path}/x`, `${told.path}/new`].map((path) =>
          run.world.trees.left.find(path as RelPath)?.text
        );
        assertEquals(texts, ["edited on the left", "edited on the right", "new on the right"]);
        assertEquals(run.world.keptConflicts(), []);
        const isOfTwo = left.length + right.length === 2;
        assert(!isOfTwo || triedRenames(run) <= ROUNDS, `${triedRenames(run)} renames were tried`);
      });
    });
  }
}

/** Renames of four directories: in two pairs that cross, and in a ring in which no two of them do. */
const OF_FOUR = [
  { what: "two pairs", right: [["b", "a/b"], ["d", "c/d"]], undone: 2, end: "b b/a d d/c" },
  { what: "a ring", right: [["b", "c/b"], ["d", "a/d"]], undone: null, end: null },
] as const;

for (const { what, right, undone, end } of OF_FOUR) {
  for (const isDown of [false, true]) {
    Deno.test(`four directories renamed into each other, ${what}, ${isDown ? "while psync was down" : "live"}, lose nothing`, async () => {
      await Script.everywhere(async (run) => {
        for (const dir of ["a", "b", "c", "d"]) {
          run.mkdir("left", dir);
          run.write("left", `${dir}/x`, `x of ${dir}`);
        }
        run.world.start();
        await run.rest();
        if (isDown) await run.world.kill();
        for (const [from, to] of [["a", "b/a"], ["c", "d/c"]] as const) run.rename("left", from, to);
        for (const [from, to] of right) run.rename("right", from, to);
        if (isDown) run.world.start();
        await run.rest();
        const shown = run.world.trees.left.show().split("\n");
        assertEquals(run.world.trees.right.show(), shown.join("\n"));
        const texts = shown.flatMap((line) => /x of .$/.exec(line)?.[0] ?? []);
        assertEquals([...new Set(texts)].sort(), ["x of a", "x of b", "x of c", "x of d"]);
        if (end === null) return; // which of the names stay depends on the order of events, and nobody is told
        assertEquals(run.world.notices.filter(({ kind }) => kind === "rename-undone").length, undone);
        assertEquals(shown.flatMap((line) => /^(\S+) dir/.exec(line)?.[1] ?? []).join(" "), end);
        assert(triedRenames(run) <= 2 * ROUNDS, `${triedRenames(run)} renames were tried`);
      });
    });
  }
}
