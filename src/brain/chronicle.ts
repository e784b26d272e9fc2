/**
 * The one listener that writes the journal: a report that hands everything on to the report of people,
 * and a line of it to the pair's journal.
 *
 * Never throws and never waits, like every report. What is told before the pair is known, and its journal
 * can be opened, is kept until then. Owned by session.ts.
 * @module
 */
import type { Clock } from "../base/clock.ts";
import type { RelPath } from "../core/path.ts";
import type { Problem } from "../core/problem.ts";
import { type JournalEvent, printEntry } from "./journal_entry.ts";
import type {
  Conflict,
  Connected,
  Deploying,
  Did,
  Hold,
  Notice,
  PlanLine,
  Report,
  ScanProgress,
  SessionState,
  SyncProgress,
  SyncSummary,
} from "./report.ts";

/** Where lines go (archive/journal_file.ts). */
export interface JournalSink extends AsyncDisposable {
  /** Takes a line without its line break; returns at once, and never throws. */
  append(line: string): void;
}

/** So much is kept for a journal that is not open yet. */
const WAITING_MAX = 100;
/** Of so many problems it is remembered that they were told. */
const PROBLEMS_MAX = 100_000;

/** Notices that tell of every start, and of nothing that was done. */
const NOT_TOLD: ReadonlySet<Notice["kind"]> = new Set(["connecting", "reduced", "rescan"]);

/** A report with a journal. */
export class Chronicle implements Report, AsyncDisposable {
  readonly #report: Report;
  readonly #clock: Clock;
  #sink: JournalSink | null = null;
  #waiting: string[] | null = [];
  readonly #problems = new Map<RelPath, string>();

  constructor(report: Report, clock: Clock) {
    this.#report = report;
    this.#clock = clock;
  }

  /** Opens the journal, once; `open` gives null where there is none. */
  open(open: () => JournalSink | null): void {
    if (this.#waiting === null) return;
    this.#sink = open();
    for (const line of this.#waiting) this.#sink?.append(line);
    this.#waiting = null;
  }

  /** Writes out what waits. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#tell({ what: "ended" });
    await this.#sink?.[Symbol.asyncDispose]();
    this.#sink = null;
  }

  #tell(event: JournalEvent): void {
    if (this.#sink === null && this.#waiting === null) return;
    const line = printEntry(event, Math.floor(this.#clock.wallMs()));
    if (this.#sink !== null) this.#sink.append(line);
    else if (this.#waiting!.length < WAITING_MAX) this.#waiting!.push(line);
  }

  attach(state: () => SessionState): void {
    this.#tell({ what: "started" });
    this.#report.attach(state);
  }

  did(did: Did): void {
    this.#tell({ what: "did", did });
    this.#report.did(did);
  }

  connected(facts: Connected): void {
    this.#tell({ what: "connected" });
    this.#report.connected(facts);
  }

  firstSyncDone(summary: SyncSummary): void {
    const sides = [summary.left, summary.right];
    const counts = sides.flatMap(({ created, changed, removed }) => [created, changed, removed]);
    const changes = counts.reduce((sum, { files, dirs, links }) => sum + files + dirs + links, 0) +
      sides.reduce((sum, { renamed }) => sum + renamed, 0);
    this.#tell({ what: "first-sync", changes, ms: Math.round(summary.ms) });
    this.#report.firstSyncDone(summary);
  }

  linkLost(loss: { readonly why: string; readonly retryMs: number }): void {
    this.#tell({ what: "link-lost", why: loss.why });
    this.#report.linkLost(loss);
  }

  linkBack(loss: { readonly downMs: number }): void {
    this.#tell({ what: "link-back", downMs: Math.round(loss.downMs) });
    this.#report.linkBack(loss);
  }

  halted(halt: { readonly why: string }): void {
    this.#tell({ what: "halted", why: halt.why });
    this.#report.halted(halt);
  }

  healed(): void {
    this.#tell({ what: "healed" });
    this.#report.healed();
  }

  conflict(conflict: Conflict): void {
    this.#tell({ what: "conflict", conflict });
    this.#report.conflict(conflict);
  }

  held(hold: Hold): void {
    const { id, side, count } = hold;
    this.#tell({ what: "held", hold: { id, side, count } });
    this.#report.held(hold);
  }

  /** Each attempt tells its problem again: only what is new is written. */
  problem(problem: Problem): void {
    const { path, side, reason, detail } = problem;
    const what = `${side} ${reason}`;
    if (this.#problems.get(path) !== what && (this.#problems.has(path) || this.#problems.size < PROBLEMS_MAX)) {
      this.#problems.set(path, what);
      this.#tell({ what: "problem", problem: { path, side, reason, detail } });
    }
    this.#report.problem(problem);
  }

  problemGone(path: RelPath): void {
    if (this.#problems.delete(path)) this.#tell({ what: "fine", path });
    this.#report.problemGone(path);
  }

  notice(notice: Notice): void {
    if (!NOT_TOLD.has(notice.kind)) this.#tell({ what: "notice", notice });
    this.#report.notice(notice);
  }

  deploying(progress: Deploying): void {
    this.#report.deploying(progress);
  }

  scanProgress(progress: ScanProgress): void {
    this.#report.scanProgress(progress);
  }

  syncProgress(progress: SyncProgress): void {
    this.#report.syncProgress(progress);
  }

  plan(line: PlanLine): Promise<void> {
    return this.#report.plan(line);
  }
}
