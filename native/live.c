/*
 * One live object; see live.h.
 */
#include "live.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "follow.h"
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

/* Holds the regular file to which the held link leads in place of it, if it leads to one. Returns 0 or -1
 * with errno. */
static int follow(const struct place *place, struct live *live) {
  char *target;
  struct info link = live->info;
  if (link.kind != KIND_LINK) return 0;
  ssize_t len = live_target(live, &target);
  if (len < 0) return -1;
  target[len] = 0;
  int fd = follow_open(place->dir, target, &live->info);
  free(target);
  if (fd < 0) return fd == FOLLOW_FAILED ? -1 : 0;
  close_fd(live->object);
  live->object = fd;
  live->link = link;
  return 0;
}

int live_open_source(const struct place *place, uint64_t mount_id, bool follows, struct live *live) {
  if (live_open(place, mount_id, live) < 0) return -1;
  if (!follows || follow(place, live) == 0) return 0;
  live_close(live);
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

int live_refresh(struct live *live) {
  if (info_at(live->object, "", &live->info) < 0) return -1;
  if (live->link.kind == KIND_LINK) follow_mark(&live->link, &live->info);
  return 0;
}

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
