/*
 * The record format that psync-native speaks on stdin and stdout, byte by byte. It is defined here
 * and nowhere else; src/replica/native_format.ts follows this file.
 *
 * DESIGN
 * All integers are little-endian. A record is
 *
 *     u32 length      of what follows (type, id and body); at most RECORD_MAX
 *     u8  type        below
 *     u32 id          of the request; an answer carries the id of its request; 0 for events
 *     ... body
 *
 * bytes16 = u16 length + bytes (no NUL at the end); bytes32 = u32 length + bytes.
 * A path is a bytes16: names joined by single '/', no leading or trailing slash, no ".", "..",
 * empty name or NUL; the empty path is the root. psync-native refuses every other form (I11) and,
 * except where said, every path whose first component is ".psync" (I10) with ST_REFUSED / EINVAL.
 * An unknown type, a body that is too short or too long, or a length over RECORD_MAX is answered
 * by one R_FATAL, and the process exits with status 2. EOF on stdin ends the process (status 0)
 * after what was begun is finished.
 *
 * STAT (64 bytes):
 *     u8  kind        KIND_*
 *     u8  flags       STAT_* bits
 *     u16 mode        07777 bits
 *     u32 nlink, u32 uid, u32 gid
 *     u64 inode, u64 size
 *     i64 mtime_ns, i64 ctime_ns, i64 btime_ns   since 1970; btime 0 where there is none
 *     u64 mount_id    statx stx_mnt_id
 */
#ifndef PSYNC_FORMAT_H
#define PSYNC_FORMAT_H

#define FORMAT_VERSION 5
#define RECORD_MAX (16u << 20)
#define STAT_SIZE 64

enum kind {
  KIND_NONE = 0, KIND_FILE = 1, KIND_DIR = 2, KIND_LINK = 3,
  KIND_FIFO = 4, KIND_SOCKET = 5, KIND_CHAR = 6, KIND_BLOCK = 7
};

#define STAT_MOUNT 1 /* a mount point: its mount id is not the root's */

/* Of W_OPEN and A_OPEN: a link that leads to a regular file is listed, looked at, packed and supplied as
 * that file, wherever it lies: KIND_FILE, with a btime below 0 that is made of the link's identity and
 * the file's. Nothing else follows links: to every change it is a link still. */
#define OPEN_FOLLOW 1

/* ---- psync-native watch: requests ------------------------------------------------------------ */

/* First record. body: bytes16 root (absolute, canonical), u32 max_watches (0: the kernel's limit
 * alone; for tests), u8 flags OPEN_*. Answered by W_READY. */
#define W_OPEN 0x01
/* Adds a watch to each directory, then lists it. body: u32 count, count * path.
 * Answered by one or more W_LISTING for each path, in order. */
#define W_LIST 0x02
/* Forgets the watches at and below a path. body: path. No answer. */
#define W_DROP 0x03
/* Makes a barrier: answered by W_BARRIER after every event that happened before was written out. */
#define W_SYNC 0x04
/* Asks how many directories are watched. No body. Answered by W_COUNTED. */
#define W_COUNT 0x05
/* Adds a watch to each directory, then sums up what is in it (watch_sum.h). body: u64 key low, u64 key
 * high, u32 count (at most 65,536), count * path. Answered by one W_SUMMED. */
#define W_SUM 0x06

/* ---- psync-native watch: answers and events --------------------------------------------------- */

/* body: u32 version, i32 errno (0: fine), STAT of the root, u64 fs_id, u64 fs_type (statfs f_type),
 * u64 device. */
#define W_READY 0x81
/* A part of a listing. body: path, i32 errno (of open or getdents; the list is then not complete:
 * I1), u8 flags, STAT of the directory, u32 count, count * (bytes16 name, STAT, bytes16 target).
 * Entries are sorted by memcmp over ALL parts. ".psync" in the root is left out. target: of links,
 * else empty. An entry that could not be looked at (raced away) is left out; one that failed
 * otherwise has KIND_NONE. A directory that is a mount point is listed as an entry with
 * STAT_MOUNT; asked to list one, errno is EXDEV. */
