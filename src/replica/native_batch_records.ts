/**
 * The requests of the batches of rsync: what it sends, what it may use, and their end (native/format.h,
 * A_SUPPLY, A_PREPARE, A_RELEASE). All are answered by A_RESULTS.
 * @module
 */
import type { RelPath } from "../core/path.ts";
import { type RawStat, RecordWriter } from "./native_records.ts";

const A_SUPPLY = 0x15;
const A_PREPARE = 0x16;
const A_RELEASE = 0x17;

/** A file of A_SUPPLY or A_PREPARE. */
export interface RawFile {
  readonly id: number;
  readonly path: RelPath;
  readonly stat: RawStat;
  /** Of a basis: the size of the file that is to arrive. */
  readonly incomingBytes?: number;
  /** Supplied though it may have grown: the digest of its first `stat.sizeBytes`, as hex. */
  readonly growing?: string | null;
}

function encodeFiles(
  head: { readonly type: number; readonly id: number },
  batch: { readonly batch: string; readonly files: readonly RawFile[] },
): Uint8Array<ArrayBuffer> {
  const writer = new RecordWriter(head.type, head.id).text16(batch.batch).u32(batch.files.length);
  for (const { id, path, stat, incomingBytes = 0, growing = null } of batch.files) {
    writer.u32(id).text16(path).stat(stat).u64(BigInt(incomingBytes)).u8(growing === null ? 0 : 1);
    if (growing !== null) writer.raw(Uint8Array.fromHex(growing));
  }
  return writer.finish();
}

/** A_SUPPLY: opens files for rsync to read. */
export function encodeSupply(
  id: number,
  batch: { readonly batch: string; readonly files: readonly RawFile[] },
): Uint8Array<ArrayBuffer> {
  return encodeFiles({ type: A_SUPPLY, id }, batch);
}

/** A_PREPARE: makes the stage and basis of a batch. */
export function encodePrepare(
  id: number,
  batch: { readonly batch: string; readonly files: readonly RawFile[] },
): Uint8Array<ArrayBuffer> {
  return encodeFiles({ type: A_PREPARE, id }, batch);
}

/** A_RELEASE: ends a batch. */
export function encodeRelease(id: number, batch: string): Uint8Array<ArrayBuffer> {
  return new RecordWriter(A_RELEASE, id).text16(batch).finish();
}
