/**
 * A change that the brain asks an endpoint to make: from what is expected at a path to a result.
 *
 * An endpoint makes it only if the path still holds what is expected; whatever it displaces
 * against expectation is kept (I2).
 * @module
 */
import type { Entry, Owner, Stamp } from "./entry.ts";
import type { RelPath } from "./path.ts";
import type { ProblemReason } from "./problem.ts";

/** What must be at a path before a transition of it. */
export type Expected =
  | { readonly kind: "absent" }
  | { readonly kind: "file"; readonly stamp: Stamp }
  | { readonly kind: "link"; readonly stamp: Stamp; readonly target: string }
  /** Presence and kind, and inode where `stamp` is given; mode and owner are not compared for `remove`. */
  | { readonly kind: "dir"; readonly mode: number; readonly owner: Owner | null; readonly stamp: Stamp | null };

/** Where the new content of a file comes from. */
export type Content =
  | { readonly kind: "inline"; readonly bytes: Uint8Array }
  /** The next bytes of the batch's pack, as many as the entry says. */
  | { readonly kind: "packed" }
  /** A file that lies complete in the staging area as `<batch>/<id>`. */
  | { readonly kind: "staged"; readonly batch: string; readonly id: number };

/**
 * What becomes of an object that is displaced as expected: `drop` it once the epoch is closed,
 * or keep it in the trash as `removed` or as the loser of a `conflict`.
 */
export type Disposal = "drop" | "removed" | "conflict";

/** Makes `entry` stand at `path`; for a directory `content` is null. Parents must exist. */
export interface PutTransition {
  readonly kind: "put";
  readonly path: RelPath;
  readonly expected: Expected;
  readonly entry: Entry;
  readonly content: Content | null;
  readonly disposal: Disposal;
}

/**
 * Removes what is at `path`. A directory must be empty, or `not-empty` is reported; with `force`
 * a directory goes to the trash with all that is in it.
 */
export interface RemoveTransition {
  readonly kind: "remove";
  readonly path: RelPath;
  readonly expected: Expected;
  readonly disposal: Disposal;
  readonly force: boolean;
}

/** Renames `from` to `to` with all that is below; what was expected at `to` is displaced. */
export interface MoveTransition {
  readonly kind: "move";
  readonly from: RelPath;
  readonly to: RelPath;
  readonly expectedFrom: Expected;
  readonly expectedTo: Expected;
  readonly disposal: Disposal;
}

/** Sets mode, owner and (of a file) mtime of what is at `path` to those of `entry`. */
export interface MetaTransition {
  readonly kind: "meta";
  readonly path: RelPath;
  readonly expected: Expected;
  readonly entry: Entry;
}

/** One change of one replica. */
export type Transition = PutTransition | RemoveTransition | MoveTransition | MetaTransition;

/** Transitions that an endpoint makes in this order (parents before children, removals children first). */
export interface CommitBatch {
  readonly transitions: readonly Transition[];
  /** The contents of the packed files in the order of their transitions, as one piece that is cut anywhere. */
  readonly pack?: readonly Uint8Array[];
  /** The number of the pack that the carrier brings instead; where it does not come, what is packed is `gone`. */
  readonly carried?: number | null;
}

/** What every result has. */
interface ResultBase {
  /** The endpoint's counter after the transition ended (I13). */
  readonly ended: number;
}

/** The replica now holds the result. */
export interface DoneResult extends ResultBase {
  readonly kind: "done";
  /** Of what now stands at the path (`to` of a move); `null` after a removal. */
  readonly stamp: Stamp | null;
  /** Below `.psync/trash/`: where the displaced object lies; `null` where it was dropped or none was. */
  readonly kept: string | null;
  /** Metadata bits that this host could not or may not set (setuid without root), for the list. */
  readonly masked: boolean;
}

/** The replica does not hold the result. */
export interface RefusedResult extends ResultBase {
  readonly kind:
    | "stale" // not as expected; nothing was changed
    | "stale-kept" // not as expected; the unexpected find lies in the trash as a conflict's loser
    | "busy" // somebody has the live file open for writing
    | "dirty" // done, but written to before its stamp was read: look again
    | "not-empty" // a directory to be removed holds something
    | "orphan" // the parent directory is not there
    | "gone"; // the staged content is not there (any more)
  /** Set for `stale-kept`: below `.psync/trash/`. */
  readonly kept: string | null;
}

/** The replica could not be changed for a reason that time or a human must mend. */
export interface FailedResult extends ResultBase {
  readonly kind: "failed";
  readonly reason: ProblemReason;
  /** The errno name and the step, such as `ENOSPC while staging`. */
  readonly detail: string;
}

/** The outcome of one transition. */
export type TransitionResult = DoneResult | RefusedResult | FailedResult;
