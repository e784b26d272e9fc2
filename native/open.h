/*
 * Opening below a root (I11): every parent directory of a user's path is opened by openat2 with
 * BENEATH, NO_SYMLINKS, NO_MAGICLINKS and NO_XDEV, and its last name is used with that fd alone.
 *
 * OWNERSHIP: a `struct place` owns its fd unless it is the root itself; place_close gives it back.
 * RACE: a directory that is opened here and then moved out of the root by its user keeps being
 * written to for the microseconds of one operation: Linux has no call that closes this.
 */
#ifndef PSYNC_OPEN_H
#define PSYNC_OPEN_H

#include <stdbool.h>
#include "record.h"

#define NAME_SIZE 256 /* NAME_MAX and a NUL */

/* The parent directory of a path, and its last name. */
struct place {
  int dir;              /* O_PATH fd of the parent; -1: none */
  bool is_root;         /* the path is empty: `dir` is the root, `name` is "" */
  bool borrowed;        /* `dir` is the root's fd and stays open */
  char name[NAME_SIZE]; /* NUL-terminated */
};

/* openat2 of dir/path (NUL-terminated, shorter than PATH_MAX; "." allowed), confined as above.
 * Returns an fd or -1 with errno; ELOOP: a symlink on the way, EXDEV: a mount point. */
int open_beneath(int dir, const char *path, int flags, mode_t mode);
/* Opens the directory at `path` (a valid path of any length) below `root` with O_PATH. */
int open_dir_path(int root, struct bytes path);
/* Opens the parent of `path` (valid). Returns 0 or -1 with errno. */
int place_open(int root, struct bytes path, struct place *place);
void place_close(struct place *place);

/* The parent of the last path of a request: the next one mostly has the same. It is opened anew every
 * few paths, so that the RACE above stays as short as it is. Owns its fd. */
struct parent_cache {
  int dir; /* O_PATH; -1: none */
  unsigned uses;
  struct bytes path; /* borrowed from the request */
};

#define PARENT_NONE ((struct parent_cache){.dir = -1})

/* As place_open; the place borrows from the cache, and is done with before the cache is used again. */
int place_open_cached(int root, struct bytes path, struct parent_cache *cache, struct place *place);
void parent_forget(struct parent_cache *cache);
/* The status of a failed place_open: orphan, mount or failed. */
enum status place_status(int err);
/* Opens what an O_PATH fd stands for: that very object, whatever its name says by now. Never for
 * special files. Tries O_NOATIME first. Returns an fd or -1 with errno. */
int open_again(int path_fd, int flags);
/* Writes "/proc/self/fd/<fd>". */
void open_proc_path(char out[32], int fd);
/* Gives the object of an fd another name, the first one of a file that was opened without. Returns 0, or -1 with errno. */
int open_link(int fd, int dir, const char *name);
/* close() that keeps errno; -1 is fine. */
void close_fd(int fd);

#endif
