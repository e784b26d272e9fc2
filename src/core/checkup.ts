/**
 * What `psync doctor` asks of a host and of a root on it: plain findings of the moment, which
 * brain/diagnosis.ts judges.
 *
 * Pure types. Filled by replica/host_checkup.ts and replica/root_checkup.ts, carried by wire.
 * @module
 */
import type { RelPath } from "./path.ts";

/** A host as psync finds it; `null` where it cannot be known. */
export interface HostCheckup {
  readonly hostName: string;
  /** The release, such as `6.1.0-18-amd64`. */
  readonly kernel: string;
  /** The version of the C library that psync runs on, such as `2.36`. */
  readonly glibc: string | null;
  /** ID and ID_LIKE of os-release(5), such as `ubuntu debian`; empty where there is none. */
  readonly distribution: string;
  /** The version lines of these programs; null: there is none that runs. */
  readonly rsync: string | null;
  readonly ssh: string | null;
  readonly isRootUser: boolean;
  /** The most inotify watches of one user, and how many this user has (those of every program that may be looked at). */
  readonly watchLimit: number | null;
  readonly watchesInUse: number;
  /** The most files that psync may have open; null: as many as it likes. */
  readonly openFileLimit: number | null;
  /** fs.leases-enable. */
  readonly hasLeases: boolean;
}

/**
 * How an attempt went: `works`, `untried`, or the name of the error, such as `EPERM`.
 */
export type Attempt = string;

/** A root, and what its file system bears. */
export interface RootCheckup {
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** 0 of 0 where the file system does not count them. */
  readonly freeInodes: number;
  readonly totalInodes: number;
  /** What psync would synchronise: directories (the root among them), all else, and the bytes of files. */
  readonly dirs: number;
  readonly entries: number;
  readonly bytes: number;
  /** Mount points below the root; the first `MOUNTS_MAX`. */
  readonly mounts: readonly RelPath[];
  /** Directories that could not be listed. */
  readonly unreadable: number;
  /** A file without a name; a read lease on it; giving it to another user; the exchange of two names. */
  readonly tmpfile: Attempt;
  readonly lease: Attempt;
  readonly owner: Attempt;
  readonly exchange: Attempt;
}

/** So many mount points are named. */
export const MOUNTS_MAX = 1_000;

/** A root with its host. */
export interface Checkup {
  readonly host: HostCheckup;
  readonly root: RootCheckup;
}

/** What an endpoint can say of itself at any time. */
export interface Vitals {
  /** Directories that are watched. */
  readonly watches: number;
  /** The most watches that its user may have; null: not known. */
  readonly watchLimit: number | null;
}

/** How many bytes go out and come back. */
export interface EchoSize {
  readonly sendBytes: number;
  readonly replyBytes: number;
}

/** The most bytes of an echo in one direction. */
export const ECHO_MAX_BYTES = 16 << 20;