#define W_LISTING 0x82
#define LISTING_LAST 1      /* the last part of this directory */
#define LISTING_UNWATCHED 2 /* no watch could be set (limit); errno tells only about the listing */
/* Names to look at. body: u32 count, count * (u16 DIRTY_* bits, path). */
#define W_DIRTY 0x83
#define DIRTY_CREATED 1
#define DIRTY_MODIFIED 2 /* IN_MODIFY: maybe more to come */
#define DIRTY_CLOSED 4   /* IN_CLOSE_WRITE */
#define DIRTY_ATTRIB 8
#define DIRTY_GONE 16    /* IN_DELETE, IN_MOVED_FROM */
#define DIRTY_MOVED 32   /* IN_MOVED_TO */
#define DIRTY_DIR 64     /* IN_ISDIR */
#define DIRTY_NEWDIR 128 /* a directory that is not (or not for sure) watched: to be listed, with all
                          * that is below, also where that was listed before */
#define DIRTY_WHOLE 256  /* too many names: list this directory again, with all subdirectories */
/* A pair by cookie, both within the watched tree. Written before the W_DIRTY names that waited with
 * it, those of events before it as well: a path in a W_DIRTY is one to which all W_MOVE before it have
 * been applied, and none after it. Its own paths are those of its time, so that pairs are replayed in
 * their order. body: u8 is_dir, path from, path to. Both names are reported in a W_DIRTY after it.
 * A directory that is not known to be watched is DIRTY_NEWDIR under `to`. */
#define W_MOVE 0x84
/* Events were lost (IN_Q_OVERFLOW): list everything again. No body. */
#define W_OVERFLOW 0x85
/* The root is no longer what was opened. body: u8 reason ROOT_*. */
#define W_ROOT 0x86
#define ROOT_MOVED 1
#define ROOT_REMOVED 2
#define ROOT_UNMOUNTED 3
#define ROOT_COVERED 4 /* /proc/self/mountinfo changed and the path of the root is another object */
/* A mount at or below the root came or went. body: path of the directory (looked up in mountinfo). */
#define W_MOUNT 0x87
#define W_BARRIER 0x88
/* body: u32 watches that are set. */
#define W_COUNTED 0x89
/* body: u32 count, count * (i32 errno (as in W_LISTING: the sum then says nothing), u8 flags SUMMED_*,
 * STAT of the directory, 16 bytes sum, the lowest first). In the order of the paths. */
#define W_SUMMED 0x8a
#define SUMMED_UNWATCHED 1 /* no watch could be set */
#define SUMMED_OTHER 2     /* something in it is no file, directory or link, or is a mount point, or could
                            * not be looked at, or is a link where OPEN_FOLLOW: the sum says nothing */

/* ---- both ---------------------------------------------------------------------------------------- */

/* Cannot go on. body: i32 errno, bytes16 text. */
#define R_FATAL 0xff

/* ---- psync-native apply: requests ---------------------------------------------------------------- */

/* First record, answered by A_READY. body: bytes16 root as given (absolute or relative to the
 * working directory), u8 flags OPEN_*. Opens it, resolves it, probes the file system. Changes nothing. */
#define A_OPEN 0x10
/* Adopts: makes .psync (0700) and what is below it, writes .gitignore, the marks `pair` and `lock`
 * (each: aside, fsync, rename). body: bytes32 pair, bytes32 lock, u8 has_old, bytes32 old_lock.
 * Under flock of .psync/: refused (ST_STALE) where .psync/lock is not old_lock (has_old 0: absent).
 * From then on every A_COMMIT, A_PREPARE and A_SUPPLY first checks root inode, mount id, and
 * that both marks read as written; else ST_GUARD for all of it. Answered by A_DONE. */
#define A_ADOPT 0x11
/* Removes .psync/lock if it is ours, and ends the carrier for good: it runs alone, and is not to wait for
 * commits whose packs may never come. No body. Answered by A_DONE. */
