/**
 * The sum of a directory: 128 bits that stand for the names, kinds and stamps of all that is in it, so
 * that a scan may ask whether anything differs without listing it.
 *
 * Each name becomes 128 bits of SipHash-2-4 under a key that the archive keeps to itself; these are added
 * up modulo 2^128. So the order says nothing, one name costs the same in any directory, and nobody who can
 * only write to a tree can make two directories with one sum. native/sum.c computes the same.
 * Pure. What enters is just what `isAsArchived` compares (brain/view.ts), but for mode and owner of a
 * directory, which are held against its own row.
 * @see https://www.aumasson.jp/siphash/siphash.pdf, and "MSet-Add-Hash" (Clarke et al., 2003)
 * @module
 */
import type { Entry, Stamp } from "./entry.ts";
import { encodeBytes, type Name, writePlain } from "./path.ts";

/** How many hex digits a key or a sum has. */
export const SUM_DIGITS = 32;

/** A sum as 32 lower-case hex digits. */
export type SumText = string;

/** One name of a directory as it enters the sum. */
export interface Summand {
  readonly name: Name;
  readonly kind: Entry["kind"];
  readonly stamp: Stamp;
}

/** As in native/format.h. */
const KINDS = { file: 1, dir: 2, link: 3 } as const;
const WORDS = 4;
const FULL = 2 ** 32;
/** Words of 64 bits before the name. */
const DIR_WORDS = 3;
const OTHER_WORDS = 6;
const NAME_MAX_BYTES = 255;
const COMPRESSIONS = 2;
const FINALIZATIONS = 4;

/** A sum that grows and shrinks. */
export class Sum {
  readonly #words = new Uint32Array(WORDS);

  /** Reads 32 hex digits. */
  static parse(text: SumText): Sum {
    return Sum.ofBytes(Uint8Array.fromHex(text));
  }

  /** Takes 16 bytes, the lowest first. */
  static ofBytes(bytes: Uint8Array): Sum {
    const sum = new Sum();
    const view = new DataView(bytes.buffer, bytes.byteOffset, WORDS * 4);
    for (let i = 0; i < WORDS; i++) sum.#words[i] = view.getUint32(i * 4, true);
    return sum;
  }

  add(other: Sum): void {
    let carry = 0;
    for (let i = 0; i < WORDS; i++) {
      const word = this.#words[i]! + other.#words[i]! + carry;
      this.#words[i] = word;
      carry = word >= FULL ? 1 : 0;
    }
  }

  subtract(other: Sum): void {
    let borrow = 0;
    for (let i = 0; i < WORDS; i++) {
      const word = this.#words[i]! - other.#words[i]! - borrow;
      this.#words[i] = word;
      borrow = word < 0 ? 1 : 0;
    }
  }

  /** 16 bytes, the lowest first. */
  bytes(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(WORDS * 4);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < WORDS; i++) view.setUint32(i * 4, this.#words[i]!, true);
    return bytes;
  }

  toString(): SumText {
    return this.bytes().toHex();
  }

  /** Sets it to four words, the lowest first. */
  set(words: readonly [number, number, number, number]): void {
    this.#words.set(words);
  }
}

/** Turns names into what is added up. */
export class SumHash {
  readonly #key: Int32Array;
  readonly #words64 = new BigInt64Array(OTHER_WORDS + (NAME_MAX_BYTES >> 3) + 1);
  readonly #words = new Int32Array(this.#words64.buffer);
  readonly #bytes = new Uint8Array(this.#words64.buffer);
  readonly #out = new Sum();

  /** `key`: 32 hex digits. */
  constructor(key: string) {
    this.#key = new Int32Array(Uint8Array.fromHex(key).buffer);
  }

  /** The summand of one name; good until the next call. */
  of({ name, kind, stamp }: Summand): Sum {
    const words = this.#words64;
    words[0] = BigInt(KINDS[kind]);
    words[1] = stamp.inode;
    words[2] = stamp.birthNs;
    const fixed = kind === "dir" ? DIR_WORDS : OTHER_WORDS;
    if (kind !== "dir") {
      words[3] = BigInt(stamp.sizeBytes);
      words[4] = stamp.mtimeNs;
      words[5] = stamp.ctimeNs;
    }
    return this.#hash(fixed * 8 + this.#setName(name, fixed * 8));
  }

