// Each kind of change, taken back by one disk while the other side and the archive live on.
import { assertEquals } from "@std/assert";
import { MemoryTree } from "../../tests/box/tree.ts";
import { World } from "../../tests/box/world.ts";
import type { RelPath } from "../core/path.ts";
import type { Side } from "../core/problem.ts";

/** The disk has only what was flushed, and that whole. */
const OLDEST = { below: () => 0, next: () => 0.5 };

function write(tree: MemoryTree, path: string, text: string): void {
  const node = tree.find(path as RelPath);
  if (node === null) tree.put(path as RelPath, tree.make("file", text));
  else tree.write(node, path as RelPath, text);
  tree.mark();
}

function rename(tree: MemoryTree, from: string, to: string): void {
  tree.rename(from as RelPath, to as RelPath);
  tree.mark();
}

function remove(tree: MemoryTree, path: string): void {
  tree.take(path as RelPath);
  tree.mark();
}

/** So has this one, but the archive lives; and this one has all. */
const OLDEST_TREE = { below: () => 0, next: () => 0.9 };
const NEWEST = { below: (count: number) => count - 1, next: () => 0.9 };

/** A pair at rest, everything durable: d/f and g on both sides. */
async function settled(): Promise<World> {
  const world = new World({ seed: 1 });
  const { left } = world.trees;
  left.put("d" as RelPath, left.make("dir"));
  for (const path of ["d/f", "g"]) write(left, path, `old ${path}`);
  world.start();
  await world.rest();
  while (world.archive.epochEnd() !== 0) {
    await world.clock.advance(1_000);
    while (await world.scheduler.step());
  }
  world.archive.flush(0);
  return world;
}

/** What is done reaches the other side; then `sides` lose it, and psync starts again. */
async function afterCut(sides: readonly Side[], work: (world: World) => void, down?: (world: World) => void) {
  const world = await settled();
  work(world);
  while (await world.scheduler.step());
  assertEquals(world.trees.left.show(), world.trees.right.show(), "the change did not arrive");
  await world.kill();
  world.powerCut(sides, OLDEST);
  down?.(world);
  world.start();
  await world.rest();
  await world.kill();
  assertEquals(world.trees.left.show(), world.trees.right.show());
  return world;
}

for (const by of ["left", "right"] as const) {
  Deno.test(`an edit on the ${by} that the right took back is made again`, async () => {
    const world = await afterCut(["right"], (at) => write(at.trees[by], "g", "new"));
    assertEquals([world.trees.left.find("g" as RelPath)?.text, world.archive.conflicts()], ["new", []]);
  });

  Deno.test(`a removal on the ${by} that the right took back is made again`, async () => {
    const world = await afterCut(["right"], (at) => remove(at.trees[by], "g"));
    assertEquals(world.trees.right.find("g" as RelPath), null);
  });

  Deno.test(`a new file of the ${by} that the right took back comes again`, async () => {
    const world = await afterCut(["right"], (at) => write(at.trees[by], "d/new", "new"));
    assertEquals(world.trees.right.find("d/new" as RelPath)?.text, "new");
  });

  Deno.test(`a rename of a directory on the ${by} that the right took back is made again`, async () => {
    const world = await afterCut(["right"], (at) => rename(at.trees[by], "d", "e"));
    assertEquals([...world.trees.right.walk()].map(([path]) => path).sort(), ["e", "e/f", "g"]);
    assertEquals(world.log.filter((line) => line.includes("right: move d -> e")).length, by === "left" ? 2 : 1);
  });

  Deno.test(`an edit below a renamed directory of the ${by} comes again under its new name`, async () => {
    const world = await afterCut(["right"], (at) => {
      rename(at.trees[by], "d", "e");
      write(at.trees[by], "e/f", "new");
    });
    assertEquals(world.trees.left.find("e/f" as RelPath)?.text, "new");
    assertEquals([...world.trees.left.walk()].map(([path]) => path).sort(), ["e", "e/f", "g"]);
  });
}

Deno.test("what both disks took back is as it was", async () => {
  const world = await afterCut(["left", "right"], (at) => write(at.trees.left, "g", "new"));
  assertEquals([world.trees.left.find("g" as RelPath)?.text, world.archive.conflicts()], ["old g", []]);
});

Deno.test("what a crashed side shows and nobody can place loses to the other side, and is kept", async () => {
  const world = await afterCut(
    ["right"],
    (at) => write(at.trees.right, "g", "new"),
    (at) => write(at.trees.right, "g", "torn"),
  );
  assertEquals(world.trees.right.find("g" as RelPath)?.text, "new");
  assertEquals(world.archive.conflicts().map(({ path, loser }) => [path, loser]), [["g", "right"]]);
  assertEquals(world.trees.right.trash.map(({ text }) => text), ["torn"]);
});

Deno.test("an archive that was taken back as well costs nothing", async () => {
  const world = await afterCut(["left"], (at) => write(at.trees.right, "g", "new"), (at) => {
    assertEquals(at.archive.epochEnd(), 0, "the archive was not taken back");
  });
  assertEquals([world.trees.left.find("g" as RelPath)?.text, world.archive.conflicts()], ["new", []]);
});

for (
  const { what, path, text } of [
    { what: "a new file", path: "n", text: "new" },
    { what: "an edit", path: "g", text: "new g" },
  ]
) {
  Deno.test(`${what} that one of two crashed disks took back comes again, though psync ends when it has found that`, async () => {
    const world = await settled();
    write(world.trees.right, path, text);
    while (await world.scheduler.step());
    await world.kill();
    world.powerCut(["left"], OLDEST_TREE);
    world.powerCut(["right"], NEWEST);
    for (let life = 0; life < 3; life++) {
      world.start();
      const end = world.archive.epochEnd();
      while (world.archive.epochEnd() === end && await world.scheduler.step());
      await world.kill();
    }
    world.start();
    await world.rest();
    await world.kill();
    const texts = [world.trees.left, world.trees.right].map((tree) => tree.find(path as RelPath)?.text);
    assertEquals([texts, world.archive.conflicts()], [[text, text], []]);
  });
}
