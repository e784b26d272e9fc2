/**
 * The rsync driver: one run moves the files of one batch from a supply area into a stage (I5).
 *
 * rsync never sees a name that a user gave: its source is a directory of links named by id to files
 * that psync-native holds open, its basis hard links named by id. Only the two roots appear in its
 * arguments, and they may be bytes that are no text: the run goes through `psync-native exec`. What
 * rsync writes lies in the stage until it is committed.
 * @module
 */
import type { Clock } from "../base/clock.ts";
import { Child } from "../base/process.ts";
import { throughNative } from "../replica/native_exec.ts";
import { awaitStall, movedBytes } from "./stall.ts";

/** One end of a run. */
export interface RsyncEnd {
  /** The canonical root. */
  readonly root: string;
  /** `[user@]host`, or null for this host. */
  readonly host: string | null;
}

/** One run. */
export interface RsyncRun {
  readonly source: RsyncEnd;
  readonly target: RsyncEnd;
  readonly batch: string;
  /** The value of `-e`; null where both ends are on this host. */
  readonly shell: string | null;
  readonly extra: readonly string[];
}

/** How a run ended. */
export interface RsyncOutcome {
  readonly exitCode: number;
  readonly stderr: string;
  /** Set where it was ended because too little came through for so long. */
  readonly stalledMs?: number;
}

/** How a run is made. */
export interface RunRsyncOptions {
  readonly nativePath: string;
  readonly clock: Clock;
  /** Ends the run. */
  readonly signal: AbortSignal;
  /** Called once it runs, with how to ask for how many bytes of content it has moved, about. */
  readonly onStart?: (movedBytes: () => number) => void;
  /** For how long (next to) nothing may come through; null: for ever. */
  readonly patienceMs: number | null;
}

/** Content is read once and written once. */
const PASSES = 2;

/** What was told to end and does not is killed after this. */
const END_MS = 5_000;

/**
 * The arguments of a run.
 *
 * -I: the quick check sees whole seconds only. -L: the source's links are to be followed, and they
 * alone are there. --copy-dest counts from the destination. -s keeps the far root away from the
 * login shell. --no-whole-file makes deltas, which pay only over a link.
 */
export function rsyncArguments(run: RsyncRun): string[] {
  const isLocal = run.source.host === null && run.target.host === null;
  return [
    "-rLI",
    "-s",
    "--sparse",
    "--chmod=D0700,F0600",
    "--timeout=60",
    isLocal ? "--whole-file" : "--no-whole-file",
    "--partial-dir=.partial",
    `--copy-dest=../../basis/${run.batch}`,
    ...(run.shell === null ? [] : ["-e", run.shell]),
    ...run.extra,
    "--",
    `${operand(run.source)}/.psync/supply/${run.batch}/`,
    `${operand(run.target)}/.psync/stage/${run.batch}/`,
  ];
}

/** `host:root`, where an IPv6 address stands in brackets. */
function operand(end: RsyncEnd): string {
  if (end.host === null) return end.root;
  const at = end.host.lastIndexOf("@") + 1;
  const host = end.host.slice(at);
  return `${end.host.slice(0, at)}${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:${end.root}`;
}

/**
 * Runs rsync to its end. Where it is ended before, by the signal or for want of progress, it is by
 * SIGTERM, so that partial files are kept, and with all that it started: its ssh, too.
 */
export async function runRsync(run: RsyncRun, options: RunRsyncOptions): Promise<RsyncOutcome> {
  const { clock, nativePath, patienceMs, signal } = options;
  await using child = Child.spawn({
    ...throughNative(nativePath, ["rsync", ...rsyncArguments(run)]),
    env: { LC_ALL: "C", RSYNC_OLD_ARGS: "0" },
    stdin: "null",
    stdout: "null",
  });
  options.onStart?.(() => (movedBytes(child.pid) ?? 0) / PASSES);
  const ended = new AbortController();
  const end = () => {
    child.killAll("SIGTERM");
    clock.sleep(END_MS, ended.signal).then(() => child.killAll("SIGKILL"), () => {}); // ended in time
  };
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
  const watched = patienceMs === null
    ? Promise.resolve(false)
    : awaitStall(() => movedBytes(child.pid), { clock, patienceMs, signal: ended.signal });
  void watched.then((hasStalled) => hasStalled && end());
  try {
    const { code } = await child.status;
    ended.abort();
    const outcome = { exitCode: code, stderr: child.stderrTail() };
    return patienceMs !== null && await watched ? { ...outcome, stalledMs: patienceMs } : outcome;
  } finally {
    ended.abort();
    signal.removeEventListener("abort", end);
  }
}