  /** The hash of any bytes, for tests of the function itself. */
  ofBytes(bytes: Uint8Array): Sum {
    this.#words64.fill(0n);
    this.#bytes.set(bytes);
    return this.#hash(bytes.length);
  }

  /** Writes a name; what is behind it in its last word is 0. Returns how many bytes it has. */
  #setName(name: Name, at: number): number {
    if (writePlain(name, this.#bytes, at)) {
      this.#bytes.fill(0, at + name.length, ((at + name.length) | 7) + 1);
      return name.length;
    }
    const encoded = encodeBytes(name);
    this.#words64[(at + encoded.length) >> 3] = 0n;
    this.#bytes.set(encoded, at);
    return encoded.length;
  }

  /**
   * SipHash-2-4 with 128 bits of the first `length` bytes. Each of its four words of 64 bits is two of 32 here,
   * low (l) and high (h): numbers of 64 bits would be objects.
   */
  #hash(length: number): Sum {
    const [m, k] = [this.#words, this.#key];
    const last = length >> 3;
    m[2 * last + 1] = m[2 * last + 1]! | (length << 24);
    let l0 = k[0]! ^ 0x70736575, h0 = k[1]! ^ 0x736f6d65, l1 = k[2]! ^ 0x6e646f6d ^ 0xee, h1 = k[3]! ^ 0x646f7261;
    let l2 = k[0]! ^ 0x6e657261, h2 = k[1]! ^ 0x6c796765, l3 = k[2]! ^ 0x79746573, h3 = k[3]! ^ 0x74656462;
    const middle = COMPRESSIONS * (last + 1);
    let low = 0, high = 0;
    for (let round = 0; round < middle + 2 * FINALIZATIONS; round++) {
      const at = (round / COMPRESSIONS | 0) * 2;
      if (round < middle && round % COMPRESSIONS === 0) l3 ^= m[at]!, h3 ^= m[at + 1]!;
      if (round === middle) l2 ^= 0xee;
      if (round === middle + FINALIZATIONS) low = l0 ^ l1 ^ l2 ^ l3, high = h0 ^ h1 ^ h2 ^ h3, l1 ^= 0xdd;
      let t = (l0 >>> 0) + (l1 >>> 0), r = l1;
      h0 = (h0 + h1 + (t >= FULL ? 1 : 0)) | 0, l0 = t | 0;
      l1 = (l1 << 13 | h1 >>> 19) ^ l0, h1 = (h1 << 13 | r >>> 19) ^ h0;
      r = l0, l0 = h0, h0 = r;
      t = (l2 >>> 0) + (l3 >>> 0), r = l3;
      h2 = (h2 + h3 + (t >= FULL ? 1 : 0)) | 0, l2 = t | 0;
      l3 = (l3 << 16 | h3 >>> 16) ^ l2, h3 = (h3 << 16 | r >>> 16) ^ h2;
      t = (l0 >>> 0) + (l3 >>> 0), r = l3;
      h0 = (h0 + h3 + (t >= FULL ? 1 : 0)) | 0, l0 = t | 0;
      l3 = (l3 << 21 | h3 >>> 11) ^ l0, h3 = (h3 << 21 | r >>> 11) ^ h0;
      t = (l2 >>> 0) + (l1 >>> 0), r = l1;
      h2 = (h2 + h1 + (t >= FULL ? 1 : 0)) | 0, l2 = t | 0;
      l1 = (l1 << 17 | h1 >>> 15) ^ l2, h1 = (h1 << 17 | r >>> 15) ^ h2;
      r = l2, l2 = h2, h2 = r;
      if (round < middle && round % COMPRESSIONS === 1) l0 ^= m[at]!, h0 ^= m[at + 1]!;
    }
    this.#out.set([low >>> 0, high >>> 0, (l0 ^ l1 ^ l2 ^ l3) >>> 0, (h0 ^ h1 ^ h2 ^ h3) >>> 0]);
    return this.#out;
  }
}
