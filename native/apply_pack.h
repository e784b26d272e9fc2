/*
 * A_PACK: many small files as one piece, so that nobody on their way has to look into it. Each is read
 * under the lease, and is in the pack only where that proves that the content belongs to the stamp
 * that was asked for (I3, I14). Changes nothing.
 */
#ifndef PSYNC_APPLY_PACK_H
#define PSYNC_APPLY_PACK_H

#include "carrier.h"
#include "live.h"
#include "site.h"

#define PACK_FILES_MAX 4096
#define PACK_BYTES_MAX (8u << 20) /* the sizes that are expected, in all */

struct pack_entry {
  struct bytes path; /* borrowed from the request */
  struct info expected;
};

struct pack_request {
  uint32_t count;
  struct pack_entry *entries;
};

/* Reads the body of an A_PACK. Returns false where it is malformed or asks for too much. */
bool pack_parse(struct reader *r, struct pack_request *request);
/* Reads the files, sends them by the carrier where it is up, and writes the body of A_PACKED. */
void pack_run(struct replica *replica, struct carrier *carrier, const struct pack_request *request,
              struct buf *answer);
void pack_free(struct pack_request *request);

#endif
