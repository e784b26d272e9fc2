/**
 * The frame of the record format of psync-native (native/format.h): integers, byte strings, paths
 * and STAT, written by `RecordWriter` and read by `RecordReader`, and the cutting of a byte stream
 * into records.
 *
 * Knows no record's body (native_watch_records.ts, native_apply_records.ts). A reader that meets what
 * it does not understand throws `ProtocolError` with the record's name (I11: paths are parsed here).
 * @module
 */
import { joinBytes } from "../base/bytes.ts";
import { ProtocolError } from "../base/errors.ts";
import {
  decodeBytes,
  encodeBytes,
  type Name,
  parseName,
  parseRelPath,
  type RelPath,
  writePlain,
} from "../core/path.ts";

/** The version of native/format.h that this code speaks. */
export const FORMAT_VERSION = 5;

/** How a root is opened. */
export interface RawOpen {
  readonly root: string;
  /** Whether links to regular files are shown as those; not given: no. */
  readonly followLinks?: boolean;
}

/** OPEN_* of a root. */
export function openFlags({ followLinks = false }: RawOpen): number {
  return followLinks ? OPEN_FOLLOW : 0;
}

const OPEN_FOLLOW = 1;
/** The longest record, without its length field. */
export const RECORD_MAX_BYTES = 16 << 20;
/** The size of a STAT. */
export const STAT_BYTES = 64;
/** The type of the record that says why psync-native ends. */
export const R_FATAL = 0xff;
/** The length, type and id in front of each body. */
const HEAD_BYTES = 9;
const LENGTH_BYTES = 4;
const MIN_RECORD_BYTES = HEAD_BYTES - LENGTH_BYTES;
/** Content from this size on is borrowed from the answer that it came in. */
const BORROWED_MIN_BYTES = 2048;
const FIRST_WRITER_BYTES = 1024;

/** The kinds of STAT and EXPECTED. */
export const KIND = { none: 0, file: 1, dir: 2, link: 3, fifo: 4, socket: 5, char: 6, block: 7 } as const;
const KIND_LAST = KIND.block;
/** STAT flag: a mount point that is not the root's own mount. */
export const STAT_MOUNT = 1;

/** What the kernel says of one object. */
export interface RawStat {
  /** One of `KIND`. */
  readonly kind: number;
  /** `STAT_MOUNT` or 0. */
  readonly flags: number;
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly inode: bigint;
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  /** 0n where the file system keeps none. */
  readonly birthNs: bigint;
  readonly mountId: bigint;
}

/** A STAT that says nothing. */
export const NO_STAT: RawStat = {
  kind: KIND.none,
  flags: 0,
  mode: 0,
  nlink: 0,
  uid: 0,
  gid: 0,
  inode: 0n,
  sizeBytes: 0,
  mtimeNs: 0n,
  ctimeNs: 0n,
  birthNs: 0n,
  mountId: 0n,
};

/** One record as it was cut out of the stream. */
export interface NativeRecord {
  readonly type: number;
  readonly id: number;
  /** Borrowed from the read buffer: what is kept longer than the call is copied. */
  readonly body: Uint8Array;
}

