/**
 * What a session tells the outside, as values: who shows them, and in which words, is decided
 * elsewhere (cli/console_report.ts; tests record them).
 *
 * Holds no text, does no I/O. Every method but `plan` returns at once, and none throws: a
 * report must not be able to slow a session down or end it. Called by the brain; paths are not escaped here.
 * @module
 */
import type { ConflictRow, HoldRow } from "../core/archive.ts";
import type { EndpointFacts } from "../core/endpoint.ts";
import type { Entry } from "../core/entry.ts";
import type { RelPath } from "../core/path.ts";
import type { Problem, Side } from "../core/problem.ts";
import type { LagSummary } from "./lag.ts";

/** Both replicas answered and the pair is ours. */
export interface Connected {
  readonly left: EndpointFacts;
  readonly right: EndpointFacts;
  /** Whether psync had to be copied to the other host first. */
  readonly deployed: boolean;
}

/** psync is being copied to the other host; the last call has `sentBytes === totalBytes`. */
export interface Deploying {
  readonly sentBytes: number;
  readonly totalBytes: number;
}

/** How far the scan is; `side` is left out where both sides are counted together. */
export interface ScanProgress {
  readonly side?: Side;
  readonly dirs: number;
  readonly entries: number;
}

/** How far the work that is known is; totals are `null` while they still grow. */
export interface SyncProgress {
  readonly files: number;
  readonly bytes: number;
  readonly totalFiles: number | null;
  readonly totalBytes: number | null;
  /** Age of the oldest change that is not on the other side yet; `null` where none waits. */
  readonly lagMs: number | null;
}

/** What was done to a path. */
export type Deed = "created" | "changed" | "removed" | "renamed";

/** Why it was done: an event told of it, or a look (of a scan, of a check) found it; and on which side. */
export interface Cause {
  readonly how: "event" | "look";
  readonly side: Side;
}

/** A change that was made on one replica, and recorded. */
export interface Did {
  readonly side: Side;
  readonly deed: Deed;
  readonly path: RelPath;
  /** Of a rename: the old name; else null. */
  readonly from: RelPath | null;
  readonly kind: Entry["kind"];
  /** File content that travelled. */
  readonly bytes: number;
  readonly cause: Cause;
}

/** How many of each kind of entry. */
export interface KindCounts {
  readonly files: number;
  readonly dirs: number;
  readonly links: number;
}

/** What psync did to one replica (so `left.created` came from the right). */
export interface SideChanges {
  readonly created: KindCounts;
  /** Content, metadata, or kind. */
  readonly changed: KindCounts;
  readonly removed: KindCounts;
  /** Renames, each counted once whatever it moved. */
  readonly renamed: number;
}

/** The first sync of a run (after a start; not after a lost link). */
export interface SyncSummary {
  readonly left: SideChanges;
  readonly right: SideChanges;
  /** Paths that were equal already. */
  readonly agreed: number;
  readonly conflicts: number;
  /** Removals that wait for approval. */
  readonly heldRemovals: number;
  /** Left alone by --skip-initial-sync. */
  readonly skipped: number;
  /** Not synchronised for a lasting reason (special, mount, denied, full disk, ...). */
  readonly blocked: number;
  /** Open for writing when looked at. */
  readonly busy: number;
  /** File content that travelled, in both directions. */
  readonly bytes: number;
  readonly ms: number;
}

/** Both replicas changed; the loser is kept. */
export interface Conflict {
  readonly path: RelPath;
  /** The replica whose version was displaced, and in whose trash it lies. */
  readonly loser: Side;
  /** Below `.psync/trash/` of that replica; `null` where the loser is a removal (nothing to keep). */
  readonly kept: string | null;
  readonly why: ConflictCause;
}

/** How a conflict came to be. */
export type ConflictCause =
  | "both-changed" // two edits of what was equal
  | "both-created" // two trees, or two new files, without a common past
  | "changed-and-removed" // the edit won
  | "unexpected-find" // a commit displaced what nobody had seen yet
  | "late-write" // a program wrote to a file after it was displaced
  | "rolled-back"; // a crashed host showed a state that nobody can place

/** Removals that wait for approval. */
export interface Hold {
  readonly id: number;
  /** Where the paths are still there: the replica on which they would be removed. */
  readonly side: Side;
  readonly count: number;
  /** A few of the paths. */
  readonly sample: readonly RelPath[];
}

/** One line of a dry run. `target` is the replica that would change. */
export type PlanLine =
  | {
    readonly kind: "create" | "change" | "metadata" | "remove";
    readonly target: Side;
    readonly path: RelPath;
    readonly entryKind: Entry["kind"];
    /** Of what would travel; `null` where nothing would. */
    readonly sizeBytes: number | null;
  }
  | { readonly kind: "rename"; readonly target: Side; readonly from: RelPath; readonly path: RelPath }
  | { readonly kind: "conflict"; readonly path: RelPath; readonly loser: Side; readonly why: ConflictCause }
  /** A removal that the brake would hold. */
  | { readonly kind: "hold"; readonly target: Side; readonly path: RelPath }
  | { readonly kind: "leave"; readonly path: RelPath; readonly problem: Problem };

