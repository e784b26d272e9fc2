/**
 * Gathers rows of files and links that go, and deletes them many to a statement.
 *
 * What is gathered is still in the table: nodes.ts flushes before it reads or writes anything of that
 * directory, and archive.ts before a transaction ends. Never outlives its transaction.
 * @module
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { PlaceOfRow } from "./epoch.ts";

/** Rows to a statement, most first. */
const BATCHES = [32, 8, 1] as const;

/** The rows of one directory that go in this transaction and are still there. */
export class FileRemovals {
  readonly #statements: readonly { readonly rows: number; readonly statement: StatementSync }[];
  readonly #onRemove: (rows: readonly PlaceOfRow[]) => void;
  /** By path. */
  readonly #pending = new Map<string, PlaceOfRow>();

  /** `onRemove` is told of rows before they go. */
  constructor(db: DatabaseSync, onRemove: (rows: readonly PlaceOfRow[]) => void) {
    this.#statements = BATCHES.map((rows) => {
      const names = Array(rows).fill("?").join(", ");
      return { rows, statement: db.prepare(`DELETE FROM node WHERE parent = ? AND name IN (${names})`) };
    });
    this.#onRemove = onRemove;
  }

  /** How many are gathered. */
  get size(): number {
    return this.#pending.size;
  }

  /** Takes a row that is there and is none of a directory; of the directory of those before it. */
  add(row: PlaceOfRow): void {
    this.#pending.set(row.path, row);
  }

  /** Deletes what is gathered. */
  flush(): void {
    if (this.#pending.size === 0) return;
    const rows = [...this.#pending.values()];
    this.drop();
    let at = 0;
    for (const { rows: count, statement } of this.#statements) {
      for (; rows.length - at >= count; at += count) {
        const part = rows.slice(at, at + count);
        this.#onRemove(part);
        statement.run(part[0]!.parent, ...part.map(({ name }) => name));
      }
    }
  }

  /** Drops what is gathered: its transaction is taken back. */
  drop(): void {
    this.#pending.clear();
  }
}
