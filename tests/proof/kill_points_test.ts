/**
 * psync is killed at any call that changes something, and every version that a user wrote is
 * accounted for; the next start finishes, the one after it finds nothing to do. A sample; all of them
 * with `./scripts/torture kill-points` and `kill-all`.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { testSeed } from "../support/seed.ts";
import { canKillAtCalls, runErrors, runKillPoints } from "./kill_points.ts";

const SEED = testSeed(1000);
/** So many scenarios in a row, from one that the seed chooses, and so many points of each. */
const SCENARIOS = 8;
const POINTS_EACH = 2;

Deno.test({
  name: `nothing is lost when psync is killed at some points of some scenarios, seed ${SEED}`,
  ignore: !(await canKillAtCalls()),
  fn: async () => {
    let kills = 0;
    const faults: string[] = [];
    for (let i = 0; i < SCENARIOS; i++) {
      const found = await runKillPoints(SEED + i, POINTS_EACH);
      faults.push(...found.faults.map((fault) => `seed ${SEED + i}: ${fault}`));
      kills += found.counts["kills"]!;
    }
    assertEquals(faults, []);
    assert(kills >= SCENARIOS, `only ${kills} kills`);
  },
});

Deno.test({
  name: `nothing is lost when calls of psync fail, seed ${SEED}`,
  ignore: !(await canKillAtCalls()),
  fn: async () => {
    let failed = 0;
    const faults: string[] = [];
    for (let i = 0; i < 4; i++) {
      const found = await runErrors(SEED + i, 2);
      faults.push(...found.faults.map((fault) => `seed ${SEED + i}: ${fault}`));
      failed += found.counts["with failed calls"]!;
    }
    assertEquals(faults, []);
    assert(failed > 0, "no call failed");
  },
});
