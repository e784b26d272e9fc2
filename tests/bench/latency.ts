/**
 * Rows of the bench: one small file, on an idle link, while a large file is on its way, and over a long way.
 * @module
 */
import { systemClock } from "../../src/base/clock.ts";
import { canMakeHosts, FarHost } from "../proof/far_host.ts";
import { must } from "../support/binary.ts";
import { figure, median, percentile, table } from "./figures.ts";
import { DEEDS, delayedSsh } from "./probe.ts";
import { startSyncthing, startUnison } from "./peers.ts";
import { startLsyncd, startPsync } from "./programs.ts";
import { isThere, LARGE_MB, waitFor } from "./row.ts";
import type { Roots, World } from "./world.ts";

const SAMPLES = 200;
/** While something else goes on that ends. */
const ROUND_SAMPLES = 10;
const PEER_SAMPLES = 20;
/** Longer than the time for which changes of one path are bundled. */
const GAP_MS = 60;
/** Each way; the round trip is twice as long. */
const DELAY_MS = 25;
const DELAYED_SAMPLES = 50;

/** A narrow link, and how often each deed is tried on it. */
export const NARROW_MBIT = 50;
const NARROW_SAMPLES = 100;
/** What else is measured where it is installed, from left to right. */
const PEERS = [["lsyncd, delay 0,", startLsyncd], ["Unison,", startUnison], ["Syncthing,", startSyncthing]] as const;

const LATENCY_HEAD = ["4 KB file", "samples", "median", "p95", "largest"];

async function latencyLines(
  world: World,
  program: { readonly name: string; readonly samples: number; readonly from: string; readonly to: string },
): Promise<string[][]> {
  const rows: string[][] = [];
  for (const deed of DEEDS) {
    const found = await world.probe.latency(deed, { ...program, gapMs: GAP_MS });
    rows.push(latencyLine(`${program.name} ${deed}`, found));
  }
  return rows;
}

function latencyLine(name: string, found: readonly number[]): string[] {
  const cells = [median(found), percentile(found, 0.95), percentile(found, 1)].map((value) => figure(value, "ms"));
  return [name, `${found.length}`, ...cells];
}

/** On an idle link, each direction, beside lsyncd, Unison and Syncthing. */
export async function latency(world: World): Promise<string> {
  const rows: string[][] = [];
  await using roots = await world.pair();
  {
    await using _psync = await startPsync(world, roots);
    const { left, right } = roots;
    rows.push(...await latencyLines(world, { name: "psync, left to right,", samples: SAMPLES, from: left, to: right }));
    await using more = await subdirs(roots);
    rows.push(...await latencyLines(world, { name: "psync, right to left,", samples: SAMPLES, ...more }));
  }
  for (const [name, begin] of PEERS) {
    await using other = await world.pair();
    await using peer = await begin(world, other);
    if (peer === null) continue;
    rows.push(...await latencyLines(world, { name, samples: PEER_SAMPLES, from: other.left, to: other.right }));
  }
  return table(LATENCY_HEAD, rows);
}

/** A directory of its own for the way back, so that no name is used twice. */
async function subdirs({ left, right }: Roots): Promise<AsyncDisposable & { from: string; to: string }> {
  await Deno.mkdir(`${right}/back`);
  await waitFor(`${left}/back`);
  return { from: `${right}/back`, to: `${left}/back`, [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** While a large file is on its way. */
export async function latencyBeside(world: World): Promise<string> {
  await using roots = await world.pair();
  await using _psync = await startPsync(world, roots);
  const { left, right } = roots;
  await must("sh", ["-c", `head -c ${LARGE_MB}M /dev/urandom > ${roots.dir}/large`]);
  await Deno.rename(`${roots.dir}/large`, `${left}/large`);
  const found = new Map<string, number[]>(DEEDS.map((deed) => [deed, []]));
  // Each round in a directory of its own, so that no name is used twice; the last one may end after the transfer.
  for (let round = 0; !await isThere(`${right}/large`); round++) {
    await Deno.mkdir(`${left}/r${round}`);
    await waitFor(`${right}/r${round}`);
    const options = { samples: ROUND_SAMPLES, gapMs: GAP_MS, from: `${left}/r${round}`, to: `${right}/r${round}` };
    for (const deed of DEEDS) {
      const samples = await world.probe.latency(deed, options);
      if (!await isThere(`${right}/large`)) found.get(deed)!.push(...samples);
    }
  }
  return table(
    LATENCY_HEAD,
    [...found].map(([deed, samples]) => latencyLine(`beside ${LARGE_MB} MB, ${deed}`, samples)),
  );
}

/** On a narrow link between two network namespaces, idle and while a large file is on its way over it. */
export async function latencyNarrow(world: World): Promise<string> {
  if (!await canMakeHosts()) return "Left out: network namespaces need root.";
  await using far = await FarHost.make();
  await using roots = await world.pair();
  const { dir, left, right } = roots;
  await using _psync = await startPsync(world, roots, { ssh: far.sshCommand, under: far.near });
  await far.narrow(NARROW_MBIT);
  const named = (what: string) => ({ name: `${NARROW_MBIT} Mbit/s, ${what},`, samples: NARROW_SAMPLES });
  const rows = await latencyLines(world, { ...named("idle"), from: left, to: right });
  await Deno.mkdir(`${left}/beside`);
  await must("sh", ["-c", `head -c ${LARGE_MB}M /dev/urandom > ${dir}/large`]);
  await Deno.rename(`${dir}/large`, `${left}/large`);
  while (await must("find", [`${right}/.psync/stage`, "-type", "f", "-size", "+4M"]) === "") {
    await systemClock.sleep(50);
  }
  const beside = { ...named(`beside ${LARGE_MB} MB`), from: `${left}/beside`, to: `${right}/beside` };
  rows.push(...await latencyLines(world, beside));
  if (await isThere(`${right}/large`)) throw new Error("The large file was there before the samples were taken");
  return table(LATENCY_HEAD, rows);
}

/** Over a way of 50 ms there and back. */
export async function latencyDelayed(world: World): Promise<string> {
  await using roots = await world.pair();
  const home = `${roots.dir}/home`;
  await Deno.mkdir(home);
  const ssh = `${await delayedSsh(world.dir)} ${DELAY_MS} ${home}`;
  await using _psync = await startPsync(world, roots, { ssh });
  const { left, right } = roots;
  const there = { name: `${2 * DELAY_MS} ms, left to right,`, samples: DELAYED_SAMPLES, from: left, to: right };
  const rows = await latencyLines(world, there);
  await using more = await subdirs(roots);
  rows.push(...await latencyLines(world, { ...there, name: `${2 * DELAY_MS} ms, right to left,`, ...more }));
  return table(LATENCY_HEAD, rows);
}
