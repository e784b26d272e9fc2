/*
 * The bounded set of what is to be written: dirty names, pairs of names, and marks.
 *
 * DESIGN
 * A dirty name is keyed by (directory node, name): its bits are or-ed while it waits, and its path is
 * built only when it is written, so it follows a renamed directory. A pair (W_MOVE) is built when it
 * comes, as later pairs may rename what its paths go through. Pairs are written before the names that
 * wait with them: each path in a W_DIRTY is then one with all pairs before it applied, and none after.
 * Bounds: SET_NAMES_MAX names and pairs. Beyond that a name makes its whole directory dirty
 * (DIRTY_WHOLE), a pair is refused. With more than SET_WHOLE_MAX whole directories everything is
 * dropped for one W_OVERFLOW; while that waits, whatever comes is covered by it.
 *
 * OWNERSHIP: the set owns its items and holds a reference to the node of each.
 * Nothing here locks; callers hold the lock of struct watch.
 */
#ifndef PSYNC_WATCH_SET_H
#define PSYNC_WATCH_SET_H

#include "tree.h"

#define SET_NAMES_MAX 65536 /* about 6 MB */
#define SET_WHOLE_MAX 8192

struct item;

struct item_list {
  struct item *first, *last;
};

struct set {
  struct item_list pairs;    /* W_MOVE, written first */
  struct item_list others;   /* dirty names and marks */
  struct table dirty;        /* the dirty items, by (node, name) */
  size_t names;              /* dirty names and pairs that wait */
  size_t wholes;             /* whole directories that wait */
  bool is_lost;              /* a W_OVERFLOW waits */
};

void set_init(struct set *s);
void set_free(struct set *s);

/* Adds DIRTY_* bits to `name` in `dir` (to `dir` itself where the name is empty). */
void set_dirty(struct set *s, struct node *dir, struct bytes name, uint16_t bits);
/* Adds the body of a W_MOVE. Returns false where there is no room: the names must tell it. */
bool set_move(struct set *s, const struct buf *body);
/* Drops all names and pairs for one W_OVERFLOW. */
void set_overflow(struct set *s);
/* Adds a record W_ROOT (value: the reason) or W_BARRIER (value: the id). */
void set_mark(struct set *s, uint8_t type, uint32_t value);

bool set_is_empty(const struct set *s);
/* Takes items out from the front and appends their records to `out`, until `limit` bytes are in it.
 * Names below a buried node are left out. */
void set_write(struct set *s, const struct tree *t, struct buf *out, size_t limit);

#endif