/** What else may happen, none of which ends a session. */
export type Notice =
  /** This file system or host lacks features (`EndpointFacts.reduced`). */
  | { readonly kind: "reduced"; readonly side: Side; readonly features: readonly string[] }
  /** Setuid or setgid was left off; told once a session. */
  | { readonly kind: "masked"; readonly side: Side; readonly path: RelPath }
  /** The watch limit is reached: the path and what is below it are polled. */
  | { readonly kind: "unwatched"; readonly side: Side; readonly path: RelPath }
  /** Events were lost: everything at and below the path is looked at again. */
  | { readonly kind: "rescan"; readonly side: Side; readonly path: RelPath; readonly why: string }
  /** Both users renamed a path, each to another name: both names stay. */
  | { readonly kind: "renamed-apart"; readonly path: RelPath; readonly left: RelPath; readonly right: RelPath }
  /**
   * The users renamed two directories into each other: on the left one of them is at `into`, in the one that
   * the right had renamed from `path` to `undone`. That was taken back.
   */
  | { readonly kind: "rename-undone"; readonly path: RelPath; readonly undone: RelPath; readonly into: RelPath }
  /** The archive was lost or broken: this run merges without removals. */
  | { readonly kind: "archive-lost"; readonly why: string }
  /** The pair's marker had vanished from an otherwise unchanged root and was made again. */
  | { readonly kind: "marker-restored"; readonly side: Side }
  /** The lock of a psync that no longer lives was taken over. */
  | { readonly kind: "lock-taken"; readonly side: Side }
  /** A hold of an earlier run was released by --force. */
  | { readonly kind: "hold-released"; readonly id: number; readonly count: number }
  /** A hold has become void: its paths are back, or gone on both sides. */
  | { readonly kind: "hold-gone"; readonly id: number }
  /** The trash was purged. */
  | { readonly kind: "purged"; readonly side: Side; readonly items: number; readonly bytes: number }
  /** The clocks differ by more than a conflict's decision can bear; right minus left. */
  | { readonly kind: "clock-offset"; readonly offsetMs: number }
  /** Everything was compared with what was known; so many changes were made meanwhile. */
  | { readonly kind: "full-sync"; readonly changes: number }
  /** A user has paused the session, or has it go on. */
  | { readonly kind: "paused" | "resumed" }
  /** psync is about to reach the other host. */
  | { readonly kind: "connecting"; readonly host: string };

/** Where a session stands. */
export type SessionPhase = "connecting" | "first-sync" | "live" | "link-lost" | "paused" | "halted" | "stopping";

/** One replica as the session sees it. */
export interface SideState {
  /** The root as the user wrote it. */
  readonly given: string;
  readonly isConnected: boolean;
  /** `null` before the first connection; the last known ones while the link is down. */
  readonly facts: EndpointFacts | null;
  /** Directories that are watched; `null` where it is not known. */
  readonly watches: number | null;
  /** The most watches that its user may have; `null` where it is not known. */
  readonly watchLimit: number | null;
  /** Directories that had to be left without a watch, and are polled. */
  readonly unwatched: number;
}

/** A transition or transfer that has not been recorded yet. */
export interface InFlight {
  readonly path: RelPath;
  readonly target: Side;
  readonly sizeBytes: number | null;
}

/** What was done since the start. */
export interface SessionTotals {
  readonly runMs: number;
  readonly files: number;
  readonly bytes: number;
  readonly conflicts: number;
  readonly reconnects: number;
}

/** All that a session knows about itself; made on demand. Lists may be cut by whoever shows them. */
export interface SessionState {
  readonly phase: SessionPhase;
  /** Why it is halted or the link is lost; `null` otherwise. */
  readonly why: string | null;
  readonly left: SideState;
  readonly right: SideState;
  /** Paths on which both sides agree. */
  readonly archived: number;
  readonly inFlight: readonly InFlight[];
  /** Changes that are known and not begun. */
  readonly waiting: number;
  readonly conflicts: readonly ConflictRow[];
  readonly holds: readonly HoldRow[];
  /** Blocked, busy and unsynced paths with their reasons. */
  readonly problems: readonly Problem[];
  readonly totals: SessionTotals;
  /** Age of the oldest change that is not on the other side yet; `null` where none waits. */
  readonly lagMs: number | null;
  /** How long the live changes of the last hour took, by the side that was changed. */
  readonly lag: Readonly<Record<Side, LagSummary>>;
}

/** Where a session sends what it has to tell. */
export interface Report {
  /** Called once, first: how to ask the session for its state at any time until it has ended. */
  attach(state: () => SessionState): void;
  deploying(progress: Deploying): void;
  connected(facts: Connected): void;
  scanProgress(progress: ScanProgress): void;
  syncProgress(progress: SyncProgress): void;
  /** A change was made: called for each one, so it must be cheap. */
  did(did: Did): void;
  firstSyncDone(summary: SyncSummary): void;
  linkLost(loss: { readonly why: string; readonly retryMs: number }): void;
  linkBack(loss: { readonly downMs: number }): void;
  halted(halt: { readonly why: string }): void;
  healed(): void;
  conflict(conflict: Conflict): void;
  held(hold: Hold): void;
  /** A path cannot be synchronised now; told again with each attempt, which the receiver folds. */
  problem(problem: Problem): void;
  /** The path is fine again, or gone. */
  problemGone(path: RelPath): void;
  /** Resolves when the line was handed on: to be awaited, so that a slow reader slows only the plan. */
  plan(line: PlanLine): Promise<void>;
  notice(notice: Notice): void;
}
