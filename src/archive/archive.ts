/**
 * The archive over one SQLite file: the last state on which both replicas agreed.
 *
 * Joins the rooms below it: database.ts (the file), nodes.ts (the tree), sums.ts (what its directories add
 * up to), epoch.ts (its changes that may be rolled back), lists.ts (conflicts, holds, meta). Decides nothing.
 * Keeps I4 as far as a store can: a transaction is recorded whole or not at all, and a power cut leaves the
 * archive behind the disks, never ahead of what was recorded.
 * Opened by the brain, one process a file at a time.
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import { ArchiveError } from "../base/errors.ts";
import type {
  Archive,
  ArchiveRow,
  ChildRow,
  ConflictRow,
  DirState,
  EpochChange,
  HoldRow,
  MetaKey,
} from "../core/archive.ts";
import type { Stamp } from "../core/entry.ts";
import type { Name, RelPath } from "../core/path.ts";
import type { Side } from "../core/problem.ts";
import { openDatabase, SYNCHRONOUS, useError } from "./database.ts";
import { Epoch } from "./epoch.ts";
import { Lists } from "./lists.ts";
import { Nodes, type PathRow } from "./nodes.ts";
import { Owners } from "./owners.ts";
import { Sums } from "./sums.ts";

export { copyArchive } from "./copy.ts";
export { quarantineArchive } from "./database.ts";

/** Where the key of the sums is kept. */
const SUM_KEY = "sum.key";

/**
 * Opens the archive at `path`, or makes it. Whoever opened it disposes of it.
 * @throws {SetupError} where another psync has it open, or the file system refuses.
 * @throws {ArchiveError} where the file is broken, foreign or of a newer psync: move it aside with
 * `quarantineArchive` and open again; the pair is then merged without removals.
 */
export function openArchive(path: string): SqliteArchive {
  return new SqliteArchive(path, openDatabase(path));
}

/** Made by `openArchive`. Every method throws `ArchiveError` for a broken file, `SafetyHaltError` for a full disk. */
export class SqliteArchive implements Archive {
  readonly path: string;
  readonly sumKey: string;
  readonly #db: DatabaseSync;
  readonly #owners: Owners;
  readonly #nodes: Nodes;
  readonly #sums: Sums;
  readonly #epoch: Epoch;
  readonly #lists: Lists;
  /** How many calls of `transact` are under way, one inside the other. */
  #depth = 0;

  constructor(path: string, db: DatabaseSync) {
    this.path = path;
    this.#db = db;
    this.#owners = new Owners(db);
    this.#epoch = new Epoch(db, this.#owners);
    this.#lists = new Lists(db);
    this.sumKey = this.#use(() => keyOf(this.#lists.meta(SUM_KEY)));
    this.#sums = new Sums(db, this.sumKey);
    this.#nodes = new Nodes(db, { owners: this.#owners, epoch: this.#epoch, sums: this.#sums });
  }

  get(path: RelPath): ArchiveRow | null {
    return this.#use(() => this.#nodes.get(path));
  }

  isDir(path: RelPath): boolean {
    return this.#use(() => this.#nodes.isDir(path));
  }

  children(dir: RelPath): ChildRow[] {
    return this.#use(() => this.#nodes.children(dir));
  }

  *below(dir: RelPath): Generator<PathRow> {
    try {
      yield* this.#nodes.below(dir);
    } catch (error) {
      throw useError(this.path, error);
    }
  }

  findObject(side: Side, object: Pick<Stamp, "inode" | "birthNs">, limit: number): RelPath[] {
    return this.#use(() => this.#nodes.findObject(side, object, limit));
  }

  count(): number {
    return this.#use(() => this.#nodes.count());
  }

  transactDurably<T>(work: () => T): T {
    this.#use(() => this.#db.exec("PRAGMA synchronous = FULL"));
    try {
      return this.transact(work);
    } finally {
      this.#use(() => this.#db.exec(SYNCHRONOUS));
    }
  }

