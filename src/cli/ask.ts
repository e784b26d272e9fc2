/**
 * `psync status`, `log`, `flush`, `pause`, `resume` and `reset`: asks the psync that runs on a pair, or reads
 * what it wrote, and says what came of it.
 *
 * Touches no tree. What is printed is for a person, but for --json and --max-lag. Called by
 * system_process.ts.
 * @module
 */
import type { Clock } from "../base/clock.ts";
import { EndpointLostError, SetupError, UsageError } from "../base/errors.ts";
import type { SessionState } from "../brain/report.ts";
import type { Control } from "../control/client.ts";
import { isBelow, type RelPath, showPath } from "../core/path.ts";
import type { Problem } from "../core/problem.ts";
import type { AskCommand, AskTask } from "./ask_options.ts";
import { countText } from "./format.ts";
import { showJournal } from "./journal.ts";
import { monitor } from "./monitor.ts";
import { reasonText } from "./report_text.ts";
import { stateLines } from "./state_text.ts";
import { statusJson } from "./status_json.ts";

const EXIT_LEFT = 1;
const EXIT_NONE_RUNS = 3;
const EXIT_TIMEOUT = 124;

/** How often a watched status is shown again. */
const WATCH_MS = 1_000;
/** How many problems a flush shows. */
const PROBLEMS_SHOWN = 20;
/** Clears a terminal from its top. */
const CLEAR = "\x1b[H\x1b[2J\x1b[3J";

/** How such a command speaks to its user. */
export interface AskIo {
  /** Resolves when the line was written. */
  out(line: string): Promise<void>;
  err(line: string): void;
  /** Whether stdout is a screen that can be cleared. */
  readonly canRedraw: boolean;
  /** Asks a question that yes or no answers; null: there is nobody to ask. */
  readonly ask: ((question: string) => Promise<boolean>) | null;
}

/** What such a command works with. */
export interface AskWorld {
  readonly io: AskIo;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** The pair as a command line names it. */
  readonly pairText: string;
  /** The paths that were named, below the roots. */
  readonly paths: readonly RelPath[];
  /** Reaches the psync that runs; null: none does. */
  connect(): Promise<Control | null>;
  /** The lines of the pair's journal, in batches (archive/journal_reader.ts). */
  journal(follow: boolean): AsyncIterable<readonly string[]>;
  /** Forgets what both sides agreed on; returns how many paths that were. */
  forget(): number;
}

/** Does a command; returns its exit code. */
export async function ask({ task, yes }: AskCommand, world: AskWorld): Promise<number> {
  switch (task.kind) {
    case "help":
      return 0;
    case "status":
      return await showStatus(task.form, world);
    case "monitor":
      return await tellMonitor(task, world);
    case "log":
      return await showLog(task, world);
    case "flush":
      return await flush(task.timeoutMs, world);
    case "pause":
    case "resume":
      return await setPaused(task.kind, world);
    case "reset":
      return await reset(yes, world);
  }
}

/** The state of the psync that runs; null: none does. */
async function stateOf({ connect }: AskWorld): Promise<SessionState | null> {
  const running = await connect();
  if (running === null) return null;
  await using control = running;
  try {
    return (await control.ask({ kind: "status" }, "status")).state;
  } catch (error) {
    if (error instanceof EndpointLostError) return null; // it has just ended
    throw error;
  }
}

function statusLines(state: SessionState | null, { pairText }: AskWorld): string[] {
  return state === null ? [`No psync runs on ${pairText}`] : stateLines(state);
}

async function showStatus(form: Extract<AskTask, { kind: "status" }>["form"], world: AskWorld): Promise<number> {
  if (form === "watch") return await watchStatus(world);
  const state = await stateOf(world);
  if (form === "json") await world.io.out(JSON.stringify(statusJson(state), null, 2));
  else for (const line of statusLines(state, world)) await world.io.out(line);
  return state === null ? EXIT_NONE_RUNS : 0;
}

/** Ends by a signal alone. */
async function watchStatus(world: AskWorld): Promise<number> {
  const { io, clock, signal } = world;
  for (;;) {
    const lines = statusLines(await stateOf(world), world);
    await io.out(`${io.canRedraw ? CLEAR : ""}${lines.join("\n")}`);
    await clock.sleep(WATCH_MS, signal);
  }
}

