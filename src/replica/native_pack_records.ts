/**
 * The records of a pack: many small files as one piece (native/format.h, A_PACK), and of its carrier.
 * @module
 */
import type { RelPath } from "../core/path.ts";
import { type RawStat, type RecordReader, RecordWriter } from "./native_records.ts";
import { DIGEST_BYTES, hexOf, readStatus, STATUS } from "./native_status.ts";

const A_PACK = 0x1d;
const A_CARRY = 0x1e;
/** A file of a request: a stat and a path of common length. */
const FILE_BYTES = 128;

/** What became of a pack: of each file a digest (lower-case hex) where it is in it, and a status. */
export interface RawPacked {
  readonly files: readonly { readonly status: number; readonly digest: string | null }[];
  /** The contents of those that are in it, in order; borrowed. Empty where the carrier has them. */
  readonly content: Uint8Array;
  /** The number under which the carrier brings them to the other side; null: they are here. */
  readonly carried: number | null;
}

/** Where a carrier is waited for. */
export interface RawCarrying {
  readonly errno: number;
  /** The name of the socket, for `psync-native carry`; empty: there is none. */
  readonly socket: string;
}

/** A_CARRY: asks for a socket to which a carrier may be brought. */
export function encodeCarry(id: number): Uint8Array<ArrayBuffer> {
  return new RecordWriter(A_CARRY, id, 0).finish();
}

/** Reads A_CARRYING. */
export function readCarrying(r: RecordReader): RawCarrying {
  return { errno: r.i32(), socket: r.text16() };
}

/** A_PACK: reads files that are still as `stat` says. */
export function encodePack(
  id: number,
  files: readonly { readonly path: RelPath; readonly stat: RawStat }[],
): Uint8Array<ArrayBuffer> {
  const writer = new RecordWriter(A_PACK, id, files.length * FILE_BYTES).u32(files.length);
  for (const { path, stat } of files) writer.text16(path).stat(stat);
  return writer.finish();
}

/** Reads A_PACKED. */
export function readPacked(r: RecordReader): RawPacked {
  const files = r.many((each) => {
    const status = readStatus(each);
    return { status, digest: status === STATUS.done ? hexOf(each.raw(DIGEST_BYTES)) : null };
  });
  const content = r.raw(r.u32());
  const number = Number(r.u64());
  return { files, content, carried: number === 0 ? null : number };
}
