import { assertEquals } from "@std/assert";
import { fc } from "../../tests/support/properties.ts";
import { isBelow, type RelPath } from "../core/path.ts";
import { PathTree } from "./path_tree.ts";

const path = fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 4 })
  .map((names) => names.join("/") as RelPath);

Deno.test("PathTree tells what is below a directory, and above it, as a search of all would", () => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.boolean(), path), { maxLength: 40 }), path, (steps, dir) => {
    const [tree, model] = [new PathTree(), new Set<RelPath>()];
    for (const [isAdded, at] of steps) {
      if (isAdded) model.add(at);
      else model.delete(at);
      if (isAdded) tree.add(at);
      else tree.delete(at);
    }
    for (const above of [dir, "" as RelPath]) {
      assertEquals([...tree.below(above)].sort(), [...model].filter((at) => isBelow(at, above)).sort());
    }
    assertEquals(tree.covers(dir), [...model].some((at) => at === dir || isBelow(dir, at)));
    const taken = tree.take(2);
    assertEquals(taken, [...model].slice(0, 2));
    assertEquals([...tree.below("" as RelPath)].sort(), [...model].filter((at) => !taken.includes(at)).sort());
    assertEquals(tree.size, model.size - taken.length);
  }));
});
