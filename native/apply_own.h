/*
 * psync's own directory in a root: adopting it, its marks, the end of an epoch, the sweep (I10, I12).
 */
#ifndef PSYNC_APPLY_OWN_H
#define PSYNC_APPLY_OWN_H

#include "trash.h"

struct own_marks { /* the body of A_ADOPT; bytes borrowed */
  struct bytes pair, lock, old_lock;
  bool has_old;
};

struct own_epoch { /* the body of A_SYNC */
  bool contents;
  struct bytes age; /* of the archive, for .psync/age; empty: it stays */
};

struct own_result { /* the body of A_DONE */
  int error;
  enum status status;
};

bool own_parse_marks(struct reader *r, struct own_marks *marks);
bool own_parse_epoch(struct reader *r, struct own_epoch *epoch);
struct own_result own_adopt(struct replica *replica, const struct own_marks *marks);
struct own_result own_unlock(struct replica *replica);
/* The end of an epoch. What had been written to since it was displaced is kept, and told in *kept. */
struct own_result own_sync(struct replica *replica, const struct own_epoch *epoch, struct kept_list *kept);
/* Write the bodies of A_SWEPT and A_SPACE. */
void own_sweep(struct replica *replica, struct bytes label, struct buf *answer);
void own_space(struct replica *replica, uint64_t needed, struct buf *answer);

#endif
