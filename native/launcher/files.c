/*
 * Small helpers on paths and directories. See files.h.
 *
 * OWNERSHIP: who gets a descriptor closes it; directory streams are closed where they are opened.
 */
#include "files.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int path_join(char out[PATH_MAX], const char *a, const char *b, const char *c) {
  int len = snprintf(out, PATH_MAX, "%s%s%s", a, b, c);
  if (len >= 0 && len < PATH_MAX) return 0;
  errno = ENAMETOOLONG;
  return -1;
}

bool is_hex(const char *name, size_t len) {
  return strlen(name) == len && strspn(name, "0123456789abcdef") == len;
}

int own_dir(int parent, const char *name) {
  struct stat st;
  if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST) return -1;
  int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return -1;
  if (fstat(fd, &st) == 0) {
    bool is_open = (st.st_mode & (S_IWGRP | S_IWOTH)) != 0;
    if (st.st_uid != geteuid()) errno = EPERM;
    else if (!is_open || fchmod(fd, st.st_mode & 0755) == 0) return fd;
  }
  int err = errno;
  close(fd);
  errno = err;
  return -1;
}

static bool is_dots(const char *name) {
  return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

void remove_tree(int parent, const char *name) {
  if (unlinkat(parent, name, 0) == 0 || (errno != EISDIR && errno != EPERM)) return;
  int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *dir = fd < 0 ? NULL : fdopendir(fd);
  if (dir == NULL) {
    if (fd >= 0) close(fd);
    return;
  }
  for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    if (!is_dots(entry->d_name)) remove_tree(dirfd(dir), entry->d_name);
  }
  closedir(dir);
  unlinkat(parent, name, AT_REMOVEDIR);
}

static bool runs_below(const char *pid, const char *dir, size_t len) {
  char link[64], exe[PATH_MAX];
  snprintf(link, sizeof link, "/proc/%.20s/exe", pid);
  ssize_t got = readlink(link, exe, sizeof exe - 1);
  if (got < 0) return false;
  exe[got] = '\0';
  return strncmp(exe, dir, len) == 0 && exe[len] == '/';
}

bool is_running_below(const char *dir) {
  DIR *proc = opendir("/proc");
  bool found = false;
  if (proc == NULL) return true;
  for (struct dirent *entry; !found && (entry = readdir(proc)) != NULL;) {
    found = isdigit((unsigned char)entry->d_name[0]) && runs_below(entry->d_name, dir, strlen(dir));
  }
  closedir(proc);
  return found;
}
