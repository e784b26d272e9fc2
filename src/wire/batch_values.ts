/**
 * How batches of rsync, the marks of a root and the ends of epochs travel.
 *
 * As values.ts, of which it is a part of its own for its size.
 * @module
 */
import type { BasisRequest, BasisResult, Renewed, SupplyRequest, SupplyResult, SyncOptions } from "../core/endpoint.ts";
import { PATH_MAX_BYTES } from "../core/path.ts";
import { bool, type Codec, list, oneOf, option, sha256, struct, text, u32, varint } from "./codec.ts";
import { BATCH_FILES_MAX, entryPath, expected, stamp, stampOrNone } from "./values.ts";

/** A file to be supplied. */
export const supplyRequest: Codec<SupplyRequest> = struct<SupplyRequest>({
  id: u32,
  path: entryPath,
  stamp,
  digest: option(sha256),
});

/** Whether a file was supplied. */
export const supplyResult: Codec<SupplyResult> = struct<SupplyResult>({
  id: u32,
  kind: oneOf(["supplied", "stale", "busy"]),
  diskBytes: varint,
});

/** A file to serve as basis. */
export const basisRequest: Codec<BasisRequest> = struct<BasisRequest>({
  id: u32,
  path: entryPath,
  expected,
  incomingBytes: varint,
});

/** What became of a basis. */
export const basisResult: Codec<BasisResult> = struct<BasisResult>({ id: u32, stamp: stampOrNone, ended: varint });

/** The ids of the files that were still what was opened. */
export const stableIds: Codec<readonly number[]> = list(u32, BATCH_FILES_MAX);

/** Files whose stamp only psync changed. */
export const renewed: Codec<{ readonly renewed: readonly Renewed[] }> = struct<
  { readonly renewed: readonly Renewed[] }
>({
  renewed: list(struct<Renewed>({ path: entryPath, before: stamp, now: stamp }), BATCH_FILES_MAX),
});

/** The request of `sync`. */
export const syncRequest: Codec<Required<SyncOptions>> = struct<Required<SyncOptions>>({
  contents: bool,
  age: option(text(PATH_MAX_BYTES)),
});

/** What the pair writes into a root. */
export interface Marks {
  readonly pair: string;
  readonly lock: string;
  readonly oldLock: string | null;
}

/** The request of `adopt`. */
export const marks: Codec<Marks> = struct<Marks>({
  pair: text(PATH_MAX_BYTES),
  lock: text(PATH_MAX_BYTES),
  oldLock: option(text(PATH_MAX_BYTES)),
});
