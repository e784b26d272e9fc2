/*
 * Links shown as files; see follow.h.
 */
#include "follow.h"

#include <errno.h>
#include <fcntl.h>

#include "open.h"

/* Mixes all bits, as splitmix64 does. */
static uint64_t stir(uint64_t v) {
  v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9u;
  v = (v ^ v >> 27) * 0x94d049bb133111ebu;
  return v ^ v >> 31;
}

void follow_mark(const struct info *link, struct info *file) {
  uint64_t both = stir(stir(stir(link->inode) + (uint64_t)link->btime_ns) + (uint64_t)file->btime_ns);
  file->btime_ns = (int64_t)(both >> 1) - INT64_MAX - 1;
  file->mount_id = link->mount_id;
}

int follow_open(int dir, const char *target, struct info *info) {
  struct info file;
  int fd = openat(dir, target, O_PATH | O_CLOEXEC);
  if (fd < 0) {
    bool is_broken = errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENAMETOOLONG;
    return is_broken ? FOLLOW_NOWHERE : FOLLOW_FAILED;
  }
  int looked = info_at(fd, "", &file);
  if (looked == 0 && file.kind == KIND_FILE) {
    follow_mark(info, &file);
    *info = file;
    return fd;
  }
  close_fd(fd);
  return looked < 0 ? FOLLOW_FAILED : FOLLOW_NOWHERE;
}

int follow_stat(int dir, const char *target, struct info *info) {
  int fd = follow_open(dir, target, info);
  close_fd(fd);
  return fd == FOLLOW_FAILED ? -1 : 0;
}
