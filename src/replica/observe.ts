/**
 * Turns what psync-native saw (STAT, statuses) into observations: present, absent, orphan, blocked
 * or busy, never mixed (I1, I6).
 *
 * Pure; asks nobody. Owner names come in as a function (owners.ts).
 * @module
 */
import { type Entry, growingStamp, type Owner, type Stamp } from "../core/entry.ts";
import type { Observation } from "../core/observation.ts";
import type { RelPath } from "../core/path.ts";
import { ProtocolError } from "../base/errors.ts";
import { errnoName, lookReason } from "./errno.ts";
import { KIND, type RawListed, type RawLooked, type RawStat, STAT_MOUNT, STATUS } from "./native_format.ts";

/** Names the owner of what a STAT describes; null where owners are not compared. */
export type OwnerOf = (stat: Pick<RawStat, "uid" | "gid">) => Owner | null;

/** What each observation of one request has in common. */
export interface ObserveContext {
  /** The endpoint's counter when the request was sent (I13). */
  readonly began: number;
  readonly ownerOf: OwnerOf;
}

const SPECIAL: Readonly<Record<number, string>> = {
  [KIND.fifo]: "FIFO",
  [KIND.socket]: "socket",
  [KIND.char]: "character device",
  [KIND.block]: "block device",
};

const LINK_MODE = 0o777;

/** The local evidence in a STAT. */
export function stampOf(stat: RawStat): Stamp {
  return {
    inode: stat.inode,
    birthNs: stat.birthNs,
    sizeBytes: stat.sizeBytes,
    mtimeNs: stat.mtimeNs,
    ctimeNs: stat.ctimeNs,
  };
}

interface Extras {
  readonly target: string;
  readonly digest: string | null;
  readonly owner: Owner | null;
}

function entryOf(stat: RawStat, { target, digest, owner }: Extras): Entry | null {
  const { mode, mtimeNs, sizeBytes } = stat;
  switch (stat.kind) {
    case KIND.file:
      return { kind: "file", mode, owner, sizeBytes, mtimeNs, digest };
    case KIND.dir:
      return { kind: "dir", mode, owner, mtimeNs };
    case KIND.link:
      return { kind: "link", mode: LINK_MODE, owner, target, mtimeNs };
    default:
      return null;
  }
}

interface Seen {
  readonly path: RelPath;
  readonly stat: RawStat;
  readonly target: string;
  readonly digest: string | null;
  readonly content: Uint8Array | null;
}

function observeStat(seen: Seen, { began, ownerOf }: ObserveContext): Observation {
  const { path, stat, target, digest, content } = seen;
  if ((stat.flags & STAT_MOUNT) !== 0) return { kind: "blocked", path, began, reason: "mount", detail: "mount point" };
  const entry = entryOf(stat, { target, digest, owner: ownerOf(stat) });
  if (entry !== null) return { kind: "present", path, began, entry, stamp: stampOf(stat), content };
  const special = SPECIAL[stat.kind];
  return special === undefined
    ? { kind: "blocked", path, began, reason: "unreadable", detail: "cannot be looked at" }
    : { kind: "blocked", path, began, reason: "special", detail: special };
}

/**
 * The observation of one look.
 * @throws {ProtocolError} where psync-native refused the path (it is psync's own) or answered with a
 * status that a look does not have.
 */
export function observeLooked(path: RelPath, raw: RawLooked, context: ObserveContext): Observation {
  const { began } = context;
  switch (raw.status) {
    case STATUS.done:
      if (raw.stat === null) break;
      return observeDone(path, raw, { stat: raw.stat, context });
    case STATUS.absent:
      return { kind: "absent", path, began };
    case STATUS.orphan:
      return { kind: "orphan", path, began };
    case STATUS.busy:
      return { kind: "busy", path, began };
    case STATUS.mount:
      return { kind: "blocked", path, began, reason: "mount", detail: "mount point" };
    case STATUS.failed:
      return { kind: "blocked", path, began, reason: lookReason(raw.errno), detail: errnoName(raw.errno) };
  }
  throw new ProtocolError(`Cannot look at path: psync-native answered with status ${raw.status}`);
}

function observeDone(
  path: RelPath,
  { target, digest, content, isPrefix }: RawLooked,
  { stat, context }: { readonly stat: RawStat; readonly context: ObserveContext },
): Observation {
  const seen = observeStat({ path, stat, target, digest, content }, context);
  return isPrefix === true && seen.kind === "present" ? { ...seen, stamp: growingStamp(seen.stamp) } : seen;
}

/** The observation of one entry of a listing: a hint, without content. */
export function observeListed(
  path: RelPath,
  raw: Pick<RawListed, "stat" | "target">,
  context: ObserveContext,
): Observation {
  return observeStat({ path, stat: raw.stat, target: raw.target, digest: null, content: null }, context);
}
