/*
 * What rsync is given instead of users' names (design.md, 4.3; I5): fds that this process holds as
 * its source, and hard links by number as its basis.
 */
#ifndef PSYNC_APPLY_SUPPLY_H
#define PSYNC_APPLY_SUPPLY_H

#include "live.h"
#include "sha256.h"
#include "site.h"

#define SUPPLY_MAX 16384 /* entries of one request */

struct supply_entry {
  uint32_t id;
  struct bytes path;
  struct expected expected;
  uint64_t incoming; /* of a basis: bytes that are to arrive */
  bool is_growing; /* it may have grown, and be written to: its first bytes count */
  uint8_t digest[SHA256_SIZE]; /* of expected.info.size bytes */
};

struct supply_request {
  struct bytes batch;
  uint32_t count;
  struct supply_entry *entries;
};

/* Reads the body of an A_SUPPLY or A_PREPARE. Returns false where it is malformed. */
bool supply_parse(struct reader *r, struct supply_request *request);
/* Reads the body of an A_RELEASE. */
bool supply_parse_release(struct reader *r, struct bytes *batch);
void supply_free(struct supply_request *request);

/* These write the body of an A_RESULTS. */
void supply_run(struct replica *replica, const struct supply_request *request, struct buf *answer);
void supply_prepare(struct replica *replica, const struct supply_request *request, struct buf *answer);
void supply_release(struct replica *replica, struct bytes batch, struct buf *answer);

/* Whether a batch of this name is in use in this process. */
bool supply_is_known(struct replica *replica, const char *batch);
/* Closes and forgets every batch; at the end of the process. */
void supply_forget(struct replica *replica);

/* Removes the basis links that an earlier life left in a batch. Appends (path, STAT before, STAT now) of each
 * file that nobody else has touched; returns how many. */
uint32_t supply_sweep_basis(const struct site *site, const char *batch, struct buf *renewed);

#endif
