/**
 * The rows of the bench: what is done, against what it is measured, and the table that comes of it.
 *
 * Each row makes its own roots and starts its own programs; runs of psync and of the reference
 * alternate, with `sync` before each. Called by scripts/bench.ts.
 * @module
 */
import { systemClock } from "../../src/base/clock.ts";
import { must } from "../support/binary.ts";
import { cpuMs, peakRssBytes, pssBytes, total } from "./cost.ts";
import { figure, median, percentile, table } from "./figures.ts";
import { DEEDS } from "./probe.ts";
import { type Live, processesOf, rsyncOnce, startLsyncd, startPsync, syncOnce } from "./programs.ts";
import { requireEqual, type Roots, type World } from "./world.ts";

/** How often what is compared is run. */
const RUNS = 5;
const SAMPLES = 200;
const LSYNCD_SAMPLES = 20;
/** Longer than the time for which changes of one path are bundled. */
const GAP_MS = 60;
const MANY = 10_000;
const VERY_MANY = 100_000;
const IDLE_S = 300;
/** How long psync has after its last work before it is held for idle: an epoch is closed meanwhile. */
const SETTLE_MS = 10_000;

/** A row: returns what is to be printed under its title. */
export interface Row {
  readonly title: string;
  readonly run: (world: World) => Promise<string>;
}

const LATENCY_HEAD = ["4 KB file", "samples", "median", "p95", "largest"];

async function latencyLines(
  world: World,
  program: { readonly name: string; readonly samples: number; readonly from: string; readonly to: string },
): Promise<string[][]> {
  const rows: string[][] = [];
  for (const deed of DEEDS) {
    const found = await world.probe.latency(deed, { ...program, gapMs: GAP_MS });
    const cells = [median(found), percentile(found, 0.95), Math.max(...found)].map((value) => figure(value, "ms"));
    rows.push([`${program.name} ${deed}`, `${found.length}`, ...cells]);
  }
  return rows;
}

async function latency(world: World): Promise<string> {
  const rows: string[][] = [];
  await using roots = await world.pair();
  {
    await using _psync = await startPsync(world, roots);
    const { left, right } = roots;
    rows.push(...await latencyLines(world, { name: "psync, left to right,", samples: SAMPLES, from: left, to: right }));
    await using more = await subdirs(roots);
    rows.push(...await latencyLines(world, { name: "psync, right to left,", samples: SAMPLES, ...more }));
  }
  await using other = await world.pair();
  await using lsyncd = await startLsyncd(world, other);
  if (lsyncd !== null) {
    const names = { name: "lsyncd, delay 0,", samples: LSYNCD_SAMPLES, from: other.left, to: other.right };
    rows.push(...await latencyLines(world, names));
  }
  return table(LATENCY_HEAD, rows);
}

