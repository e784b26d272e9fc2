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
import { decodeBytes, encodeBytes, type RelPath } from "../core/path.ts";
import { bytesAt, decodeRow, type OwnerIds, prepare, ROW_COLUMNS, rowOf, type SqlRow, type SqlValue } from "./rows.ts";

const COLUMNS = ROW_COLUMNS.join(", ");
const COLUMNS_OF_NODE = ROW_COLUMNS.map((name) => `node.${name}`).join(", ");

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
    FROM (VALUES ${places}) AS place LEFT JOIN node ON node.parent = place.column2 AND node.name = place.column3`;
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
    this.#move = db.prepare(
      `INSERT INTO epoch (path, moved_to, ${COLUMNS})
       SELECT ?, ?, ${COLUMNS_OF_NODE} FROM node WHERE node.parent = ? AND node.name = ?`,
    );
    this.#end = prepare(db, "SELECT coalesce(max(nth), 0) FROM epoch");
  }

  /** Keeps what these rows are; called before they change. */
  keep(places: readonly PlaceOfRow[]): void {
    const cells: SqlValue[] = [];
    for (const { path, parent, name } of places) cells.push(encodeBytes(path), parent, name);
    this.#insert(places.length).run(...cells);
  }

  /** Keeps that a directory is about to be renamed. */
  keepMove(from: PlaceOfRow, to: RelPath): void {
    this.#move.run(encodeBytes(from.path), encodeBytes(to), from.parent, from.name);
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
    const known = this.#inserts.get(rows) ?? this.#db.prepare(insertOf(rows));
    this.#inserts.set(rows, known);
    return known;
  }
}
