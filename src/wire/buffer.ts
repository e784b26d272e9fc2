/**
 * The two cursors under every codec: one growing buffer that is written, one frame body that is read.
 *
 * Know numbers, bytes and text, and no shape (codec.ts). All integers are little-endian. What is read
 * is a view of the frame: nothing is copied.
 * @module
 */
import { ProtocolError } from "../base/errors.ts";
import { encodeBytes, type RelPath, ROOT, writePlain } from "../core/path.ts";

const utf8 = new TextEncoder();

/** Writes into one growing buffer, which `finish` hands over. */
export class Writer {
  /** The directory to which child names are relative (values.ts, `childPath`). */
  dir: RelPath = ROOT;
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #at = 0;

  /** `startBytes` is a guess of the size; the buffer doubles where it is too small. */
  constructor(startBytes = 512) {
    this.#bytes = new Uint8Array(startBytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** How many bytes were written. */
  get sizeBytes(): number {
    return this.#at;
  }

  /** Forgets what was written from `at` on. */
  truncate(at: number): void {
    this.#at = Math.min(at, this.#at);
  }

  #reserve(count: number): number {
    const at = this.#at;
    this.#at = at + count;
    if (this.#at > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#at, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }

  u8(value: number): void {
    const at = this.#reserve(1);
    this.#bytes[at] = value;
  }

  u16(value: number): void {
    const at = this.#reserve(2);
    this.#view.setUint16(at, value, true);
  }

  u32(value: number): void {
    const at = this.#reserve(4);
    this.#view.setUint32(at, value, true);
  }

  /** Replaces the four bytes at `at`, which were written before. */
  patchU32(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }

  /** Replaces the byte at `at`, which was written before. */
  patchU8(at: number, value: number): void {
    this.#bytes[at] = value;
  }

  u64(value: bigint): void {
    const at = this.#reserve(8);
    this.#view.setBigUint64(at, value, true);
  }

  i64(value: bigint): void {
    const at = this.#reserve(8);
    this.#view.setBigInt64(at, value, true);
  }

  f64(value: number): void {
    const at = this.#reserve(8);
    this.#view.setFloat64(at, value, true);
  }

  /** Writes a non-negative safe integer in 7-bit groups, lowest first. */
  varint(value: number): void {
    let left = value;
    while (left >= 0x80) {
      this.u8((left % 0x80) + 0x80);
      left = Math.floor(left / 0x80);
    }
    this.u8(left);
  }

  /** Writes bytes without a length. */
  raw(value: Uint8Array): void {
    const at = this.#reserve(value.length);
    this.#bytes.set(value, at);
  }

  /** Writes a length and the bytes that stand for `value` (core/path.ts, `encodeBytes`). */
  text(value: string): void {
    const start = this.#reserve(4 + value.length);
    if (writePlain(value, this.#bytes, start + 4)) return this.#view.setUint32(start, value.length, true);
    this.#at = start;
    if (!value.isWellFormed()) {
      const bytes = encodeBytes(value);
      this.u32(bytes.length);
      return this.raw(bytes);
    }
    const at = this.#reserve(4 + value.length * 3);
    const { written } = utf8.encodeInto(value, this.#bytes.subarray(at + 4));
    this.#view.setUint32(at, written, true);
    this.#at = at + 4 + written;
  }

  /** What was written; the writer must not be used afterwards. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#at);
  }
}

/** Reads the body of one frame, strictly: what is not there or left over is a ProtocolError. */
export class Reader {
  /** The directory to which child names are relative (values.ts, `childPath`). */
  dir: RelPath = ROOT;
  /** The field being read: for messages. */
  field = "";
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** How many bytes are not read yet. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** Ends with a ProtocolError that names the field and the place. */
  fail(what: string): never {
    const place = this.field === "" ? "" : ` in field "${this.field}"`;
    throw new ProtocolError(`Cannot read frame${place} at byte ${this.#at}: ${what}`);
  }

  #take(count: number): number {
    const at = this.#at;
    if (count > this.#bytes.length - at) this.fail(`needs ${count} bytes, found ${this.left}`);
    this.#at = at + count;
    return at;
  }

  u8(): number {
    return this.#bytes[this.#take(1)]!;
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  i64(): bigint {
    return this.#view.getBigInt64(this.#take(8), true);
  }

  f64(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  /** Reads what `Writer.varint` wrote; the shortest form only. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let group = 0; group < 8; group++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (byte === 0 && group > 0) this.fail("integer is not in its shortest form");
        return Number.isSafeInteger(value) ? value : this.fail("integer is too large");
      }
      scale *= 0x80;
    }
    return this.fail("integer is too long");
  }

  /** A view of the next `count` bytes. */
  raw(count: number): Uint8Array {
    const at = this.#take(count);
    return this.#bytes.subarray(at, at + count);
  }

  /** A view of bytes with a length, at most `max`. */
  bytes(max: number): Uint8Array {
    const count = this.u32();
    if (count > max) this.fail(`length must be at most ${max}: found ${count}`);
    return this.raw(count);
  }

  /** Ends the frame. */
  end(): void {
    if (this.left > 0) {
      this.field = "";
      this.fail(`${this.left} bytes are left over`);
    }
  }
}
