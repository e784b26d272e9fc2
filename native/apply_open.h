/*
 * A_OPEN: resolves the root and gathers what the brain wants to know of it. Changes nothing.
 */
#ifndef PSYNC_APPLY_OPEN_H
#define PSYNC_APPLY_OPEN_H

#include "site.h"

/* A_OPEN; the name is borrowed from the request. */
struct open_request {
  struct bytes root; /* as given */
  bool follows;
};

/* Reads the body of an A_OPEN. Returns false where it is malformed. */
bool open_parse(struct reader *r, struct open_request *request);
/* Sets up an empty replica; the process's one. */
void replica_init(struct replica *replica);
/* Frees what the replica holds, but for its batches and drops. */
void replica_free(struct replica *replica);
/* Opens a root in place of what was open before, and writes the body of A_READY. */
void replica_open(struct replica *replica, const struct open_request *request, struct buf *answer);

#endif
