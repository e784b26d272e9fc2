/**
 * Row of the bench: a small change inside a large file.
 * @module
 */
import { must } from "../support/binary.ts";
import { rsyncOnce, syncOnce } from "./programs.ts";
import { comparison, LARGE_MB, LONG_RUNS } from "./row.ts";
import { requireEqual, type Roots, type World } from "./world.ts";

async function timeDeltas(world: World, sync: (world: World, roots: Roots) => Promise<void>): Promise<number[]> {
  await using roots = await world.pair();
  const file = `${roots.left}/large`;
  await must("sh", ["-c", `head -c ${LARGE_MB}M /dev/urandom > ${file}`]);
  await sync(world, roots);
  const found: number[] = [];
  for (let run = 0; run < LONG_RUNS; run++) {
    const at = Math.floor(LARGE_MB * (run + 1) / (LONG_RUNS + 2));
    await must("dd", [
      `of=${file}`,
      "if=/dev/urandom",
      "bs=1M",
      "count=1",
      `seek=${at}`,
      "conv=notrunc",
      "status=none",
    ]);
    await must("sync", []);
    const begin = performance.now();
    await sync(world, roots);
    found.push(performance.now() - begin);
  }
  await requireEqual(roots.left, roots.right);
  return found;
}

/** 1 MB changed in the middle. WHY one after the other: both at once need four such files. */
export async function delta(world: World): Promise<string> {
  return comparison(["psync -s", "rsync -a"], [await timeDeltas(world, syncOnce), await timeDeltas(world, rsyncOnce)]);
}
