/**
 * The tree of agreements in table `node`: paths to rows and back.
 *
 * Has no transactions and no error words of its own (archive.ts). A directory is one row with an id
 * by which its children name it, so that its rename touches no other row, and a walk needs memory
 * for its depth alone.
 * @module
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { ArchiveError } from "../base/errors.ts";
import type { ArchiveRow, ChildRow, DirState } from "../core/archive.ts";
import type { Stamp } from "../core/entry.ts";
import {
  decodeBytes,
  encodeBytes,
  isBelow,
  joinPath,
  type Name,
  nameOf,
  parentOf,
  type RelPath,
} from "../core/path.ts";
import type { Side } from "../core/problem.ts";
import { DirIds } from "./dir_ids.ts";
import { type Epoch, type PlaceOfRow } from "./epoch.ts";
import { FilePuts } from "./file_puts.ts";
import { FileRemovals } from "./file_removals.ts";
import {
  bigintAt,
  bytesAt,
  decodeRow,
  decodeSummed,
  DIRS_BELOW,
  encodeRow,
  type OwnerIds,
  prepare,
  ROW_COLUMNS,
  rowOf,
  signed,
  type SqlRow,
  SUMMED_COLUMNS,
} from "./rows.ts";
import { ROOT_ID } from "./schema.ts";
import { type SummedRow, Sums, sumsOf } from "./sums.ts";

/** Rows that a walk reads at once from one directory. */
const PAGE_ROWS = 256;
/** Beyond this depth a walk drops a directory's page when it enters a child, and reads it again later. */
const PAGES_KEPT = 32;
/** So many rows are gathered before all that is gathered is written. */
const GATHERED_MAX = 64;
/** Sorts before every name. */
const BEFORE_ALL = new Uint8Array(0);

const COLUMNS = ROW_COLUMNS.join(", ");
const CHANGED = ROW_COLUMNS.map((name) => `${name} = excluded.${name}`).join(", ");
const PLACES = `(${Array(ROW_COLUMNS.length + 3).fill("?").join(", ")})`;
/** An upsert of so many rows, up to what it does with a row that is there. */
function insertOf(rows: number): string {
  return `INSERT INTO node (parent, name, id, ${COLUMNS}) VALUES ${Array(rows).fill(PLACES).join(", ")}
    ON CONFLICT (parent, name) DO UPDATE SET ${CHANGED}`;
}

/** A path and its row, as walks yield it. */
export interface PathRow {
  readonly path: RelPath;
  readonly row: ArchiveRow;
}

/** One directory of a walk. */
interface Frame {
  readonly path: RelPath;
  readonly id: number;
  /** The directory's own row, yielded after what it holds; `null` for where the walk began. */
  readonly row: ArchiveRow | null;
  page: readonly SqlRow[];
  next: number;
  /** Name of the last row taken. */
  last: Uint8Array;
}

/** Rows by path. */
export class Nodes {
  readonly #db: DatabaseSync;
  readonly #owners: OwnerIds;
  readonly #dirs = new DirIds();
  readonly #get: StatementSync;
  readonly #list: StatementSync;
  readonly #page: StatementSync;
  readonly #idOf: StatementSync;
  readonly #names: StatementSync;
  readonly #placeOf: StatementSync;
  readonly #files: FilePuts;
  readonly #going: FileRemovals;
  readonly #epoch: Epoch;
  readonly #putDir: StatementSync;
  readonly #delete: StatementSync;
  readonly #deleteBelow: StatementSync;
  readonly #rename: StatementSync;
  readonly #sums: Sums;
  readonly #summed: StatementSync;
  readonly #state: StatementSync;
  readonly #subdirs: StatementSync;
  /** Where objects are looked up, once somebody has asked. */
  readonly #objects = new Map<Side, StatementSync>();
  /** The directory of the rows that are gathered in `#files` or `#going`; never in both. */
  #gathered: RelPath | null = null;
  /** The rows that are gathered there, and maybe some that were written since. */
  readonly #gatheredPaths = new Set<RelPath>();
  #changes = 0;
  #nextId: number;
  #count: number | null = null;

