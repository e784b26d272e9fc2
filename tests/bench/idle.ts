/**
 * Rows of the bench: what psync costs while it has nothing to do, and the memory that it takes.
 * @module
 */
import { systemClock } from "../../src/base/clock.ts";
import { cpuMs, peakRssBytes, pssBytes, total } from "./cost.ts";
import { figure, table } from "./figures.ts";
import { type Live, processesOf, startPsync } from "./programs.ts";
import { grown, MILLION, SETTLE_MS, VERY_MANY } from "./row.ts";
import { requireEqual, type World } from "./world.ts";

const IDLE_S = 300;
/** Files to a directory, where there are a million. */
const FEW_A_DIR = 10;
const SAMPLE_EVERY_MS = 500;

/** Processor time while nothing happens. */
export async function idle(world: World): Promise<string> {
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

/** Memory after a first sync. */
export async function memory(world: World): Promise<string> {
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

const SIDES = ["left", "right", "link"] as const;

/** The largest PSS of each side while `work` goes on, bytes; sampled. */
async function peakWhile(world: World, work: (onStart: (pid: number) => void) => Promise<Live>) {
  const peak = { left: 0, right: 0, link: 0 };
  let pid: number | null = null;
  let isDone = false;
  const sample = async () => {
    while (!isDone) {
      if (pid !== null) {
        const found = processesOf(world, { pid });
        for (const side of SIDES) peak[side] = Math.max(peak[side], total(found[side], pssBytes));
      }
      await systemClock.sleep(SAMPLE_EVERY_MS);
    }
  };
  const sampling = sample();
  try {
    const live = await work((started) => pid = started);
    return { live, peak };
  } finally {
    isDone = true;
    await sampling;
  }
}

/** Memory with a million files: during the first sync, idle, and during a restart. */
export async function memoryOfMillion(world: World): Promise<string> {
  await using roots = await world.pair();
  await using _limit = await world.watchLimit(2 * MILLION / FEW_A_DIR);
  await world.probe.tree(roots.left, MILLION, FEW_A_DIR);
  const rows: string[][] = [];
  const add = (what: string, found: Readonly<Record<typeof SIDES[number], number>>) =>
    rows.push([what, ...SIDES.map((side) => figure(found[side] / 1e6, "MB"))]);
  const sync = (onStart: (pid: number) => void) => startPsync(world, roots, { onStart });
  {
    const { live, peak } = await peakWhile(world, sync);
    await using psync = live;
    add("first sync, largest", peak);
    await systemClock.sleep(SETTLE_MS);
    const idle = processesOf(world, psync);
    add("idle", {
      left: total(idle.left, pssBytes),
      right: total(idle.right, pssBytes),
      link: total(idle.link, pssBytes),
    });
  }
  {
    const { live, peak } = await peakWhile(world, sync);
    await using _psync = live;
    add("restart, largest", peak);
  }
  await requireEqual(roots.left, roots.right, { contents: false });
  return table([`PSS, ${MILLION} files, ${FEW_A_DIR} a directory`, ...SIDES], rows);
}
