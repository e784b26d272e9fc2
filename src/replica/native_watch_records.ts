/**
 * The records of `psync-native watch`: requests encoded, answers and events decoded, as
 * native/format.h defines them.
 *
 * Starts no process (native_process.ts) and gives no meaning to events (watcher.ts).
 * @module
 */
import { ProtocolError } from "../base/errors.ts";
import type { Name, RelPath } from "../core/path.ts";
import type { SumText } from "../core/sum.ts";
import {
  encodeBare,
  type FatalRecord,
  type NativeRecord,
  openFlags,
  R_FATAL,
  type RawOpen,
  type RawStat,
  readBody,
  readFatal,
  type RecordReader,
  RecordWriter,
} from "./native_records.ts";

const W_OPEN = 0x01;
const W_LIST = 0x02;
const W_DROP = 0x03;
const W_SYNC = 0x04;
const W_COUNT = 0x05;
const W_SUM = 0x06;
const W_READY = 0x81;
const W_LISTING = 0x82;
const W_DIRTY = 0x83;
const W_MOVE = 0x84;
const W_OVERFLOW = 0x85;
const W_ROOT = 0x86;
const W_MOUNT = 0x87;
const W_BARRIER = 0x88;
const W_COUNTED = 0x89;
const W_SUMMED = 0x8a;

const LISTING_LAST = 1;
const LISTING_UNWATCHED = 2;
const LISTING_FLAGS = LISTING_LAST | LISTING_UNWATCHED;

const SUMMED_UNWATCHED = 1;
const SUMMED_OTHER = 2;
const SUMMED_FLAGS = SUMMED_UNWATCHED | SUMMED_OTHER;
const SUM_BYTES = 16;

/** The bits that say what happened to a dirty name. */
export const DIRTY = {
  created: 1,
  modified: 2,
  closed: 4,
  attrib: 8,
  gone: 16,
  moved: 32,
  dir: 64,
  newDir: 128,
  whole: 256,
} as const;
const DIRTY_ALL = 511;

const ROOT_REASONS = ["moved", "removed", "unmounted", "covered"] as const;

/** Why the root is no longer what was opened. */
export type RootReason = typeof ROOT_REASONS[number];

/** The watcher has opened its root, or could not (`errno`). */
export interface WatchReady {
  readonly kind: "ready";
  readonly version: number;
  readonly errno: number;
  readonly stat: RawStat;
  readonly fsId: bigint;
  readonly fsType: bigint;
  readonly device: bigint;
}

/** One name of a listing; `target` is empty for all but links. */
export interface RawListed {
  readonly name: Name;
  readonly stat: RawStat;
  readonly target: string;
}

/** A part of the listing of one directory. */
export interface WatchListing {
  readonly kind: "listing";
  readonly path: RelPath;
  /** Not 0: the list is not complete (I1). */
  readonly errno: number;
  readonly isLast: boolean;
  readonly isUnwatched: boolean;
  readonly stat: RawStat;
  readonly entries: readonly RawListed[];
}

/** What a directory adds up to. */
export interface RawSummed {
  /** Not 0: it could not be read to its end (I1). */
  readonly errno: number;
  readonly isUnwatched: boolean;
  /** Null: something is in it that no sum stands for. */
  readonly sum: SumText | null;
  /** Of the directory. */
  readonly stat: RawStat;
}

/** A name to look at; `bits` of `DIRTY`. */
export interface RawDirty {
  readonly bits: number;
  readonly path: RelPath;
}

/** What `psync-native watch` says. */
export type WatchRecord =
  | WatchReady
  | WatchListing
  | { readonly kind: "dirty"; readonly names: readonly RawDirty[] }
  | { readonly kind: "move"; readonly isDir: boolean; readonly from: RelPath; readonly to: RelPath }
  | { readonly kind: "overflow" }
  | { readonly kind: "root"; readonly reason: RootReason }
  | { readonly kind: "mount"; readonly path: RelPath }
  | { readonly kind: "barrier" }
  | { readonly kind: "counted"; readonly watches: number }
  | { readonly kind: "summed"; readonly dirs: readonly RawSummed[] }
  | FatalRecord;

/** W_OPEN: the first request. `maxWatches` 0 means the kernel's limit alone. */
export function encodeWatchOpen(
  id: number,
  open: RawOpen & { readonly maxWatches: number },
): Uint8Array<ArrayBuffer> {
  return new RecordWriter(W_OPEN, id).text16(open.root).u32(open.maxWatches).u8(openFlags(open)).finish();
}

