/**
 * Runs rows of the bench and prints a table for each.
 *
 *   ./scripts/bench [ROW...]      rows by name, or all (default); see tests/bench/rows.ts
 *
 * PSYNC_BENCH_SCALE=0.1 makes all counts and sizes so much smaller, to see that a row works. PSYNC_BIN measures another psync than dist/psync; PSYNC_BENCH_DIR takes another place than
 * /dev/shm. docs/bench.md keeps results. Exit status 1 when a row failed. Called by scripts/bench,
 * which sets up and builds.
 * @module
 */
import { SYNCTHING_LINE, UNISON_LINE } from "../tests/bench/peers.ts";
import { PSYNC, versionOf } from "../tests/bench/programs.ts";
import { LARGE_ROWS, ROWS } from "../tests/bench/rows.ts";
import type { Row } from "../tests/bench/row.ts";
import { World } from "../tests/bench/world.ts";

function rowOf(name: string): Row | undefined {
  return ROWS[name] ?? LARGE_ROWS[name];
}

function chosen(args: readonly string[]): readonly string[] {
  const names = Object.keys(ROWS);
  return (args.length === 0 ? ["all"] : args).flatMap((name) => {
    if (name === "all") return names;
    if (rowOf(name) !== undefined) return [name];
    console.error(`bench: no row "${name}"; there are ${[...names, "all", ...Object.keys(LARGE_ROWS)].join(", ")}`);
    Deno.exit(2);
  });
}

/** Programs, kernel and machine, and the command lines that are compared. */
async function describe(world: World): Promise<string> {
  const versions = await Promise.all(
    [[PSYNC, "--version"], ["rsync", "--version"], ["lsyncd", "--version"], ["unison", "-version"], [
      "syncthing",
      "--version",
    ], [
      "ssh",
      "-V",
    ]].map(async ([name, flag]) => {
      return `${await versionOf(name!, [flag!]) ?? `${name}: not installed`}`;
    }),
  );
  const load = Deno.loadavg().map((value) => value.toFixed(1)).join(" ");
  return [
    `- ${[...versions, `Linux ${Deno.osRelease()}`].join("; ")}`,
    `- ${navigator.hardwareConcurrency} cores, load before the run ${load}; trees and archive in ${
      world.dir.replace(/\/[^/]*$/, "")
    }`,
    `- psync: psync [-s] --ssh "ssh -F CONFIG" LEFT 127.0.0.1:RIGHT`,
    `- rsync: rsync -a --exclude=/.psync -e "ssh -F CONFIG" LEFT/ 127.0.0.1:RIGHT/`,
    `- lsyncd: default.rsync, delay = 0, rsync = { archive = true, rsh = "ssh -F CONFIG" }`,
    `- Unison: ${UNISON_LINE}`,
    `- Syncthing: ${SYNCTHING_LINE}`,
  ].join("\n");
}

async function main(args: readonly string[]): Promise<void> {
  const names = chosen(args);
  await using world = await World.make();
  console.log(`${await describe(world)}\n`);
  let failed = 0;
  for (const name of names) {
    const row = rowOf(name)!;
    console.log(`## ${row.title} (\`${name}\`)\n`);
    try {
      console.log(`${await row.run(world)}\n`);
    } catch (error) {
      failed++;
      console.log(`failed: ${error instanceof Error ? error.message : error}\n`);
    }
  }
  if (failed > 0) Deno.exitCode = 1;
}

if (import.meta.main) await main(Deno.args);
