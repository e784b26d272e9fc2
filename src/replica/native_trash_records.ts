/**
 * The records of `psync-native apply` about the trash, as native/format.h defines them.
 * @module
 */
import { type RawStat, type RecordReader, RecordWriter } from "./native_records.ts";

const A_TRASH_LIST = 0x1b;
const A_TRASH = 0x1c;

/** TRASH_*: what is done with what lies in the trash. */
export const TRASH = { restore: 1, replace: 2, release: 3, purge: 4 } as const;

/** One action of A_TRASH. */
export interface RawTrashAction {
  /** One of `TRASH`. */
  readonly what: number;
  readonly kept: string;
  readonly to: string;
}

/** One item of A_TRASHED. */
export interface RawTrashed {
  readonly kept: string;
  readonly stat: RawStat;
}

/** A_TRASHED: a part of the list. */
export interface RawTrashPage {
  readonly hasMore: boolean;
  readonly items: readonly RawTrashed[];
}

/** A_TRASH_LIST: asks for the items behind `after`. */
export function encodeTrashList(
  id: number,
  query: { readonly classes: number; readonly limit: number; readonly after: string },
): Uint8Array<ArrayBuffer> {
  return new RecordWriter(A_TRASH_LIST, id).u8(query.classes).u32(query.limit).text16(query.after).finish();
}

/** A_TRASH: gives back, releases, purges; `label` names where what is displaced will lie. */
export function encodeTrash(
  id: number,
  request: { readonly label: string; readonly actions: readonly RawTrashAction[] },
): Uint8Array<ArrayBuffer> {
  const writer = new RecordWriter(A_TRASH, id).text16(request.label).u32(request.actions.length);
  for (const { what, kept, to } of request.actions) writer.u8(what).text16(kept).text16(to);
  return writer.finish();
}

/** The body of A_TRASHED. */
export function readTrashed(r: RecordReader): RawTrashPage {
  return { hasMore: r.bool(), items: r.many((each) => ({ kept: each.text16(), stat: each.stat() })) };
}
