/**
 * The long runs of the proofs:
 *
 *     ./scripts/torture two-users [--seeds N | --hours N] [--seed FIRST] [--ops N]
 *                                 [--ssh | --local] [--kill] [--dir DIR] [--quiet]
 *
 * Prints one line for each seed; for a failed one what was wrong, where everything lies, and how to
 * run it again. The last line counts; exit status 1 when a seed failed or no run had a conflict.
 * @module
 */
import { systemClock } from "../../src/base/clock.ts";
import { type Sshd, startSshd } from "../support/sshd.ts";
import { REPO } from "../support/binary.ts";
import { type RunResult, runTwoUsers } from "./two_users.ts";

interface Wishes {
  readonly seeds: number;
  readonly hours: number | null;
  readonly first: number;
  readonly operations: number;
  readonly isSsh: boolean;
  readonly isKilling: boolean;
  readonly dir: string | null;
  readonly debugLevel: number | null;
}

const USAGE = "torture two-users [--seeds N | --hours N] [--seed FIRST] [--ops N] [--ssh | --local] [--kill] " +
  "[--dir DIR] [--quiet]";

function usage(why: string): never {
  console.error(`torture: ${why}\n${USAGE}`);
  Deno.exit(2);
}

function parse(args: readonly string[]): Wishes {
  const [proof, ...rest] = args;
  if (proof !== "two-users") usage(`no proof "${proof ?? ""}"`);
  const wishes = {
    ...{ seeds: 10, hours: null as number | null, first: 1, operations: 300, isSsh: false, isKilling: false },
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

async function runAll(wishes: Wishes, sshd: Sshd | null): Promise<readonly RunResult[]> {
  const results: RunResult[] = [];
  const endMs = wishes.hours === null ? null : systemClock.nowMs() + wishes.hours * 3_600_000;
  for (let i = 0; endMs === null ? i < wishes.seeds : systemClock.nowMs() < endMs; i++) {
    const result = await runTwoUsers({
      seed: wishes.first + i,
      operations: wishes.operations,
      isKilling: wishes.isKilling,
      sshd,
      ...(wishes.dir === null ? {} : { dir: wishes.dir }),
      ...(wishes.debugLevel === null ? {} : { debugLevel: wishes.debugLevel }),
    });
    tell(result, wishes);
    results.push(result);
  }
  return results;
}

function tell(result: RunResult, wishes: Wishes): void {
  const { seed, faults, operations, conflicts, kills, seconds, dir } = result;
  const verdict = faults.length === 0 ? "ok" : "FAILED";
  console.log(
    `seed ${seed}: ${verdict}, ${operations} operations, ${conflicts} conflicts, ${kills} kills, ${
      seconds.toFixed(1)
    } s`,
  );
  for (const fault of faults) console.log(`  ${fault}`);
  if (faults.length === 0) return;
  const flags = [wishes.isSsh ? "--ssh" : "--local", ...(wishes.isKilling ? ["--kill"] : [])].join(" ");
  console.log(`  kept: ${dir}`);
  console.log(`  again: ./scripts/torture two-users --seeds 1 --seed ${seed} --ops ${wishes.operations} ${flags}`);
}

/** Runs what the command line asks for. */
async function main(args: readonly string[]): Promise<number> {
  const wishes = parse(args);
  await using sshd = wishes.isSsh ? await startSshd({ env: { XDG_CACHE_HOME: `${REPO}/.cache/scenario` } }) : null;
  const results = await runAll(wishes, sshd);
  const failed = results.filter(({ faults }) => faults.length > 0).length;
  const sum = (of: (result: RunResult) => number) => results.reduce((total, result) => total + of(result), 0);
  console.log(
    `${results.length} seeds, ${sum((r) => r.operations)} operations, ${sum((r) => r.conflicts)} conflicts, ` +
      `${sum((r) => r.kills)} kills: ${failed} failed`,
  );
  return failed > 0 || sum((r) => r.conflicts) === 0 ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
