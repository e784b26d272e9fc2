/*
 * One live object; see live.h.
 */
#include "live.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "site.h"

#define QUIET_NS 2000000000LL
#define TARGET_START 256
#define TARGET_MAX 65536

int live_open(const struct place *place, uint64_t mount_id, struct live *live) {
  *live = (struct live){.object = -1, .fd = -1};
  const char *name = place->is_root ? "." : place->name;
  int object = openat(place->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (object < 0) return -1;
  if (info_at(object, "", &live->info) == 0) {
    if (live->info.mount_id == mount_id) {
      live->object = object;
      return 0;
    }
    errno = EXDEV;
  }
  close_fd(object);
  return -1;
}

int live_lease(struct live *live) {
  live->fd = open_again(live->object, O_RDONLY);
  if (live->fd < 0) return errno == EACCES || errno == EPERM ? 0 : -1;
  live->lease = lease_take(live->fd);
  if (live_refresh(live) < 0) return -1;
  if (live->lease != LEASE_BUSY) return 0;
  errno = EBUSY;
  return -1;
}

bool live_is_leased(const struct live *live) { return live->lease == LEASE_HELD; }

bool live_is_quiet(const struct live *live) {
  int64_t age_ns = site_now_ns() - live->info.ctime_ns;
  /* A stamp from the future is no sign of a writer. */
  return live_is_leased(live) || age_ns >= QUIET_NS || age_ns < -QUIET_NS;
}

bool live_is_intact(const struct live *live) { return !live_is_leased(live) || lease_holds(live->fd); }

int live_refresh(struct live *live) { return info_at(live->object, "", &live->info); }

void live_close(struct live *live) {
  close_fd(live->fd);
  close_fd(live->object);
  live->fd = live->object = -1;
  live->lease = LEASE_NONE;
}

ssize_t live_target(const struct live *live, char **target) {
  size_t size = TARGET_START;
  char *text = NULL;
  for (;; size *= 2) {
    text = must_realloc(text, size);
    ssize_t len = readlinkat(live->object, "", text, size);
    if (len >= 0 && (size_t)len < size) {
      *target = text;
      return len;
    }
    if (len < 0 || size >= TARGET_MAX) break;
    errno = ENAMETOOLONG;
  }
  free(text);
  return -1;
}

static bool target_matches(const struct live *live, struct bytes target) {
  char *text;
  ssize_t len = live_target(live, &text);
  if (len < 0) return false;
  bool same = (size_t)len == target.len && !memcmp(text, target.data, target.len);
  free(text);
  return same;
}

bool info_same_stamp(const struct info *a, const struct info *b) {
  return a->inode == b->inode && a->btime_ns == b->btime_ns && a->size == b->size &&
         a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

bool info_same_object(const struct info *a, const struct info *b) {
  return a->kind == b->kind && a->inode == b->inode && a->btime_ns == b->btime_ns;
}

bool info_same_after(const struct info *before, const struct info *after) {
  if (!info_same_object(before, after)) return false;
  return before->kind != KIND_FILE || (before->size == after->size && before->mtime_ns == after->mtime_ns);
}

bool live_matches(const struct live *live, const struct expected *expected) {
  if (live->info.kind != expected->kind) return false;
  switch (expected->kind) {
    case KIND_FILE: return info_same_stamp(&live->info, &expected->info);
    case KIND_LINK: return live->info.inode == expected->info.inode && target_matches(live, expected->target);
    case KIND_DIR: return !expected->info.inode || live->info.inode == expected->info.inode;
    default: return false;
  }
}
