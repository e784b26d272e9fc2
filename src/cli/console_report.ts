/**
 * A session's report for people: which line is shown when. The words are in report_text.ts.
 *
 * The summary of the first sync and the lines of a plan go to stdout, everything else to stderr.
 * Until the first sync is done, conflicts and problems are only collected, so that a first run of
 * two filled folders is told in a few lines. Handed to the brain by run.ts.
 * @module
 */
import type { Clock } from "../base/clock.ts";
import type {
  Conflict,
  Connected,
  Deploying,
  Hold,
  Notice,
  PlanLine,
  Report,
  ScanProgress,
  SessionState,
  SyncProgress,
  SyncSummary,
} from "../brain/report.ts";
import type { RelPath } from "../core/path.ts";
import type { Problem } from "../core/problem.ts";
import { countText, oneLine, spanText } from "./format.ts";
import { ProblemMemory } from "./problem_memory.ts";
import { RateGate } from "./rate.ts";
import { RateMeter } from "./rate_meter.ts";
import * as words from "./report_text.ts";
import type { Terminal } from "./terminal.ts";
import type { SayLevel } from "./voice.ts";

/** What a report for people needs. */
export interface ConsoleOptions {
  readonly terminal: Pick<Terminal, "out" | "progress" | "hasProgressLine">;
  /** Takes a line for stderr. */
  readonly say: (line: string, level?: SayLevel) => void;
  readonly clock: Clock;
  readonly pid: number;
  /** Whether psync stays (neither -s nor -n): only then does it speak of looking again, and of signals. */
  readonly isLive: boolean;
  /** The host of the right root as the user gave it; null where it is this one. */
  readonly rightHost: string | null;
}

/** A progress line is drawn at most ten times a second. */
const DRAW_MS = 100;
/** Without a terminal, long work is told every ten seconds. */
const PLAIN_MS = 10_000;
/** A live change that is younger than this needs no progress line. */
const LAG_SHOWN_MS = 1000;
/** Lines of one kind that pass in ten seconds. */
const GATE_LINES = 20;
const GATE_SPAN_MS = 10_000;
/** How many conflicts are remembered for the end, and how many lines of a list are shown there. */
const MAX_CONFLICTS = 1000;
const MAX_LISTED = 20;
/** How many names stand for all in a line. */
const SAMPLE = 3;

/** Notices that are of interest only when something is looked into. */
const QUIET: ReadonlySet<Notice["kind"]> = new Set(["rescan", "purged", "hold-gone", "connecting"]);

/** Notices of what somebody should look at. */
const GRAVE: ReadonlySet<Notice["kind"]> = new Set([
  "unwatched",
  "archive-lost",
  "marker-restored",
  "clock-offset",
  "renamed-apart",
  "rename-undone",
]);

/** The report of one session. */
export class ConsoleReport implements Report {
  readonly #options: ConsoleOptions;
  readonly #gate: RateGate;
  readonly #problems = new ProblemMemory();
  readonly #rate = new RateMeter();
  readonly #conflicts: Conflict[] = [];
  #conflictCount = 0;
  #names: words.RootNames = { left: "LEFT", right: "RIGHT" };
  #state: (() => SessionState) | null = null;
  #isFirstSync = true;
  #isCopying = false;
  #isConnected = false;
  #isDeploying = false;
  #lossTold: string | null = null;
  #haltTold: string | null = null;
  #planned = 0;
  #drawnMs = -Infinity;
  #plainMs: number | null = null;