#define A_UNLOCK 0x12
/* Looks. body: u32 content_limit, u8 flags LOOK_*, u32 count, count * path. Answered by A_LOOKED. */
#define A_LOOK 0x13 /* at most 65,536 paths; content that does not fit into one record is left out */
#define LOOK_DIGEST 1 /* digests also of files above content_limit */
#define LOOK_GROWING 2 /* of a file that only grew meanwhile, what it held when the look began (LOOKED_PREFIX) */
#define LOOK_OPEN 4    /* with LOOK_GROWING: also of one that somebody has open to append */
#define LOOK_AGREED 16 /* with LOOK_OPEN: each path is followed by u8 has_agreed, and if so u64 size, 32 bytes: the
 * digest of what both sides held of it last. A file that begins with that has only grown, whoever writes to it. */
#define LOOK_STAMP 8   /* of files the STAT alone: nothing is opened, so a writer is not noticed */
/* Transitions. body: bytes16 label (of the trash directory, see below), u32 count, count * OP, u64 carried,
 * bytes32 pack: the contents of the packed sources, in the order of their OPs. carried: 0, or the number of
 * the pack that the carrier brings instead (pack is empty then): it is waited for, and taken also where
 * nothing needs it; where it does not come, or is not as long as the sources, they are ST_GONE. Answered by
 * A_COMMITTED. */
#define A_COMMIT 0x14 /* at most 16,384 OPs. Labels and batches: [A-Za-z0-9._-], not first '.', 1..100 bytes */
/* body: bytes16 batch, u32 count, count * FILE. Opens each file, and makes
 * .psync/supply/<batch>/<id> -> /proc/<pid>/fd/<n>. Answered by A_RESULTS.
 * FILE: u32 id, path, STAT expected, u64 incoming, u8 is_growing; is_growing 1: 32 bytes, the digest of
 * the first STAT.size bytes. Such a file may have grown since and may be open for writing: A_RELEASE says
 * DONE where those bytes are still what they were. Without a meaning to A_PREPARE. `incoming`: the size of
 * the file that is to arrive; of A_PREPARE only. */
#define A_SUPPLY 0x15
/* body: bytes16 batch, u32 count, count * FILE. Makes
 * .psync/stage/<batch> and .psync/basis/<batch>, links each live file that is still as expected to
 * .psync/basis/<batch>/<id> under the lease. Answered by A_RESULTS with the STAT after the link. Where an
 * earlier transfer of that id was cut off, what it had written, with the rest of the live file behind it, is
 * the basis instead (.psync/stage/<batch>/.partial/<id>): ST_GONE, the live file was not touched. */
#define A_PREPARE 0x16
/* body: bytes16 batch. Supplied: is each file still what was opened? closes. Prepared: unlinks the
 * basis links (under the lease; STAT after), removes the stage directory of the batch. Answered by
 * A_RESULTS, one for each id. */
#define A_RELEASE 0x17
/* Ends an epoch: fsync on ext4 and xfs of a file just written in .psync/, else syncfs; then
 * removes what was displaced as expected before the call; what was written to since goes to
 * .psync/trash/<label of its commit>.conflict/<path>. Before that `age` becomes the text of .psync/age;
 * empty: it stays. body: u8 flags SYNC_*, bytes32 age. Answered by A_SYNCED. */
#define A_SYNC 0x18
#define SYNC_CONTENTS 1 /* syncfs everywhere: what users wrote becomes durable as well, not names alone */
/* Sweeps leftovers of an earlier life out of stage, basis and supply: what is provably psync's own
 * (see apply.h) is removed, everything else goes to .psync/trash/<label>.conflict/found/. Beside a basis
 * link lies <id>.was, the path and the STATs before and after the link, so that what the removal of the
 * link does to the ctime is known for psync's own.
 * body: bytes16 label. Answered by A_SWEPT. */
#define A_SWEEP 0x19
/* body: u64 needed bytes. Where less is free, what is kept of interrupted transfers is removed first.
 * Answered by A_SPACE. */