/** Writes one record; `finish` returns its bytes, length first. */
export class RecordWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #at = HEAD_BYTES;

  /** `expectedBytes`: how long it will be, about: a record with much content is then copied once. */
  constructor(type: number, id: number, expectedBytes = FIRST_WRITER_BYTES) {
    this.#bytes = new Uint8Array(Math.max(FIRST_WRITER_BYTES, expectedBytes));
    this.#view = new DataView(this.#bytes.buffer);
    this.#bytes[LENGTH_BYTES] = type;
    this.#view.setUint32(LENGTH_BYTES + 1, id, true);
  }

  /** How long the record is so far, as its length field will say. */
  get lengthBytes(): number {
    return this.#at - LENGTH_BYTES;
  }

  #reserve(moreBytes: number): number {
    const at = this.#at;
    const needed = at + moreBytes;
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#at = needed;
    return at;
  }

  u8(value: number): this {
    const at = this.#reserve(1);
    this.#bytes[at] = value;
    return this;
  }

  u16(value: number): this {
    const at = this.#reserve(2);
    this.#view.setUint16(at, value, true);
    return this;
  }

  u32(value: number): this {
    const at = this.#reserve(4);
    this.#view.setUint32(at, value, true);
    return this;
  }

  i64(value: bigint): this {
    const at = this.#reserve(8);
    this.#view.setBigInt64(at, value, true);
    return this;
  }

  u64(value: bigint): this {
    const at = this.#reserve(8);
    this.#view.setBigUint64(at, value, true);
    return this;
  }

  raw(bytes: Uint8Array): this {
    const at = this.#reserve(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  bytes32(bytes: Uint8Array): this {
    return this.u32(bytes.length).raw(bytes);
  }

  /** A string as `bytes16`, in the bytes that core/path.ts made it from. */
  text16(text: string): this {
    const start = this.#reserve(2 + text.length);
    if (writePlain(text, this.#bytes, start + 2)) {
      this.#view.setUint16(start, text.length, true);
      return this;
    }
    this.#at = start;
    const bytes = encodeBytes(text);
    if (bytes.length > 0xffff) throw new ProtocolError("Cannot write record: a string is longer than 65535 bytes");
    return this.u16(bytes.length).raw(bytes);
  }

  text32(text: string): this {
    return this.bytes32(encodeBytes(text));
  }

  stat(stat: RawStat): this {
    return this.u8(stat.kind).u8(stat.flags).u16(stat.mode)
      .u32(stat.nlink).u32(stat.uid).u32(stat.gid)
      .u64(stat.inode).u64(BigInt(stat.sizeBytes))
      .i64(stat.mtimeNs).i64(stat.ctimeNs).i64(stat.birthNs)
      .u64(stat.mountId);
  }

  /**
   * The finished record, but for `moreBytes` that follow it; the writer is not used afterwards.
   * @throws {ProtocolError} where it is longer than a record may be.
   */
  finish(moreBytes = 0): Uint8Array<ArrayBuffer> {
    const length = this.lengthBytes + moreBytes;
    if (length > RECORD_MAX_BYTES) {
      throw new ProtocolError(`Cannot write record ${this.#bytes[LENGTH_BYTES]}: it has ${length} bytes`);
    }
    this.#view.setUint32(0, length, true);
    return this.#bytes.subarray(0, this.#at);
  }
}

/** Reads the body of one record, strictly: nothing missing, nothing left over. */
export class RecordReader {
  readonly #body: Uint8Array;
  readonly #view: DataView;
  readonly #name: string;
  #at = 0;

