/**
 * Rows of the bench: deeds of one command that concern many files: renames, rm -rf, git checkout, cp -a.
 * @module
 */
import { systemClock } from "../../src/base/clock.ts";
import { must } from "../support/binary.ts";
import { figure, median, percentile, table } from "./figures.ts";
import { startPsync, versionOf } from "./programs.ts";
import { alternate, grown, LONG_RUNS, MANY, RUNS, SETTLE_MS, TWENTY_THOUSAND, VERY_MANY } from "./row.ts";
import { requireEqual, type World } from "./world.ts";

/** How many renames of one directory follow each other at once. */
const CHAIN = 10;

/** Renames of one large directory, some seconds apart. */
export async function rename(world: World): Promise<string> {
  await using roots = await world.pair();
  await using _psync = await grown(world, roots, VERY_MANY);
  const names = ["tree", "a", "b", "c", "d", "e"];
  const found: number[] = [];
  for (const [i, name] of names.entries()) {
    const next = names[i + 1];
    if (next === undefined) break;
    await systemClock.sleep(SETTLE_MS / 2);
    const { waitMs } = await world.probe.until("there", `${roots.right}/${next}`, [
      ...["mv", `${roots.left}/${name}`, `${roots.left}/${next}`],
    ]);
    found.push(waitMs);
  }
  await requireEqual(roots.left, roots.right);
  const cells = [median(found), percentile(found, 1)].map((value) => figure(value, "ms"));
  return table(["rename of a directory", "median", "largest"], [[
    `${VERY_MANY} files, ${found.length} times`,
    ...cells,
  ]]);
}

/** There and back, and a chain, each made by one command. */
export async function renameChain(world: World): Promise<string> {
  await using roots = await world.pair();
  await using _psync = await grown(world, roots, VERY_MANY);
  const { left, right } = roots;
  const inodes = async () =>
    await must("sh", ["-c", `cd ${right} && find . -path ./.psync -prune -o -type f -printf '%i\\n' | sort | md5sum`]);
  const before = await inodes();
  await systemClock.sleep(SETTLE_MS / 2);
  const back = await world.probe.until("there", `${right}/tree/back`, [
    ...["sh", "-c", `cd ${left} && mv tree b && mv b tree && mkdir tree/back`],
  ]);
  await systemClock.sleep(SETTLE_MS / 2);
  const names = Array.from({ length: CHAIN + 1 }, (_, i) => i === 0 ? "tree" : `t${i}`);
  const steps = names.slice(1).map((name, i) => `mv ${names[i]} ${name}`).join(" && ");
  const chain = await world.probe.until("there", `${right}/t${CHAIN}`, ["sh", "-c", `cd ${left} && ${steps}`]);
  await requireEqual(left, right);
  const moved = await inodes() === before ? "none" : "some";
  return table(["renames at once", "after the command", "files made anew"], [
    [`${VERY_MANY} files, a to b and back`, figure(back.waitMs, "ms"), moved],
    [`${VERY_MANY} files, a chain of ${CHAIN}`, figure(chain.waitMs, "ms"), moved],
  ]);
}

async function timeRemove(world: World, commandMs: number[]): Promise<number> {
  await using roots = await world.pair();
  await using _psync = await grown(world, roots, MANY);
  await systemClock.sleep(SETTLE_MS / 2);
  const waited = await world.probe.until("gone", `${roots.right}/tree`, ["rm", "-rf", `${roots.left}/tree`]);
  commandMs.push(waited.commandMs);
  return waited.waitMs;
}

/** rm -rf. */
export async function remove(world: World): Promise<string> {
  const commandMs: number[] = [];
  const [found] = await alternate(RUNS, () => timeRemove(world, commandMs));
  const cells = [median(found!), Math.max(...found!), median(commandMs)].map((ms) => figure(ms / 1000, "s"));
  return table(["rm -rf", "gone after it ended, median", "largest", "rm itself"], [[`${MANY} files`, ...cells]]);
}

/** A repository with two branches that are `count` files apart: half are changed, a quarter each come and go. */
async function makeRepository(dir: string, count: number): Promise<void> {
  const script = `set -e; mkdir -p "$1"; cd "$1"; git init -q -b one .
    git config user.email bench@localhost; git config user.name bench; git config core.fsync none
    make() { mkdir -p $(seq -f "$1%g" 0 $((($3 - $2) / 100 + 1))); i=$2
      while [ $i -lt $3 ]; do echo "$4 $i" > "$1$(((i - $2) / 100))/f$i"; i=$((i + 1)); done; }
    make changed 0 $(($2 / 2)) one; make gone 0 $(($2 / 4)) gone; git add -A; git commit -qm one
    git checkout -q -b two; make changed 0 $(($2 / 2)) "the second"; git rm -qr 'gone*'; make new 0 $(($2 / 4)) new
    git add -A; git commit -qm two; git checkout -q one`;
  await must("bash", ["-c", script, "bash", dir, `${count}`]);
}

async function timeCheckouts(world: World, commandMs: number[]): Promise<number[]> {
  await using roots = await world.pair();
  await makeRepository(`${roots.left}/repo`, TWENTY_THOUSAND);
  await using _psync = await startPsync(world, roots);
  const found: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    await systemClock.sleep(SETTLE_MS / 2);
    const branch = run % 2 === 0 ? "two" : "one";
    const command = ["git", "-C", `${roots.left}/repo`, "checkout", "-q", branch];
    const waited = await world.probe.follow(`${roots.left}/repo`, `${roots.right}/repo`, command);
    commandMs.push(waited.commandMs);
    found.push(waited.waitMs);
  }
  await requireEqual(roots.left, roots.right);
  return found;
}

/** git checkout between two commits. */
export async function checkout(world: World): Promise<string> {
  if (await versionOf("git", ["--version"]) === null) return "git: not installed";
  const commandMs: number[] = [];
  const found = await timeCheckouts(world, commandMs);
  const cells = [median(found), Math.max(...found), median(commandMs)].map((ms) => figure(ms / 1000, "s"));
  return table(["git checkout", "equal after it ended, median", "largest", "git itself"], [[
    `${TWENTY_THOUSAND} files apart`,
    ...cells,
  ]]);
}

async function timeCopy(world: World, commandMs: number[]): Promise<number> {
  const source = await world.tree(TWENTY_THOUSAND);
  await using roots = await world.pair();
  await using _psync = await startPsync(world, roots);
  const waited = await world.probe.same(source, `${roots.right}/copy`, ["cp", "-a", source, `${roots.left}/copy`]);
  commandMs.push(waited.commandMs);
  await requireEqual(roots.left, roots.right);
  return waited.waitMs;
}

/** cp -a of a tree. */
export async function copy(world: World): Promise<string> {
  const commandMs: number[] = [];
  const [found] = await alternate(LONG_RUNS, () => timeCopy(world, commandMs));
  const cells = [median(found!), Math.max(...found!), median(commandMs)].map((ms) => figure(ms / 1000, "s"));
  return table(["cp -a", "equal after it ended, median", "largest", "cp itself"], [[
    `${TWENTY_THOUSAND} files`,
    ...cells,
  ]]);
}
