/*
 * How a user destroys: out of the root first, then he looks; see user.h.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user.h"

static void retire_dir(int dir);

/* Logs what an object in the graveyard holds. */
static void retire(int dir, const char *name) {
  struct stat st;
  char target[PATH_MAX] = {0};
  if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) return;
  if (S_ISLNK(st.st_mode)) {
    if (readlinkat(dir, name, target, sizeof target - 1) > 0 && !strncmp(target, LINK_PREFIX, strlen(LINK_PREFIX)))
      log_retired(NULL, target + strlen(LINK_PREFIX));
    return;
  }
  int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return;
  if (S_ISDIR(st.st_mode)) {
    retire_dir(fd);
  } else {
    if (content_check_file(fd, log_retired, NULL) == 0) log_torn(name);
    close(fd);
  }
}

/* Closes `dir`. */
static void retire_dir(int dir) {
  DIR *list = fdopendir(dir);
  for (struct dirent *e; list && (e = readdir(list));)
    if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) retire(dirfd(list), e->d_name);
  if (list) closedir(list);
}

int bury(const char *path) {
  char name[32];
  snprintf(name, sizeof name, "%c%u-%u", user.side, user.phase, user.graves++);
  if (renameat(AT_FDCWD, path, user.grave, name) < 0) return -1;
  retire(user.grave, name);
  return 0;
}

int bury_slowly(const char *path) {
  DIR *list = opendir(path);
  if (!list) return -1;
  for (struct dirent *e; (e = readdir(list));) {
    char below[PATH_MAX];
    if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
    snprintf(below, sizeof below, "%s/%s", path, e->d_name);
    if (e->d_type == DT_DIR) bury_slowly(below);
    else bury(below);
  }
  closedir(list);
  return rmdir(path);
}
