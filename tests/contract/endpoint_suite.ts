/**
 * The contract of an endpoint as tests: registered once for each door, the same for all.
 *
 * Each file says what one group of methods promises; world.ts is what they stand on. Tests wait for
 * what must come and never sleep.
 * @module
 */
import { batchesSuite } from "./suite_batches.ts";
import { carrierSuite, type Reach } from "./suite_carrier.ts";
import { commitSuite } from "./suite_commit.ts";
import { eventsSuite } from "./suite_events.ts";
import { lookSuite } from "./suite_look.ts";
import { packSuite } from "./suite_pack.ts";
import { trashSuite } from "./suite_trash.ts";
import { verifySuite } from "./suite_verify.ts";
import type { OpenEndpoint, RegisterTest } from "./world.ts";

/** Registers every test of the contract for one door; `neverVerifies`: it says no whatever is claimed. */
export function endpointSuite(
  name: string,
  open: OpenEndpoint,
  options: { readonly neverVerifies?: boolean; readonly reach?: Reach } = {},
): void {
  const test: RegisterTest = (what, run) => Deno.test(`${name}: ${what}`, () => run(open));
  lookSuite(test);
  commitSuite(test);
  eventsSuite(test);
  batchesSuite(test);
  packSuite(test);
  carrierSuite(test, options.reach);
  trashSuite(test);
  verifySuite(test, { never: options.neverVerifies === true });
}
