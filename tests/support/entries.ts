/**
 * The vocabulary of tests: few entries, each with a short name, and stamps that never repeat.
 *
 * Different contents have different lengths, but for `a` and its twin `z`, which share size and
 * time, so that only a digest tells them apart.
 * @module
 */
import type { DirEntry, Entry, FileEntry, LinkEntry, Owner, Stamp } from "../../src/core/entry.ts";
import type { Side } from "../../src/core/problem.ts";

/** 2023-11-14T22:13:20.000000001Z: not a whole second. */
export const T0_NS = 1_700_000_000_000_000_001n;

/** A digest made of one repeated character. */
export function digestOf(content: string): string {
  return content.charCodeAt(0).toString(16).padStart(2, "0").repeat(32);
}

const SIZES: Readonly<Record<string, number>> = { a: 1, z: 1, b: 22, c: 333, d: 4444 };

/** What may be varied of an entry. */
export interface EntryOptions {
  readonly mode?: number;
  readonly owner?: Owner | null;
  readonly mtimeNs?: bigint;
  /** Whether the digest is known; yes where not given. */
  readonly isRead?: boolean;
}

/** A file by the name of its content: one of a, b, c, d, or z (size and time of a). */
export function file(content: string, options: EntryOptions = {}): FileEntry {
  return {
    kind: "file",
    mode: options.mode ?? 0o644,
    owner: options.owner ?? null,
    sizeBytes: SIZES[content] ?? content.length + 10_000,
    mtimeNs: options.mtimeNs ?? T0_NS + BigInt(SIZES[content] ?? 0),
    digest: options.isRead === false ? null : digestOf(content),
  };
}

/** A directory. */
export function dir(options: EntryOptions = {}): DirEntry {
  return {
    kind: "dir",
    mode: options.mode ?? 0o755,
    owner: options.owner ?? null,
    mtimeNs: options.mtimeNs ?? T0_NS,
  };
}

/** A symbolic link. */
export function link(target: string, options: EntryOptions = {}): LinkEntry {
  return { kind: "link", mode: 0o777, owner: options.owner ?? null, target, mtimeNs: options.mtimeNs ?? T0_NS };
}

let last = 1000n;

/** A stamp of an object that was never seen before, in keeping with its entry. */
export function newStamp(entry: Entry): Stamp {
  last += 1n;
  const sizeBytes = entry.kind === "file" ? entry.sizeBytes : 4096;
  return { inode: last, birthNs: T0_NS + last, sizeBytes, mtimeNs: entry.mtimeNs, ctimeNs: T0_NS + last };
}

/** The stamp of the same object after something was done to it that left it as `entry`. */
export function laterStamp(stamp: Stamp, entry: Entry): Stamp {
  last += 1n;
  const sizeBytes = entry.kind === "file" ? entry.sizeBytes : 4096;
  return { ...stamp, sizeBytes, mtimeNs: entry.mtimeNs, ctimeNs: T0_NS + last };
}

/** An archive row of an entry that both sides hold. */
export function row(entry: Entry): { readonly entry: Entry } & Readonly<Record<Side, Stamp>> {
  return { entry, left: newStamp(entry), right: newStamp(entry) };
}
