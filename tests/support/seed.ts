/**
 * Which random runs a test makes: the same ones each time, so that a failure tells of a change and
 * not of luck. Fresh seeds are for `./scripts/torture`; `PSYNC_TEST_SEED=N` runs other ones here.
 * @module
 */

/** The seed of this run: `PSYNC_TEST_SEED`, else what the test itself says. */
export function testSeed(usual: number): number {
  const given = Number(Deno.env.get("PSYNC_TEST_SEED") ?? usual);
  if (!Number.isSafeInteger(given) || given < 0) throw new RangeError("PSYNC_TEST_SEED must be a whole number");
  return given;
}