#define A_STATFS 0x1a
/* Lists a part of the trash; needs no A_ADOPT. body: u8 classes (TRASH_CLASS_* bits), u32 limit,
 * bytes16 after. Items are what is no directory, and directories in which nothing is (or that cannot
 * be read), in the order of their paths' names; those behind `after`, which need not be there any
 * more; empty: from the beginning. Answered by A_TRASHED. */
#define A_TRASH_LIST 0x1b /* at most 4,096 items in one answer */
#define TRASH_CLASS_REMOVED 1
#define TRASH_CLASS_CONFLICT 2
/* body: bytes16 label, u32 count, count * (u8 what TRASH_*, bytes16 kept, bytes16 to). `kept` is
 * what A_COMMITTED calls so; `to` is a path of the tree for the two restores, else empty. Answered by
 * A_COMMITTED: STAT of what was restored, or of what was purged; `kept` where the displaced object or
 * the released one lies now. ST_GONE: nothing is at `kept`. ST_STALE: something is at `to`.
 * ST_ORPHAN: what is above `to` is no directory. */
#define A_TRASH 0x1c /* at most 4,096 actions */
#define TRASH_RESTORE 1 /* to a name that is free; parents are made */
#define TRASH_REPLACE 2 /* the same; what stands there goes to .psync/trash/<label>.removed/<to> */
#define TRASH_RELEASE 3 /* a conflict's loser becomes a removed object: <its label>.removed/<its path> */
#define TRASH_PURGE 4   /* what is no directory, or an empty one, is gone for good */

/* Reads small files whole, each under the lease. body: u32 count, count * (path, STAT expected).
 * Answered by A_PACKED. */
#define A_PACK 0x1d /* at most 4,096 files, of 8 MiB in all */
/* Waits for a carrier (carrier.h), in place of one that is there. No body. Answered by A_CARRYING. */
#define A_CARRY 0x1e

/*
 * OP:
 *     u8  op           OP_*
 *     u8  flags        OPF_*
 *     path             (of OP_MOVE: from)
 *     EXPECTED
 *     then by op:
 *       OP_PUT_FILE:   META, u8 source (0 inline, 1 staged, 2 packed); inline: bytes32 content;
 *                      staged: bytes16 batch, u32 id (the file .psync/stage/<batch>/<id>), u64 size
 *                      (what is longer is cut; what is shorter is ST_GONE; 2^64-1: any);
 *                      packed: u32 length of the next content of the pack
 *       OP_PUT_DIR:    META
 *       OP_PUT_LINK:   META, bytes16 target
 *       OP_REMOVE:     nothing
 *       OP_MOVE:       path to, EXPECTED of to
 *       OP_META:       META
 * EXPECTED:  u8 kind (KIND_NONE: absent; KIND_FILE, KIND_DIR, KIND_LINK), STAT, bytes16 target.
 *     A file is as expected if inode, btime, size, mtime and ctime agree. A link: inode and target.
 *     A directory: kind, and inode where it is not 0.
 * META: u16 mode, u32 uid, u32 gid, i64 mtime_ns. uid or gid 0xffffffff: leave; mode 0xffff: leave;
 *     mtime INT64_MIN: leave.
 */
enum op { OP_PUT_FILE = 1, OP_PUT_DIR = 2, OP_PUT_LINK = 3, OP_REMOVE = 4, OP_MOVE = 5, OP_META = 6 };
#define OPF_DISPOSAL 3 /* mask: DISPOSE_* of what is displaced as expected */
#define DISPOSE_DROP 0
#define DISPOSE_REMOVED 1  /* to .psync/trash/<label>.removed/<path> */
#define DISPOSE_CONFLICT 2 /* to .psync/trash/<label>.conflict/<path> */
#define OPF_FORCE 4        /* OP_REMOVE: a directory goes to the trash with all that is in it */

/* ---- psync-native apply: answers ------------------------------------------------------------------ */

