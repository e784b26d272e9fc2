/*
 * Opening the root of the watcher, and directories below it to be listed.
 *
 * OWNERSHIP: every fd that is returned belongs to the caller.
 */
#ifndef PSYNC_WATCH_OPEN_H
#define PSYNC_WATCH_OPEN_H

#include "record.h"

/* What tells one root from another. */
struct root_id {
  uint64_t device, inode, mount_id;
};

/* Opens the directory at an absolute path and fills in what it is. Returns an fd, or -1 with errno. */
int root_open(const char *path, struct info *info, struct root_id *id);
bool root_id_equals(const struct root_id *a, const struct root_id *b);

/* Opens the directory at a valid path of any length below root_fd for reading (I11). Returns an fd, or
 * -1 with errno (EXDEV: a mount point, ELOOP: a symlink). */
int root_open_dir(int root_fd, struct bytes path);

#endif
