/**
 * `psync start` and `psync stop`: psync in the background, with its words in a file.
 *
 * That there is one psync for a pair is seen to by the locks of the roots, not here. Called by run.ts.
 * @module
 */
import type { Clock } from "../base/clock.ts";
import { SetupError } from "../base/errors.ts";
import { Child } from "../base/process.ts";
import type { Control } from "../control/client.ts";
import { showPath } from "../core/path.ts";
import { throughNative } from "../replica/native_exec.ts";

/** How often it is looked whether a psync has begun, or ended. */
const POLL_MS = 50;
/** A psync that was told to end has this long. */
const STOP_MAX_MS = 15_000;
/** A log that has grown beyond this is put aside at the next start. */
const LOG_MAX_BYTES = 16 << 20;
/** How much of a log is shown where psync did not come up. */
const SHOWN_BYTES = 4_096;
const SHOWN_LINES = 10;

/** How a background psync speaks to its user. */
export interface BackgroundIo {
  out(line: string): Promise<void>;
  err(line: string): void;
}

/** What is needed to start one. */
export interface StartOptions {
  /** The words of the command, from the program on. */
  readonly words: readonly string[];
  readonly nativePath: string;
  readonly cwd: string;
  /** Where it writes; is made. */
  readonly logFile: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Reaches the psync that runs on the pair; null: none does. */
  readonly connect: () => Promise<Control | null>;
  readonly io: BackgroundIo;
}

/** Starts a psync, and waits until it works or has ended; returns the exit code. */
export async function startInBackground(options: StartOptions): Promise<number> {
  const { io, logFile, clock, signal } = options;
  if (await isRunning(options.connect)) {
    await io.out("psync runs already");
    return 0;
  }
  const from = openLog(logFile);
  // WHY a shell: Deno gives a child no file as its output.
  const script = ["sh", "-c", 'exec "$@" >>"$0" 2>&1 </dev/null', logFile, ...options.words];
  const child = Child.spawn({
    ...throughNative(options.nativePath, script),
    cwd: options.cwd,
    stdin: "null",
    stdout: "null",
  });
  let ended: number | null = null;
  void child.status.then(({ code }) => ended = code);
  while (ended === null) {
    if (await isRunning(options.connect)) {
      await io.out(`psync runs (process ${child.pid}); it writes to ${showPath(logFile)}`);
      return 0;
    }
    await clock.sleep(POLL_MS, signal);
  }
  for (const line of lastLines(logFile, from)) io.err(line);
  return ended === 0 ? 3 : ended;
}

async function isRunning(connect: () => Promise<Control | null>): Promise<boolean> {
  const control = await connect();
  await control?.[Symbol.asyncDispose]();
  return control !== null;
}

/** What is needed to end one. */
export interface StopOptions {
  readonly connect: () => Promise<Control | null>;
  readonly isAlive: (processId: number) => boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly io: BackgroundIo;
}

/** Ends the psync of a pair, however it was started, and waits until it has ended; returns the exit code. */
export async function stopRunning({ connect, isAlive, clock, signal, io }: StopOptions): Promise<number> {
  const control = await connect();
  if (control === null) {
    await io.out("No psync runs on this pair");
    return 0;
  }
  const { processId } = await control.ask({ kind: "stop" }, "stopping");
  await control[Symbol.asyncDispose]();
  for (const endMs = clock.nowMs() + STOP_MAX_MS; isAlive(processId);) {
    if (clock.nowMs() > endMs) throw new SetupError(`Cannot end psync: process ${processId} goes on`);
    await clock.sleep(POLL_MS, signal);
  }
  await io.out("psync has ended");
  return 0;
}

/** Makes a log where there is none, and puts aside one that is too large; returns where new lines begin. */
function openLog(path: string): number {
  try {
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")) || "/", { recursive: true, mode: 0o700 });
    if (sizeOf(path) > LOG_MAX_BYTES) Deno.renameSync(path, `${path}.1`);
    Deno.openSync(path, { create: true, append: true, mode: 0o600 }).close();
    return sizeOf(path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SetupError(`Cannot write the log "${showPath(path)}": ${why}`, { cause });
  }
}

function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch {
    return 0; // not there yet
  }
}

function lastLines(path: string, from: number): string[] {
  using file = Deno.openSync(path);
  file.seekSync(Math.max(from, sizeOf(path) - SHOWN_BYTES), Deno.SeekMode.Start);
  const bytes = new Uint8Array(SHOWN_BYTES);
  const text = new TextDecoder().decode(bytes.subarray(0, file.readSync(bytes) ?? 0));
  return text.split("\n").filter(Boolean).slice(-SHOWN_LINES);
}
