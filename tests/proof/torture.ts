/**
 * The long runs of the proofs:
 *
 *     ./scripts/torture PROOF [--seeds N | --hours N] [--seed FIRST] [--ops N]
 *                             [--ssh | --local] [--kill] [--dir DIR] [--quiet]
 *
 * Prints one line for each seed; for a failed one what was wrong, where everything lies, and how to
 * run it again. The last line counts; exit status 1 when a seed failed or proved nothing.
 * @module
 */
import { systemClock } from "../../src/base/clock.ts";
import { REPO } from "../support/binary.ts";
import { startSshd } from "../support/sshd.ts";
import { runOverFaults } from "./faulty_link.ts";
import { allFaults, hunt } from "./fault_run.ts";
import { runRecords, runSwaps } from "./hostile_records.ts";
import { runAllKillPoints, runErrors, runKillPoints } from "./kill_points.ts";
import { runTwoUsers } from "./two_users.ts";

/** What the command line asks for. */
export interface Wishes {
  readonly proof: string;
  readonly seeds: number;
  readonly hours: number | null;
  readonly first: number;
  readonly operations: number;
  readonly isSsh: boolean;
  readonly isKilling: boolean;
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
  readonly run: (seed: number, wishes: Wishes) => Promise<Outcome>;
  readonly mustCount: string;
}

const PROOFS: Readonly<Record<string, Proof>> = {
  "two-users": { run: twoUsers, mustCount: "conflicts" },
  links: { run: links, mustCount: "faults struck" },
  "kill-points": { run: (seed) => runKillPoints(seed, 10), mustCount: "kills" },
  "kill-all": { run: runAllKillPoints, mustCount: "kills" },
  errors: { run: (seed) => runErrors(seed, 20), mustCount: "with failed calls" },
  faults: { run: faults, mustCount: "caught" },
  records: { run: (seed) => runRecords(seed, 500), mustCount: "processes fed" },
  swaps: { run: (seed) => runSwaps(seed, 100_000), mustCount: "met the link" },
};

const USAGE = `torture ${Object.keys(PROOFS).join("|")} [--seeds N | --hours N] [--seed FIRST] [--ops N] ` +
  "[--ssh | --local] [--kill] [--dir DIR] [--quiet]";

function usage(why: string): never {
  console.error(`torture: ${why}\n${USAGE}`);
  Deno.exit(2);
}

function parse(args: readonly string[]): Wishes {
  const [proof, ...rest] = args;
  if (proof === undefined || !Object.hasOwn(PROOFS, proof)) usage(`no proof "${proof ?? ""}"`);
  const wishes = {
    ...{ proof, seeds: 10, hours: null as number | null, first: 1, operations: 300, isSsh: false, isKilling: false },
    ...{ dir: null as string | null, debugLevel: 3 as number | null },
  };
  const number = (text: string | undefined) => {
    const value = Number(text);
    return Number.isFinite(value) && text !== undefined ? value : usage(`"${text ?? ""}" is no number`);
  };
  for (let i = 0; i < rest.length; i++) {
    const word = rest[i]!;
    if (word === "--seeds") wishes.seeds = number(rest[++i]);
    else if (word === "--hours") wishes.hours = number(rest[++i]);
    else if (word === "--seed") wishes.first = number(rest[++i]);
    else if (word === "--ops") wishes.operations = number(rest[++i]);
    else if (word === "--dir") wishes.dir = rest[++i] ?? usage("--dir wants a directory");
    else if (word === "--ssh") wishes.isSsh = true;
    else if (word === "--local") wishes.isSsh = false;
    else if (word === "--kill") wishes.isKilling = true;
    else if (word === "--quiet") wishes.debugLevel = null;
    else usage(`no option "${word}"`);
  }
  return wishes;
}

