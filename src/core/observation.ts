/**
 * What one look at one path of one replica showed: present, absent, blocked or busy, four facts
 * that are never mixed (I1, I6). An ignored path is never looked at and never reported.
 *
 * @module
 */
import type { Entry, Stamp } from "./entry.ts";
import type { RelPath } from "./path.ts";
import type { ProblemReason } from "./problem.ts";

/** What every observation has. */
interface ObservationBase {
  readonly path: RelPath;
  /**
   * The value of the endpoint's counter when the look began. Older than the end of the last
   * transition of the path or of a directory above it: no evidence (I13). Of two looks at one path
   * the one with the greater value saw the later state: an endpoint never lets them overlap.
   */
  readonly began: number;
}

/** Something that psync synchronises is there. */
export interface PresentObservation extends ObservationBase {
  readonly kind: "present";
  readonly entry: Entry;
  readonly stamp: Stamp;
  /**
   * The whole content of a small regular file, read under a lease that was unbroken afterwards
   * (I3, I14); then `entry.digest` is set. `null` where it was not asked for, is too large, or the
   * entry is no file.
   */
  readonly content: Uint8Array | null;
}

/** Nothing is there; the parent directory is present, on the root's own mount, and was readable. */
export interface AbsentObservation extends ObservationBase {
  readonly kind: "absent";
}

/** The parent directory itself is absent (or no directory): says nothing about the path alone. */
export interface OrphanObservation extends ObservationBase {
  readonly kind: "orphan";
}

/** Something is there, or may be there, that cannot be synchronised or seen. Never absent (I6). */
export interface BlockedObservation extends ObservationBase {
  readonly kind: "blocked";
  readonly reason: ProblemReason;
  /** For people; holds no path. */
  readonly detail: string;
}

/** A regular file that somebody has open for writing, or that changed while it was read. */
export interface BusyObservation extends ObservationBase {
  readonly kind: "busy";
}

/** The result of a look. */
export type Observation =
  | PresentObservation
  | AbsentObservation
  | OrphanObservation
  | BlockedObservation
  | BusyObservation;
