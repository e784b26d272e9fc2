/**
 * The contract of the archive as the brain uses it: the last state on which both replicas agreed,
 * path by path. archive/archive.ts implements it over SQLite; tests use it in memory.
 *
 * Everything is synchronous: SQLite answers in microseconds. Writes happen inside `transact` only.
 * @module
 */
import type { Entry, Stamp } from "./entry.ts";
import type { Name, RelPath } from "./path.ts";
import type { Side } from "./problem.ts";
import type { SumText } from "./sum.ts";

/** What both replicas agreed on at one path, and how each of them recognises it. */
export interface ArchiveRow {
  readonly entry: Entry;
  readonly left: Stamp;
  readonly right: Stamp;
}

/** A row with its name, as a listing of a directory gives it. */
export interface ChildRow extends ArchiveRow {
  readonly name: Name;
}

/** A conflict whose loser was kept. */
export interface ConflictRow {
  readonly id: number;
  readonly path: RelPath;
  /** The replica whose version was displaced, and in whose trash it lies. */
  readonly loser: Side;
  /** Below `.psync/trash/` of that replica. */
  readonly kept: string;
  readonly atMs: number;
  readonly winnerSizeBytes: number | null;
  readonly loserSizeBytes: number | null;
  readonly winnerMtimeNs: bigint | null;
  readonly loserMtimeNs: bigint | null;
}

/** Removals of one scan that wait for approval. */
export interface HoldRow {
  readonly id: number;
  /** The run of psync that raised it; `-f` releases only holds of earlier runs. */
  readonly run: number;
  readonly atMs: number;
  readonly side: Side;
  readonly paths: readonly RelPath[];
}

/** One change of the rows that is not known to be durable on both replicas: what they said before it. */
export type EpochChange =
  /** The row at a path, as it was; null: there was none. */
  | { readonly kind: "set"; readonly path: RelPath; readonly before: ArchiveRow | null }
  /** A directory, with all below it, was renamed; `row` is its own. */
  | { readonly kind: "move"; readonly from: RelPath; readonly to: RelPath; readonly row: ArchiveRow };

/** Facts about the pair that survive a restart; keys are names such as `left.fsId`. */
export type MetaKey = string;

/** What the rows that are directly in a directory add up to on each side. */
export interface DirSums {
  /** How many they are. */
  readonly entries: number;
  readonly left: SumText;
  readonly right: SumText;
}

/** A directory of the archive. */
export interface DirState {
  /** Its own row; null: the root, which has none. */
  readonly row: ArchiveRow | null;
  /** Null: it is not summed. */
  readonly sums: DirSums | null;
  /** Whether directories are directly in it. */
  readonly hasDirs: boolean;
}

/** The store of agreements. The root directory itself has no row. */
export interface Archive extends Disposable {
  /** The row at a path, or null. */
  get(path: RelPath): ArchiveRow | null;
  /** Whether a path is the root or has the row of a directory. */
  isDir(path: RelPath): boolean;
  /** The rows of one directory, sorted by name bytes; empty where the directory has no row. */
  children(dir: RelPath): ChildRow[];
  /**
   * All paths below a directory, children before their directory; lazily. Rows that were told may be
   * removed while it goes on; it is not to be mixed with other writes.
   */
  below(dir: RelPath): Iterable<{ readonly path: RelPath; readonly row: ArchiveRow }>;
  /** Up to `limit` paths whose stamp of `side` has this inode and birth time. */
  findObject(side: Side, object: Pick<Stamp, "inode" | "birthNs">, limit: number): RelPath[];
  /** How many rows there are. */
  count(): number;

  /** Runs `work` in one transaction: all of its writes or none; inside another one, a part of that. */
  transact<T>(work: () => T): T;
  /** The same, and all that was recorded before is on disk when it returns; not within another one. */
  transactDurably<T>(work: () => T): T;
  /**
   * Adds or replaces a row; the parent must be a directory with a row (or the root), else
   * `ArchiveError`. What is below a directory stays, unless the new row is no directory.
   */
  put(path: RelPath, row: ArchiveRow): void;
  /** Removes a row and all below it. */
  remove(path: RelPath): void;
  /**
   * Renames a row with all below it; what was at `to` is removed first. `ArchiveError`, and no change,
   * where `from` has no row, `to` no directory, or one lies below the other.
   */
  move(from: RelPath, to: RelPath): void;

  /** Under which names are summed (core/sum.ts); as old as the archive, and told to endpoints only. */
  readonly sumKey: string;
  /** Rises whenever rows may have changed, since the archive was opened. */
  readonly changes: number;
  /** A directory's row and sums; null where it has no row. The sums are always those of the rows. */
  dirState(dir: RelPath): DirState | null;
  /** The names of the directories that are directly in a directory, sorted by bytes. */
  subdirs(dir: RelPath): Name[];
  /** Sums up what is directly in a directory; from then on it stays summed. A new directory is from the start. */
  sumUp(dir: RelPath): void;
  /** Has no directory summed any more, or none at and below `top`. */
  dropSums(top?: RelPath): void;

  /**
   * What `put`, `remove` and `move` changed in the open epoch, newest first: the chain of states of
   * each path, under the name that it had at the time. Written with the change itself.
   */
  epochChanges(): EpochChange[];
  /** The number of the newest change of the open epoch; 0: none is open. */
  epochEnd(): number;
  /** Forgets the changes up to a number, those that both replicas have made durable. */
  closeEpoch(end: number): void;

  meta(key: MetaKey): string | null;
  setMeta(key: MetaKey, value: string | null): void;

  addConflict(conflict: Omit<ConflictRow, "id">): number;
  conflicts(): ConflictRow[];
  removeConflict(id: number): void;

  addHold(hold: Omit<HoldRow, "id">): number;
  holds(): HoldRow[];
  removeHold(id: number): void;
}
