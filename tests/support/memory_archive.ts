/**
 * The archive in memory, for tests of the brain; and the model against which the real one is tested.
 *
 * Written for obviousness: a sorted list of paths is made anew for each question.
 * @module
 */
import type {
  Archive,
  ArchiveRow,
  ChildRow,
  ConflictRow,
  DirState,
  EpochChange,
  HoldRow,
  MetaKey,
} from "../../src/core/archive.ts";
import { type Stamp } from "../../src/core/entry.ts";
import {
  compareNames,
  comparePaths,
  isBelow,
  type Name,
  nameOf,
  parentOf,
  rebase,
  type RelPath,
} from "../../src/core/path.ts";
import { Sum, SumHash } from "../../src/core/sum.ts";
import type { Side } from "../../src/core/problem.ts";
import { ArchiveError } from "../../src/base/errors.ts";

/** What a transaction can take back. */
interface State {
  readonly rows: Map<RelPath, ArchiveRow>;
  /** Directories, the root among them, that have no sums. */
  readonly unsummed: Set<RelPath>;
  readonly facts: Map<MetaKey, string>;
  readonly conflicts: ConflictRow[];
  readonly holds: HoldRow[];
  /** The changes of the open epoch with their numbers, oldest first. */
  readonly epoch: (EpochChange & { readonly nth: number })[];
}

function copyOf(state: State): State {
  const { rows, unsummed, facts, conflicts, holds, epoch } = state;
  return {
    rows: new Map(rows),
    unsummed: new Set(unsummed),
    facts: new Map(facts),
    conflicts: [...conflicts],
    holds: [...holds],
    epoch: [...epoch],
  };
}

/** An archive that is gone when the test is. */
export class MemoryArchive implements Archive {
  readonly sumKey = "5e".repeat(16);
  changes = 0;
  #state: State = { rows: new Map(), unsummed: new Set(), facts: new Map(), conflicts: [], holds: [], epoch: [] };
  #depth = 0;
  #lastId = 0;