  constructor(db: DatabaseSync, parts: { readonly owners: OwnerIds; readonly epoch: Epoch; readonly sums: Sums }) {
    this.#db = db;
    this.#owners = parts.owners;
    this.#epoch = parts.epoch;
    this.#sums = parts.sums;
    this.#summed = prepare(db, `SELECT name, ${SUMMED_COLUMNS.join(", ")} FROM node WHERE parent = ?`);
    this.#state = prepare(
      db,
      `SELECT ${COLUMNS}, sum.entries, sum.left, sum.right,
         EXISTS (SELECT 1 FROM node AS child INDEXED BY node_dir WHERE child.parent = node.id AND child.id IS NOT NULL)
       FROM node LEFT JOIN sum ON sum.id = node.id
       WHERE node.parent = ? AND node.name = ? AND node.id IS NOT NULL`,
    );
    this.#subdirs = prepare(
      db,
      "SELECT name FROM node INDEXED BY node_dir WHERE parent = ? AND id IS NOT NULL ORDER BY name",
    );
    this.#get = prepare(db, `SELECT ${COLUMNS} FROM node WHERE parent = ? AND name = ?`);
    this.#list = prepare(db, `SELECT name, ${COLUMNS} FROM node WHERE parent = ? ORDER BY name`);
    this.#page = prepare(
      db,
      `SELECT name, id, ${COLUMNS} FROM node WHERE parent = ? AND name > ? ORDER BY name LIMIT ${PAGE_ROWS}`,
    );
    this.#idOf = prepare(db, "SELECT id FROM node WHERE parent = ? AND name = ?");
    this.#placeOf = prepare(db, "SELECT parent, name FROM node WHERE id = ?");
    this.#files = new FilePuts(db, {
      statementFor: (rows) => `${insertOf(rows)} WHERE node.id IS NULL`,
      onChange: (rows) => this.#keep(rows),
      // What was below the directory is gone with it.
      onDirectory: (row) => this.#removeAt(row),
    });
    this.#going = new FileRemovals(db, (rows) => this.#keep(rows));
    this.#putDir = prepare(db, `${insertOf(1)}, id = coalesce(node.id, excluded.id) RETURNING id`);
    this.#names = prepare(db, "SELECT name, id FROM node WHERE parent = ?");
    this.#delete = db.prepare("DELETE FROM node WHERE parent = ? AND name = ?");
    this.#deleteBelow = db.prepare(`${DIRS_BELOW} DELETE FROM node WHERE parent IN below`);
    this.#rename = db.prepare("UPDATE node SET parent = ?, name = ? WHERE parent = ? AND name = ?");
    this.#nextId = 1 +
      Number(rowOf(prepare(db, "SELECT coalesce(max(id), 0) FROM node WHERE id IS NOT NULL").get())[0]);
  }

  get(path: RelPath): ArchiveRow | null {
    this.#flushFor(path);
    const parent = this.#dirId(parentOf(path));
    if (path === "" || parent === null) return null;
    const cells = this.#get.get(parent, encodeBytes(nameOf(path))) as unknown as SqlRow | undefined;
    return cells === undefined ? null : decodeRow(cells, { at: 0, owners: this.#owners });
  }

  isDir(path: RelPath): boolean {
    this.#flushFor(path);
    return this.#dirId(path) !== null;
  }

  /** What is gathered are files of one directory: nothing that is not in it can differ. */
  #flushFor(path: RelPath): void {
    if (this.#gathered !== null && isBelow(path, this.#gathered)) this.flush();
  }

  children(dir: RelPath): ChildRow[] {
    this.flush();
    const id = this.#dirId(dir);
    if (id === null) return [];
    const found = this.#list.all(id) as unknown as SqlRow[];
    return found.map((cells) => ({
      name: decodeBytes(bytesAt(cells, 0)) as Name,
      ...decodeRow(cells, { at: 1, owners: this.#owners }),
    }));
  }

  /** All rows below a directory, children first; with as much memory as the tree is deep. */
  *below(dir: RelPath): Generator<PathRow> {
    this.flush();
    const id = this.#dirId(dir);
    if (id === null) return;
    const stack: Frame[] = [frameOf({ path: dir, id, row: null })];
    for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
      const cells = this.#nextOf(frame);
      if (cells === null) {
        stack.pop();
        if (frame.row !== null) yield { path: frame.path, row: frame.row };
        continue;
      }
      const path = joinPath(frame.path, decodeBytes(bytesAt(cells, 0)) as Name);
      const row = decodeRow(cells, { at: 2, owners: this.#owners });
      if (cells[1] === null) {
        yield { path, row };
        continue;
      }
      if (stack.length > PAGES_KEPT) frame.page = [];
      stack.push(frameOf({ path, id: Number(cells[1]), row }));
    }
  }

  /** The next row of a directory that is walked; reads a page where the last one is used up. */
  #nextOf(frame: Frame): SqlRow | null {
    if (frame.next >= frame.page.length) {
      frame.page = this.#page.all(frame.id, frame.last) as unknown as SqlRow[];
      frame.next = 0;
    }
    const cells = frame.page[frame.next++];
    if (cells === undefined) return null;
    frame.last = bytesAt(cells, 0);
    return cells;
  }

  findObject(side: Side, object: Pick<Stamp, "inode" | "birthNs">, limit: number): RelPath[] {
    this.flush();
    const found = this.#objectsOf(side).all(signed(object.inode), object.birthNs, limit) as unknown as SqlRow[];
    return found.map((cells) => joinPath(this.#pathOf(bigintAt(cells, 0)), decodeBytes(bytesAt(cells, 1)) as Name));
  }

  /**
   * WHY not from the start: at a first sync two indexes of inodes cost as much as the rows, and
   * nobody asks for an object. Made at the first question, in about a second for a million rows.
   */
  #objectsOf(side: Side): StatementSync {
    const known = this.#objects.get(side);
    if (known !== undefined) return known;
    this.#db.exec(`CREATE INDEX IF NOT EXISTS node_${side} ON node (${side}_inode)`);
    const sql = `SELECT parent, name FROM node WHERE ${side}_inode = ? AND ${side}_birth = ? LIMIT ?`;
    const statement = prepare(this.#db, sql);
    this.#objects.set(side, statement);
    return statement;
  }

  count(): number {
    this.flush();
    this.#count ??= Number(rowOf(prepare(this.#db, "SELECT count(*) FROM node").get())[0]);
    return this.#count;
  }

  /** How often rows were changed. */
  get changes(): number {
    return this.#changes;
  }

  #changed(): void {
    this.#changes++;
    this.#count = null;
  }

  /** A directory's row and sums; null: there is no such directory. */
  dirState(dir: RelPath): DirState | null {
    this.flush();
    if (dir === "") return { row: null, sums: this.#sums.get(ROOT_ID), hasDirs: true };
    const parent = this.#dirId(parentOf(dir));
    if (parent === null) return null;
    const cells = this.#state.get(parent, encodeBytes(nameOf(dir))) as unknown as SqlRow | undefined;
    if (cells === undefined) return null;
    const row = decodeRow(cells, { at: 0, owners: this.#owners });
    const at = ROW_COLUMNS.length;
    return { row, sums: cells[at] === null ? null : sumsOf(cells, at), hasDirs: cells[at + 3] === 1n };
  }

  /** The names of the directories of a directory, sorted. */
  subdirs(dir: RelPath): Name[] {
    this.flush();
    const id = this.#dirId(dir);
    if (id === null) return [];
    const found = this.#subdirs.all(id) as unknown as SqlRow[];
    return found.map((cells) => decodeBytes(bytesAt(cells, 0)) as Name);
  }

  /** Sums up what is in a directory. */
  sumUp(dir: RelPath): void {
    this.flush();
    const id = this.#dirId(dir);
    if (id !== null) this.#sums.set(id, this.#summedRows(id));
  }

  /** Has no directory at and below this one summed. */
  dropSums(top: RelPath): void {
    this.flush();
    const id = this.#dirId(top);
    if (id !== null) this.#sums.removeBelow(BigInt(id));
  }

  *#summedRows(id: number): Generator<SummedRow> {
    for (const cells of this.#summed.iterate(id) as Iterable<unknown> as Iterable<SqlRow>) {
      yield { name: decodeBytes(bytesAt(cells, 0)) as Name, ...decodeSummed(cells, 1) };
    }
  }

  /** Keeps rows of one directory as they are, and takes those that are there out of its sum. */
  #keep(places: readonly PlaceOfRow[]): void {
    for (const row of this.#epoch.keep(places)) this.#sums.subtract(places[0]!.parent, row);
  }

  put(path: RelPath, row: ArchiveRow): void {
    // Gathered rows are of one directory: one of them may displace a directory that this path runs through.
    if (parentOf(path) !== this.#gathered || this.#going.size > 0) this.flush();
    this.#gathered = parentOf(path);
    const parent = this.#parentFor(path);
    const name = encodeBytes(nameOf(path));
    const values = encodeRow(row, this.#owners);
    const summed = { name: nameOf(path), kind: row.entry.kind, left: row.left, right: row.right };
    this.#changed();
    if (row.entry.kind !== "dir") {
      this.#dirs.delete(path);
      // WHY: of rows that are written together each must be what the epoch, and the sum, found before.
      if (this.#gatheredPaths.has(path) || this.#gatheredPaths.size === GATHERED_MAX) this.flush();
      this.#gatheredPaths.add(path);
      this.#sums.add(parent, summed);
      this.#files.add({ path, parent, name, values });
      return;
    }
    this.flush();
    this.#keep([{ path, parent, name }]);
    const id = Number(rowOf(this.#putDir.get(parent, name, this.#nextId, ...values))[0]);
    if (id === this.#nextId) this.#addDir(this.#nextId++);
    this.#sums.add(parent, summed);
    this.#dirs.set(path, id);
  }

  /** A directory that is new to the archive: whatever will be in it is summed from the start. */
  #addDir(id: number): void {
    this.#sums.set(id, []);
  }

  remove(path: RelPath): void {
    if (parentOf(path) !== this.#gathered || this.#gatheredPaths.size > 0 || this.#going.size === GATHERED_MAX) {
      this.flush();
    }
    this.#gathered = parentOf(path);
    const parent = this.#dirId(parentOf(path));
    if (path === "" || parent === null) return;
    const place = { path, parent, name: encodeBytes(nameOf(path)) };
    const known = this.#idOf.get(parent, place.name) as unknown as SqlRow | undefined;
    if (known === undefined) return;
    if (known[0] === null) {
      this.#changed();
      return this.#going.add(place);
    }
    this.flush();
    this.#keep([place]);
    this.#removeAt(place);
  }

  /**
   * Removes a row that the epoch keeps, and the sum of its directory has lost, already; and what is below
   * it, which the epoch then keeps as well.
   */
  #removeAt({ path, parent, name }: PlaceOfRow): void {
    const known = this.#idOf.get(parent, name) as unknown as SqlRow | undefined;
    if (known === undefined) return;
    if (known[0] !== null) this.#keepBelow(path, bigintAt(known, 0));
    this.#dirs.delete(path);
    this.#delete.run(parent, name);
    this.#changed();
    if (known[0] === null) return;
    this.#sums.removeBelow(bigintAt(known, 0));
    // A directory below may be remembered by its path.
    if (this.#deleteBelow.run(bigintAt(known, 0)).changes !== 0) this.#dirs.clear();
  }

  #keepBelow(top: RelPath, topId: bigint): void {
    const pending: { readonly path: RelPath; readonly id: bigint }[] = [{ path: top, id: topId }];
    for (let dir = pending.pop(); dir !== undefined; dir = pending.pop()) {
      const found = this.#names.all(dir.id) as unknown as SqlRow[];
      for (const cells of found) {
        const name = bytesAt(cells, 0);
        const path = joinPath(dir.path, decodeBytes(name) as Name);
        this.#epoch.keep([{ path, parent: Number(dir.id), name }]);
        if (cells[1] !== null) pending.push({ path, id: bigintAt(cells, 1) });
      }
    }
  }

  move(from: RelPath, to: RelPath): void {
    if (from === to) return;
    if (isBelow(from, to) || isBelow(to, from)) {
      throw new ArchiveError(`Cannot move row ${JSON.stringify(from)}: ${JSON.stringify(to)} is above or below it`);
    }
    this.flush();
    const source = this.#parentFor(from);
    const target = this.#parentFor(to);
    const name = encodeBytes(nameOf(from));
    const known = this.#idOf.get(source, name) as unknown as SqlRow | undefined;
    if (known === undefined) {
      throw new ArchiveError(`Cannot move row ${JSON.stringify(from)}: found none`);
    }
    const places = [{ path: from, parent: source, name }, {
      path: to,
      parent: target,
      name: encodeBytes(nameOf(to)),
    }] as const;
    if (known[0] !== null) {
      this.remove(to);
      this.flush();
    }
    const moved = known[0] === null ? this.#epoch.keep([places[0]]) : this.#epoch.keepMove(places[0], to);
    if (known[0] === null) this.#keep([places[1]]);
    this.#removeAt(places[1]);
    this.#rename.run(target, places[1].name, source, name);
    for (const row of moved) {
      this.#sums.subtract(source, row);
      this.#sums.add(target, { ...row, name: nameOf(to) });
    }
    this.#dirs.clear();
    this.#changed();
  }

  /** Writes what `put` and `remove` gathered; before a transaction ends or another begins inside it. */
  flush(): void {
    this.#gatheredPaths.clear();
    this.#files.flush();
    this.#going.flush();
    this.#sums.flush();
  }

  /** Forgets what a rolled back transaction brought or may have taught. */
  reset(): void {
    this.#files.drop();
    this.#going.drop();
    this.#gatheredPaths.clear();
    this.#sums.drop();
    this.#objects.clear();
    this.#dirs.clear();
    this.#changed();
  }

  #parentFor(path: RelPath): number {
    const id = path === "" ? null : this.#dirId(parentOf(path));
    if (id === null) throw new ArchiveError(`Cannot record ${JSON.stringify(path)}: its directory has no row`);
    return id;
  }

  /** The id of a directory; `null` where the path has no row or is no directory. */
  #dirId(path: RelPath): number | null {
    const known = this.#dirs.get(path);
    if (known !== undefined) return known;
    // From the nearest directory that is known downwards; a loop, as paths may be 2,000 names deep.
    const missing: RelPath[] = [];
    let at = path;
    let id = this.#dirs.get(at);
    for (; id === undefined; id = this.#dirs.get(at)) {
      missing.push(at);
      at = parentOf(at);
    }
    for (let next = missing.pop(); next !== undefined; next = missing.pop()) {
      const cells = this.#idOf.get(id, encodeBytes(nameOf(next))) as unknown as SqlRow | undefined;
      if (cells === undefined || cells[0] === null) return null;
      id = Number(cells[0]);
      this.#dirs.set(next, id);
    }
    return id;
  }

  #pathOf(id: bigint): RelPath {
    const names: string[] = [];
    for (let at = id; at !== BigInt(ROOT_ID);) {
      const cells = this.#placeOf.get(at) as unknown as SqlRow | undefined;
      if (cells === undefined) throw new ArchiveError(`Cannot find directory ${at} of the archive: found no row`);
      names.push(decodeBytes(bytesAt(cells, 1)));
      at = bigintAt(cells, 0);
    }
    return names.reverse().join("/") as RelPath;
  }
}

function frameOf(of: Pick<Frame, "path" | "id" | "row">): Frame {
  return { ...of, page: [], next: 0, last: BEFORE_ALL };
}
