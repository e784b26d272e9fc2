/**
 * The full comparison in the box: what no event told of is found and repaired, on both sides.
 * @module
 */
import { assertEquals, assertNotEquals } from "@std/assert";
import type { RelPath } from "../../src/core/path.ts";
import { World } from "./world.ts";

const path = (text: string) => text as RelPath;

Deno.test("fullSync() finds and repairs what no event told of", async () => {
  const world = new World({ seed: 1 });
  const { left, right } = world.trees;
  for (const name of ["changed", "removed", "same"]) left.put(path(name), left.make("file", name));
  left.put(path("dir"), left.make("dir"));
  world.start();
  await world.rest();
  assertEquals(right.show(), left.show());

  for (const tree of [left, right]) {
    const { onChange } = tree;
    tree.onChange = () => {};
    if (tree === left) {
      tree.write(tree.find(path("changed"))!, path("changed"), "edited");
      tree.take(path("removed"));
    } else tree.put(path("dir/new"), tree.make("file", "made on the right"));
    tree.onChange = onChange;
  }
  await world.rest();
  assertNotEquals(right.show(), left.show(), "nobody has told");

  const before = world.status.totalChanges;
  let isDone = false;
  const synced = world.pair.fullSync().then(() => isDone = true);
  while (!isDone) {
    await world.rest();
    await world.clock.advance(100);
  }
  await synced;
  assertEquals(right.show(), left.show());
  assertEquals(right.find(path("changed"))?.text, "edited");
  assertEquals(right.find(path("removed")), null);
  assertEquals(left.find(path("dir/new"))?.text, "made on the right");
  assertEquals(world.status.totalChanges - before, 3);
  await world.kill();
});
