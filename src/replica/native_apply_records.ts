/**
 * The records of `psync-native apply`: requests encoded and answers decoded, as native/format.h
 * defines them.
 *
 * Starts no process (native_process.ts); what becomes of an answer is told in observe.ts and
 * commit.ts.
 * @module
 */
import { ProtocolError } from "../base/errors.ts";
import type { AgreedContent } from "../core/endpoint.ts";
import type { RelPath } from "../core/path.ts";
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
import { type RawCarrying, type RawPacked, readCarrying, readPacked } from "./native_pack_records.ts";
import { DIGEST_BYTES, hexOf, readStatus, STATUS } from "./native_status.ts";
import { type RawTrashPage, readTrashed } from "./native_trash_records.ts";

const A_OPEN = 0x10;
const A_ADOPT = 0x11;
const A_UNLOCK = 0x12;
const A_LOOK = 0x13;
const A_COMMIT = 0x14;
const A_SYNC = 0x18;
const A_SWEEP = 0x19;
const A_STATFS = 0x1a;
const A_READY = 0x90;
const A_DONE = 0x91;
const A_LOOKED = 0x92;
const A_COMMITTED = 0x93;
const A_RESULTS = 0x94;
const A_SWEPT = 0x95;
const A_SYNCED = 0x98;
const SYNC_CONTENTS = 1;
const A_SPACE = 0x96;
const A_TRASHED = 0x97;
const A_PACKED = 0x99;
const A_CARRYING = 0x9a;

const LOOK_DIGEST = 1;
const LOOK_GROWING = 2;
const LOOK_OPEN = 4;
const LOOK_STAMP = 8;
const LOOK_AGREED = 16;
const LOOKED_DIGEST = 1;
const LOOKED_CONTENT = 2;
const LOOKED_PREFIX = 4;

/** META: a number that means "leave it as it is". */
export const LEAVE_ID = 0xffff_ffff;
/** META: the mode that means "leave it as it is". */
export const LEAVE_MODE = 0xffff;
/** META: the mtime that means "leave it as it is". */
export const LEAVE_MTIME_NS = -(1n << 63n);

/** What the file system and the user can do, of A_READY. */
export const CAP = { exchange: 1, noreplace: 2, lease: 4, tmpfile: 8, write: 16 } as const;

/** OPF_DISPOSAL: what becomes of what is displaced as expected. */
export const DISPOSE = { drop: 0, removed: 1, conflict: 2 } as const;
const OPF_FORCE = 4;

const OP = { putFile: 1, putDir: 2, putLink: 3, remove: 4, move: 5, meta: 6 } as const;

/** EXPECTED. `stat.kind` says what must be there; `KIND.none`: nothing. */
export interface RawExpected {
  readonly stat: RawStat;
  /** Of links, else empty. */
  readonly target: string;
}

/** META, with the `LEAVE_*` values. */
export interface RawMeta {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
}

/** Where a file's content comes from. */
export type RawSource =
  | { readonly kind: "inline"; readonly bytes: Uint8Array }
  | {
    readonly kind: "staged";
    readonly batch: string;
    readonly id: number;
    /** How much of it is wanted; left out: all. */
    readonly sizeBytes?: number;
  }
  /** The next so many bytes of the pack. */
  | { readonly kind: "packed"; readonly sizeBytes: number };

interface RawOpBase {
  readonly path: RelPath;
  readonly expected: RawExpected;
  /** One of `DISPOSE`. */
  readonly disposal: number;
}

/** OP: one transition as psync-native takes it. */
export type RawOp =
  | RawOpBase & { readonly op: "put-file"; readonly meta: RawMeta; readonly source: RawSource }
  | RawOpBase & { readonly op: "put-dir"; readonly meta: RawMeta }
  | RawOpBase & { readonly op: "put-link"; readonly meta: RawMeta; readonly target: string }
  | RawOpBase & { readonly op: "remove"; readonly force: boolean }
  | RawOpBase & { readonly op: "move"; readonly to: RelPath; readonly expectedTo: RawExpected }
  | RawOpBase & { readonly op: "meta"; readonly meta: RawMeta };

/** A live file of which psync's own links changed the ctime, and nobody anything else. */
export interface RawRenewed {
  readonly path: RelPath;
  readonly before: RawStat;
  readonly now: RawStat;
}