  transact<T>(work: () => T): T {
    const [begin, commit, rollback] = this.#depth === 0
      ? ["BEGIN IMMEDIATE", "COMMIT", "ROLLBACK"]
      : ["SAVEPOINT inner", "RELEASE inner", "ROLLBACK TO inner; RELEASE inner"];
    this.#use(() => {
      this.#nodes.flush();
      this.#db.exec(begin);
    });
    this.#depth++;
    try {
      const result = work();
      this.#use(() => {
        this.#nodes.flush();
        this.#db.exec(commit);
      });
      return result;
    } catch (error) {
      this.#rollBack(rollback);
      throw error;
    } finally {
      this.#depth--;
    }
  }

  /** WHY errors are dropped: on a full disk SQLite has rolled back already, and the first error counts. */
  #rollBack(sql: string): void {
    try {
      if (this.#db.isTransaction) this.#db.exec(sql);
    } catch {
      // Nothing is recorded either way.
    }
    this.#nodes.reset();
    this.#owners.reset();
  }

  put(path: RelPath, row: ArchiveRow): void {
    this.#write(() => this.#nodes.put(path, row));
  }

  remove(path: RelPath): void {
    this.#write(() => this.#nodes.remove(path));
  }

  move(from: RelPath, to: RelPath): void {
    this.#write(() => this.#nodes.move(from, to));
  }

  get changes(): number {
    return this.#nodes.changes;
  }

  dirState(dir: RelPath): DirState | null {
    return this.#use(() => this.#nodes.dirState(dir));
  }

  subdirs(dir: RelPath): Name[] {
    return this.#use(() => this.#nodes.subdirs(dir));
  }

  sumUp(dir: RelPath): void {
    this.#write(() => this.#nodes.sumUp(dir));
  }

  dropSums(top?: RelPath): void {
    this.#write(() => top === undefined ? this.#sums.clear() : this.#nodes.dropSums(top));
  }

  epochChanges(): EpochChange[] {
    return this.#use(() => {
      this.#nodes.flush();
      return this.#epoch.changes();
    });
  }

  epochEnd(): number {
    return this.#use(() => {
      this.#nodes.flush();
      return this.#epoch.end();
    });
  }

  closeEpoch(end: number): void {
    this.#write(() => {
      this.#nodes.flush();
      this.#epoch.close(end);
    });
  }

  meta(key: MetaKey): string | null {
    return this.#use(() => this.#lists.meta(key));
  }

  setMeta(key: MetaKey, value: string | null): void {
    this.#write(() => this.#lists.setMeta(key, value));
  }

  addConflict(conflict: Omit<ConflictRow, "id">): number {
    return this.#write(() => this.#lists.addConflict(conflict));
  }

  conflicts(): ConflictRow[] {
    return this.#use(() => this.#lists.conflicts());
  }

  removeConflict(id: number): void {
    this.#write(() => this.#lists.removeConflict(id));
  }

  addHold(hold: Omit<HoldRow, "id">): number {
    return this.#write(() => this.#lists.addHold(hold));
  }

  holds(): HoldRow[] {
    return this.#use(() => this.#lists.holds());
  }

  removeHold(id: number): void {
    this.#write(() => this.#lists.removeHold(id));
  }

  /** Closes the file and gives it free; a second call does nothing. */
  close(): void {
    if (this.#db.isOpen) this.#use(() => this.#db.close());
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #use<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw useError(this.path, error);
    }
  }

  #write<T>(work: () => T): T {
    if (this.#depth === 0) throw new Error("Cannot write to the archive: found no transaction");
    return this.#use(work);
  }
}

function keyOf(meta: string | null): string {
  if (meta !== null && /^[0-9a-f]{32}$/.test(meta)) return meta;
  throw new ArchiveError("Cannot use the archive: it has no key for its sums");
}
