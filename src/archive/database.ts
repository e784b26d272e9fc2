/**
 * Opens an archive's SQLite file: private, locked, checked, migrated; and says in psync's own errors
 * what SQLite complains of.
 *
 * Knows nothing of rows. A file that cannot be trusted is an `ArchiveError`, and the caller moves it
 * aside (`quarantineArchive`); a file that cannot be used now is a `SetupError` and stays.
 *
 * WHY no descriptor of ours is ever open on the file: closing any of them would drop the POSIX locks
 * that SQLite holds on it in this process.
 * @see https://www.sqlite.org/howtocorrupt.html
 * @module
 */
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ArchiveError, SafetyHaltError, SetupError } from "../base/errors.ts";
import { APPLICATION_ID, MIGRATIONS } from "./schema.ts";

/**
 * The largest file that is checked after an unclean end. A kill cannot break the file (WAL), so the
 * check is against disks; a larger one would hold up the start for seconds, and a broken page is
 * noticed when it is read.
 */
const CHECK_LIMIT_BYTES = 256 << 20;

/** 16 MiB: the pages that SQLite keeps in memory, in KiB and negative as SQLite wants it. */
const CACHE_KIB = -16_384;
/** A power cut may take the last transactions back, and leaves whole ones. @see https://sqlite.org/pragma.html */
export const SYNCHRONOUS = "PRAGMA synchronous = NORMAL";

/**
 * What SQLite says of a file that cannot be trusted. WHY its words: Deno's node:sqlite gives no result
 * code with an error (2.9.6), and SQLite keeps these texts stable.
 * @see https://www.sqlite.org/c3ref/errcode.html
 */
const BROKEN = /file is not a database|malformed|unsupported file format|no such (table|column|index)/;
const LOCKED = /database (table )?is locked/;

/**
 * Opens or makes the file, mode 0600, its directory 0700 where it has to be made. The connection
 * holds the file exclusively until it is closed.
 * @throws {SetupError} where another process has it open, or the file system refuses.
 * @throws {ArchiveError} where the file is broken, foreign, or of a newer psync.
 */
export function openDatabase(path: string): DatabaseSync {
  for (let tries = 1;; tries++) {
    try {
      return openOnce(path);
    } catch (error) {
      if (!(error instanceof SetupError) || !isLocked(error.cause) || tries === LOCK_TRIES) throw error;
      // Each for another time, so that one of them finds the file free.
      pause(Math.random() * LOCK_PAUSE_MS);
    }
  }
}

function openOnce(path: string): DatabaseSync {
  const wasUnclean = prepareFile(path);
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path);
    takeLock(db);
    migrate(db, path);
    if (wasUnclean && Deno.statSync(path).size <= CHECK_LIMIT_BYTES) check(db, path);
    return db;
  } catch (error) {
    try {
      db?.close();
    } catch {
      // The first error is the one that counts.
    }
    throw openError(path, error);
  }
}

/** Makes the file where it is missing; tells whether its last user ended without closing it. */
function prepareFile(path: string): boolean {
  try {
    Deno.mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    if (exists(path)) Deno.chmodSync(path, 0o600);
    else Deno.openSync(path, { write: true, createNew: true, mode: 0o600 }).close();
    return exists(`${path}-wal`);
  } catch (cause) {
    throw new SetupError(`Cannot open archive ${quoted(path)}: ${messageOf(cause)}`, { cause });
  }
}

/**
 * Of several that begin at once each may hold a lock that the others wait for, as an exclusive connection
 * lets go of none: each closes the file after a wait, and tries again. Then all but one are refused.
 */
const LOCK_WAIT_MS = 50;
const LOCK_PAUSE_MS = 200;
const LOCK_TRIES = 8;

/** Opening is synchronous, as all of SQLite is. */
function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** WHY: reads before it switches to WAL, so that a foreign file is not written to. */
function takeLock(db: DatabaseSync): void {
  db.exec(`PRAGMA busy_timeout = ${LOCK_WAIT_MS}; PRAGMA locking_mode = EXCLUSIVE`);
  db.exec("BEGIN EXCLUSIVE; COMMIT");
}

function migrate(db: DatabaseSync, path: string): void {
  const version = numberOf(db, "PRAGMA user_version");
  const isFresh = numberOf(db, "SELECT count(*) FROM sqlite_schema") === 0 && version === 0;
  if (!isFresh && numberOf(db, "PRAGMA application_id") !== APPLICATION_ID) {
    throw new ArchiveError(`Cannot open archive ${quoted(path)}: found a database of another program`);
  }
  if (version > MIGRATIONS.length) {
    throw new ArchiveError(
      `Cannot open archive ${quoted(path)} as its schema must be ${MIGRATIONS.length} or lower: found ${version}`,
    );
  }
  db.exec(`PRAGMA journal_mode = WAL; ${SYNCHRONOUS}; PRAGMA cache_size = ${CACHE_KIB};
    PRAGMA foreign_keys = OFF; PRAGMA temp_store = MEMORY`);
  for (let at = version; at < MIGRATIONS.length; at++) {
    db.exec(`BEGIN IMMEDIATE; ${MIGRATIONS[at]}; PRAGMA application_id = ${APPLICATION_ID};
      PRAGMA user_version = ${at + 1}; COMMIT`);
  }
}

function check(db: DatabaseSync, path: string): void {
  const found = Object.values(db.prepare("PRAGMA quick_check(1)").get() ?? {})[0];
  if (found !== "ok") throw new ArchiveError(`Cannot use archive ${quoted(path)}: ${String(found)}`);
}

/** Moves a broken archive aside, with its log; returns where it lies now. */
export function quarantineArchive(path: string): string {
  let n = 1;
  while (exists(`${path}.broken-${n}`)) n++;
  const aside = `${path}.broken-${n}`;
  try {
    // WHY the log first: a crash in between must not leave a log beside a file that is made anew.
    if (exists(`${path}-wal`)) Deno.renameSync(`${path}-wal`, `${aside}-wal`);
    if (exists(path)) Deno.renameSync(path, aside);
  } catch (cause) {
    throw new SetupError(`Cannot move archive ${quoted(path)} aside: ${messageOf(cause)}`, { cause });
  }
  return aside;
}

/**
 * Says in psync's words what a statement threw: a broken file is an `ArchiveError`; a full or failing
 * disk halts the pair, as the archive is not at fault and must not be thrown away.
 */
export function useError(path: string, error: unknown): Error {
  if (!isSqliteError(error)) return asError(error);
  const message = `Cannot use archive ${quoted(path)}: ${error.message}`;
  return BROKEN.test(error.message)
    ? new ArchiveError(message, { cause: error })
    : new SafetyHaltError(message, { cause: error });
}

function openError(path: string, error: unknown): Error {
  if (!isSqliteError(error)) return asError(error);
  if (isLocked(error)) {
    return new SetupError(`Cannot open archive ${quoted(path)}: another psync is using it`, { cause: error });
  }
  const message = `Cannot open archive ${quoted(path)}: ${error.message}`;
  return BROKEN.test(error.message)
    ? new ArchiveError(message, { cause: error })
    : new SetupError(message, { cause: error });
}

function isLocked(error: unknown): boolean {
  return isSqliteError(error) && LOCKED.test(error.message);
}

function isSqliteError(error: unknown): error is Error {
  return error instanceof Error && "code" in error && error.code === "ERR_SQLITE_ERROR";
}

function numberOf(db: DatabaseSync, sql: string): number {
  return Number(Object.values(db.prepare(sql).get() ?? {})[0]);
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function quoted(path: string): string {
  return JSON.stringify(path);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