/** A_READY: the root, its file system and its marks. */
export interface ApplyReady {
  readonly kind: "ready";
  readonly version: number;
  readonly errno: number;
  readonly euid: number;
  readonly stat: RawStat;
  readonly fsId: bigint;
  readonly fsType: bigint;
  readonly device: bigint;
  /** Bits of `CAP`. */
  readonly caps: number;
  readonly isEmpty: boolean;
  readonly root: string;
  readonly ancestors: readonly { readonly device: bigint; readonly inode: bigint }[];
  readonly pair: string | null;
  readonly lock: string | null;
  /** 0n: the holder of the lock does not live. */
  readonly lockStartTicks: bigint;
  readonly age: string | null;
  readonly bootId: string;
  readonly hostName: string;
}

/** LOOKED: what one look showed. */
export interface RawLooked {
  /** One of `STATUS`. */
  readonly status: number;
  readonly errno: number;
  /** `null` where the status is neither done nor busy. */
  readonly stat: RawStat | null;
  readonly target: string;
  /** Lower-case hex. */
  readonly digest: string | null;
  readonly content: Uint8Array | null;
  /** The file grows: this is what it held when it was as `stat` says. */
  readonly isPrefix?: boolean;
}

/** What became of one OP. */
export interface RawCommitted {
  /** One of `STATUS`. */
  readonly status: number;
  readonly errno: number;
  readonly masked: boolean;
  readonly stat: RawStat;
  /** Below `.psync/trash/`; empty: nothing. */
  readonly kept: string;
  /** The step that failed; empty: none. */
  readonly step: string;
}

/** What became of one file of a batch. */
export interface RawResult {
  readonly id: number;
  /** One of `STATUS`. */
  readonly status: number;
  readonly errno: number;
  readonly stat: RawStat;
}

/** What `psync-native apply` says. */
export type ApplyRecord =
  | ApplyReady
  | { readonly kind: "done"; readonly errno: number; readonly status: number }
  | { readonly kind: "looked"; readonly looked: readonly RawLooked[] }
  | { readonly kind: "committed"; readonly committed: readonly RawCommitted[] }
  | { readonly kind: "packed" } & RawPacked
  | { readonly kind: "carrying" } & RawCarrying
  | { readonly kind: "results"; readonly results: readonly RawResult[] }
  | { readonly kind: "swept"; readonly kept: readonly string[]; readonly renewed: readonly RawRenewed[] }
  | { readonly kind: "synced"; readonly errno: number; readonly status: number; readonly kept: readonly string[] }
  | { readonly kind: "trashed" } & RawTrashPage
  | {
    readonly kind: "space";
    readonly freeBytes: bigint;
    readonly totalBytes: bigint;
    readonly freeInodes: bigint;
    readonly totalInodes: bigint;
  }
  | FatalRecord;

/** A_OPEN: the first request. `root` is absolute or relative to the working directory. */
export function encodeApplyOpen(id: number, open: RawOpen): Uint8Array<ArrayBuffer> {
  return new RecordWriter(A_OPEN, id).text16(open.root).u8(openFlags(open)).finish();
}

/** A_ADOPT: writes the marks; `oldLock` null: there must be no lock. */
export function encodeAdopt(
  id: number,
  marks: { readonly pair: string; readonly lock: string; readonly oldLock: string | null },
): Uint8Array<ArrayBuffer> {
  return new RecordWriter(A_ADOPT, id).text32(marks.pair).text32(marks.lock)
    .u8(marks.oldLock === null ? 0 : 1).text32(marks.oldLock ?? "").finish();
}

/** A_UNLOCK: removes the lock if it is ours. */
export function encodeUnlock(id: number): Uint8Array<ArrayBuffer> {
  return encodeBare(A_UNLOCK, id);
}

/** What a look asks for; `stampOnly`: of files the stat alone, for which nothing is opened. */
export interface RawLook {
  readonly contentLimitBytes: number;
  readonly digests: boolean;
  readonly growing?: "closed" | "open" | null;
  readonly stampOnly?: boolean;
  readonly paths: readonly RelPath[];
  /** Of files that a writer may have open: what both sides held of each path last; null where it is not known. */
  readonly agreed?: readonly (AgreedContent | null)[];
}

/** A_LOOK: looks at each path; content up to the limit is read, larger files are digested if asked. */
export function encodeLook(id: number, look: RawLook): Uint8Array<ArrayBuffer> {
  const { growing = null } = look;
  const flags = (look.digests ? LOOK_DIGEST : 0) | (growing === null ? 0 : LOOK_GROWING) |
    (growing === "open" ? LOOK_OPEN : 0) | (look.stampOnly === true ? LOOK_STAMP : 0) |
    (look.agreed === undefined ? 0 : LOOK_AGREED);
  const writer = new RecordWriter(A_LOOK, id).u32(look.contentLimitBytes).u8(flags).u32(look.paths.length);
  for (const [i, path] of look.paths.entries()) {
    writer.text16(path);
    if (look.agreed !== undefined) writeAgreed(writer, look.agreed[i] ?? null);
  }
  return writer.finish();
}