/** A directory of its own for the way back, so that no name is used twice. */
async function subdirs({ left, right }: Roots): Promise<AsyncDisposable & { from: string; to: string }> {
  await Deno.mkdir(`${right}/back`);
  while (!(await Deno.lstat(`${left}/back`).then(() => true, () => false))) await systemClock.sleep(10);
  return { from: `${right}/back`, to: `${left}/back`, [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** Runs both in turn; milliseconds of each. */
async function alternate(
  runs: number,
  ...works: readonly (() => Promise<number>)[]
): Promise<number[][]> {
  const found: number[][] = works.map(() => []);
  for (let run = 0; run < runs; run++) {
    for (const [i, work] of works.entries()) {
      await must("sync", []);
      found[i]!.push(await work());
    }
  }
  return found;
}

function comparison(names: readonly string[], found: readonly (readonly number[])[]): string {
  const floor = median(found[1]!);
  const rows = names.map((name, i) => {
    const each = found[i]!;
    const all = each.map((ms) => (ms / 1000).toFixed(2)).join(" ");
    return [name, figure(median(each) / 1000, "s"), (median(each) / floor).toFixed(2), all];
  });
  return table(["what", "median", "of rsync's", "each run, s"], rows);
}

/** Milliseconds of one first sync by `sync` into an empty right root. */
async function timeFirstSync(
  world: World,
  source: string,
  sync: (world: World, roots: Roots) => Promise<void>,
): Promise<number> {
  await using roots = await world.pair();
  await must("cp", ["-a", `${source}/.`, roots.left]);
  await must("sync", []);
  const begin = performance.now();
  await sync(world, roots);
  const ms = performance.now() - begin;
  await requireEqual(roots.left, roots.right);
  return ms;
}

/** The other host has psync's binary, as after any first start. */
async function deploy(world: World): Promise<void> {
  await using roots = await world.pair();
  await syncOnce(world, roots);
}

function firstSync(count: number, runs: number): Row["run"] {
  return async (world) => {
    const source = await world.tree(count);
    await deploy(world);
    const found = await alternate(
      runs,
      () => timeFirstSync(world, source, syncOnce),
      () => timeFirstSync(world, source, rsyncOnce),
    );
    return comparison(["psync -s", "rsync -a"], found);
  };
}

/** Milliseconds from the end of tar to both sides being equal. */
async function timeUntar(world: World, source: string, commandMs: number[]): Promise<number> {
  const archive = `${source}.tar`;
  if (!await Deno.lstat(archive).then(() => true, () => false)) {
    // POSIX format: mtimes to the nanosecond.
    await must("tar", ["--format=posix", "-C", source, "-cf", archive, "."]);
  }
  await using roots = await world.pair();
  await using _psync = await startPsync(world, roots);
  for (const root of [roots.left]) await Deno.mkdir(`${root}/tree`);
  const waited = await world.probe.same(source, `${roots.right}/tree`, [
    ...["tar", "-C", `${roots.left}/tree`, "-xf", archive],
  ]);
  commandMs.push(waited.commandMs);
  await requireEqual(roots.left, roots.right);
  return waited.waitMs;
}

/** Milliseconds of `rsync -a` of the finished tree. */
async function timeRsyncAfter(world: World, source: string): Promise<number> {
  return await timeFirstSync(world, source, rsyncOnce);
}

function untar(count: number, runs: number): Row["run"] {
  return async (world) => {
    const source = await world.tree(count);
    await deploy(world);
    const commandMs: number[] = [];
    const found = await alternate(
      runs,
      () => timeUntar(world, source, commandMs),
      () => timeRsyncAfter(world, source),
    );
    const text = comparison(["psync, after tar ended", "rsync -a of the tree"], found);
    return `${text}\n\ntar itself took ${figure(median(commandMs) / 1000, "s")}`;
  };
}

/** A live psync on two roots that are equal and hold `count` files. */
async function grown(world: World, roots: Roots, count: number): Promise<Live> {
  const source = await world.tree(count);
  await must("cp", ["-a", source, `${roots.left}/tree`]);
  return await startPsync(world, roots);
}

async function idle(world: World): Promise<string> {
  await using roots = await world.pair();
  await using psync = await grown(world, roots, VERY_MANY);
  await systemClock.sleep(SETTLE_MS);
  const { left, right, link } = processesOf(world, psync);
  const before = [left, right, link].map((pids) => total(pids, cpuMs));
  await systemClock.sleep(IDLE_S * 1000);
  const used = [left, right, link].map((pids, i) => total(pids, cpuMs) - before[i]!);
  const rows = [...used, used.reduce((sum, ms) => sum + ms, 0)].map((ms, i) => [
    ["psync, psync-native", "psync filter, psync-native", "ssh, sshd", "all"][i]!,
    figure(ms, "ms"),
    `${(ms / IDLE_S / 10).toFixed(3)} %`,
  ]);
  return table([`idle for ${IDLE_S} s, ${VERY_MANY} files`, "processor time", "of a core"], rows);
}

async function memory(world: World): Promise<string> {
  await using roots = await world.pair();
  await using psync = await grown(world, roots, VERY_MANY);
  const early = memoryOf(world, psync);
  await systemClock.sleep(SETTLE_MS);
  const late = memoryOf(world, psync);
  const rows = (["left", "right", "link"] as const).map((side) => [side, early[side], late[side], late.peak[side]]);
  const head = [`${VERY_MANY} files`, "PSS after the first sync", `PSS ${SETTLE_MS / 1000} s later`, "sum of peak RSS"];
  return `${table(head, rows)}\n\nleft: psync, psync-native; right: psync filter, psync-native; link: ssh, sshd`;
}

function memoryOf(world: World, psync: Live) {
  const { left, right, link } = processesOf(world, psync);
  const megabytes = (pids: readonly number[], cost: (pid: number) => number) => figure(total(pids, cost) / 1e6, "MB");
  const [pss, peak] = [pssBytes, peakRssBytes].map((cost) => ({
    left: megabytes(left, cost),
    right: megabytes(right, cost),
    link: megabytes(link, cost),
  }));
  return { ...pss!, peak: peak! };
}

async function rename(world: World): Promise<string> {
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

async function timeRemove(world: World, commandMs: number[]): Promise<number> {
  await using roots = await world.pair();
  await using _psync = await grown(world, roots, MANY);
  await systemClock.sleep(SETTLE_MS / 2);
  const waited = await world.probe.until("gone", `${roots.right}/tree`, ["rm", "-rf", `${roots.left}/tree`]);
  commandMs.push(waited.commandMs);
  return waited.waitMs;
}

async function remove(world: World): Promise<string> {
  const commandMs: number[] = [];
  const [found] = await alternate(RUNS, () => timeRemove(world, commandMs));
  const cells = [median(found!), Math.max(...found!), median(commandMs)].map((ms) => figure(ms / 1000, "s"));
  return table(["rm -rf", "gone after it ended, median", "largest", "rm itself"], [[`${MANY} files`, ...cells]]);
}

/** The rows by name, in the order in which `all` runs them. */
export const ROWS: Readonly<Record<string, Row>> = {
  latency: { title: "One small file, until it is visible on the other side", run: latency },
  untar: { title: `${MANY} small files written at once by tar`, run: untar(MANY, RUNS) },
  "first-sync": { title: `First sync of ${MANY} small files`, run: firstSync(MANY, RUNS) },
  remove: { title: `rm -rf of ${MANY} files`, run: remove },
  "untar-100k": { title: `${VERY_MANY} small files written at once by tar`, run: untar(VERY_MANY, 3) },
  "first-sync-100k": { title: `First sync of ${VERY_MANY} small files`, run: firstSync(VERY_MANY, 3) },
  rename: { title: `Rename of a directory with ${VERY_MANY} files`, run: rename },
  memory: { title: "Memory", run: memory },
  idle: { title: "Idle", run: idle },
};
