/**
 * What all answers of `psync-native apply` have in common: statuses and digests (native/format.h).
 * @module
 */
import type { RecordReader } from "./native_records.ts";

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** The size of a SHA-256. */
export const DIGEST_BYTES = 32;

/** What became of one look, transition or file. */
export const STATUS = {
  done: 0,
  stale: 1,
  staleKept: 2,
  busy: 3,
  notEmpty: 4,
  orphan: 5,
  failed: 6,
  dirty: 7,
  guard: 8,
  gone: 9,
  absent: 10,
  mount: 11,
  refused: 12,
} as const;
const STATUS_LAST = STATUS.refused;

/** Reads one of `STATUS`. */
export function readStatus(r: RecordReader): number {
  const status = r.u8();
  return status > STATUS_LAST ? r.fail(`a status is ${status}`) : status;
}

/** Bytes in lower-case hex digits. */
export function hexOf(bytes: Uint8Array): string {
  let out = "";
  for (const byte of bytes) out += HEX[byte]!;
  return out;
}
