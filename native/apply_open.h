/*
 * A_OPEN: resolves the root and gathers what the brain wants to know of it. Changes nothing.
 */
#ifndef PSYNC_APPLY_OPEN_H
#define PSYNC_APPLY_OPEN_H

#include "site.h"

/* Sets up an empty replica; the process's one. */
void replica_init(struct replica *replica);
/* Frees what the replica holds, but for its batches and drops. */
void replica_free(struct replica *replica);
/* Opens `root` (as given) in place of what was open before, and writes the body of A_READY. */
void replica_open(struct replica *replica, struct bytes root, struct buf *answer);

#endif
