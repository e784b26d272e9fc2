/**
 * The changes of the open epoch: what rows were before they were changed, until both replicas have
 * made the change durable (I12).
 *
 * Only remembers; nodes.ts writes here before it writes a row, in the same transaction. What the
 * states mean is decided by brain/rolled_back.ts.
 * @module
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { EpochChange } from "../core/archive.ts";
import { decodeBytes, encodeBytes, nameOf, type RelPath } from "../core/path.ts";
import {
  bytesAt,
  decodeRow,
  decodeSummed,
  type OwnerIds,
  prepare,
  ROW_COLUMNS,
  rowOf,
  type SqlRow,
  type SqlValue,
  SUMMED_COLUMNS,
} from "./rows.ts";
import type { SummedRow } from "./sums.ts";

const COLUMNS = ROW_COLUMNS.join(", ");
const COLUMNS_OF_NODE = ROW_COLUMNS.map((name) => `node.${name}`).join(", ");

/** What tells of a row that was kept which one it was: nothing where there was none. */
const KEPT_COLUMNS = ["CASE WHEN kind IS NULL THEN NULL ELSE path END", ...SUMMED_COLUMNS];

/** The key of a row in `node`, and the path that it stands for. */
export interface PlaceOfRow {
  readonly path: RelPath;
  readonly parent: number;
  readonly name: Uint8Array;
}

/** An insert that takes (path, parent, name) so many times and keeps what `node` has there now. */
function insertOf(rows: number): string {
  const places = Array(rows).fill("(?, ?, ?)").join(", ");
  return `INSERT INTO epoch (path, ${COLUMNS}) SELECT place.column1, ${COLUMNS_OF_NODE}
    FROM (VALUES ${places}) AS place LEFT JOIN node ON node.parent = place.column2 AND node.name = place.column3
    RETURNING ${KEPT_COLUMNS.join(", ")}`;
}

/** Table `epoch`. */
export class Epoch {
  readonly #db: DatabaseSync;
  readonly #owners: OwnerIds;
  readonly #inserts = new Map<number, StatementSync>();
  readonly #move: StatementSync;
  readonly #end: StatementSync;

  constructor(db: DatabaseSync, owners: OwnerIds) {
    this.#db = db;
    this.#owners = owners;
    this.#move = prepare(
      db,
      `INSERT INTO epoch (path, moved_to, ${COLUMNS})
       SELECT ?, ?, ${COLUMNS_OF_NODE} FROM node WHERE node.parent = ? AND node.name = ?
       RETURNING ${KEPT_COLUMNS.join(", ")}`,
    );
    this.#end = prepare(db, "SELECT coalesce(max(nth), 0) FROM epoch");
  }

  /** Keeps what these rows are; called before they change. Returns those that were there. */
  keep(places: readonly PlaceOfRow[]): SummedRow[] {
    const cells: SqlValue[] = [];
    for (const { path, parent, name } of places) cells.push(encodeBytes(path), parent, name);
    return keptRows(this.#insert(places.length).all(...cells));
  }

  /** Keeps that a directory is about to be renamed. Returns its row. */
  keepMove(from: PlaceOfRow, to: RelPath): SummedRow[] {
    return keptRows(this.#move.all(encodeBytes(from.path), encodeBytes(to), from.parent, from.name));
  }

  end(): number {
    return Number(rowOf(this.#end.get())[0]);
  }

  close(end: number): void {
    this.#db.prepare("DELETE FROM epoch WHERE nth <= ?").run(end);
  }

  /** Newest first. */
  changes(): EpochChange[] {
    const found = prepare(this.#db, `SELECT path, moved_to, ${COLUMNS} FROM epoch ORDER BY nth DESC`).all();
    return (found as unknown as SqlRow[]).map((cells) => this.#change(cells));
  }

  #change(cells: SqlRow): EpochChange {
    const path = decodeBytes(bytesAt(cells, 0)) as RelPath;
    const row = cells[2] === null ? null : decodeRow(cells, { at: 2, owners: this.#owners });
    return cells[1] === null || row === null
      ? { kind: "set", path, before: row }
      : { kind: "move", from: path, to: decodeBytes(bytesAt(cells, 1)) as RelPath, row };
  }

  #insert(rows: number): StatementSync {
    const known = this.#inserts.get(rows) ?? prepare(this.#db, insertOf(rows));
    this.#inserts.set(rows, known);
    return known;
  }
}

function keptRows(found: unknown): SummedRow[] {
  return (found as readonly SqlRow[]).flatMap((cells) => {
    return cells[0] === null
      ? []
      : [{ name: nameOf(decodeBytes(bytesAt(cells, 0)) as RelPath), ...decodeSummed(cells, 1) }];
  });
}
