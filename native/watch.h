/*
 * `psync-native watch`: lists directories after setting a watch on each, and reports what happens in
 * them. It never writes to the tree and decides nothing: what it reports are hints.
 *
 * DESIGN
 * Two threads. The drain thread waits for nothing but inotify: it reads events, keeps the tree of
 * nodes (tree.h) true and puts names into the bounded set (watch_set.h). The main thread writes the
 * set to stdout, answers requests, and removes dropped watches; while stdout blocks it, the set
 * coalesces. Idle, both sleep without a timeout.
 *
 * The tree and the disk run apart for as long as events wait in the kernel's queue. A listing may
 * thus place a node that older events then disturb. Three rules make that harmless:
 *   1. A listing places its node only if no event that takes a directory away was read since before
 *      the directory was opened (`losses`); else it opens again.
 *   2. Where a listing finds that the tree said something else, the listing wins and every place that
 *      the tree was wrong about is reported DIRTY_NEWDIR.
 *   3. Where events leave a doubt which directory bears a name, the nodes in question are buried and
 *      their names reported DIRTY_NEWDIR: listing again costs time, a silent directory costs data.
 * So each directory that is dropped by mistake has a DIRTY_NEWDIR after it (I8).
 *
 * OWNERSHIP: main owns struct watch; `lock` guards what stands below it there.
 */
#ifndef PSYNC_WATCH_H
#define PSYNC_WATCH_H

#include <pthread.h>

#include "tree.h"
#include "watch_mount.h"
#include "watch_move.h"
#include "watch_open.h"
#include "watch_set.h"

struct watch {
  /* Main thread only. */
  char *root_path;         /* absolute; NULL before W_OPEN */
  struct root_id root;     /* what was opened; every later opening must find the same */
  struct mounts mounts;    /* the mounts at and below the root */
  struct buf in, out;      /* the request; what is to be written */
  struct buf seen_mounts;  /* mount points that were listed in this batch: bytes16 each */
  uint8_t *dents;          /* what getdents64 read last */
  uint32_t max_watches;    /* 0: as many as the kernel allows */
  bool follows;            /* links to regular files are listed as files (follow.h) */
  pthread_t drainer;       /* runs from W_OPEN on */
  int kick_fd;             /* eventfd: wakes the drain thread */
  int wake_fd;             /* eventfd: wakes the main thread */
  int inotify_fd;          /* read with `lock` held, so that events are handled in their order */

  pthread_mutex_t lock;
  struct tree tree;
  struct set set;
  struct moves moves;      /* halves of pairs whose other half has not come */
  uint8_t *events;         /* what was read last */
  uint64_t losses;         /* events so far that took a directory away from its name */
  uint8_t root_said;       /* bits 1 << ROOT_*: reported already */
  int64_t held_since_ns;   /* the set could be written since then, but for a directory that moves; 0: no */
  bool writer_sleeps;      /* the main thread wants a wake */
  bool is_stopping;        /* the drain thread is to end */
  int drain_errno;         /* inotify cannot be read any more; 0: fine */
};

/* Serves requests on stdin until its end. Returns the exit status. */
int watch_main(void);

/* Writes out what waits in w->out. Ends the process where stdout is gone. */
void watch_flush(struct watch *w);
/* Appends what waits in the set to w->out, and writes it once it is much, or always where `now`. */
void watch_write_set(struct watch *w, bool now);
/* Reports a W_ROOT, once for each reason. Holds the lock. */
void watch_root_lost(struct watch *w, uint8_t reason);
/* Reads mountinfo again and reports what has changed there. */
void watch_check_mounts(struct watch *w);
/* Whether something is mounted at a path below the root. */
bool watch_is_mounted(const struct watch *w, struct bytes path);
/* Appends a W_MOUNT to w->out. */
void watch_put_mount(struct watch *w, struct bytes path);

#endif