  constructor(options: ConsoleOptions) {
    this.#options = options;
    this.#gate = new RateGate({
      clock: options.clock,
      lines: GATE_LINES,
      spanMs: GATE_SPAN_MS,
      onSuppressed: (count) => this.#say(`... and ${count} more; kill -USR1 ${options.pid} lists all that stands`),
    });
  }

  /** The session's state, or null before it has begun. */
  state(): SessionState | null {
    return this.#state?.() ?? null;
  }

  attach(state: () => SessionState): void {
    this.#state = state;
  }

  deploying(progress: Deploying): void {
    const isDone = progress.sentBytes >= progress.totalBytes;
    if (isDone) {
      this.#quiet();
      this.#say(words.deployingLine(progress));
      return;
    }
    if (!this.#isDeploying && !this.#options.terminal.hasProgressLine) this.#say(words.deployingLine(progress));
    this.#isDeploying = true;
    this.#progress(words.deployingLine(progress));
  }

  connected(facts: Connected): void {
    this.#names = words.rootNames(facts, this.#options.rightHost);
    this.#quiet();
    if (!this.#isConnected) this.#say(words.connectedLine(this.#names));
    this.#isConnected = true;
  }

  scanProgress(progress: ScanProgress): void {
    // Once something is copied that is what counts; two lines would take turns.
    if (this.#isFirstSync && !this.#isCopying) this.#progress(words.scanLine(progress));
  }

  syncProgress(progress: SyncProgress): void {
    this.#isCopying = this.#isFirstSync && progress.files + progress.bytes > 0;
    if (this.#isFirstSync && !this.#isCopying && progress.totalFiles === null) return;
    const isLong = this.#isFirstSync || (progress.lagMs ?? 0) >= LAG_SHOWN_MS;
    const pace = this.#rate.note(progress, this.#options.clock.nowMs());
    if (isLong) this.#progress(words.syncLine(progress, pace));
    else this.#quiet();
  }

  /** Single changes are for the journal. */
  did(): void {}

  firstSyncDone(summary: SyncSummary): void {
    this.#quiet();
    this.#isFirstSync = false;
    const names = this.#conflicts.slice(0, SAMPLE).map(({ path }) => path);
    const pid = this.#options.isLive ? this.#options.pid : null;
    const lines = words.summaryLines(summary, { names, pid, archived: this.#archived() });
    for (const line of lines) void this.#options.terminal.out(line);
  }

  /** A report never throws: a count that cannot be had is left out. */
  #archived(): number | null {
    try {
      return this.#state?.().archived ?? null;
    } catch {
      return null;
    }
  }

  linkLost({ why, retryMs }: { readonly why: string; readonly retryMs: number }): void {
    if (this.#lossTold !== why) {
      this.#quiet();
      this.#say(`Link lost: ${oneLine(why)}; psync keeps trying, next in ${spanText(retryMs)}`, "warning");
    }
    this.#lossTold = why;
  }

  linkBack({ downMs }: { readonly downMs: number }): void {
    this.#lossTold = null;
    this.#say(`Link is back after ${spanText(downMs)}: catching up`);
  }

  halted({ why }: { readonly why: string }): void {
    if (this.#haltTold !== why) {
      this.#quiet();
      this.#say(`Halted: ${oneLine(why)}${this.#options.isLive ? "; psync looks again every 5 s" : ""}`, "error");
    }
    this.#haltTold = why;
  }

  healed(): void {
    this.#haltTold = null;
    this.#say("Going on: what halted psync is gone");
  }

  conflict(conflict: Conflict): void {
    this.#conflictCount++;
    if (this.#conflicts.length < MAX_CONFLICTS) this.#conflicts.push(conflict);
    if (!this.#isFirstSync && this.#gate.pass()) this.#say(words.conflictLine(conflict, this.#names), "warning");
  }

  held(hold: Hold): void {
    this.#say(words.heldLine(hold), "warning");
  }

  problem(problem: Problem): void {
    const isNews = this.#problems.isNews(problem, this.#options.clock.nowMs());
    if (isNews && !this.#isFirstSync && this.#gate.pass()) this.#say(words.problemLine(problem), "warning");
  }

  problemGone(path: RelPath): void {
    this.#problems.gone(path);
  }

  plan(line: PlanLine): Promise<void> {
    this.#quiet();
    this.#planned++;
    return this.#options.terminal.out(words.planText(line));
  }

  notice(notice: Notice): void {
    if (!QUIET.has(notice.kind)) this.#say(words.noticeLine(notice), GRAVE.has(notice.kind) ? "warning" : "info");
  }

  /** Says what is left to say once the session has ended. Of a live one everything was said before. */
  end({ isPlanWhole }: { readonly isPlanWhole: boolean }): void {
    this.#quiet();
    this.#gate.close();
    if (isPlanWhole) this.#say(`Dry run: ${countText(this.#planned, "line")} of a plan, nothing was changed`);
    else if (!this.#options.isLive || this.#isFirstSync) this.#listLeftOvers();
  }

  #listLeftOvers(): void {
    const list = (lines: readonly string[], total: number) => {
      for (const line of lines.slice(0, MAX_LISTED)) this.#say(line);
      const more = total - Math.min(lines.length, MAX_LISTED);
      if (more > 0) this.#say(`... and ${more} more`);
    };
    const problems = this.#problems.standing();
    list(this.#conflicts.map((conflict) => words.conflictLine(conflict, this.#names)), this.#conflictCount);
    list(problems.map(words.problemLine), problems.length);
  }

  #say(line: string, level: SayLevel = "info"): void {
    this.#options.say(line, level);
  }

  /** Shows how far long work is: as a line that is drawn over, or now and then as a plain one. */
  #progress(text: string): void {
    const nowMs = this.#options.clock.nowMs();
    if (this.#options.terminal.hasProgressLine) {
      if (nowMs - this.#drawnMs < DRAW_MS) return;
      this.#drawnMs = nowMs;
      this.#options.terminal.progress(text);
      return;
    }
    this.#plainMs ??= nowMs;
    if (nowMs - this.#plainMs < PLAIN_MS) return;
    this.#plainMs = nowMs;
    this.#say(text);
  }

  /** Takes the progress line away: the work is done, or something more important is to be said. */
  #quiet(): void {
    this.#plainMs = null;
    this.#drawnMs = -Infinity;
    this.#options.terminal.progress("");
  }
}
