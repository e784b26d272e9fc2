/**
 * What lies at a path, as both hosts can understand it (`Entry`), and the local evidence by which
 * one host recognises it again (`Stamp`).
 *
 * An entry travels and is compared between replicas; a stamp is compared only with stamps of the
 * same replica. Times are nanoseconds since 1970 as bigint.
 * @module
 */

/** Owner and group by name, or by decimal number where the host knows no name. */
export interface Owner {
  readonly user: string;
  readonly group: string;
}

/** What every entry has. `mode` holds the 12 permission bits (07777). */
interface EntryBase {
  readonly mode: number;
  /** `null` where owners are not compared (not both replicas run as root). */
  readonly owner: Owner | null;
}

/** A regular file. */
export interface FileEntry extends EntryBase {
  readonly kind: "file";
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
  /** SHA-256 as 64 lower-case hex digits; `null` where nobody has read the content. */
  readonly digest: string | null;
}

/** A directory; its mtime is set when psync makes it and not compared afterwards. */
export interface DirEntry extends EntryBase {
  readonly kind: "dir";
  readonly mtimeNs: bigint;
}

/** A symbolic link; `target` is decoded as names are (core/path.ts). Its mode is always 0777. */
export interface LinkEntry extends EntryBase {
  readonly kind: "link";
  readonly target: string;
  readonly mtimeNs: bigint;
}

/** What psync synchronises. */
export type Entry = FileEntry | DirEntry | LinkEntry;

/**
 * Local evidence: a path whose stamp is unchanged holds what it held.
 * For a directory only `inode` and `birthNs` say anything; the rest changes with what it holds.
 */
export interface Stamp {
  readonly inode: bigint;
  /** Birth time, or 0n where the file system keeps none; below 0n: see `isFollowed`. */
  readonly birthNs: bigint;
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

/**
 * The stamp of a file that grows: what it held for a moment was read while somebody had it open to
 * append. No ctime: no look at what is there ever equals it, so it stands for no later state.
 */
export function growingStamp(stamp: Stamp): Stamp {
  return { ...stamp, ctimeNs: 0n };
}

/** Whether a stamp is one of a file that grows. */
export function isGrowing(stamp: Stamp): boolean {
  return stamp.ctimeNs === 0n && stamp.sizeBytes >= 0;
}

/**
 * Whether a stamp is one of a regular file that a symbolic link leads to, shown in the link's place (-L):
 * its birth time, below zero, is made of both. There the replica is read only.
 */
export function isFollowed(stamp: Stamp): boolean {
  return stamp.birthNs < 0n;
}

/** Whether two stamps of one replica prove that nothing happened; `kind` is that of the entry. */
export function sameStamp(kind: Entry["kind"], a: Stamp, b: Stamp): boolean {
  if (a.inode !== b.inode || a.birthNs !== b.birthNs) return false;
  return kind === "dir" || (a.ctimeNs === b.ctimeNs && a.mtimeNs === b.mtimeNs && a.sizeBytes === b.sizeBytes);
}

/** Whether two stamps name the same object, whatever was written to it since. */
export function sameObject(a: Stamp, b: Stamp): boolean {
  return a.inode === b.inode && a.birthNs === b.birthNs;
}

/** Whether two owners are the same, or one of them is not compared. */
export function sameOwner(a: Owner | null, b: Owner | null): boolean {
  return a === null || b === null || (a.user === b.user && a.group === b.group);
}

/** Whether mode and owner agree. */
export function sameMetadata(a: Entry, b: Entry): boolean {
  return (a.kind === "link" || a.mode === b.mode) && sameOwner(a.owner, b.owner);
}

/**
 * Whether kind and content agree. Two digests decide; where one is missing, equal size and equal
 * mtime do.
 */
export function sameContent(a: Entry, b: Entry): boolean {
  if (a.kind === "file" && b.kind === "file") {
    if (a.sizeBytes !== b.sizeBytes) return false;
    return a.digest !== null && b.digest !== null ? a.digest === b.digest : a.mtimeNs === b.mtimeNs;
  }
  if (a.kind === "link" && b.kind === "link") return a.target === b.target;
  return a.kind === b.kind;
}

/** Whether two entries agree in all that psync keeps equal: content, file mtime, mode, owner. */
export function sameEntry(a: Entry, b: Entry): boolean {
  const sameTime = a.kind !== "file" || b.kind !== "file" || a.mtimeNs === b.mtimeNs;
  return sameTime && sameContent(a, b) && sameMetadata(a, b);
}
