/*
 * Staging: a new object is made complete in .psync/stage before it gets a user's name (I3, I7), and
 * its content is on disk before that (I12).
 *
 * OWNERSHIP: a `struct staged` owns its fds (stage_close) and, while `is_there`, its name in the
 * stage: whoever ends with it still there calls stage_discard.
 */
#ifndef PSYNC_STAGE_H
#define PSYNC_STAGE_H

#include "attrs.h"
#include "site.h"

struct staged {
  bool is_there; /* `name` in the stage is this object */
  bool is_nameless; /* it has no name at all yet, and vanishes when `object` is closed */
  char name[STAGE_NAME_SIZE];
  struct info info; /* when it was complete */
  int object;       /* O_PATH; -1: stage_open opens it again */
  int flush;        /* to be flushed and closed by stage_flush; -1: nothing to flush, or by syncfs */
  bool needs_flush;
  bool masked;      /* some bits of the mode could not be set */
};

#define STAGED_NONE ((struct staged){.object = -1, .flush = -1})

/* What follows returns 0 or -1 with errno; after a failure nothing is left in the stage. */

#define STAGE_MANY 1u /* it will be flushed by syncfs: no fd that may write stays open */
#define STAGE_NEW 2u  /* it takes a name that nothing has: it gets none in the stage before */

/* A file with this content; `how`: a sum of STAGE_*. */
int stage_content(struct site *site, struct bytes content, const struct attrs *attrs, unsigned how, struct staged *out);
/* A file that rsync wrote: .psync/stage/<batch>/<id>, of which `size` bytes are wanted. */
struct arrived {
  struct bytes batch;
  uint32_t id;
  uint64_t size; /* what is longer is cut; UINT64_MAX: any */
};
/* Takes it. ENODATA: it is not there, is too short, or is not what rsync would have made (one regular
 * file with one name). */
int stage_take(struct site *site, const struct arrived *arrived, const struct attrs *attrs, bool many,
               struct staged *out);
int stage_dir(struct site *site, const struct attrs *attrs, struct staged *out);
int stage_link(struct site *site, struct bytes target, const struct attrs *attrs, struct staged *out);

/* Makes the content of all of them durable; `guard` is an fd of the file system that was opened
 * before the first was staged (so that syncfs tells of every write error since). Sets errors[i] to
 * 0 or an errno. */
void stage_flush(struct site *site, struct staged **staged, int *errors, size_t count, int guard);

/* Opens `object` where it is closed. -1 with errno ENODATA: the name is something else by now. */
int stage_open(struct site *site, struct staged *staged);
/* Removes the staged object from the stage if it is still there as it was staged. */
void stage_discard(struct site *site, struct staged *staged);
void stage_close(struct staged *staged);

#endif
