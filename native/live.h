/*
 * One live object, held while it is looked at and swapped: which object it is, whether it is what
 * was expected, and whether nobody wrote to it meanwhile (I2, I14).
 *
 * OWNERSHIP: live_close gives back both fds, and with them the lease. A `struct live` after a
 * failed live_open owns nothing.
 */
#ifndef PSYNC_LIVE_H
#define PSYNC_LIVE_H

#include <sys/types.h>
#include "lease.h"
#include "open.h"

struct expected {
  uint8_t kind; /* KIND_NONE: nothing may be there */
  struct info info;
  struct bytes target;
};

struct live {
  int object;       /* O_PATH */
  int fd;           /* O_RDONLY, of files after live_lease; -1: not opened */
  enum lease lease; /* on fd */
  struct info info; /* of `object`, when it was last looked at */
  struct info link; /* of the link that led to `object` (follow.h); KIND_NONE: none did */
};

/* Opens what the place names, with O_PATH, and looks at it. Returns 0 or -1 with errno
 * (EXDEV: a mount point). Nothing is opened for reading. */
int live_open(const struct place *place, uint64_t mount_id, struct live *live);
/* The same for what is to be read and not changed: where `follows`, a link to a regular file is followed. */
int live_open_source(const struct place *place, uint64_t mount_id, bool follows, struct live *live);
/* Of a regular file: opens it and takes the lease, then looks again. Returns 0 or -1 with errno;
 * EBUSY: a writer has it. Where it may not be read or leased it goes on without. */
int live_lease(struct live *live);
/* Whether no write can have happened since live_lease; true also where there is no lease. */
bool live_is_intact(const struct live *live);
/* Whether live_is_intact is a proof. */
bool live_is_leased(const struct live *live);
/* Whether nobody seems to write to a file: a lease says so, or, where none may be taken, its ctime of 2 s
 * or more ago. To be asked after live_lease. */
bool live_is_quiet(const struct live *live);
/* Looks at the held object again. Returns 0 or -1 with errno. */
int live_refresh(struct live *live);
void live_close(struct live *live);

/* Reads a link's target; *target is from malloc. Returns its length or -1 with errno. */
ssize_t live_target(const struct live *live, char **target);
/* Whether the live object is the expected one, as far as format.h defines it. */
bool live_matches(const struct live *live, const struct expected *expected);
/* Whether both are the same object with the same content: after a rename, when ctime says nothing. */
bool info_same_after(const struct info *before, const struct info *after);
/* Whether both are the same object, whatever was written to it. */
bool info_same_object(const struct info *a, const struct info *b);
/* Whether inode, btime, size, mtime and ctime all agree. */
bool info_same_stamp(const struct info *a, const struct info *b);

#endif
