/*
 * Opening below a root; see open.h.
 */
#include "open.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PIECE_MAX 4000 /* bytes of a path that go into one openat2; below PATH_MAX */
#define PARENT_USES 16 /* paths of one directory for which its fd is used: some 0.5 ms of new files */
#define AGAIN_MAX 16   /* openat2 answers EAGAIN when renames ran beside it */

int open_beneath(int dir, const char *path, int flags, mode_t mode) {
  struct open_how how = {
      .flags = (unsigned)(flags | O_CLOEXEC),
      .mode = flags & O_CREAT ? mode : 0,
      .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
  };
  for (int tries = 0;; tries++) {
    long fd = syscall(SYS_openat2, dir, path, &how, sizeof how);
    if (fd >= 0 || tries == AGAIN_MAX || (errno != EAGAIN && errno != EINTR)) return (int)fd;
  }
}

/* How many bytes of path go into the next piece: whole names only. */
static size_t piece_length(struct bytes path) {
  if (path.len <= PIECE_MAX) return path.len;
  size_t len = PIECE_MAX;
  while (path.data[len] != '/') len--;
  return len;
}

int open_dir_path(int root, struct bytes path) {
  char piece[PIECE_MAX + 1];
  int dir = root;
  do {
    size_t len = piece_length(path);
    memcpy(piece, path.data, len);
    piece[len] = 0;
    int next = open_beneath(dir, len ? piece : ".", O_PATH | O_DIRECTORY, 0);
    if (dir != root) close_fd(dir);
    if (next < 0) return -1;
    dir = next;
    size_t used = len < path.len ? len + 1 : len;
    path.data += used, path.len -= used;
  } while (path.len);
  return dir;
}

/* Fills in the place of a path in the root. Returns the path of its parent; empty: the root itself. */
static struct bytes place_begin(int root, struct bytes path, struct place *place) {
  *place = (struct place){.dir = root, .borrowed = true, .is_root = path.len == 0};
  const uint8_t *slash = path.len ? memrchr(path.data, '/', path.len) : NULL;
  size_t parent = slash ? (size_t)(slash - path.data) : 0;
  size_t name = path.len - (slash ? parent + 1 : 0);
  memcpy(place->name, path.data + path.len - name, name);
  return (struct bytes){path.data, parent};
}

int place_open(int root, struct bytes path, struct place *place) {
  struct bytes parent = place_begin(root, path, place);
  if (!parent.len) return 0;
  place->borrowed = false;
  place->dir = open_dir_path(root, parent);
  return place->dir < 0 ? -1 : 0;
}

void parent_forget(struct parent_cache *cache) {
  close_fd(cache->dir);
  *cache = PARENT_NONE;
}

int place_open_cached(int root, struct bytes path, struct parent_cache *cache, struct place *place) {
  struct bytes parent = place_begin(root, path, place);
  if (!parent.len) return 0;
  bool is_same = cache->dir >= 0 && cache->path.len == parent.len && !memcmp(cache->path.data, parent.data, parent.len);
  if (!is_same || cache->uses++ == PARENT_USES) {
    parent_forget(cache);
    *cache = (struct parent_cache){.dir = open_dir_path(root, parent), .path = parent};
  }
  place->dir = cache->dir;
  return place->dir < 0 ? -1 : 0;
}

void place_close(struct place *place) {
  if (!place->borrowed) close_fd(place->dir);
  place->dir = -1;
  place->borrowed = true;
}

enum status place_status(int err) {
  if (err == ENOENT || err == ENOTDIR || err == ELOOP) return ST_ORPHAN;
  return err == EXDEV ? ST_MOUNT : ST_FAILED;
}

int open_link(int fd, int dir, const char *name) {
  char path[32];
  /* WHY first: it takes 3 us instead of 6 on tmpfs, but only some may (linkat(2), AT_EMPTY_PATH). */
  if (linkat(fd, "", dir, name, AT_EMPTY_PATH) == 0) return 0;
  if (errno != ENOENT && errno != EPERM && errno != EINVAL) return -1;
  open_proc_path(path, fd);
  return linkat(AT_FDCWD, path, dir, name, AT_SYMLINK_FOLLOW);
}

void open_proc_path(char out[32], int fd) { snprintf(out, 32, "/proc/self/fd/%d", fd); }

int open_again(int path_fd, int flags) {
  char path[32];
  open_proc_path(path, path_fd);
  flags |= O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  /* WHY openat: musl's open asks for the fd's flags once more. */
  int fd = openat(AT_FDCWD, path, flags | O_NOATIME);
  return fd < 0 && errno == EPERM ? openat(AT_FDCWD, path, flags) : fd;
}

void close_fd(int fd) {
  if (fd < 0) return;
  int err = errno;
  close(fd);
  errno = err;
}
