/*
 * Mode, owner and mtime of an object that is held by an fd; never through a user's name.
 */
#ifndef PSYNC_ATTRS_H
#define PSYNC_ATTRS_H

#include "record.h"

#define ATTR_LEAVE_ID 0xffffffffu
#define ATTR_LEAVE_MODE 0xffffu

struct attrs {
  uint16_t mode;
  uint32_t uid, gid;
  int64_t mtime_ns; /* INT64_MIN: leave */
};

/* Sets what is not "leave": owner, then mode (chown clears setuid), then mtime. `fd` may be O_PATH.
 * What this user may not set of owner, setuid and setgid is left out. Returns 0 or -1 with errno. */
int attrs_set(int fd, uint8_t kind, const struct attrs *attrs, bool is_root_user);
/* Whether an object that shows `now` lacks some bits of the mode. */
bool attrs_are_masked(const struct attrs *attrs, const struct info *now);

#endif