  /** What it holds now, for `restore`. */
  save(): unknown {
    return copyOf(this.#state);
  }

  /** Goes back to what it held when `saved` was made, as a file does whose last transactions are lost. */
  restore(saved: unknown): void {
    this.#state = copyOf(saved as State);
  }

  get(path: RelPath): ArchiveRow | null {
    return this.#state.rows.get(path) ?? null;
  }

  isDir(path: RelPath): boolean {
    return path === "" || this.#state.rows.get(path)?.entry.kind === "dir";
  }

  children(dir: RelPath): ChildRow[] {
    return [...this.#state.rows]
      .filter(([path]) => parentOf(path) === dir)
      .map(([path, row]) => ({ name: nameOf(path), ...row }))
      .sort((a, b) => compareNames(a.name, b.name));
  }

  dirState(dir: RelPath): DirState | null {
    if (!this.isDir(dir)) return null;
    const rows = this.children(dir);
    const sums = { entries: rows.length, left: this.#sumOf(rows, "left"), right: this.#sumOf(rows, "right") };
    const hasDirs = rows.some(({ entry }) => entry.kind === "dir");
    return { row: this.get(dir), sums: this.#state.unsummed.has(dir) ? null : sums, hasDirs };
  }

  #sumOf(rows: readonly ChildRow[], side: Side): string {
    const sum = new Sum();
    const hash = new SumHash(this.sumKey);
    for (const row of rows) sum.add(hash.of({ name: row.name, kind: row.entry.kind, stamp: row[side] }));
    return `${sum}`;
  }

  subdirs(dir: RelPath): Name[] {
    return this.children(dir).filter(({ entry }) => entry.kind === "dir").map(({ name }) => name);
  }

  sumUp(dir: RelPath): void {
    this.#writable().unsummed.delete(dir);
  }

  dropSums(top = "" as RelPath): void {
    const { rows, unsummed } = this.#writable();
    const isBelowTop = (path: RelPath) => path === top || isBelow(path, top);
    if (top === "") unsummed.add(top);
    for (const [path, { entry }] of rows) if (entry.kind === "dir" && isBelowTop(path)) unsummed.add(path);
  }

  *below(dir: RelPath): Generator<{ readonly path: RelPath; readonly row: ArchiveRow }> {
    for (const { name, ...row } of this.children(dir)) {
      const path = (dir === "" ? name : `${dir}/${name}`) as RelPath;
      if (row.entry.kind === "dir") yield* this.below(path);
      yield { path, row };
    }
  }

  findObject(side: Side, object: Pick<Stamp, "inode" | "birthNs">, limit: number): RelPath[] {
    return [...this.#state.rows]
      .filter(([, row]) => row[side].inode === object.inode && row[side].birthNs === object.birthNs)
      .map(([path]) => path)
      .sort(comparePaths)
      .slice(0, limit);
  }

  count(): number {
    return this.#state.rows.size;
  }

  transactDurably<T>(work: () => T): T {
    return this.transact(work);
  }

  transact<T>(work: () => T): T {
    const before = copyOf(this.#state);
    this.#depth++;
    try {
      return work();
    } catch (error) {
      this.#state = before;
      this.changes++;
      throw error;
    } finally {
      this.#depth--;
    }
  }

  put(path: RelPath, row: ArchiveRow): void {
    const { rows } = this.#writable();
    this.#requireParent(path);
    this.#keep({ kind: "set", path, before: rows.get(path) ?? null });
    if (row.entry.kind !== "dir") this.#removeKept(path);
    rows.set(path, row);
  }

  remove(path: RelPath): void {
    const { rows } = this.#writable();
    const before = rows.get(path);
    if (before === undefined) return;
    this.#keep({ kind: "set", path, before });
    this.#removeKept(path);
  }

  /** Removes a row that the epoch keeps already, and all below it. */
  #removeKept(path: RelPath): void {
    const { rows, unsummed } = this.#state;
    rows.delete(path);
    unsummed.delete(path);
    for (const [at, before] of [...rows].filter(([at]) => isBelow(at, path))) {
      this.#keep({ kind: "set", path: at, before });
      rows.delete(at);
      unsummed.delete(at);
    }
  }

  move(from: RelPath, to: RelPath): void {
    const { rows, unsummed } = this.#writable();
    if (from === to) return;
    if (isBelow(from, to) || isBelow(to, from)) throw new ArchiveError(`Cannot move row "${from}": found "${to}"`);
    this.#requireParent(to);
    const row = rows.get(from);
    if (row === undefined) throw new ArchiveError(`Cannot move row "${from}": found none`);
    if (row.entry.kind === "dir") {
      this.remove(to);
      this.#keep({ kind: "move", from, to, row });
    } else {
      this.#keep({ kind: "set", path: from, before: row });
      this.#keep({ kind: "set", path: to, before: rows.get(to) ?? null });
      this.#removeKept(to);
    }
    const moved = [...rows].filter(([path]) => path === from || isBelow(path, from));
    for (const [path] of moved) rows.delete(path);
    for (const [path, each] of moved) rows.set(rebase(path, { from, to }), each);
    const alsoMoved = [...unsummed].filter((path) => path === from || isBelow(path, from));
    for (const path of alsoMoved) unsummed.delete(path);
    for (const path of alsoMoved) unsummed.add(rebase(path, { from, to }));
  }

  #keep(change: EpochChange): void {
    const { epoch } = this.#state;
    epoch.push({ ...change, nth: this.epochEnd() + 1 });
  }

  epochChanges(): EpochChange[] {
    return this.#state.epoch.map(({ nth: _, ...change }) => change).reverse();
  }

  epochEnd(): number {
    return this.#state.epoch.at(-1)?.nth ?? 0;
  }

  closeEpoch(end: number): void {
    const { epoch } = this.#writable();
    epoch.splice(0, epoch.filter(({ nth }) => nth <= end).length);
  }

  meta(key: MetaKey): string | null {
    return this.#state.facts.get(key) ?? null;
  }

  setMeta(key: MetaKey, value: string | null): void {
    const { facts } = this.#writable();
    if (value === null) facts.delete(key);
    else facts.set(key, value);
  }

  addConflict(conflict: Omit<ConflictRow, "id">): number {
    this.#writable().conflicts.push({ ...conflict, id: ++this.#lastId });
    return this.#lastId;
  }

  conflicts(): ConflictRow[] {
    return [...this.#state.conflicts];
  }

  removeConflict(id: number): void {
    removeById(this.#writable().conflicts, id);
  }

  addHold(hold: Omit<HoldRow, "id">): number {
    this.#writable().holds.push({ ...hold, id: ++this.#lastId });
    return this.#lastId;
  }

  holds(): HoldRow[] {
    return [...this.#state.holds];
  }

  removeHold(id: number): void {
    removeById(this.#writable().holds, id);
  }

  [Symbol.dispose](): void {
    // Nothing is held open.
  }

  #writable(): State {
    this.changes++;
    if (this.#depth === 0) throw new Error("Cannot write to the archive: found no transaction");
    return this.#state;
  }

  #requireParent(path: RelPath): void {
    const parent = parentOf(path);
    if (path === "" || !this.isDir(parent)) throw new ArchiveError(`Cannot record "${path}": its directory has no row`);
  }
}

function removeById(rows: { readonly id: number }[], id: number): void {
  const at = rows.findIndex((row) => row.id === id);
  if (at >= 0) rows.splice(at, 1);
}
