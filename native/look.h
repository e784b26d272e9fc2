/*
 * Looks: what is at a path now, with the proof that no write lies between a stamp and the content
 * that it stands for (I3, I14). Changes nothing.
 */
#ifndef PSYNC_LOOK_H
#define PSYNC_LOOK_H

#include "sha256.h"
#include "site.h"

#define LOOK_MAX 65536               /* paths in one request */
#define LOOK_CONTENT_MAX (4u << 20)  /* bytes of content of one file, whatever is asked for */

struct agreed { /* what both sides held of a file last */
  uint64_t size; /* 0: not known */
  uint8_t digest[SHA256_SIZE];
};

struct look_request {
  uint32_t content_limit;
  bool digests;
  bool growing;    /* prefixes of files that only grow are wanted */
  bool open;       /* also where a writer has them open */
  bool stamp_only; /* of files the stat alone */
  uint32_t count;
  struct bytes *paths; /* from malloc; the names are borrowed from the request */
  struct agreed *agreed; /* from malloc, one for each path; NULL: nothing is known */
};

/* Reads the body of an A_LOOK. Returns false where it is malformed. */
bool look_parse(struct reader *r, struct look_request *request);
/* Looks, and writes the body of A_LOOKED. Content that does not fit into one record is left out. */
void look_run(struct replica *replica, const struct look_request *request, struct buf *answer);
void look_free(struct look_request *request);
/* Hashes up to `limit` bytes; *size tells how many there were. Returns 0 or -1 with errno. */
int look_hash(int fd, uint64_t limit, uint8_t digest[SHA256_SIZE], uint64_t *size);

#endif
