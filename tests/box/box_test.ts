/**
 * The brain in a box: random users on both sides, every interleaving that the seed chooses, cut
 * links; at rest both trees are equal and nothing that was written is lost.
 * @module
 */
import { assertEquals } from "@std/assert";
import { configure } from "@logtape/logtape";
import { World } from "./world.ts";

if (Deno.env.has("PSYNC_TRACE")) {
  await configure({
    sinks: { console: (record) => console.log("      ", record.properties) },
    loggers: [{ category: ["psync"], lowestLevel: "debug", sinks: ["console"] }, { category: ["logtape"], sinks: [] }],
  });
}

const FIRST_SEED = Number(Deno.env.get("PSYNC_SEED") ?? "1");
const SEEDS = Number(Deno.env.get("PSYNC_SEEDS") ?? "150");
const STEPS = 60;

/** Here a file was looked at, then removed and its directory listed, and then sent. */
const OUTLISTED_SEED = 110416;

async function run(seed: number, crowds: number): Promise<string[]> {
  const world = new World({ seed, crowds });
  for (let i = 0; i < world.random.below(15); i++) world.act();
  world.start();
  for (let i = 0; i < STEPS; i++) {
    for (let j = world.random.below(12); j > 0; j--) await world.scheduler.step();
    if (world.random.next() < 0.02) {
      await world.kill();
      for (let k = world.random.below(5); k > 0; k--) world.act();
      world.start();
    }
    world.act();
  }
  try {
    await world.rest();
    const faults = world.faultsAtRest();
    return faults.length === 0 ? [] : [...faults, ...world.log];
  } catch (error) {
    return [String(error), ...world.log];
  } finally {
    await world.kill();
  }
}

async function runAll(crowds: number): Promise<void> {
  let failed = 0;
  const messages: string[] = [];
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    const faults = await run(seed, crowds);
    if (faults.length === 0) continue;
    failed++;
    if (messages.length < 3) messages.push(`seed ${seed}:\n${faults.join("\n")}`);
  }
  if (failed > 0) throw new Error(`${failed} of ${SEEDS} seeds failed\n${messages.join("\n\n")}`);
}

Deno.test("the brain in a box keeps every version and makes both sides equal", () => runAll(0));

Deno.test("the brain in a box does so where much of what happens is told by listings", () => runAll(0.6));

Deno.test("a file that goes while its look waits for that of the other side stays gone, though a listing alone told it", async () => {
  assertEquals(await run(OUTLISTED_SEED, 0.6), []);
});