/** W_LIST: watches each directory, then lists it. */
export function encodeWatchList(id: number, dirs: readonly RelPath[]): Uint8Array<ArrayBuffer> {
  const writer = new RecordWriter(W_LIST, id).u32(dirs.length);
  for (const dir of dirs) writer.text16(dir);
  return writer.finish();
}

/** W_SUM: watches each directory, then sums up what is in it; `key` as in core/sum.ts. */
export function encodeWatchSum(id: number, key: string, dirs: readonly RelPath[]): Uint8Array<ArrayBuffer> {
  const writer = new RecordWriter(W_SUM, id).raw(Uint8Array.fromHex(key)).u32(dirs.length);
  for (const dir of dirs) writer.text16(dir);
  return writer.finish();
}

/** W_DROP: forgets the watches at and below a path; it has no answer. */
export function encodeWatchDrop(path: RelPath): Uint8Array<ArrayBuffer> {
  return new RecordWriter(W_DROP, 0).text16(path).finish();
}

/** W_SYNC: asks for a barrier behind all events that have happened. */
export function encodeWatchSync(id: number): Uint8Array<ArrayBuffer> {
  return encodeBare(W_SYNC, id);
}

/** W_COUNT: asks how many directories are watched. */
export function encodeWatchCount(id: number): Uint8Array<ArrayBuffer> {
  return encodeBare(W_COUNT, id);
}

function readReady(r: RecordReader): WatchReady {
  return {
    kind: "ready",
    version: r.u32(),
    errno: r.i32(),
    stat: r.stat(),
    fsId: r.u64(),
    fsType: r.u64(),
    device: r.u64(),
  };
}

function readListing(r: RecordReader): WatchListing {
  const path = r.path();
  const errno = r.i32();
  const flags = r.u8();
  if ((flags & ~LISTING_FLAGS) !== 0) r.fail(`its flags are ${flags}`);
  return {
    kind: "listing",
    path,
    errno,
    isLast: (flags & LISTING_LAST) !== 0,
    isUnwatched: (flags & LISTING_UNWATCHED) !== 0,
    stat: r.stat(),
    entries: r.many((each) => ({ name: each.name(), stat: each.stat(), target: each.text16() })),
  };
}

function readSummed(r: RecordReader): RawSummed {
  const errno = r.i32();
  const flags = r.u8();
  if ((flags & ~SUMMED_FLAGS) !== 0) r.fail(`its flags are ${flags}`);
  const stat = r.stat();
  const sum = r.raw(SUM_BYTES).toHex();
  return { errno, isUnwatched: (flags & SUMMED_UNWATCHED) !== 0, sum: (flags & SUMMED_OTHER) !== 0 ? null : sum, stat };
}

function readDirty(r: RecordReader): RawDirty {
  const bits = r.u16();
  if ((bits & ~DIRTY_ALL) !== 0) r.fail(`its bits are ${bits}`);
  return { bits, path: r.path() };
}

function readRootReason(r: RecordReader): RootReason {
  const code = r.u8();
  return ROOT_REASONS[code - 1] ?? r.fail(`its reason is ${code}`);
}

/**
 * Decodes an answer or event of `psync-native watch`.
 * @throws {ProtocolError} for what native/format.h does not allow.
 */
export function decodeWatchRecord({ type, body }: NativeRecord): WatchRecord {
  switch (type) {
    case W_READY:
      return readBody("W_READY", body, readReady);
    case W_LISTING:
      return readBody("W_LISTING", body, readListing);
    case W_DIRTY:
      return { kind: "dirty", names: readBody("W_DIRTY", body, (r) => r.many(readDirty)) };
    case W_MOVE:
      return readBody("W_MOVE", body, (r) => ({ kind: "move", isDir: r.bool(), from: r.path(), to: r.path() }));
    case W_OVERFLOW:
      return readBody("W_OVERFLOW", body, () => ({ kind: "overflow" }));
    case W_ROOT:
      return readBody("W_ROOT", body, (r) => ({ kind: "root", reason: readRootReason(r) }));
    case W_MOUNT:
      return readBody("W_MOUNT", body, (r) => ({ kind: "mount", path: r.path() }));
    case W_BARRIER:
      return readBody("W_BARRIER", body, () => ({ kind: "barrier" }));
    case W_COUNTED:
      return readBody("W_COUNTED", body, (r) => ({ kind: "counted", watches: r.u32() }));
    case W_SUMMED:
      return readBody("W_SUMMED", body, (r) => ({ kind: "summed", dirs: r.many(readSummed) }));
    case R_FATAL:
      return readBody("R_FATAL", body, readFatal);
    default:
      throw new ProtocolError(`Cannot read record of psync-native watch: its type is ${type}`);
  }
}