/** The options of a run of two users. */
function runOptions(seed: number, wishes: Wishes) {
  return {
    seed,
    operations: wishes.operations,
    isKilling: wishes.isKilling,
    ...(wishes.dir === null ? {} : { dir: wishes.dir }),
    ...(wishes.debugLevel === null ? {} : { debugLevel: wishes.debugLevel }),
  };
}

async function twoUsers(seed: number, wishes: Wishes): Promise<Outcome> {
  await using sshd = wishes.isSsh ? await startSshd({ env: { XDG_CACHE_HOME: `${REPO}/.cache/scenario` } }) : null;
  const { faults, operations, conflicts, kills, dir } = await runTwoUsers({ ...runOptions(seed, wishes), sshd });
  return { faults, dir, counts: { operations, conflicts, kills } };
}

async function links(seed: number, wishes: Wishes): Promise<Outcome> {
  const { faults, operations, conflicts, kills, struck, dir } = await runOverFaults(runOptions(seed, wishes));
  return { faults, dir, counts: { operations, conflicts, kills, "faults struck": struck.length } };
}

/** The seed is the number of the fault; 0 and beyond the last one there is none. */
async function faults(number: number, wishes: Wishes): Promise<Outcome> {
  const fault = allFaults()[number - 1];
  if (fault === undefined) return { faults: [], counts: { caught: 0, "not there": 1 } };
  const { caughtBy, said, tried } = await hunt(fault, wishes.operations);
  console.log(
    `${fault.name}: ${caughtBy === null ? `NOT CAUGHT by ${tried.join(", ")}` : `caught by ${caughtBy}: ${said}`}`,
  );
  return {
    faults: caughtBy === null ? [`${fault.what} Nobody noticed`] : [],
    counts: { caught: caughtBy === null ? 0 : 1 },
  };
}

async function runAll(wishes: Wishes): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  const endMs = wishes.hours === null ? null : systemClock.nowMs() + wishes.hours * 3_600_000;
  for (let i = 0; endMs === null ? i < wishes.seeds : systemClock.nowMs() < endMs; i++) {
    const beginMs = systemClock.nowMs();
    const outcome = await PROOFS[wishes.proof]!.run(wishes.first + i, wishes);
    tell(wishes.first + i, outcome, { wishes, seconds: (systemClock.nowMs() - beginMs) / 1000 });
    outcomes.push(outcome);
  }
  return outcomes;
}

function tell(seed: number, outcome: Outcome, run: { readonly wishes: Wishes; readonly seconds: number }): void {
  const { faults, counts, dir } = outcome;
  const { wishes, seconds } = run;
  const verdict = faults.length === 0 ? "ok" : "FAILED";
  console.log(`seed ${seed}: ${verdict}, ${countText(counts)}, ${seconds.toFixed(1)} s`);
  for (const fault of faults) console.log(`  ${fault}`);
  if (faults.length === 0) return;
  const flags = [...(wishes.isSsh ? ["--ssh"] : []), ...(wishes.isKilling ? ["--kill"] : [])].join(" ");
  if (dir !== undefined) console.log(`  kept: ${dir}`);
  const again = `./scripts/torture ${wishes.proof} --seeds 1 --seed ${seed} --ops ${wishes.operations} ${flags}`;
  console.log(`  again: ${again.trimEnd()}`);
}

function countText(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts).map(([name, count]) => `${count} ${name}`).join(", ");
}

/** Runs what the command line asks for. */
async function main(args: readonly string[]): Promise<number> {
  const wishes = parse(args);
  const outcomes = await runAll(wishes);
  const failed = outcomes.filter(({ faults }) => faults.length > 0).length;
  const total: Record<string, number> = {};
  for (const { counts } of outcomes) {
    for (const [name, count] of Object.entries(counts)) total[name] = (total[name] ?? 0) + count;
  }
  console.log(`${outcomes.length} seeds, ${countText(total)}: ${failed} failed`);
  return failed > 0 || total[PROOFS[wishes.proof]!.mustCount] === 0 ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
