/**
 * Rows of the bench: the first sync of many small files, and small files that tar writes at once.
 * @module
 */
import { must } from "../support/binary.ts";
import { figure, median } from "./figures.ts";
import { rsyncOnce, startPsync, syncOnce } from "./programs.ts";
import { alternate, comparison, deploy, isThere, type Row } from "./row.ts";
import { requireEqual, type Roots, type World } from "./world.ts";

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

/** First sync of so many small files. */
export function firstSync(count: number, runs: number): Row["run"] {
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
  if (!await isThere(archive)) {
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

/** So many small files from tar. */
export function untar(count: number, runs: number): Row["run"] {
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
