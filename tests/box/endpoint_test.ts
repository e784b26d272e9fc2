/**
 * What the box must do as the real endpoint does: of two looks at one path the one with the higher counter
 * shows the later state, also where one of them was to be a listing.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { Observation } from "../../src/core/observation.ts";
import type { RelPath } from "../../src/core/path.ts";
import { MemoryEndpoint } from "./endpoint.ts";
import { Random, Scheduler } from "./scheduler.ts";
import { MemoryTree } from "./tree.ts";

const [OTHER, PATH] = ["a", "d"] as RelPath[] as [RelPath, RelPath];

/** Looks at a path and lists it at once, while a file comes to it after so many steps. */
async function lookAndList(seed: number, steps: number): Promise<readonly Observation[]> {
  const [tree, scheduler] = [new MemoryTree(), new Scheduler(new Random(seed))];
  const endpoint = new MemoryEndpoint(tree, scheduler, { name: "left" });
  const looked = endpoint.look([OTHER, PATH], { contentLimitBytes: 0, digests: false });
  const listed = endpoint.list([PATH]);
  for (let i = 0; i < steps; i++) await scheduler.step();
  tree.put(PATH, tree.make("file", "new"));
  while (await scheduler.step());
  return [(await looked)[1]!, (await listed)[0]!.self];
}

Deno.test("in the box what is told of a directory that is none overlaps no look", async () => {
  let apart = 0;
  for (let seed = 1; seed <= 40; seed++) {
    for (let steps = 0; steps < 8; steps++) {
      const seen = [...await lookAndList(seed, steps)].sort((a, b) => a.began - b.began);
      const kinds = seen.map(({ kind }) => kind);
      if (kinds[0] === kinds[1]) continue;
      apart++;
      assertEquals(kinds, ["absent", "present"], `seed ${seed}, ${steps} steps`);
    }
  }
  assert(apart > 0);
});