function writeAgreed(writer: RecordWriter, agreed: AgreedContent | null): void {
  writer.u8(agreed === null ? 0 : 1);
  if (agreed !== null) writer.u64(BigInt(agreed.sizeBytes)).raw(Uint8Array.fromHex(agreed.digest));
}

function writeExpected(writer: RecordWriter, expected: RawExpected): void {
  writer.u8(expected.stat.kind).stat(expected.stat).text16(expected.target);
}

function writeMeta(writer: RecordWriter, meta: RawMeta): void {
  writer.u16(meta.mode).u32(meta.uid).u32(meta.gid).i64(meta.mtimeNs);
}

/** An operation without its content: two stats, targets and a path of common length. */
const OP_BYTES = 200;

function writeSource(writer: RecordWriter, source: RawSource): void {
  if (source.kind === "inline") writer.u8(0).bytes32(source.bytes);
  else if (source.kind === "packed") writer.u8(2).u32(source.sizeBytes);
  else {
    writer.u8(1).text16(source.batch).u32(source.id);
    writer.u64(source.sizeBytes === undefined ? ANY_SIZE : BigInt(source.sizeBytes));
  }
}

const ANY_SIZE = (1n << 64n) - 1n;

const OP_CODES: Record<RawOp["op"], number> = {
  "put-file": OP.putFile,
  "put-dir": OP.putDir,
  "put-link": OP.putLink,
  "remove": OP.remove,
  "move": OP.move,
  "meta": OP.meta,
};

function writeOp(writer: RecordWriter, op: RawOp): void {
  const force = op.op === "remove" && op.force ? OPF_FORCE : 0;
  writer.u8(OP_CODES[op.op]).u8(op.disposal | force).text16(op.path);
  writeExpected(writer, op.expected);
  switch (op.op) {
    case "put-file":
      writeMeta(writer, op.meta);
      return writeSource(writer, op.source);
    case "put-link":
      writeMeta(writer, op.meta);
      writer.text16(op.target);
      return;
    case "put-dir":
    case "meta":
      return writeMeta(writer, op.meta);
    case "move":
      writer.text16(op.to);
      return writeExpected(writer, op.expectedTo);
    case "remove":
      return;
  }
}

/** How long an operation is as a record, about. */
function opBytes(op: RawOp): number {
  const content = op.op === "put-file" && op.source.kind === "inline" ? op.source.bytes.length : 0;
  return content + OP_BYTES + op.path.length;
}

/** Transitions; `label` names the trash directory of what is displaced, `pack` holds what is packed, in pieces. */
export interface RawCommit {
  readonly label: string;
  readonly ops: readonly RawOp[];
  readonly pack?: readonly Uint8Array[];
  /** The number of the pack that the carrier brings instead. */
  readonly carried?: number | null;
}

/** A_COMMIT: transitions; in parts, of which those of the pack are the given ones. */
export function encodeCommit(
  id: number,
  { label, ops, pack = [], carried = null }: RawCommit,
): readonly Uint8Array[] {
  const packBytes = pack.reduce((sum, piece) => sum + piece.length, 0);
  const expectedBytes = ops.reduce((sum, op) => sum + opBytes(op), OP_BYTES);
  const writer = new RecordWriter(A_COMMIT, id, expectedBytes).text16(label).u32(ops.length);
  for (const op of ops) writeOp(writer, op);
  return [writer.u64(BigInt(carried ?? 0)).u32(packBytes).finish(packBytes), ...pack];
}

/** A_SYNC: ends an epoch; with `contents` what users wrote becomes durable as well. */
export function encodeApplySync(id: number, contents = false, age = ""): Uint8Array<ArrayBuffer> {
  return new RecordWriter(A_SYNC, id).u8(contents ? SYNC_CONTENTS : 0).text32(age).finish();
}

/** A_SWEEP: clears what an earlier life left; unknown finds go to the trash under `label`. */
export function encodeSweep(id: number, label: string): Uint8Array<ArrayBuffer> {
  return new RecordWriter(A_SWEEP, id).text16(label).finish();
}

/** A_STATFS: asks for the free space; where less than that is free, what psync itself can spare goes first. */
export function encodeStatfs(id: number, neededBytes = 0): Uint8Array<ArrayBuffer> {
  return new RecordWriter(A_STATFS, id).u64(BigInt(neededBytes)).finish();
}

