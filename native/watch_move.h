/*
 * The halves of renames that wait for their other half: an IN_MOVED_FROM until the IN_MOVED_TO of
 * the same cookie comes, or it is clear that none will.
 *
 * DESIGN
 * The kernel queues both events of a rename while it holds the locks of both directories, so any
 * other event that changes a name in the directory of a half proves that it is alone. Otherwise a
 * half waits MOVE_WAIT_NS. Being wrong costs only time: a pair that was missed is a directory gone
 * and a new one.
 *
 * OWNERSHIP: holds references to the nodes. Callers hold the lock of struct watch.
 */
#ifndef PSYNC_WATCH_MOVE_H
#define PSYNC_WATCH_MOVE_H

#include "tree.h"

#define MOVE_WAIT_NS 10000000 /* 10 ms: a renamer that was put to sleep between its two events */
#define MOVE_HALVES_MAX 64    /* beyond that the oldest counts as alone */

struct half {
  uint32_t cookie;
  struct node *dir;    /* the directory it left; referenced */
  struct node *moved;  /* the node that left, NULL: no directory, or not known; referenced */
  int64_t until_ns;    /* CLOCK_MONOTONIC */
  uint64_t serial;     /* counts halves */
  uint16_t bits;       /* DIRTY_DIR or 0 */
  bool is_doubtful;    /* perhaps the second half of an exchange: `moved` may not be what left */
  int first_wd;        /* then: the watch of the directory from which the first half came, -1: not known, */
  uint32_t first_hash; /* and the hash of the name there */
  uint8_t len;
  uint8_t name[255];
};

struct barrier { /* a W_SYNC that waits for the halves before it */
  uint32_t id;
  uint64_t serial; /* answered once no half with a smaller serial waits */
};

struct moves {
  struct half *halves; /* the oldest first */
  size_t count, cap;
  size_t directories; /* halves whose `moved` is known: what lies below has no sure path meanwhile */
  uint64_t serial;    /* of the next half */
  struct barrier *barriers;
  size_t barrier_count, barrier_cap;
};

void moves_free(struct moves *m);
/* Adds a half; `h->dir` and `h->moved` are referenced here. There is room (count < MOVE_HALVES_MAX). */
void moves_add(struct moves *m, const struct half *h);
/* Returns the index of the half with this cookie, or -1. */
ptrdiff_t moves_find(const struct moves *m, uint32_t cookie);
/* Takes out a half; the caller then owns its references (half_release). */
struct half moves_take(struct moves *m, size_t index);
void half_release(struct half *h);

/* Adds a barrier behind all halves that wait now. */
void moves_add_barrier(struct moves *m, uint32_t id);
/* Takes out a barrier that waits for nothing any more. Returns whether there was one. */
bool moves_take_barrier(struct moves *m, uint32_t *id);

#endif
