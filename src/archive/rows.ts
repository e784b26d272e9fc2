/**
 * The columns of `node`, both ways: entries and stamps to SQLite values and back.
 *
 * The only place that knows the order of the columns. Values from a file are unknown until they are
 * read here; what does not fit is an `ArchiveError`.
 * @module
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { ArchiveError } from "../base/errors.ts";
import type { ArchiveRow } from "../core/archive.ts";
import type { Entry, Owner, Stamp } from "../core/entry.ts";
import { decodeBytes, encodeBytes } from "../core/path.ts";

/** A value as SQLite takes it. */
export type SqlValue = null | number | bigint | Uint8Array | string;

/** A row as SQLite gives it: an array, integers as bigint. */
export type SqlRow = readonly unknown[];

/** The columns after parent, name and id, in the order of `encodeRow`. */
export const ROW_COLUMNS: readonly string[] = [
  "kind",
  "mode",
  "owner",
  "size",
  "mtime",
  "digest",
  "target",
  "left_inode",
  "left_birth",
  "left_size",
  "left_mtime",
  "left_ctime",
  "right_inode",
  "right_birth",
  "right_size",
  "right_mtime",
  "right_ctime",
];

/** Of these, what tells a row apart on each side, in the order of `decodeSummed`. */
export const SUMMED_COLUMNS: readonly string[] = [
  "kind",
  "size",
  "mtime",
  ...ROW_COLUMNS.slice(ROW_COLUMNS.indexOf("left_inode")),
];

/** The ids of a directory and of all directories below it. */
export const DIRS_BELOW = `WITH RECURSIVE below (id) AS (
  SELECT ? UNION ALL SELECT node.id FROM node JOIN below ON node.parent = below.id WHERE node.id IS NOT NULL)`;

/** Translates owners to their numbers in table `owner` and back. */
export interface OwnerIds {
  idOf(owner: Owner): number;
  ownerOf(id: number): Owner;
}

const KIND_FILE = 1;
const KIND_DIR = 2;
const KIND_LINK = 3;
const KINDS = { file: KIND_FILE, dir: KIND_DIR, link: KIND_LINK } as const;

/** The values of `ROW_COLUMNS`. */
export function encodeRow(row: ArchiveRow, owners: OwnerIds): SqlValue[] {
  const { entry, left, right } = row;
  const size = entry.kind === "file" ? entry.sizeBytes : null;
  const mtime = entry.mtimeNs;
  return [
    KINDS[entry.kind],
    entry.mode,
    entry.owner === null ? null : owners.idOf(entry.owner),
    size,
    mtime,
    entry.kind === "file" && entry.digest !== null ? Uint8Array.fromHex(entry.digest) : null,
    entry.kind === "link" ? encodeBytes(entry.target) : null,
    signed(left.inode),
    left.birthNs,
    left.sizeBytes === size ? null : left.sizeBytes,
    left.mtimeNs === mtime ? null : left.mtimeNs,
    left.ctimeNs,
    signed(right.inode),
    right.birthNs,
    right.sizeBytes === size ? null : right.sizeBytes,
    right.mtimeNs === mtime ? null : right.mtimeNs,
    right.ctimeNs,
  ];
}

/** Reads `ROW_COLUMNS`, which begin at index `at` of a row. */
export function decodeRow(cells: SqlRow, from: { readonly at: number; readonly owners: OwnerIds }): ArchiveRow {
  const { at, owners } = from;
  const size = cells[at + 3] === null ? null : Number(cells[at + 3]);
  const mtimeNs = bigintAt(cells, at + 4);
  return {
    entry: decodeEntry(cells, { at, owners, size, mtimeNs }),
    left: decodeStamp(cells, { at: at + 7, size, mtimeNs }),
    right: decodeStamp(cells, { at: at + 12, size, mtimeNs }),
  };
}

/** Reads `SUMMED_COLUMNS`, which begin at index `at` of a row. */
export function decodeSummed(
  cells: SqlRow,
  at: number,
): { readonly kind: Entry["kind"]; readonly left: Stamp; readonly right: Stamp } {
  const size = cells[at + 1] === null ? null : Number(cells[at + 1]);
  const mtimeNs = bigintAt(cells, at + 2);
  return {
    kind: kindOf(cells[at]),
    left: decodeStamp(cells, { at: at + 3, size, mtimeNs }),
    right: decodeStamp(cells, { at: at + 8, size, mtimeNs }),
  };
}

function kindOf(cell: unknown): Entry["kind"] {
  switch (Number(cell)) {
    case KIND_FILE:
      return "file";
    case KIND_DIR:
      return "dir";
    case KIND_LINK:
      return "link";
    default:
      throw new ArchiveError(`Cannot read a row of the archive: found kind ${String(cell)}`);
  }
}

interface Shared {
  readonly at: number;
  readonly size: number | null;
  readonly mtimeNs: bigint;
}

function decodeEntry(cells: SqlRow, from: Shared & { readonly owners: OwnerIds }): Entry {
  const { at, mtimeNs } = from;
  const mode = Number(cells[at + 1]);
  const owner = cells[at + 2] === null ? null : from.owners.ownerOf(Number(cells[at + 2]));
  const kind = Number(cells[at]);
  const digest = cells[at + 5];
  if (kind === KIND_FILE && from.size !== null) {
    return {
      kind: "file",
      mode,
      owner,
      sizeBytes: from.size,
      mtimeNs,
      digest: digest === null ? null : bytesAt(cells, at + 5).toHex(),
    };
  }
  if (kind === KIND_DIR) return { kind: "dir", mode, owner, mtimeNs };
  if (kind === KIND_LINK) return { kind: "link", mode, owner, target: decodeBytes(bytesAt(cells, at + 6)), mtimeNs };
  throw new ArchiveError(`Cannot read a row of the archive: found kind ${kind}`);
}

function decodeStamp(cells: SqlRow, from: Shared): Stamp {
  const { at } = from;
  const size = cells[at + 2];
  const mtime = cells[at + 3];
  return {
    inode: BigInt.asUintN(64, bigintAt(cells, at)),
    birthNs: bigintAt(cells, at + 1),
    sizeBytes: size === null ? from.size ?? 0 : Number(size),
    mtimeNs: mtime === null ? from.mtimeNs : bigintAt(cells, at + 3),
    ctimeNs: bigintAt(cells, at + 4),
  };
}

/** An inode number as SQLite can hold it; the same bits. */
export function signed(inode: bigint): bigint {
  return BigInt.asIntN(64, inode);
}

/** A cell that must be an integer. */
export function bigintAt(cells: SqlRow, at: number): bigint {
  const value = cells[at];
  if (typeof value === "bigint") return value;
  throw new ArchiveError(`Cannot read a row of the archive: found ${typeof value} for an integer`);
}

/** A cell that must be bytes. */
export function bytesAt(cells: SqlRow, at: number): Uint8Array {
  const value = cells[at];
  if (value instanceof Uint8Array) return value;
  throw new ArchiveError(`Cannot read a row of the archive: found ${typeof value} for bytes`);
}

/** Prepares a statement whose rows are arrays with bigint integers. */
export function prepare(db: DatabaseSync, sql: string): StatementSync {
  // WHY the type: Deno 2.9.6 has the method and its declarations do not.
  const statement = db.prepare(sql) as StatementSync & { setReturnArrays(isArray: boolean): void };
  statement.setReadBigInts(true);
  statement.setReturnArrays(true);
  return statement;
}

/** A row that must be there. */
export function rowOf(found: unknown): SqlRow {
  if (Array.isArray(found)) return found;
  throw new ArchiveError("Cannot read the archive: found no row");
}
