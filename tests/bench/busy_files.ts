/**
 * Row of the bench: files that are written to all the time, and what others notice of it.
 * @module
 */
import { systemClock } from "../../src/base/clock.ts";
import { figure, median, percentile, table } from "./figures.ts";
import { startPsync } from "./programs.ts";
import { waitFor } from "./row.ts";
import { requireEqual, type World } from "./world.ts";

const SECONDS = 30;
const EACH_SECOND = 1_000;
const SAMPLES = 100;
const GAP_MS = 60;

/** A file that is written anew, and a log that grows, a thousand times a second each. */
export async function busyFiles(world: World): Promise<string> {
  await using roots = await world.pair();
  const { left, right } = roots;
  for (const dir of ["busy", "calm"]) await Deno.mkdir(`${left}/${dir}`);
  await using _psync = await startPsync(world, roots);
  await waitFor(`${right}/calm`);
  const writing = { count: SECONDS * EACH_SECOND, gapUs: 1_000_000 / EACH_SECOND };
  const [, , file, log, calm] = await Promise.all([
    world.probe.keepWriting("rewrite", `${left}/busy/file`, writing),
    world.probe.keepWriting("append", `${left}/busy/log`, writing),
    world.probe.versions(`${right}/busy/file`, SECONDS * 1_000),
    world.probe.versions(`${right}/busy/log`, SECONDS * 1_000),
    world.probe.latency("create", { samples: SAMPLES, gapMs: GAP_MS, from: `${left}/calm`, to: `${right}/calm` }),
  ]);
  await world.probe.until("there", `${right}/end`, ["mkdir", `${left}/end`]);
  await waitUntilEqual(left, right);
  const each = (seen: number) => `${(seen / SECONDS).toFixed(2)} /s`;
  return `${
    table([`written ${EACH_SECOND} times a second for ${SECONDS} s`, "versions on the other side", "not whole"], [
      ["a file written anew", each(file.seen), `${file.torn}`],
      ["a log that stays open", each(log.seen), "-"],
    ])
  }\n\n${
    table(["meanwhile, a new file of 4 KB", "median", "p95", "largest"], [[
      `${SAMPLES} samples`,
      ...[median(calm), percentile(calm, 0.95), Math.max(...calm)].map((ms) => figure(ms, "ms")),
    ]])
  }`;
}

/** What was closed a moment ago follows. */
async function waitUntilEqual(left: string, right: string): Promise<void> {
  for (let tries = 1;; tries++) {
    try {
      return await requireEqual(left, right);
    } catch (error) {
      if (tries === 20) throw error;
      await systemClock.sleep(500);
    }
  }
}
