/**
 * Does the net hold fish? Puts a fault of tests/faults into a copy of psync, builds it, and runs the
 * proofs that the patch names until one of them fails.
 *
 * A patch begins with one line that says what is broken and one, `Caught by: PROOF...`. None of the
 * proofs knows of the faults; those that are random get a fresh seed from the caller.
 * @module
 */
import { REPO } from "../support/binary.ts";
import { TempTree } from "../support/temp_tree.ts";

const FAULTS = `${REPO}/tests/faults`;

/** What runs each proof, in the copy; `SEED` is replaced. */
const PROOFS: Readonly<Record<string, string>> = {
  planner: "TEST src/core/reconcile_property_test.ts",
  box: "PSYNC_SEEDS=500 TEST tests/box",
  races: "TEST tests/native/apply_race_test.ts",
  "native-kill": "TEST tests/native/apply_kill_test.ts",
  watch: "TEST tests/native/watch_storm_test.ts",
  "two-users": "TORTURE two-users --seeds 3 --seed SEED --ops 300 --quiet",
  "two-users-kill": "TORTURE two-users --seeds 3 --seed SEED --ops 300 --kill --quiet",
  trouble: "TORTURE two-users --seeds 6 --seed SEED --ops 300 --trouble --quiet",
  links: "TEST tests/proof/links_test.ts",
  protocol: "TEST tests/proof/protocol_test.ts",
  swaps: "TORTURE swaps --seeds 1 --seed SEED",
  "kill-points": "TORTURE kill-points --seeds 6 --seed SEED",
  errors: "TORTURE errors --seeds 4 --seed SEED",
  resources: "TEST tests/proof/resources_test.ts",
};

/** Those that need dist/psync. */
const NEED_BINARY = /TORTURE|tests\/proof/;

/** One fault. */
export interface Fault {
  readonly name: string;
  readonly patch: string;
  readonly what: string;
  readonly proofs: readonly string[];
}

/** What became of it. */
export interface Catch {
  /** The proof that failed; null where none did. */
  readonly caughtBy: string | null;
  /** What that proof said, shortened. */
  readonly said: string;
  readonly tried: readonly string[];
}

/** All faults, in the order of their numbers. */
export function allFaults(): readonly Fault[] {
  const names = [...Deno.readDirSync(FAULTS)].map(({ name }) => name).filter((name) => name.endsWith(".patch")).sort();
  return names.map((name) => {
    const [what, by] = Deno.readTextFileSync(`${FAULTS}/${name}`).split("\n");
    const proofs = (by ?? "").replace("Caught by: ", "").split(" ");
    const unknown = proofs.filter((proof) => !Object.hasOwn(PROOFS, proof));
    if (unknown.length > 0) throw new Error(`Cannot use "${name}": there is no proof "${unknown.join()}"`);
    return { name: name.replace(".patch", ""), patch: `${FAULTS}/${name}`, what: what ?? "", proofs };
  });
}

/** Whether the patch still fits the sources. */
export async function fits(fault: Fault): Promise<boolean> {
  const { success } = await new Deno.Command("git", {
    args: ["apply", "--check", fault.patch],
    cwd: REPO,
    stderr: "null",
  })
    .output();
  return success;
}

/** Puts a fault into a copy and looks for a proof that catches it. */
export async function hunt(fault: Fault, seed: number): Promise<Catch> {
  await using copy = await TempTree.make();
  await makeCopy(copy, fault);
  const tried: string[] = [];
  let isBuilt = false;
  for (const proof of fault.proofs) {
    const command = PROOFS[proof]!;
    if (NEED_BINARY.test(command) && !isBuilt) {
      const built = await sh(copy, "./scripts/build");
      if (!built.success) throw new Error(`Cannot build with ${fault.name}: ${built.said}`);
      isBuilt = true;
    }
    tried.push(proof);
    const { success, said } = await sh(copy, wordsOf(command, seed));
    if (!success) return { caughtBy: proof, said, tried };
  }
  return { caughtBy: null, said: "", tried };
}

function wordsOf(command: string, seed: number): string {
  const deno = `'${Deno.execPath()}'`;
  return command.replace("TEST", `${deno} test -A --no-check`)
    .replace("TORTURE", `${deno} run -A --quiet --no-check tests/proof/torture.ts`).replace(/\bSEED\b/, String(seed));
}

/** The sources as they are here, with tools and caches of the clone; what was built is built again. */
async function makeCopy(copy: TempTree, fault: Fault): Promise<void> {
  const script = [
    `git -C '${REPO}' ls-files -z --cached --others --exclude-standard | tar -C '${REPO}' --null -T - -cf - | tar xf -`,
    `mkdir -p .cache; cp -r '${REPO}/.cache/build' .cache`,
    `for name in tools deno scenario no-denort-*; do`,
    `  for at in '${REPO}'/.cache/$name; do [ -e "$at" ] && ln -s "$at" .cache; done; done; true`,
    `git init -q; git apply '${fault.patch}'`,
  ].join("\n");
  await copy.sh(script);
}

async function sh(copy: TempTree, script: string): Promise<{ readonly success: boolean; readonly said: string }> {
  const { success, stdout, stderr } = await new Deno.Command("sh", {
    args: ["-c", script],
    cwd: copy.path,
    env: { DENO_DIR: `${REPO}/.cache/deno`, NO_COLOR: "1", PSYNC_BIN: "" },
  }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return { success, said: pithOf(text) };
}

/** The line that says it best. */
function pithOf(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  const patterns = [
    /^(lost|torn|unknown|outside|resurrected|vanished|removed by)\b/,
    /not equal|never quiet|^changed|though only|ended by itself/,
    /^error:/,
    /FAILED/,
    /./,
  ];
  const best = patterns.map((pattern) => lines.find((line) => pattern.test(line))).find((line) => line !== undefined) ??
    "";
  return best.slice(0, 160);
}
