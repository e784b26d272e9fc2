/**
 * Rows of the bench: a restart on trees that did not change, beside `rsync -a` that finds nothing to do.
 * @module
 */
import { must } from "../support/binary.ts";
import { figure, median, percentile, table } from "./figures.ts";
import { rsyncOnce, startPsync, syncOnce } from "./programs.ts";
import { alternate, comparison, type Row } from "./row.ts";
import type { World } from "./world.ts";

const LIVE_SAMPLES = 20;
const GAP_MS = 60;

async function timed(work: () => Promise<void>): Promise<number> {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
}

/** So many files on both sides, `aDir` to a directory; they take no room, as nobody reads them. */
export function restart(count: number, options: { readonly aDir: number; readonly runs: number }): Row["run"] {
  return async (world: World) => {
    await using roots = await world.pair();
    await using _limit = await world.watchLimit(2 * count / options.aDir);
    await world.probe.tree(roots.left, count, options.aDir);
    await must("rsync", ["-a", "--sparse", `${roots.left}/`, `${roots.right}/`]);
    await syncOnce(world, roots); // makes the archive
    const found = await alternate(
      options.runs,
      () => timed(() => syncOnce(world, roots)),
      () => timed(() => rsyncOnce(world, roots)),
    );
    await using _psync = await startPsync(world, roots);
    const live = await world.probe.latency("create", {
      samples: LIVE_SAMPLES,
      gapMs: GAP_MS,
      from: roots.left,
      to: roots.right,
    });
    const cells = [live[0]!, median(live), percentile(live, 0.95)].map((ms) => figure(ms, "ms"));
    return `${comparison(["psync -s", "rsync -a"], found)}\n\n${
      table(["then live, a new file of 4 KB", "the first", "median", "p95"], [[`${LIVE_SAMPLES} samples`, ...cells]])
    }`;
  };
}