async function tellMonitor({ maxLag }: Extract<AskTask, { kind: "monitor" }>, world: AskWorld): Promise<number> {
  try {
    const { line, exitCode } = monitor(await stateOf(world), maxLag);
    await world.io.out(line);
    return exitCode;
  } catch (error) {
    await world.io.out(`PSYNC UNKNOWN - ${error instanceof Error ? error.message : error}`);
    return 3;
  }
}

async function showLog({ follow, last }: Extract<AskTask, { kind: "log" }>, world: AskWorld): Promise<number> {
  const { io, paths, pairText } = world;
  const isAny = await showJournal({ lines: world.journal(follow), out: (text) => io.out(text) }, { paths, last });
  if (!isAny) io.err(`psync: The journal of ${pairText} tells nothing${paths.length > 0 ? " of that" : ""}`);
  return 0;
}

async function flush(timeoutMs: number | null, world: AskWorld): Promise<number> {
  const { io, clock } = world;
  const running = await connectOrTell(world);
  if (running === null) return EXIT_NONE_RUNS;
  await using control = running;
  const over = new AbortController();
  const signal = AbortSignal.any([over.signal, world.signal]);
  const late = timeoutMs === null ? [] : [clock.sleep(timeoutMs, signal).then(() => null)];
  try {
    const flushed = await Promise.race([control.ask({ kind: "flush" }, "flushed"), ...late]);
    if (flushed === null) {
      io.err(
        `psync: Not all is on the other side after ${timeoutMs! / 1_000} s: "psync status" shows what is in flight`,
      );
      return EXIT_TIMEOUT;
    }
    return await tellProblems(flushed.problems, world);
  } finally {
    over.abort();
    for (const each of late) each.catch(() => {}); // it was not waited for
  }
}

async function tellProblems(all: readonly Problem[], { io, paths }: AskWorld): Promise<number> {
  const isNamed = ({ path }: Problem) => paths.length === 0 || paths.some((at) => path === at || isBelow(path, at));
  const problems = all.filter(isNamed);
  if (problems.length === 0) {
    await io.out("All that was written before is on the other side");
    return 0;
  }
  io.err(`psync: ${countText(problems.length, "path")} could not be brought to the other side:`);
  for (const problem of problems.slice(0, PROBLEMS_SHOWN)) {
    io.err(`  ${showPath(problem.path) || "the root"}${reasonText(problem)}`);
  }
  if (problems.length > PROBLEMS_SHOWN) io.err(`  ... and ${problems.length - PROBLEMS_SHOWN} more`);
  return EXIT_LEFT;
}

async function setPaused(kind: "pause" | "resume", world: AskWorld): Promise<number> {
  const running = await connectOrTell(world);
  if (running === null) return EXIT_NONE_RUNS;
  await using control = running;
  const { isChanged } = await control.ask({ kind }, "pausing");
  const word = kind === "pause" ? "paused" : "running";
  await world.io.out(isChanged ? `psync is ${word} now` : `psync was ${word} already`);
  return 0;
}

async function connectOrTell(world: AskWorld): Promise<Control | null> {
  const control = await world.connect();
  if (control === null) world.io.err(`psync: No psync runs on ${world.pairText}`);
  return control;
}

async function reset(yes: boolean, world: AskWorld): Promise<number> {
  const { io, pairText } = world;
  const running = await world.connect();
  if (running !== null) {
    await running[Symbol.asyncDispose]();
    throw new SetupError(`Cannot reset ${pairText} while a psync runs on it: end it first, with "psync stop"`);
  }
  io.err(`This forgets what both sides of ${pairText} agreed on. No file is touched. The next start merges`);
  io.err(`both sides: what was removed on one side since the last sync comes back from the other one.`);
  if (!yes) {
    if (io.ask === null) throw new UsageError("Cannot ask without a terminal: add -y to do this");
    if (!await io.ask("Do it?")) {
      await io.out("Nothing was done");
      return EXIT_LEFT;
    }
  }
  await io.out(`Forgotten: ${countText(world.forget(), "path")}`);
  return 0;
}
