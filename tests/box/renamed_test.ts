/**
 * What both users rename to names of their own: both names stay, with all that is in them, and people are
 * told once.
 * @module
 */
import { assertEquals } from "@std/assert";
import type { RelPath } from "../../src/core/path.ts";
import { Script } from "./script.ts";

async function settled(run: Script): Promise<void> {
  run.mkdir("left", "d");
  run.mkdir("left", "e");
  run.write("left", "d/x", "x-1");
  run.write("left", "f", "f-22");
  run.world.start();
  await run.rest();
}

/** What was told of names, and what each side holds at these paths. */
function outcome(run: Script, paths: readonly string[]): unknown[] {
  const told = run.world.notices.filter(({ kind }) => kind === "renamed-apart");
  const { left, right } = run.world.trees;
  return [told, [left, right].map((tree) => paths.map((path) => tree.find(path as RelPath)?.text ?? null))];
}

/** What both sides rename, a file in it or itself, and the text of that. */
const RENAMED = [
  { what: "a file", path: "f", left: "a", right: "e/b", file: "", text: "f-22" },
  { what: "a directory", path: "d", left: "p", right: "q", file: "/x", text: "x-1" },
];

for (const { what, path, left, right, file, text } of RENAMED) {
  for (const isDown of [false, true]) {
    const when = isDown ? "while psync was down" : "while psync runs";

    Deno.test(`${what} that both sides renamed ${when} has both names, and people are told of it alone`, async () => {
      await Script.everywhere(async (run) => {
        await settled(run);
        if (isDown) await run.world.kill();
        run.rename("left", path, left);
        run.rename("right", path, right);
        if (isDown) run.world.start();
        await run.rest();
        const texts = [text, text, null];
        const names = [left, right, path].map((name) => `${name}${file}`);
        assertEquals(outcome(run, names), [[{ kind: "renamed-apart", path, left, right }], [texts, texts]]);
      });
    });
  }
}

Deno.test("nobody is told where both sides renamed to the same name, or one side alone did", async () => {
  await Script.everywhere(async (run) => {
    await settled(run);
    run.rename("left", "f", "a");
    run.rename("right", "f", "a");
    run.rename("left", "d", "p");
    await run.rest();
    run.rename("right", "p", "q");
    await run.rest();
    assertEquals(outcome(run, ["a", "q/x"]), [[], [["f-22", "x-1"], ["f-22", "x-1"]]]);
  });
});

Deno.test("what was removed from a directory is removed under its new name, though the rename is heard of last", async () => {
  await Script.everywhere(async (run) => {
    await settled(run);
    run.hold("left", "events");
    run.rename("left", "d", "n");
    run.remove("right", "d/x");
    await run.go();
    await run.rest();
    assertEquals(outcome(run, ["n/x", "d/x", "f"]), [[], [[null, null, "f-22"], [null, null, "f-22"]]]);
  });
});

Deno.test("a directory that one user renamed just as the other one set its mode has that mode on both sides", async () => {
  await Script.everywhere(async (run) => {
    await settled(run);
    run.hold("left", "commit");
    run.rename("right", "d", "n");
    await run.go();
    run.hold("left", "look", "after");
    run.chmod("left", "d", 0o700);
    run.let("left", "commit");
    await run.rest();
    assertEquals(run.world.trees.right.show(), run.world.trees.left.show());
    assertEquals(run.world.trees.left.find("n" as RelPath)?.mode, 0o700);
  });
});
