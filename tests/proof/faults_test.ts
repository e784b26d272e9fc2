/**
 * A sample of the faults that are put into psync on purpose; all of them with `./scripts/torture faults`.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { testSeed } from "../support/seed.ts";
import { allFaults, fits, hunt } from "./fault_run.ts";

/** Quick ones: one of the planner, one of psync-native. */
const SAMPLE = [/loser-dropped/, /no-look-after-exchange/];

Deno.test("at least 20 faults fit the sources as they are", async () => {
  const faults = allFaults();
  assert(faults.length >= 20);
  const stale: string[] = [];
  for (const fault of faults) if (!await fits(fault)) stale.push(fault.name);
  assertEquals(stale, []);
});

for (const fault of allFaults().filter(({ name }) => SAMPLE.some((one) => one.test(name)))) {
  Deno.test(`a proof catches the fault ${fault.name}`, async () => {
    const { caughtBy, tried } = await hunt(fault, testSeed(1));
    assert(caughtBy !== null, `${fault.what} Nobody noticed: ${tried.join()}`);
  });
}
