/**
 * The tables of an archive file, as numbered migrations.
 *
 * Migration n takes a file from `user_version` n to n + 1 inside one transaction; one that was ever
 * released is never edited. Only database.ts runs them; rows.ts knows the columns of `node`.
 * @module
 */

/** `psyn` in ASCII: tells an archive from any other SQLite file. */
export const APPLICATION_ID = 0x7073796e;

/** The root directory's id; it has no row of its own. */
export const ROOT_ID = 0;

const NODE = `
-- One path on which both replicas agreed. Keyed by its directory and its name, so that renaming a
-- directory changes one row, whatever lies below. WITHOUT ROWID: the rows of a directory lie
-- together, in the order of their names' bytes.
CREATE TABLE node (
  parent      INTEGER NOT NULL, -- id of the directory that holds it; 0: the root
  name        BLOB    NOT NULL, -- one name, its bytes as the file system has them
  id          INTEGER,          -- of a directory, never 0; NULL: not a directory
  kind        INTEGER NOT NULL, -- 1 file, 2 directory, 3 symbolic link
  mode        INTEGER NOT NULL, -- the 12 bits 07777
  owner       INTEGER,          -- owner.id; NULL: not compared
  size        INTEGER,          -- bytes; NULL: not a file
  mtime       INTEGER NOT NULL, -- ns since 1970
  digest      BLOB,             -- SHA-256, 32 bytes; NULL: not a file, or never read
  target      BLOB,             -- bytes of a link's target; NULL: not a link
  left_inode  INTEGER NOT NULL, -- u64 in two's complement
  left_birth  INTEGER NOT NULL, -- ns since 1970; 0: the file system keeps none
  left_size   INTEGER,          -- st_size in bytes; NULL: as in size
  left_mtime  INTEGER,          -- ns since 1970; NULL: as in mtime
  left_ctime  INTEGER NOT NULL, -- ns since 1970
  right_inode INTEGER NOT NULL, -- these five: as on the left
  right_birth INTEGER NOT NULL,
  right_size  INTEGER,
  right_mtime INTEGER,
  right_ctime INTEGER NOT NULL,
  left_sum    BLOB,             -- not used: table sum
  right_sum   BLOB,
  PRIMARY KEY (parent, name)
) STRICT, WITHOUT ROWID;
-- From a directory's id back to its path.
CREATE UNIQUE INDEX node_id ON node (id) WHERE id IS NOT NULL;
-- Two more indexes, node_left (left_inode) and node_right (right_inode), are made when an object is
-- looked for the first time (nodes.ts).

-- Each pair of owner and group once.
CREATE TABLE owner (
  id         INTEGER PRIMARY KEY,
  user_name  BLOB NOT NULL, -- bytes of a name, or of a decimal number where the host knows no name
  group_name BLOB NOT NULL,
  UNIQUE (user_name, group_name)
) STRICT;
`;

const LISTS = `
-- A conflict whose loser was kept, until a human resolves it. Ids are never used twice.
CREATE TABLE conflict (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  path         BLOB    NOT NULL, -- bytes, below the root
  loser        INTEGER NOT NULL, -- 1 left, 2 right
  kept         BLOB    NOT NULL, -- bytes, below .psync/trash/ of the loser's replica
  at_ms        INTEGER NOT NULL, -- wall clock of the brain, ms since 1970
  winner_size  INTEGER,          -- bytes; NULL: not a file, or not known
  loser_size   INTEGER,
  winner_mtime INTEGER,          -- ns since 1970; NULL: not known
  loser_mtime  INTEGER
) STRICT;

-- Removals of one scan that wait for approval. Ids are never used twice.
CREATE TABLE hold (
  id    INTEGER PRIMARY KEY AUTOINCREMENT,
  run   INTEGER NOT NULL, -- the run of psync that raised it
  at_ms INTEGER NOT NULL, -- wall clock of the brain, ms since 1970
  side  INTEGER NOT NULL  -- where the paths would be removed: 1 left, 2 right
) STRICT;
CREATE TABLE hold_path (
  hold INTEGER NOT NULL, -- hold.id
  nth  INTEGER NOT NULL, -- order within the hold, from 0
  path BLOB    NOT NULL, -- bytes, below the root
  PRIMARY KEY (hold, nth)
) STRICT, WITHOUT ROWID;

-- Facts about the pair that survive a restart.
CREATE TABLE meta (
  key   TEXT NOT NULL PRIMARY KEY,
  value BLOB NOT NULL -- bytes of a string; may hold a path
) STRICT, WITHOUT ROWID;
`;

const EPOCH = `
-- What the rows of node were before each change that is not known to be durable on both replicas.
-- kind to right_ctime are as in node; all NULL: there was no row.
CREATE TABLE epoch (
  nth         INTEGER PRIMARY KEY, -- order of the changes
  path        BLOB NOT NULL,       -- bytes, below the root, as it was named then
  moved_to    BLOB,                -- a directory was renamed from path to this; NULL: the row was set
  kind        INTEGER,
  mode        INTEGER,
  owner       INTEGER,
  size        INTEGER,
  mtime       INTEGER,
  digest      BLOB,
  target      BLOB,
  left_inode  INTEGER,
  left_birth  INTEGER,
  left_size   INTEGER,
  left_mtime  INTEGER,
  left_ctime  INTEGER,
  right_inode INTEGER,
  right_birth INTEGER,
  right_size  INTEGER,
  right_mtime INTEGER,
  right_ctime INTEGER
) STRICT;
`;

const SUM = `
-- What the rows of a directory add up to on each side (core/sum.ts). Changes with the rows, in the same
-- transaction; a directory that has none was not gone through row by row since it could have one.
CREATE TABLE sum (
  id      INTEGER PRIMARY KEY, -- node.id of the directory; 0: the root
  entries INTEGER NOT NULL,    -- how many rows are directly in it
  left    BLOB    NOT NULL,    -- 16 bytes, the lowest first
  right   BLOB    NOT NULL
) STRICT;
-- Nothing is in the root of a new archive.
INSERT INTO sum SELECT ${ROOT_ID}, 0, zeroblob(16), zeroblob(16) WHERE NOT EXISTS (SELECT 1 FROM node);
INSERT INTO meta (key, value) VALUES ('sum.key', CAST(lower(hex(randomblob(16))) AS BLOB));
-- The directories of a directory, without the files between them.
CREATE INDEX node_dir ON node (parent, name) WHERE id IS NOT NULL;
`;

/** From an empty file on. */
export const MIGRATIONS: readonly string[] = [NODE + LISTS, EPOCH, SUM];
