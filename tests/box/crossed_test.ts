/**
 * Directories that the users rename into each other: the left rename stands, the right one is undone, and
 * people are told; nothing of either is lost.
 * @module
 */
import { assertEquals } from "@std/assert";
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
      });
    });
  }
}
