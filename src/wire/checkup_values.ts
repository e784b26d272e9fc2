/**
 * How the values of `psync doctor` and of `psync status` (core/checkup.ts) travel.
 *
 * As values.ts; a file of its own, as those are asked for now and then only.
 * @module
 */
import {
  type Checkup,
  type EchoSize,
  type HostCheckup,
  MOUNTS_MAX,
  type RootCheckup,
  type Vitals,
} from "../core/checkup.ts";
import { bool, bytes, type Codec, f64, list, option, struct, text, varint } from "./codec.ts";
import { entryPath } from "./values.ts";

/** A version line, a name. */
const line = text(4096);

const host: Codec<HostCheckup> = struct<HostCheckup>({
  hostName: line,
  kernel: line,
  glibc: option(line),
  distribution: line,
  rsync: option(line),
  ssh: option(line),
  isRootUser: bool,
  watchLimit: option(varint),
  watchesInUse: varint,
  openFileLimit: option(varint),
  hasLeases: bool,
});

const root: Codec<RootCheckup> = struct<RootCheckup>({
  freeBytes: varint,
  totalBytes: varint,
  freeInodes: varint,
  totalInodes: varint,
  dirs: varint,
  entries: varint,
  bytes: varint,
  mounts: list(entryPath, MOUNTS_MAX),
  unreadable: varint,
  tmpfile: line,
  lease: line,
  owner: line,
  exchange: line,
});

/** The answer of `checkup`. */
export const checkup: Codec<Checkup> = struct<Checkup>({ host, root });

/** The answer of `vitals`. */
export const vitals: Codec<Vitals> = struct<Vitals>({ watches: varint, watchLimit: option(varint) });

/** The head of `echo`; its items are the bytes. */
export const echoSize: Codec<EchoSize> = struct<EchoSize>({ sendBytes: varint, replyBytes: varint });

/** The wall clock at the answer, ms since 1970. */
export const echoed: Codec<{ readonly clockMs: number }> = struct<{ readonly clockMs: number }>({ clockMs: f64 });

/** The largest piece of an echo. */
export const NOISE_PIECE_BYTES = 64 * 1024;

/** A piece of an echo: bytes that mean nothing. */
export const noise: Codec<Uint8Array> = bytes(NOISE_PIECE_BYTES);

/** So many bytes of noise in pieces, which nothing can compress. */
export function* noiseOf(sizeBytes: number): Generator<Uint8Array> {
  const piece = crypto.getRandomValues(new Uint8Array(NOISE_PIECE_BYTES));
  for (let left = sizeBytes; left > 0; left -= piece.length) yield piece.subarray(0, Math.min(left, piece.length));
}
