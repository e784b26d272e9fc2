/**
 * A path that could not be synchronised, as a value: it is listed, retried, and never blocks others.
 *
 * The errors that end a session are classes (base/errors.ts).
 * @module
 */
import type { RelPath } from "./path.ts";

/** One of the two replicas of a pair. */
export type Side = "left" | "right";

/** The replica opposite to `side`. */
export function otherSide(side: Side): Side {
  return side === "left" ? "right" : "left";
}

/** Why a path is not synchronised now. `errno` names come from errno(3), such as `ENOSPC`. */
export type ProblemReason =
  | "busy" // a writer has it open
  | "special" // socket, FIFO, device: never synchronised
  | "mount" // a mount point: not entered
  | "unreadable" // EACCES or EIO while looking
  | "no-space" // ENOSPC, EDQUOT
  | "read-only" // EROFS
  | "denied" // EACCES, EPERM while writing
  | "name-too-long" // the other file system cannot hold this name or path
  | "not-empty" // a directory removed on one side holds something unknown on the other
  | "too-large" // EFBIG
  | "io" // EIO while writing, and what has no better name
  | "skipped" // differs, left alone by --skip-initial-sync
  | "excluded" // something excluded took the place of what was synchronised
  | "one-way" // it would change a link on the left, and -L goes from left to right only
  | "translated"; // --translate gives its name to another path

/** A path that waits, and why. */
export interface Problem {
  readonly path: RelPath;
  readonly side: Side | null;
  readonly reason: ProblemReason;
  /** For people: the errno name, the kind of special file. Holds no path. */
  readonly detail: string;
}
