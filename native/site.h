/*
 * The one replica of this process (`struct replica`), and one request's hold on it (`struct site`).
 *
 * DESIGN
 * The root is opened for each request from its canonical path and must be the object that A_OPEN
 * saw; nothing of its file system stays open between requests, so that a umount is not blocked.
 * Names in .psync/stage, by their first byte (batch directories of rsync begin with none of these):
 *     '+'  new: not complete, never swapped. Psync's own.
 *     '='  staged: =<inode>-<size>-<mtime>-<n>. Psync's own as long as what it names is that; after
 *          an exchange it holds what was displaced.
 *     '!'  taken out of the tree and not looked at yet: a user's.
 *     '%'  a directory that may be written to for a moment: permit.h.
 *     '~'  displaced as expected: ~<life>-<n>-<inode>-<size>-<mtime>; to be dropped when it is still
 *          that and no writer holds it.
 * So that after a kill at any instant a name tells whose version it is (I12).
 *
 * OWNERSHIP: `struct replica` lives as long as the process. site_close ends a site.
 */
#ifndef PSYNC_SITE_H
#define PSYNC_SITE_H

#include <pthread.h>
#include <stdatomic.h>
#include "open.h"

#define STAGE_NAME_SIZE 96
#define SIGIL_NEW '+'
#define SIGIL_STAGED '='
#define SIGIL_OUT '!'
#define SIGIL_DROP '~'
#define PLAIN_NAME_MAX 100 /* bytes of the name of a batch or label */
#define MARK_MAX 65536 /* bytes of .psync/pair and .psync/lock */

struct mark { /* the content of .psync/pair or .psync/lock */
  uint8_t *data;
  size_t len;
};

struct drop;  /* trash.c */
struct batch; /* apply_supply.c */

struct replica {
  char *start;       /* working directory at the start; roots may be relative to it */
  char *path;        /* canonical root; NULL: not open */
  struct info info;  /* of the root at A_OPEN */
  uint64_t device, fs_id, fs_type;
  bool is_root_user; /* euid 0 */
  bool follows;      /* what is read is read through links (follow.h) */
  bool has_fine_time; /* no two changes get the same ctime (kernel 6.13, and the file system) */
  bool syncfs_reports; /* kernel 5.8: syncfs returns write errors */
  uint32_t life;     /* random; in names that this process gives */
  atomic_uint sequence;

  pthread_rwlock_t sweeping; /* read: commits; write: the sweep */
  pthread_mutex_t lock;      /* everything below */
  bool is_adopted;
  struct mark pair, lock_mark;
  struct drop *drops; /* displaced as expected, newest first */
  struct batch *batches;
};

/* The directory in the trash into which something was put last: what comes next mostly goes there as well.
 * Entered anew every few times, as one of a user's paths is (open.h). Owns its fd. */
struct trash_cache {
  int dir; /* -1: none */
  unsigned uses;
  struct buf wanted, found; /* its place below .psync/trash/ without twins, and as it is */
};

struct site {
  struct replica *replica;
  int root;  /* O_PATH */
  int own;   /* .psync, O_RDONLY; -1 for looks */
  int stage; /* .psync/stage, O_RDONLY; -1 for looks */
  struct parent_cache parent; /* for runs of paths that change no directory */
  struct trash_cache trash;
};

/* Opens the root and proves that it is the one of A_OPEN. Returns 0 or -1 with errno (ESTALE: it
 * is another one). */
int site_open(struct replica *replica, struct site *site);
/* The same with .psync and its stage, after the marks were found as adopted. */
int site_open_own(struct replica *replica, struct site *site);
void site_close(struct site *site);
void site_leave_trash(struct site *site);

/* Opens `path` below `dir` as a real directory on the same mount. Returns an fd or -1. */
int site_open_dir(int dir, const char *path);
/* Reads a small regular file of .psync. Returns 0 or -1 with errno (EFBIG: over `limit`). */
int site_read_file(int dir, const char *name, size_t limit, struct buf *out);
/* A name for .psync/stage that was never used. */
void site_fresh_name(struct replica *replica, char sigil, char out[STAGE_NAME_SIZE]);
/* Whether a later write could leave the same stamp: its times are too young for the clock. */
bool site_stamp_is_young(const struct replica *replica, const struct info *info);
/* Wall clock, ns since 1970. */
int64_t site_now_ns(void);
/* Whether a name may be used for a batch or label: letters, digits, '-', '_', '.', not first '.'. */
bool site_name_is_plain(struct bytes name);
/* Whether a mount point lies at or below the directory `path` of the root (RACE: one may come
 * right afterwards; it moves along, and no recursive removal crosses it). */
bool site_has_mount_below(const struct replica *replica, struct bytes path);

#endif