function readOptional(r: RecordReader): string | null {
  const isThere = r.bool();
  const text = r.text32();
  return isThere ? text : null;
}

function readAncestors(r: RecordReader): { device: bigint; inode: bigint }[] {
  const count = r.u16();
  const out: { device: bigint; inode: bigint }[] = [];
  for (let i = 0; i < count; i++) out.push({ device: r.u64(), inode: r.u64() });
  return out;
}

function readReady(r: RecordReader): ApplyReady {
  return {
    kind: "ready",
    version: r.u32(),
    errno: r.i32(),
    euid: r.u32(),
    stat: r.stat(),
    fsId: r.u64(),
    fsType: r.u64(),
    device: r.u64(),
    caps: r.u32(),
    isEmpty: r.bool(),
    root: r.text16(),
    ancestors: readAncestors(r),
    pair: readOptional(r),
    lock: readOptional(r),
    lockStartTicks: r.u64(),
    age: readOptional(r),
    bootId: r.text16(),
    hostName: r.text16(),
  };
}

function readLooked(r: RecordReader): RawLooked {
  const status = readStatus(r);
  const errno = r.i32();
  if (status !== STATUS.done && status !== STATUS.busy) {
    return { status, errno, stat: null, target: "", digest: null, content: null };
  }
  const stat = r.stat();
  const target = r.text16();
  const what = r.u8();
  if ((what & ~(LOOKED_DIGEST | LOOKED_CONTENT | LOOKED_PREFIX)) !== 0) r.fail(`the flags of a look are ${what}`);
  const digest = (what & LOOKED_DIGEST) !== 0 ? hexOf(r.raw(DIGEST_BYTES)) : null;
  const content = (what & LOOKED_CONTENT) !== 0 ? r.content() : null;
  const looked = { status, errno, stat, target, digest, content };
  return (what & LOOKED_PREFIX) !== 0 ? { ...looked, isPrefix: true } : looked;
}

function readCommitted(r: RecordReader): RawCommitted {
  return {
    status: readStatus(r),
    errno: r.i32(),
    masked: r.bool(),
    stat: r.stat(),
    kept: r.text16(),
    step: r.text16(),
  };
}

function readResult(r: RecordReader): RawResult {
  return { id: r.u32(), status: readStatus(r), errno: r.i32(), stat: r.stat() };
}

/**
 * Decodes an answer of `psync-native apply`.
 * @throws {ProtocolError} for what native/format.h does not allow.
 */
export function decodeApplyRecord({ type, body }: NativeRecord): ApplyRecord {
  switch (type) {
    case A_READY:
      return readBody("A_READY", body, readReady);
    case A_DONE:
      return readBody("A_DONE", body, (r) => ({ kind: "done", errno: r.i32(), status: readStatus(r) }));
    case A_LOOKED:
      return { kind: "looked", looked: readBody("A_LOOKED", body, (r) => r.many(readLooked)) };
    case A_COMMITTED:
      return { kind: "committed", committed: readBody("A_COMMITTED", body, (r) => r.many(readCommitted)) };
    case A_PACKED:
      return { kind: "packed", ...readBody("A_PACKED", body, readPacked) };
    case A_CARRYING:
      return { kind: "carrying", ...readBody("A_CARRYING", body, readCarrying) };
    case A_RESULTS:
      return { kind: "results", results: readBody("A_RESULTS", body, (r) => r.many(readResult)) };
    case A_SYNCED:
      return readBody("A_SYNCED", body, (r) => ({
        kind: "synced",
        errno: r.i32(),
        status: r.u8(),
        kept: r.many((each) => each.text16()),
      }));
    case A_SWEPT:
      return readBody("A_SWEPT", body, (r) => ({
        kind: "swept",
        kept: r.many((each) => each.text16()),
        renewed: r.many((each) => ({ path: each.path(), before: each.stat(), now: each.stat() })),
      }));
    case A_SPACE:
      return readBody("A_SPACE", body, (r) => ({
        kind: "space",
        freeBytes: r.u64(),
        totalBytes: r.u64(),
        freeInodes: r.u64(),
        totalInodes: r.u64(),
      }));
    case A_TRASHED:
      return { kind: "trashed", ...readBody("A_TRASHED", body, readTrashed) };
    case R_FATAL:
      return readBody("R_FATAL", body, readFatal);
    default:
      throw new ProtocolError(`Cannot read record of psync-native apply: its type is ${type}`);
  }
}
