/**
 * The rows of the bench: what is done, against what it is measured, and the table that comes of it.
 *
 * Each row makes its own roots and starts its own programs; runs of psync and of the reference
 * alternate, with `sync` before each. Called by scripts/bench.ts.
 * @module
 */
import { busyFiles } from "./busy_files.ts";
import { firstSync, untar } from "./first_sync.ts";
import { idle, memory, memoryOfMillion } from "./idle.ts";
import { delta } from "./large.ts";
import { latency, latencyBeside, latencyDelayed, latencyNarrow, NARROW_MBIT } from "./latency.ts";
import { checkout, copy, remove, rename, renameChain } from "./many.ts";
import { restart } from "./restart.ts";
import { LARGE_MB, LONG_RUNS, MANY, MILLION, type Row, RUNS, TWENTY_THOUSAND, VERY_MANY } from "./row.ts";

/** The rows by name, in the order in which `all` runs them. */
export const ROWS: Readonly<Record<string, Row>> = {
  latency: { title: "One small file, until it is visible on the other side", run: latency },
  "latency-beside": { title: `The same, while ${LARGE_MB} MB are on their way`, run: latencyBeside },
  "latency-50mbit": { title: `The same, over a link of ${NARROW_MBIT} Mbit/s, idle and filled`, run: latencyNarrow },
  "latency-50ms": { title: "The same, over a way of 50 ms there and back", run: latencyDelayed },
  untar: { title: `${MANY} small files written at once by tar`, run: untar(MANY, RUNS) },
  "first-sync": { title: `First sync of ${MANY} small files`, run: firstSync(MANY, RUNS) },
  remove: { title: `rm -rf of ${MANY} files`, run: remove },
  checkout: { title: `git checkout, ${TWENTY_THOUSAND} files apart`, run: checkout },
  copy: { title: `cp -a of ${TWENTY_THOUSAND} files`, run: copy },
  restart: { title: `Restart with ${VERY_MANY} unchanged files`, run: restart(VERY_MANY, { aDir: 100, runs: RUNS }) },
  delta: { title: `1 MB changed in ${LARGE_MB} MB`, run: delta },
  busy: { title: "Files that are written to all the time", run: busyFiles },
  "untar-100k": { title: `${VERY_MANY} small files written at once by tar`, run: untar(VERY_MANY, LONG_RUNS) },
  "first-sync-100k": { title: `First sync of ${VERY_MANY} small files`, run: firstSync(VERY_MANY, LONG_RUNS) },
  rename: { title: `Rename of a directory with ${VERY_MANY} files`, run: rename },
  "rename-chain": { title: `Renames of a directory with ${VERY_MANY} files at once`, run: renameChain },
  memory: { title: "Memory", run: memory },
  idle: { title: "Idle", run: idle },
};

/** Rows that take long and much memory: only by name. */
export const LARGE_ROWS: Readonly<Record<string, Row>> = {
  "restart-1m": {
    title: `Restart with ${MILLION} unchanged files`,
    run: restart(MILLION, { aDir: 10, runs: LONG_RUNS }),
  },
  "memory-1m": { title: `Memory with ${MILLION} files`, run: memoryOfMillion },
};
