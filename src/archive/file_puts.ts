/**
 * Gathers rows of files and links and writes them many to a statement: half the time of one by one.
 *
 * What is gathered is not in the table yet: nodes.ts flushes before it reads or writes anything
 * else, and archive.ts before a transaction ends. Never outlives its transaction.
 * @module
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { PlaceOfRow } from "./epoch.ts";
import type { SqlValue } from "./rows.ts";

/** Rows to a statement, most first; 16 times 20 values are far below SQLite's limit of 32,766. */
const BATCHES = [16, 4, 1] as const;

/** One row by its key. */
export interface PendingRow extends PlaceOfRow {
  /** As `encodeRow` gives them. */
  readonly values: readonly SqlValue[];
}

/** The rows of a transaction that are not written yet. */
export class FilePuts {
  readonly #statements: readonly { readonly rows: number; readonly statement: StatementSync }[];
  readonly #onDirectory: (row: PendingRow) => void;
  readonly #onChange: (rows: readonly PendingRow[]) => void;
  #pending: PendingRow[] = [];
  /** The values of `#pending`, one row after the other, as the statement takes them. */
  #cells: SqlValue[] = [];

  /**
   * `statementFor(n)` is an upsert of n rows that leaves a directory's row alone; `onChange` is told of
   * rows before they are written; `onDirectory` makes way for one that met a directory, and is then
   * written again.
   */
  constructor(
    db: DatabaseSync,
    options: {
      readonly statementFor: (rows: number) => string;
      readonly onChange: (rows: readonly PendingRow[]) => void;
      readonly onDirectory: (row: PendingRow) => void;
    },
  ) {
    this.#statements = BATCHES.map((rows) => ({ rows, statement: db.prepare(options.statementFor(rows)) }));
    this.#onChange = options.onChange;
    this.#onDirectory = options.onDirectory;
  }

  add(row: PendingRow): void {
    this.#pending.push(row);
    this.#cells.push(row.parent, row.name, null, ...row.values);
    if (this.#pending.length >= BATCHES[0]) this.flush();
  }

  /** Writes what is gathered. */
  flush(): void {
    const [rows, cells] = [this.#pending, this.#cells];
    if (rows.length === 0) return;
    this.drop();
    const width = cells.length / rows.length;
    let at = 0;
    for (const { rows: count, statement } of this.#statements) {
      for (; rows.length - at >= count; at += count) {
        const isAll = count === rows.length;
        this.#onChange(isAll ? rows : rows.slice(at, at + count));
        const values = isAll ? cells : cells.slice(at * width, (at + count) * width);
        if (statement.run(...values).changes === count) continue;
        // Some met a directory. To make way for all is right: rows of files have nothing below them.
        rows.slice(at, at + count).forEach(this.#onDirectory);
        statement.run(...values);
      }
    }
  }

  /** Drops what is gathered: its transaction is taken back. */
  drop(): void {
    this.#pending = [];
    this.#cells = [];
  }
}