  constructor(name: string, body: Uint8Array) {
    this.#name = name;
    this.#body = body;
    this.#view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  }

  /** Throws for what the record cannot mean. */
  fail(what: string): never {
    throw new ProtocolError(`Cannot read record ${this.#name}: ${what}`);
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (at + bytes > this.#body.length) this.fail("it is too short");
    this.#at = at + bytes;
    return at;
  }

  u8(): number {
    return this.#body[this.#take(1)]!;
  }

  /** A byte that is 0 or 1. */
  bool(): boolean {
    const value = this.u8();
    return value > 1 ? this.fail(`a flag is ${value}`) : value === 1;
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  i32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  i64(): bigint {
    return this.#view.getBigInt64(this.#take(8), true);
  }

  /** A u64 that a number can hold. */
  size(): number {
    const value = Number(this.u64());
    return Number.isSafeInteger(value) ? value : this.fail(`a size is ${value}`);
  }

  /** Bytes that are borrowed from the record. */
  raw(bytes: number): Uint8Array {
    const at = this.#take(bytes);
    return this.#body.subarray(at, at + bytes);
  }

  /** Bytes of their own. */
  bytes32(): Uint8Array {
    return this.raw(this.u32()).slice();
  }

  /**
   * Content: small ones as bytes of their own, larger ones as a part of what was read. WHY: all of one
   * answer go the same way and are gone together, and a copy of each costs more than it frees.
   */
  content(): Uint8Array {
    const bytes = this.raw(this.u32());
    return bytes.length < BORROWED_MIN_BYTES ? bytes.slice() : bytes;
  }

  text16(): string {
    return decodeBytes(this.raw(this.u16()));
  }

  text32(): string {
    return decodeBytes(this.raw(this.u32()));
  }

  /** A path; the brand is made here (I11). */
  path(): RelPath {
    return parseRelPath(this.text16());
  }

  name(): Name {
    return parseName(this.text16());
  }

  /** Reads `count` items, where the count stands in front of them. */
  many<T>(item: (reader: RecordReader) => T): T[] {
    const count = this.u32();
    const out: T[] = [];
    for (let i = 0; i < count; i++) out.push(item(this));
    return out;
  }

  stat(): RawStat {
    const kind = this.u8();
    if (kind > KIND_LAST) this.fail(`a kind is ${kind}`);
    const flags = this.u8();
    if ((flags & ~STAT_MOUNT) !== 0) this.fail(`the flags of a STAT are ${flags}`);
    const mode = this.u16();
    if (mode > 0o7777) this.fail(`a mode is ${mode.toString(8)}`);
    return {
      kind,
      flags,
      mode,
      nlink: this.u32(),
      uid: this.u32(),
      gid: this.u32(),
      inode: this.u64(),
      sizeBytes: this.size(),
      mtimeNs: this.i64(),
      ctimeNs: this.i64(),
      birthNs: this.i64(),
      mountId: this.u64(),
    };
  }

  /** Ends the reading: everything must have been read. */
  end(): void {
    const left = this.#body.length - this.#at;
    if (left !== 0) this.fail(`${left} bytes are left over`);
  }
}

/** Reads a whole body with `read`, and makes sure that nothing is left over. */
export function readBody<T>(name: string, body: Uint8Array, read: (reader: RecordReader) => T): T {
  const reader = new RecordReader(name, body);
  const value = read(reader);
  reader.end();
  return value;
}

/** Cuts a stream of bytes into records; one that lies within one chunk is a view of it, another has its own buffer. */
export class RecordSplitter {
  /** What has come of a record whose length is not known yet. */
  #head = new Uint8Array(0);
  /** The record that has begun, whole, and how much of it is there. */
  #record: Uint8Array<ArrayBuffer> | null = null;
  #has = 0;

  /** Whether a record has begun that is not complete: the stream must not end here. */
  get isMidRecord(): boolean {
    return this.#record !== null || this.#head.length > 0;
  }

  /** Where the rest of a record is to be read to, while one has begun; `filled` follows. */
  get space(): Uint8Array<ArrayBuffer> | null {
    return this.#record === null ? null : this.#record.subarray(this.#has);
  }

  /** Gives the record that bytes completed which were read into `space`. */
  *filled(bytes: Uint8Array<ArrayBuffer>): Generator<NativeRecord> {
    const record = this.#record = new Uint8Array(bytes.buffer);
    this.#has = bytes.byteOffset + bytes.length;
    if (this.#has < record.length) return;
    this.#record = null;
    yield recordAt(record, 0, record.length);
  }

  /**
   * The records that are complete once `chunk` has come.
   * @throws {ProtocolError} where a length is impossible.
   */
  *push(chunk: Uint8Array): Generator<NativeRecord> {
    let at = 0;
    if (this.#record !== null) {
      const take = Math.min(this.#record.length - this.#has, chunk.length);
      this.#record.set(chunk.subarray(0, take), this.#has);
      yield* this.filled(this.#record.subarray(this.#has, this.#has + take));
      at = take;
    }
    const bytes = this.#head.length === 0 ? chunk.subarray(at) : joinBytes([this.#head, chunk]);
    yield* this.#cut(bytes);
  }

  *#cut(bytes: Uint8Array): Generator<NativeRecord> {
    this.#head = new Uint8Array(0);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at < bytes.length;) {
      if (bytes.length - at < LENGTH_BYTES) return void (this.#head = bytes.slice(at));
      const size = LENGTH_BYTES + checkLength(view.getUint32(at, true));
      if (bytes.length - at < size) {
        this.#record = new Uint8Array(size);
        this.#record.set(bytes.subarray(at));
        return void (this.#has = bytes.length - at);
      }
      yield recordAt(bytes, at, size);
      at += size;
    }
  }
}

function recordAt(bytes: Uint8Array, at: number, size: number): NativeRecord {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    type: bytes[at + LENGTH_BYTES]!,
    id: view.getUint32(at + LENGTH_BYTES + 1, true),
    body: bytes.subarray(at + HEAD_BYTES, at + size),
  };
}

function checkLength(length: number): number {
  if (length < MIN_RECORD_BYTES || length > RECORD_MAX_BYTES) {
    throw new ProtocolError(`Cannot read record: its length is ${length}`);
  }
  return length;
}

/** Why psync-native cannot go on. */
export interface FatalRecord {
  readonly kind: "fatal";
  readonly errno: number;
  readonly text: string;
}

/** Reads an R_FATAL. */
export function readFatal(reader: RecordReader): FatalRecord {
  return { kind: "fatal", errno: reader.i32(), text: reader.text16() };
}

/** Finishes a record that has no body. */
export function encodeBare(type: number, id: number): Uint8Array<ArrayBuffer> {
  return new RecordWriter(type, id).finish();
}
