/*
 * A_TRASH_LIST and A_TRASH: what lies in the trash is listed, given back, released and purged.
 *
 * DESIGN
 * Only what lies in <label>.removed/ or <label>.conflict/ is psync's own to list or purge; anything
 * else that somebody put into .psync/trash stays unseen. Nothing is given back over something that
 * stands there but by exchange, after which that lies in the trash (I2); nothing follows a link or
 * crosses a mount (I11). Directories of the trash that became empty are removed at the end, alone:
 * while a commit runs one of them may be its own.
 *
 * OWNERSHIP: a `struct trash_request` borrows the bytes of its record; trash_request_free gives back
 * the rest.
 */
#ifndef PSYNC_APPLY_TRASH_H
#define PSYNC_APPLY_TRASH_H

#include "trash.h"

#define TRASH_DEPTH_MAX 256 /* names in a kept path; a directory as deep is an item, with all that is in it */

struct trash_query { /* the body of A_TRASH_LIST */
  uint8_t classes;
  uint32_t limit;
  struct bytes after;
};

struct trash_action {
  uint8_t what; /* TRASH_* */
  struct bytes kept, to;
  uint8_t status;
  int error;
  const char *step; /* what failed; NULL: nothing */
  struct info info;
  struct buf place; /* where the displaced or released object lies */
};

struct trash_request { /* the body of A_TRASH */
  struct bytes label;
  uint32_t count;
  struct trash_action *actions;
};

/* Read the bodies. Return false where they are malformed. */
bool trash_parse_query(struct reader *r, struct trash_query *query);
bool trash_parse(struct reader *r, struct trash_request *request);
/* Write the bodies of A_TRASHED and A_COMMITTED. */
void trash_list(struct replica *replica, const struct trash_query *query, struct buf *answer);
void trash_run(struct replica *replica, struct trash_request *request, struct buf *answer);
void trash_request_free(struct trash_request *request);

/* Takes the first name of a kept path apart, "<label>.<class>" or a twin of that. Returns false where
 * it is another name. `rest`: what follows; empty: nothing. */
bool trash_parse_kept(struct bytes kept, struct bytes *label, enum trash_class *class, struct bytes *rest);

#endif
