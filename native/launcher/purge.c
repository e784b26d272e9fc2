/*
 * Removes old builds from the cache. See purge.h.
 *
 * DESIGN: runs only after something was unpacked, so a warm start pays nothing. The directories of
 * the image that runs now were touched just before, so they are the newest. What starts holds its
 * directories (cache.h), and what runs names them. A removal that fails is not reported: it is tried
 * again after the next unpacking.
 */
#include "purge.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "files.h"
#include "image.h"

#define KEPT 2
#define LEFTOVER_AGE_S 3600

struct candidate {
  char name[SECTION_ID_SIZE + 1];
  struct timespec mtime;
};

struct candidates {
  struct candidate *list; /* owned */
  size_t len;
};

static int by_age(const void *a, const void *b) {
  const struct timespec *x = &((const struct candidate *)a)->mtime, *y = &((const struct candidate *)b)->mtime;
  if (x->tv_sec != y->tv_sec) return x->tv_sec < y->tv_sec ? 1 : -1;
  return x->tv_nsec < y->tv_nsec ? 1 : x->tv_nsec > y->tv_nsec ? -1 : 0;
}

/* Adds directory `name` if it is named like a section and holds `file`. */
static void consider(struct candidates *found, int parent, const char *name, const char *file) {
  struct stat st;
  char path[PATH_MAX];
  if (!is_hex(name, SECTION_ID_SIZE) || path_join(path, name, "/", file) < 0) return;
  if (fstatat(parent, path, &st, AT_SYMLINK_NOFOLLOW) < 0) return;
  if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode)) return;
  struct candidate *list = realloc(found->list, (found->len + 1) * sizeof *list);
  if (list == NULL) return;
  found->list = list;
  memcpy(list[found->len].name, name, SECTION_ID_SIZE + 1);
  list[found->len++].mtime = st.st_mtim;
}

/* Lists the directories in `parent` that hold `file`, newest first. */
static struct candidates find(int parent, const char *file) {
  struct candidates found = {0};
  int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = fd < 0 ? NULL : fdopendir(fd);
  if (dir == NULL) {
    if (fd >= 0) close(fd);
    return found;
  }
  for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    consider(&found, parent, entry->d_name, file);
  }
  closedir(dir);
  if (found.len > 0) qsort(found.list, found.len, sizeof *found.list, by_age);
  return found;
}

/* Removes a directory that nobody holds or uses. RACE: who comes meanwhile waits for the lock, finds that
 * the directory is gone, and makes another one. */
static void let_go(int lib, const char *path, const char *name) {
  int fd = openat(lib, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return;
  if (flock(fd, LOCK_EX | LOCK_NB) == 0 && !is_in_use(path, name)) remove_tree(lib, name);
  close(fd);
}

void purge_cache(int lib, const char *path) {
  static const char *const files[] = {"psync", "psync.js", "psync-native"};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    struct candidates found = find(lib, files[i]);
    for (size_t k = KEPT; k < found.len; k++) let_go(lib, path, found.list[k].name);
    free(found.list);
  }
}

void purge_leftovers(int dir_fd) {
  struct stat st;
  int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = fd < 0 ? NULL : fdopendir(fd);
  if (dir == NULL) {
    if (fd >= 0) close(fd);
    return;
  }
  for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    if (strncmp(entry->d_name, ".new-", 5) != 0) continue;
    if (fstatat(dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) continue;
    if (st.st_mtime < time(NULL) - LEFTOVER_AGE_S) unlinkat(dir_fd, entry->d_name, 0);
  }
  closedir(dir);
}
