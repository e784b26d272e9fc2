/**
 * What the rows of the bench share: how often and how large, runs in turn, and the tables of both.
 *
 * Sizes are multiplied by `PSYNC_BENCH_SCALE`, so that a row can be tried in little time.
 * @module
 */
import { systemClock } from "../../src/base/clock.ts";
import { must } from "../support/binary.ts";
import { figure, median, table } from "./figures.ts";
import { type Live, startPsync, syncOnce } from "./programs.ts";
import type { Roots, World } from "./world.ts";

/** A row: returns what is to be printed under its title. */
export interface Row {
  readonly title: string;
  readonly run: (world: World) => Promise<string>;
}

const SCALE = Number(Deno.env.get("PSYNC_BENCH_SCALE") ?? "1");

function scaled(count: number): number {
  return Math.max(10, Math.round(count * SCALE));
}

/** How often what is compared is run. */
export const RUNS = SCALE < 1 ? 2 : 5;
/** Fewer where one run is long. */
export const LONG_RUNS = SCALE < 1 ? 1 : 3;
export const MANY = scaled(10_000);
export const TWENTY_THOUSAND = scaled(20_000);
export const VERY_MANY = scaled(100_000);
export const MILLION = scaled(1_000_000);
/** The size of a large file, MB. */
export const LARGE_MB = scaled(4_096);
/** How long psync has after its last work before it is held for idle: an epoch is closed meanwhile. */
export const SETTLE_MS = 10_000;

/** Runs both in turn; milliseconds of each. */
export async function alternate(
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

export function comparison(names: readonly string[], found: readonly (readonly number[])[]): string {
  const floor = median(found[1]!);
  const rows = names.map((name, i) => {
    const each = found[i]!;
    const all = each.map((ms) => (ms / 1000).toFixed(2)).join(" ");
    return [name, figure(median(each) / 1000, "s"), (median(each) / floor).toFixed(2), all];
  });
  return table(["what", "median", "of rsync's", "each run, s"], rows);
}

/** The other host has psync's binary, as after any first start. */
export async function deploy(world: World): Promise<void> {
  await using roots = await world.pair();
  await syncOnce(world, roots);
}

/** A live psync on two roots that are equal and hold `count` files. */
export async function grown(world: World, roots: Roots, count: number): Promise<Live> {
  const source = await world.tree(count);
  await must("cp", ["-a", source, `${roots.left}/tree`]);
  return await startPsync(world, roots);
}

/** Resolves when a path is there. */
export async function waitFor(path: string): Promise<void> {
  while (!await isThere(path)) await systemClock.sleep(10);
}

/** Whether something is at a path. */
export async function isThere(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}