enum status {
  ST_DONE = 0,
  ST_STALE = 1,      /* not as expected; nothing changed */
  ST_STALE_KEPT = 2, /* not as expected; the find is kept, see `kept` */
  ST_BUSY = 3,       /* a writer has it open, or it changed while it was read */
  ST_NOT_EMPTY = 4,
  ST_ORPHAN = 5,     /* the parent is absent or no directory */
  ST_FAILED = 6,     /* see errno */
  ST_DIRTY = 7,      /* done, but the stamp cannot be trusted */
  ST_GUARD = 8,      /* the root or its marks are not what they were; nothing changed */
  ST_GONE = 9,       /* the staged file is not there */
  ST_ABSENT = 10,    /* a look: the parent is there, the name is not */
  ST_MOUNT = 11,     /* a mount point, or below one that is not the root's */
  ST_REFUSED = 12    /* a path form that is never accepted */
};

/* body: u32 version, i32 errno (of opening the root), u32 euid, STAT root, u64 fs_id, u64 fs_type,
 * u64 device, u32 caps CAP_*, u8 is_empty (nothing but .psync), bytes16 canonical root,
 * u16 count, count * (u64 dev, u64 inode) of the ancestors, nearest first,
 * u8 has_pair, bytes32 pair, u8 has_lock, bytes32 lock, u64 lock_pid_starttime (start time in
 * clock ticks of the process whose decimal pid stands in a line "pid N" of the lock; 0: none lives),
 * u8 has_age, bytes32 age,
 * bytes16 boot_id (of /proc/sys/kernel/random/boot_id), bytes16 host name */
#define A_READY 0x90
#define CAP_EXCHANGE 1
#define CAP_NOREPLACE 2
#define CAP_LEASE 4
#define CAP_TMPFILE 8
#define CAP_WRITE 16 /* .psync can be made, or is there and writable */
/* body: i32 errno, u8 status (ST_DONE, ST_STALE, ST_GUARD, ST_FAILED) */
#define A_DONE 0x91
/* body: u32 count, count * LOOKED.
 * LOOKED: u8 status (ST_DONE present, ST_ABSENT, ST_ORPHAN, ST_BUSY, ST_FAILED, ST_MOUNT,
 * ST_REFUSED, ST_GUARD: the root is another one), i32 errno; then, where DONE or BUSY: STAT, bytes16 target, u8 what (bit 0: digest
 * follows: 32 bytes; bit 1: content follows: bytes32; bit 2: the file only grows, by writers that
 * append alone or that come and go: this is what STAT says it held, and it may be longer now). Special
 * files are DONE with their kind and are never opened. */
#define A_LOOKED 0x92
#define LOOKED_DIGEST 1
#define LOOKED_CONTENT 2
#define LOOKED_PREFIX 4
/* body: u32 count, count * (u8 status, i32 errno, u8 masked, STAT after, bytes16 kept (below
 * .psync/trash/; empty: nothing), bytes16 step (the name of the step that failed; empty)). */
#define A_COMMITTED 0x93
/* body: u32 count, count * (u32 id, u8 status, i32 errno, STAT) */
#define A_RESULTS 0x94
/* body: u32 count, count * bytes16 kept (below .psync/trash/), u32 count, count * (path, STAT before, STAT
 * now): live files that psync alone has touched, by the basis links that an earlier life left */
#define A_SWEPT 0x95
/* body: u64 free bytes for us, u64 total bytes, u64 free inodes, u64 total inodes */
#define A_SPACE 0x96
/* body: u8 more (there may be items behind the last one), u32 count, count * (bytes16 kept, STAT) */
#define A_TRASHED 0x97

/* body: i32 errno, u8 status (as A_DONE), u32 count, count * bytes16 kept (below .psync/trash/) */
#define A_SYNCED 0x98
/* body: u32 count, count * (u8 status; where DONE: 32 bytes digest), bytes32 the contents of those that
 * are DONE, in order, u64 carried: not 0 where the contents went to the carrier under that number, and
 * none are here. STALE: not as expected, or not there. BUSY: a writer has it open, or its stamp is
 * too young. */
#define A_PACKED 0x99
/* body: i32 errno, bytes16 name of the socket, for `psync-native carry`. */
#define A_CARRYING 0x9a

#endif
