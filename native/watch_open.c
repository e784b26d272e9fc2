/*
 * Opening the root and directories to be listed; see watch_open.h.
 */
#include "watch_open.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "open.h"

#define SHORT_PATH 4000 /* bytes of a path that one openat2 takes (PATH_MAX is 4096) */
#define READ_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW)

bool root_id_equals(const struct root_id *a, const struct root_id *b) {
  return a->device == b->device && a->inode == b->inode && a->mount_id == b->mount_id;
}

int root_open(const char *path, struct info *info, struct root_id *id) {
  int fd = open(path, READ_FLAGS | O_CLOEXEC);
  if (fd < 0) return -1;
  struct stat st;
  if (fstat(fd, &st) < 0 || info_at(fd, "", info) < 0) {
    close_fd(fd);
    return -1;
  }
  *id = (struct root_id){st.st_dev, info->inode, info->mount_id};
  return fd;
}

/* One openat2, without changing the access time where that is permitted. */
static int open_short(int dir, struct bytes path) {
  char text[SHORT_PATH + 1] = ".";
  if (path.len) {
    memcpy(text, path.data, path.len);
    text[path.len] = 0;
  }
  int fd = open_beneath(dir, text, READ_FLAGS | O_NOATIME, 0);
  return fd < 0 && errno == EPERM ? open_beneath(dir, text, READ_FLAGS, 0) : fd;
}

int root_open_dir(int root_fd, struct bytes path) {
  if (path.len <= SHORT_PATH) return open_short(root_fd, path);
  int dir = open_dir_path(root_fd, path);
  if (dir < 0) return -1;
  int fd = open_short(dir, (struct bytes){NULL, 0});
  close_fd(dir);
  return fd;
}
