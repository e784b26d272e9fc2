/*
 * Transitions: A_COMMIT from the parsed request to the answer, and what its parts share.
 *
 * DESIGN
 * Three phases: stage all, flush, then swap in order; an op that fails stops none of the others.
 * Each swap is compare, rename, look at what came out, under the lease (I2): see apply_put.c,
 * apply_remove.c, apply_move.c, apply_meta.c.
 *
 * OWNERSHIP: a `struct commit` borrows the bytes of its request; commit_free gives back the rest.
 */
#ifndef PSYNC_COMMIT_H
#define PSYNC_COMMIT_H

#include "carrier.h"
#include "live.h"
#include "stage.h"
#include "trash.h"

#define COMMIT_MAX 16384  /* ops in one request */
#define COMMIT_ANSWER 256 /* bytes of the answer for one op, without its path */

struct outcome {
  uint8_t status;
  int error;
  bool masked;
  struct info after;
  struct buf kept;
  const char *step; /* what failed; NULL: nothing */
};

struct transition {
  uint8_t code, flags;
  struct bytes path, to;
  struct expected expected, expected_to;
  struct attrs attrs;
  bool from_batch, from_pack;
  struct bytes content, target, batch;
  uint32_t id;
  uint64_t size; /* of what is in the batch, UINT64_MAX: any */
  struct staged staged;
  struct outcome out;
};

struct commit {
  struct bytes label;
  uint32_t count;
  struct transition *ops;
  uint64_t carried; /* the number of its pack; 0: none, or it came with the request */
  struct buf pack;  /* that came by the carrier */
};

/* What the swap of one op needs. */
struct work {
  struct site *site;
  struct bytes label;
  struct transition *op;
};

/* Reads the body of an A_COMMIT. Returns false where it is malformed. */
bool commit_parse(struct reader *r, struct commit *commit);
/* Waits for the pack that the carrier brings, if there is one. */
void commit_receive(struct commit *commit, struct carrier *carrier);
/* Makes the transitions and writes the body of A_COMMITTED. */
void commit_run(struct replica *replica, struct commit *commit, struct buf *answer);
void commit_free(struct commit *commit);
bool commit_read_expected(struct reader *r, struct expected *expected);

/* The swaps. Each sets op->out. */
void put_swap(struct work *w);
void remove_swap(struct work *w);
void move_swap(struct work *w);
void meta_swap(struct work *w);

/* Ends an op: with a status, or with a failed step and errno. */
void outcome_end(struct work *w, enum status status);
void outcome_fail(struct work *w, const char *step);
/* Ends an op whose result is the object `fd`: DONE with its stamp, or DIRTY where `is_proven` is
 * false or the stamp is too young to tell a later write. */
void outcome_stamp(struct work *w, int fd, bool is_proven);
/* Opens the parent of a path. Returns false where the op ended: it is not there. */
bool work_open_parent(struct work *w, struct bytes path, struct place *place);
/* The same; the place borrows from the site, as place_open_cached says. */
bool work_open_parent_cached(struct work *w, struct bytes path, struct place *place);
/* Opens the parent of a path and the object there. Returns false where the op ended: its parent is
 * not there, or (is_needed) the object is not. Otherwise live->object is -1 where nothing is. */
bool work_open(struct work *w, struct bytes path, struct place *place, struct live *live, bool is_needed);
/* The same; the place borrows from the site. */
bool work_open_cached(struct work *w, struct bytes path, struct place *place, struct live *live, bool is_needed);
/* Compares, for files under the lease. Returns false where the op ended as stale, busy or failed. */
bool work_expect(struct work *w, struct live *live, const struct expected *expected);
/* What came out of the tree as expected and lies in the stage as `name`: dropped or kept. Returns false where
 * it could not be kept, and lies there still; the outcome holds the errno. */
bool work_dispose(struct work *w, const char *name, const struct info *info, struct bytes path);
/* What came out of the tree unexpectedly: kept; ends the op. */
void work_keep(struct work *w, const char *name, struct bytes path);

#endif
