/**
 * What the archive keeps beside the tree: conflicts, holds, and facts about the pair.
 *
 * Short lists that people read; not made for speed.
 * @module
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { ConflictRow, HoldRow, MetaKey } from "../core/archive.ts";
import { decodeBytes, encodeBytes, type RelPath } from "../core/path.ts";
import type { Side } from "../core/problem.ts";
import { bigintAt, bytesAt, prepare, type SqlRow } from "./rows.ts";

const LEFT = 1;
const RIGHT = 2;

/** Tables `conflict`, `hold`, `hold_path`, `meta`. */
export class Lists {
  readonly #db: DatabaseSync;
  // These two run with each batch of changes (brain/intents.ts).
  readonly #setMeta: StatementSync;
  readonly #deleteMeta: StatementSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#setMeta = db.prepare("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)");
    this.#deleteMeta = db.prepare("DELETE FROM meta WHERE key = ?");
  }

  meta(key: MetaKey): string | null {
    const cells = this.#all("SELECT value FROM meta WHERE key = ?", key)[0];
    return cells === undefined ? null : decodeBytes(bytesAt(cells, 0));
  }

  setMeta(key: MetaKey, value: string | null): void {
    if (value === null) this.#deleteMeta.run(key);
    else this.#setMeta.run(key, encodeBytes(value));
  }

  addConflict(conflict: Omit<ConflictRow, "id">): number {
    const { lastInsertRowid } = this.#db.prepare(
      `INSERT INTO conflict (path, loser, kept, at_ms, winner_size, loser_size, winner_mtime, loser_mtime)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ).run(
      encodeBytes(conflict.path),
      numberOf(conflict.loser),
      encodeBytes(conflict.kept),
      conflict.atMs,
      conflict.winnerSizeBytes,
      conflict.loserSizeBytes,
      conflict.winnerMtimeNs,
      conflict.loserMtimeNs,
    );
    return Number(lastInsertRowid);
  }

  /** Oldest first. */
  conflicts(): ConflictRow[] {
    return this.#all(
      `SELECT id, path, loser, kept, at_ms, winner_size, loser_size, winner_mtime, loser_mtime
       FROM conflict ORDER BY id`,
    ).map((cells) => ({
      id: Number(cells[0]),
      path: decodeBytes(bytesAt(cells, 1)) as RelPath,
      loser: sideOf(cells[2]),
      kept: decodeBytes(bytesAt(cells, 3)),
      atMs: Number(cells[4]),
      winnerSizeBytes: cells[5] === null ? null : Number(cells[5]),
      loserSizeBytes: cells[6] === null ? null : Number(cells[6]),
      winnerMtimeNs: cells[7] === null ? null : bigintAt(cells, 7),
      loserMtimeNs: cells[8] === null ? null : bigintAt(cells, 8),
    }));
  }

  removeConflict(id: number): void {
    this.#db.prepare("DELETE FROM conflict WHERE id = ?").run(id);
  }

  addHold(hold: Omit<HoldRow, "id">): number {
    const { lastInsertRowid } = this.#db.prepare("INSERT INTO hold (run, at_ms, side) VALUES (?, ?, ?)")
      .run(hold.run, hold.atMs, numberOf(hold.side));
    const add = this.#db.prepare("INSERT INTO hold_path (hold, nth, path) VALUES (?, ?, ?)");
    hold.paths.forEach((path, nth) => add.run(lastInsertRowid, nth, encodeBytes(path)));
    return Number(lastInsertRowid);
  }

  /** Oldest first, each with its paths in the order in which they were given. */
  holds(): HoldRow[] {
    return this.#all("SELECT id, run, at_ms, side FROM hold ORDER BY id").map((cells) => ({
      id: Number(cells[0]),
      run: Number(cells[1]),
      atMs: Number(cells[2]),
      side: sideOf(cells[3]),
      paths: this.#all("SELECT path FROM hold_path WHERE hold = ? ORDER BY nth", bigintAt(cells, 0))
        .map((path) => decodeBytes(bytesAt(path, 0)) as RelPath),
    }));
  }

  removeHold(id: number): void {
    this.#db.prepare("DELETE FROM hold_path WHERE hold = ?").run(id);
    this.#db.prepare("DELETE FROM hold WHERE id = ?").run(id);
  }

  #all(sql: string, ...values: (string | bigint)[]): SqlRow[] {
    return prepare(this.#db, sql).all(...values) as unknown as SqlRow[];
  }
}

function numberOf(side: Side): number {
  return side === "left" ? LEFT : RIGHT;
}

function sideOf(cell: unknown): Side {
  return Number(cell) === LEFT ? "left" : "right";
}
