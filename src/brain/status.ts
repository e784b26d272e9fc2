/**
 * What a session knows about itself: problems, totals, and the summary of the first sync.
 *
 * Only counts and remembers; whoever changes something tells it so. Survives a lost link.
 * @module
 */
import type { Entry } from "../core/entry.ts";
import type { Move } from "../core/endpoint.ts";
import { ancestorsOf, isBelow, rebase, type RelPath } from "../core/path.ts";
import type { Problem, Side } from "../core/problem.ts";
import { LagMeter } from "./lag.ts";
import type { Did, KindCounts, Report, SideChanges, SyncSummary } from "./report.ts";

type Counts = { -readonly [K in keyof KindCounts]: number };
type Changes = { created: Counts; changed: Counts; removed: Counts; renamed: number };

const COUNTER: Record<Entry["kind"], keyof KindCounts> = { file: "files", dir: "dirs", link: "links" };

function noCounts(): Counts {
  return { files: 0, dirs: 0, links: 0 };
}

function noChanges(): Changes {
  return { created: noCounts(), changed: noCounts(), removed: noCounts(), renamed: 0 };
}

/** The counters and lists of one session. */
export class Status {
  readonly problems = new Map<RelPath, Problem>();
  totalFiles = 0;
  totalBytes = 0;
  totalConflicts = 0;
  totalChanges = 0;
  agreed = 0;
  /** How long the changes of each side took, by the side that was changed. */
  readonly lag: Readonly<Record<Side, LagMeter>> = { left: new LagMeter(), right: new LagMeter() };
  /** Called when a path did not fit on the disk of a side; null: nobody frees space. */
  onNoSpace: ((side: Side) => void) | null = null;
  readonly #changes: Record<Side, Changes> = { left: noChanges(), right: noChanges() };
  readonly #report: Report;
  #masked = false;

  constructor(report: Report) {
    this.#report = report;
  }

  /** Notes a change that was made and recorded. */
  did(did: Did): void {
    const { side, deed, kind, bytes } = did;
    const changes = this.#changes[side];
    this.totalChanges++;
    if (deed === "renamed") changes.renamed++;
    else changes[deed][COUNTER[kind]]++;
    if (kind === "file") this.totalFiles++;
    this.totalBytes += bytes;
    this.#report.did(did);
  }

  /** Lists a path with its reason. */
  problem(problem: Problem): void {
    this.problems.set(problem.path, problem);
    this.#report.problem(problem);
    if (problem.reason === "no-space" && problem.side !== null) this.onNoSpace?.(problem.side);
  }

  /** Whether a path, or a directory above it, is listed. */
  isListed(path: RelPath): boolean {
    if (this.problems.size === 0) return false;
    if (this.problems.has(path)) return true;
    for (const above of ancestorsOf(path)) if (this.problems.has(above)) return true;
    return false;
  }

  /** Takes a path off the list. */
  fine(path: RelPath): void {
    if (this.problems.delete(path)) this.#report.problemGone(path);
  }

  /** Takes off the list what lay below a path that is gone. */
  goneBelow(path: RelPath): void {
    if (this.problems.size === 0) return;
    for (const other of [...this.problems.keys()]) if (isBelow(other, path)) this.fine(other);
  }

  /** Follows a rename. */
  moved(move: Move): void {
    for (const [path, problem] of [...this.problems]) {
      if (!isBelow(path, move.from)) continue;
      this.problems.delete(path);
      const to = rebase(path, move);
      this.problems.set(to, { ...problem, path: to });
    }
  }

  /** Setuid and setgid could not be kept: told once. */
  masked(side: Side, path: RelPath): void {
    if (this.#masked) return;
    this.#masked = true;
    this.#report.notice({ kind: "masked", side, path });
  }

  /** How many listed paths have a reason that `matches`. */
  countProblems(matches: (problem: Problem) => boolean): number {
    let count = 0;
    for (const problem of this.problems.values()) if (matches(problem)) count++;
    return count;
  }

  /** The summary of what was done since the start. */
  summary(facts: { readonly ms: number; readonly heldRemovals: number }): SyncSummary {
    return {
      left: structuredClone(this.#changes.left) as SideChanges,
      right: structuredClone(this.#changes.right) as SideChanges,
      agreed: this.agreed,
      conflicts: this.totalConflicts,
      heldRemovals: facts.heldRemovals,
      skipped: this.countProblems((problem) => problem.reason === "skipped"),
      busy: this.countProblems((problem) => problem.reason === "busy"),
      blocked: this.countProblems((problem) => problem.reason !== "skipped" && problem.reason !== "busy"),
      bytes: this.totalBytes,
      ms: facts.ms,
    };
  }
}
