/*
 * The mounts at and below the root, from /proc/self/mountinfo: inotify tells nothing of a mount that
 * comes to lie over a watched directory.
 *
 * OWNERSHIP: struct mounts owns its fd and its lists. Used by the main thread alone.
 */
#ifndef PSYNC_WATCH_MOUNT_H
#define PSYNC_WATCH_MOUNT_H

#include "record.h"

struct mount {
  uint64_t id;
  size_t at;  /* of its mount point in `text` */
  size_t len;
};

struct mount_list {
  struct mount *mounts; /* by id */
  size_t count, cap;
  struct buf text;      /* the mount points, unescaped */
  bool has_root_mount;  /* the mount that the root lies on is still there */
};

struct mounts {
  int fd;                 /* /proc/self/mountinfo, polled for POLLPRI; -1: cannot be had */
  struct mount_list list; /* as last read */
};

/* Opens and reads. Returns 0, or -1 with errno. */
int mounts_open(struct mounts *m, const char *root, uint64_t root_mount);
void mounts_close(struct mounts *m);
/* Reads again. Calls `changed` with each mount point (absolute) at or below the root that came
 * (`came`) or went. Returns 0, or -1 with errno; the list is then unchanged. */
int mounts_read(struct mounts *m, const char *root, uint64_t root_mount,
                void (*changed)(void *arg, struct bytes point, bool came), void *arg);
/* Whether something is mounted at this absolute path. */
bool mounts_has(const struct mounts *m, struct bytes point);
/* The part of an absolute path below the root; `data` NULL where it is neither the root nor below. */
struct bytes mounts_below(const char *root, struct bytes point);

#endif
