/**
 * The sums of directories (core/sum.ts) in table `sum`, kept true while rows come and go.
 *
 * A sum is always that of the rows: what changes it is gathered in memory and written by `flush`, in the
 * transaction of the rows themselves (nodes.ts calls it before a transaction ends or another begins in
 * it). A directory without a sum is *unsummed*: nothing can be asked about it, and it stays so, whatever
 * changes in it, until `set`.
 * @module
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { DirSums } from "../core/archive.ts";
import type { Stamp } from "../core/entry.ts";
import { Sum, SumHash, type Summand } from "../core/sum.ts";
import { bytesAt, DIRS_BELOW, prepare, type SqlRow } from "./rows.ts";

/** A row as it enters the sums of both sides. */
export interface SummedRow extends Omit<Summand, "stamp"> {
  readonly left: Stamp;
  readonly right: Stamp;
}

/** What is to be added to the sums of one directory. */
class Tally {
  readonly left = new Sum();
  readonly right = new Sum();
  entries = 0;
}

/** Table `sum`. */
export class Sums {
  readonly #db: DatabaseSync;
  readonly #hash: SumHash;
  readonly #get: StatementSync;
  readonly #set: StatementSync;
  readonly #removeBelow: StatementSync;
  #pending = new Map<number, Tally>();

  /** `key`: of the archive. */
  constructor(db: DatabaseSync, key: string) {
    this.#db = db;
    this.#hash = new SumHash(key);
    this.#get = prepare(db, "SELECT entries, left, right FROM sum WHERE id = ?");
    this.#set = db.prepare("INSERT OR REPLACE INTO sum (id, entries, left, right) VALUES (?, ?, ?, ?)");
    this.#removeBelow = db.prepare(`${DIRS_BELOW} DELETE FROM sum WHERE id IN below`);
  }

  /** A row comes into a directory. */
  add(dir: number, row: SummedRow): void {
    const tally = this.#tallyOf(dir);
    tally.entries++;
    tally.left.add(this.#hash.of({ ...row, stamp: row.left }));
    tally.right.add(this.#hash.of({ ...row, stamp: row.right }));
  }

  /** A row leaves a directory. */
  subtract(dir: number, row: SummedRow): void {
    const tally = this.#tallyOf(dir);
    tally.entries--;
    tally.left.subtract(this.#hash.of({ ...row, stamp: row.left }));
    tally.right.subtract(this.#hash.of({ ...row, stamp: row.right }));
  }

  /** Gives a directory the sum of just these rows, which are all that are in it. */
  set(dir: number, rows: Iterable<SummedRow>): void {
    this.#pending.delete(dir);
    for (const row of rows) this.add(dir, row);
    const { entries, left, right } = this.#tallyOf(dir);
    this.#set.run(dir, entries, left.bytes(), right.bytes());
    this.#pending.delete(dir);
  }

  /** The sums of a directory; null: it is unsummed. Flush before. */
  get(dir: number): DirSums | null {
    const cells = this.#get.get(dir) as unknown as SqlRow | undefined;
    return cells === undefined ? null : sumsOf(cells, 0);
  }

  /** Forgets the sums of a directory that goes, and of all below it; before their rows go. */
  removeBelow(dir: bigint): void {
    this.flush();
    this.#removeBelow.run(dir);
  }

  /** Makes all directories unsummed. */
  clear(): void {
    this.#pending.clear();
    this.#db.exec("DELETE FROM sum");
  }

  /** Writes what was gathered. */
  flush(): void {
    if (this.#pending.size === 0) return;
    const pending = this.#pending;
    this.#pending = new Map();
    for (const [dir, tally] of pending) {
      const cells = this.#get.get(dir) as unknown as SqlRow | undefined;
      if (cells === undefined) continue;
      tally.left.add(Sum.ofBytes(bytesAt(cells, 1)));
      tally.right.add(Sum.ofBytes(bytesAt(cells, 2)));
      this.#set.run(dir, Number(cells[0]) + tally.entries, tally.left.bytes(), tally.right.bytes());
    }
  }

  /** Forgets what was gathered: its transaction is taken back. */
  drop(): void {
    this.#pending.clear();
  }

  #tallyOf(dir: number): Tally {
    const known = this.#pending.get(dir);
    if (known !== undefined) return known;
    const tally = new Tally();
    this.#pending.set(dir, tally);
    return tally;
  }
}

/** Reads `entries, left, right` of table `sum`, which begin at index `at` of a row. */
export function sumsOf(cells: SqlRow, at: number): DirSums {
  return {
    entries: Number(cells[at]),
    left: bytesAt(cells, at + 1).toHex(),
    right: bytesAt(cells, at + 2).toHex(),
  };
}
