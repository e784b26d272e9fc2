/*
 * Attributes; see attrs.h.
 */
#include "attrs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "open.h"

static int set_owner(int fd, const struct attrs *a, bool is_root_user) {
  if (a->uid == ATTR_LEAVE_ID && a->gid == ATTR_LEAVE_ID) return 0;
  if (fchownat(fd, "", a->uid, a->gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) == 0) return 0;
  /* EINVAL: a number that this user namespace does not map. */
  bool may_leave = errno == EINVAL || (errno == EPERM && !is_root_user);
  return may_leave ? 0 : -1;
}

static int set_mode(int fd, uint8_t kind, const struct attrs *a, bool is_root_user) {
  if (a->mode == ATTR_LEAVE_MODE || kind == KIND_LINK) return 0;
  mode_t mode = a->mode & 07777;
  if (kind == KIND_FILE && !is_root_user) mode &= (mode_t) ~(S_ISUID | S_ISGID);
  if (fchmod(fd, mode) == 0) return 0;
  if (errno != EBADF) return -1;
  char path[32];
  open_proc_path(path, fd); /* WHY: fchmod refuses an O_PATH fd */
  return chmod(path, mode);
}

static int set_mtime(int fd, uint8_t kind, const struct attrs *a) {
  if (a->mtime_ns == INT64_MIN) return 0;
  int64_t s = a->mtime_ns / 1000000000, ns = a->mtime_ns % 1000000000;
  if (ns < 0) s--, ns += 1000000000;
  struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = s, .tv_nsec = ns}};
  if (utimensat(fd, "", times, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) == 0) return 0;
  if (errno != EINVAL && errno != EBADF) return -1;
  /* Kernels before 5.8 know no empty path here; a link's mtime is not worth a failure. */
  if (kind == KIND_LINK) return 0;
  char path[32];
  open_proc_path(path, fd);
  return utimensat(AT_FDCWD, path, times, 0);
}

int attrs_set(int fd, uint8_t kind, const struct attrs *attrs, bool is_root_user) {
  if (set_owner(fd, attrs, is_root_user) < 0) return -1;
  if (set_mode(fd, kind, attrs, is_root_user) < 0) return -1;
  return set_mtime(fd, kind, attrs);
}

bool attrs_are_masked(const struct attrs *attrs, const struct info *now) {
  if (attrs->mode == ATTR_LEAVE_MODE || now->kind == KIND_LINK) return false;
  return now->mode != (attrs->mode & 07777);
}
