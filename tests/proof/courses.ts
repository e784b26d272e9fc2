/**
 * The proofs as torture.ts runs them: each under a name, one seed at a time; and the rotation, in
 * which `torture --hours N` goes through all of them.
 * @module
 */
import { runTriples } from "../box/small_runs.ts";
import { sliceOf } from "../box/small_trees.ts";
import { REPO } from "../support/binary.ts";
import { startSshd } from "../support/sshd.ts";
import { runOverFaults } from "./faulty_link.ts";
import { allFaults, hunt } from "./fault_run.ts";
import { runRecords, runSwaps } from "./hostile_records.ts";
import { runAllKillPoints, runErrors, runKillPoints } from "./kill_points.ts";
import { runTwoUsers } from "./two_users.ts";

/** How a proof is run. */
export interface Way {
  readonly proof: string;
  /** Of each user, while both work; of a hunt, the seed of its proofs. */
  readonly operations: number;
  readonly isSsh: boolean;
  readonly isKilling: boolean;
  readonly isTroubled: boolean;
  readonly dir: string | null;
  readonly debugLevel: number | null;
}

/** What one seed of a proof showed. */
export interface Outcome {
  /** One line each; empty when all is well. */
  readonly faults: readonly string[];
  /** What is added up over all seeds, by what it is called. */
  readonly counts: Readonly<Record<string, number>>;
  /** Where a failed seed left everything. */
  readonly dir?: string;
}

/** A proof: runs one seed, and names the count that must not be 0 in the end. */
interface Proof {
  readonly run: (seed: number, way: Way) => Promise<Outcome>;
  readonly mustCount: string;
}

/** So many seeds of the box are one of a course. */
const BOX_SEEDS = 200;

/** All of them. */
export const PROOFS: Readonly<Record<string, Proof>> = {
  "two-users": { run: twoUsers, mustCount: "conflicts" },
  links: { run: links, mustCount: "faults struck" },
  "kill-points": { run: (seed) => runKillPoints(seed, 10), mustCount: "kills" },
  "kill-all": { run: runAllKillPoints, mustCount: "kills" },
  errors: { run: (seed) => runErrors(seed, 20), mustCount: "with failed calls" },
  faults: { run: faults, mustCount: "caught" },
  records: { run: (seed) => runRecords(seed, 500), mustCount: "processes fed" },
  swaps: { run: (seed) => runSwaps(seed, 100_000), mustCount: "met the link" },
  box: { run: box, mustCount: "runs" },
  planner: { run: planner, mustCount: "cases" },
};

/** What the rotation goes through, again and again; the short ones between the long ones. */
export const ROTATION: readonly string[] = [
  "two-users --ssh",
  "kill-points",
  "box",
  "two-users --kill",
  "two-users --trouble",
  "errors",
  "planner",
  "links",
  "kill-points",
  "records",
  "two-users",
  "kill-points",
  "swaps",
];

/** The options of a run of two users. */
function runOptions(seed: number, way: Way) {
  return {
    seed,
    operations: way.operations,
    isKilling: way.isKilling,
    isTroubled: way.isTroubled,
    ...(way.dir === null ? {} : { dir: way.dir }),
    ...(way.debugLevel === null ? {} : { debugLevel: way.debugLevel }),
  };
}

async function twoUsers(seed: number, way: Way): Promise<Outcome> {
  await using sshd = way.isSsh ? await startSshd({ env: { XDG_CACHE_HOME: `${REPO}/.cache/scenario` } }) : null;
  const { faults, operations, conflicts, kills, dir } = await runTwoUsers({ ...runOptions(seed, way), sshd });
  return { faults, dir, counts: { operations, conflicts, kills } };
}

async function links(seed: number, way: Way): Promise<Outcome> {
  const { faults, operations, conflicts, kills, struck, dir } = await runOverFaults(runOptions(seed, way));
  return { faults, dir, counts: { operations, conflicts, kills, "faults struck": struck.length } };
}

/** The seed is the number of the fault; 0 and beyond the last one there is none. */
async function faults(number: number, way: Way): Promise<Outcome> {
  const fault = allFaults()[number - 1];
  if (fault === undefined) return { faults: [], counts: { caught: 0, "not there": 1 } };
  const { caughtBy, said, tried } = await hunt(fault, way.operations);
  console.log(
    `${fault.name}: ${caughtBy === null ? `NOT CAUGHT by ${tried.join(", ")}` : `caught by ${caughtBy}: ${said}`}`,
  );
  return {
    faults: caughtBy === null ? [`${fault.what} Nobody noticed`] : [],
    counts: { caught: caughtBy === null ? 0 : 1 },
  };
}

/** Both tests of the box, in a process of their own. */
async function box(seed: number): Promise<Outcome> {
  const first = 1_000_000 + seed * BOX_SEEDS;
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-check", "tests/box/box_test.ts", "tests/box/power_test.ts"],
    cwd: REPO,
    env: { PSYNC_SEED: String(first), PSYNC_SEEDS: String(BOX_SEEDS), NO_COLOR: "1" },
    stderr: "null",
  }).output();
  const said = new TextDecoder().decode(stdout).split("\n").filter((line) => /seed|lost|not equal/.test(line));
  return { faults: success ? [] : [`from seed ${first}`, ...said.slice(0, 5)], counts: { runs: 2 * BOX_SEEDS } };
}

/** The seed is the number of a slice of all small trees. */
async function planner(seed: number): Promise<Outcome> {
  const cases = sliceOf(seed);
  return { faults: await runTriples(cases, seed), counts: { cases: cases.length } };
}
