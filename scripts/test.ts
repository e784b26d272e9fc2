/**
 * Runs the checks and the tests, and counts them.
 *
 *   ./scripts/test [GROUP...]      checks, unit, contract, native, scenario, proof, all (default), ok
 *
 * "ok" is the part that needs neither sshd nor root. Each check counts as one, each test as one.
 * What a step prints is shown when it fails. The last line is `N passed, N failed`; exit status 1
 * when anything failed, or when nothing ran. Called by scripts/test, which sets up and builds.
 * @module
 */
import { checkHouse } from "./check_house.ts";
import { checkManual } from "./man.ts";
import { checkLayers } from "./check_layers.ts";
import { filesBelow, REPO } from "./tree.ts";

/** What is chosen on the command line. */
type Group = "checks" | "unit" | "contract" | "native" | "scenario" | "proof";

const GROUPS: readonly Group[] = ["checks", "unit", "contract", "native", "scenario", "proof"];

/** The groups of `deno task ok`. */
const OK_GROUPS: readonly Group[] = ["checks", "unit", "contract", "native"];

/** Told to tests that can leave out what needs sshd or root. */
const OK_VARIABLE = "PSYNC_TEST_OK";

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly ignored: number;
}

interface Result extends Counts {
  /** Shown when something failed. */
  readonly output: string;
}

interface Step {
  readonly name: string;
  readonly group: Group;
  readonly run: () => Promise<Result>;
}

/** A step that passes or fails as one. */
function check(name: string, run: () => Promise<string | null>): Step {
  return {
    name,
    group: "checks",
    run: async () => {
      const output = await run();
      return { passed: output === null ? 1 : 0, failed: output === null ? 0 : 1, ignored: 0, output: output ?? "" };
    },
  };
}

function command(name: string, args: string[]): Step {
  return check(name, async () => {
    const { success, output } = await deno(args);
    return success ? null : output;
  });
}

function rule(name: string, find: () => string[]): Step {
  return check(name, () => {
    const found = find();
    return Promise.resolve(found.length === 0 ? null : found.join("\n"));
  });
}

/** The tests below some directories. One after another unless they are known to live side by side. */
function tests(group: Group, dirs: string[], options: { isParallel: boolean }): Step[] {
  const files = dirs.flatMap((dir) => filesBelow(dir, "_test.ts"));
  if (files.length === 0) return [];
  const flags = ["test", "-A", "--no-check", ...(options.isParallel ? ["--parallel"] : [])];
  return [{
    name: `${group} tests`,
    group,
    run: async () => {
      const { success, output } = await deno([...flags, ...files]);
      return { ...countTests(output, success), output };
    },
  }];
}

/** Reads the counts from the last line of `deno test`; a run that ends without one has failed. */
export function countTests(output: string, success: boolean): Counts {
  const count = (word: string) => Number(output.match(new RegExp(`(\\d+) ${word}(?!.*\\d+ ${word})`, "s"))?.[1] ?? 0);
  const hasSummary = /^(?:ok|FAILED) \| \d+ passed/m.test(output);
  const failed = hasSummary ? count("failed") : 0;
  return {
    passed: hasSummary ? count("passed") : 0,
    failed: success || failed > 0 ? failed : 1,
    ignored: hasSummary ? count("ignored") : 0,
  };
}

async function deno(args: string[]): Promise<{ success: boolean; output: string }> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: REPO,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { success, output: decoder.decode(stdout) + decoder.decode(stderr) };
}

function steps(): Step[] {
  const code = filesBelow(".", ".ts").filter((path) => /^(main|src|tests|scripts)\b/.test(path));
  return [
    command("format", ["fmt", "--check"]),
    command("lint", ["lint"]),
    rule("layers", checkLayers),
    rule("house", checkHouse),
    rule("man page", checkManual),
    command("types", ["check", "--quiet", ...code]),
    ...tests("unit", ["src", "scripts", "tests/box"], { isParallel: true }),
    ...tests("contract", ["tests/contract"], { isParallel: true }),
    ...tests("native", ["tests/native"], { isParallel: false }),
    ...tests("scenario", ["tests/support", "tests/scenario"], { isParallel: false }),
    ...tests("proof", ["tests/proof"], { isParallel: false }),
  ];
}

function chosen(args: readonly string[]): readonly Group[] {
  const known = new Map<string, readonly Group[]>(GROUPS.map((group) => [group, [group]]));
  known.set("all", GROUPS).set("ok", OK_GROUPS);
  return (args.length === 0 ? ["all"] : args).flatMap((name) => {
    const groups = known.get(name);
    if (groups !== undefined) return groups;
    console.error(`test: no group "${name}"; there are ${[...known.keys()].join(", ")}`);
    Deno.exit(2);
  });
}

async function runStep(step: Step): Promise<Result> {
  const begin = performance.now();
  const result = await step.run();
  const seconds = ((performance.now() - begin) / 1000).toFixed(1);
  const left = result.ignored === 0 ? "" : `, ${result.ignored} left out`;
  if (result.failed > 0) console.log(result.output.trimEnd());
  console.log(`${step.name}: ${result.passed} passed, ${result.failed} failed${left} (${seconds} s)`);
  return result;
}

async function main(args: readonly string[]): Promise<void> {
  const groups = chosen(args);
  if (args.includes("ok")) Deno.env.set(OK_VARIABLE, "1");
  let passed = 0;
  let failed = 0;
  for (const step of steps().filter(({ group }) => groups.includes(group))) {
    const result = await runStep(step);
    passed += result.passed;
    failed += result.failed;
  }
  if (passed + failed === 0) failed = 1;
  console.log(`${passed} passed, ${failed} failed`);
  Deno.exit(failed === 0 ? 0 : 1);
}

if (import.meta.main) await main(Deno.args);
