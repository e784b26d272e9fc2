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
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* How often a directory may be taken away before it is held. */
#define HOLD_TRIES 100
#define READ_STEP 65536

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

/* Whether a name in `parent` is still the directory that is open. */
static bool is_named(int parent, const char *name, int fd) {
  struct stat named, open;
  return fstatat(parent, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &open) == 0 &&
         named.st_dev == open.st_dev && named.st_ino == open.st_ino;
}

int hold_dir(int parent, const char *name) {
  for (int tries = 0; tries < HOLD_TRIES; tries++) {
    int fd = own_dir(parent, name);
    if (fd < 0) return -1;
    while (flock(fd, LOCK_SH) < 0 && errno == EINTR) {
    }
    if (is_named(parent, name, fd)) return fd;
    close(fd); /* it was taken away before the lock was there */
  }
  errno = EBUSY;
  return -1;
}

/* Reads a file of /proc. Returns its length, 0 where there is nothing to read; `text` is freed by the
 * caller. */
static size_t read_proc(const char *pid, const char *name, char **text) {
  char path[64];
  size_t len = 0, room = 0;
  *text = NULL;
  snprintf(path, sizeof path, "/proc/%.20s/%s", pid, name);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  for (ssize_t got = 1; fd >= 0 && got > 0;) {
    if (len == room) {
      char *more = realloc(*text, room += READ_STEP);
      if (more == NULL) break;
      *text = more;
    }
    got = read(fd, *text + len, room - len);
    if (got > 0) len += (size_t)got;
  }
  if (fd >= 0) close(fd);
  return len;
}

/* Whether a file of /proc holds a text; -1 where it is empty. */
static int holds(const char *pid, const char *name, const char *wanted) {
  char *text;
  size_t len = read_proc(pid, name, &text);
  int found = len == 0 ? -1 : memmem(text, len, wanted, strlen(wanted)) != NULL;
  free(text);
  return found;
}

static bool uses(const char *pid, const char *lib, const char *dir) {
  char link[64], exe[PATH_MAX];
  snprintf(link, sizeof link, "/proc/%.20s/exe", pid);
  ssize_t got = readlink(link, exe, sizeof exe - 1);
  if (got < 0) return false;
  exe[got] = '\0';
  if (strncmp(exe, dir, strlen(dir)) == 0) return true;
  int is_named_by = holds(pid, "cmdline", dir);
  if (is_named_by < 0) return strncmp(exe, lib, strlen(lib)) == 0;
  return is_named_by > 0 || holds(pid, "environ", dir) > 0;
}

bool is_in_use(const char *lib, const char *name) {
  char below_lib[PATH_MAX], dir[PATH_MAX], whole[PATH_MAX];
  if (path_join(below_lib, lib, "/", "") < 0 || path_join(dir, lib, "/", name) < 0) return true;
  if (path_join(whole, dir, "/", "") < 0) return true;
  DIR *proc = opendir("/proc");
  bool found = false;
  if (proc == NULL) return true;
  for (struct dirent *entry; !found && (entry = readdir(proc)) != NULL;) {
    found = isdigit((unsigned char)entry->d_name[0]) && uses(entry->d_name, below_lib, whole);
  }
  closedir(proc);
  return found;
}
