/*
 * Writers of a file; see writers.h.
 *
 * DESIGN: the mode of a link /proc/<pid>/fd/<n> tells whether it is open for writing, which keeps all
 * others cheap; what it leads to tells the file, and /proc/<pid>/fdinfo/<n> the flags (proc(5)).
 */
#include "writers.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lease.h"
#include "open.h"

#define INFO_BYTES 512 /* of fdinfo: the flags stand in its second line */

enum { NOT_A_WRITER, APPENDS, WRITES };

/* The flags of a descriptor, from its fdinfo; -1 where it is gone. */
static long flags_of(int process, const char *number) {
  char path[sizeof "fdinfo/" + 255], text[INFO_BYTES + 1];
  snprintf(path, sizeof path, "fdinfo/%s", number);
  int fd = openat(process, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t size = read(fd, text, INFO_BYTES);
  close_fd(fd);
  if (size <= 0) return -1;
  text[size] = 0;
  const char *flags = strstr(text, "flags:");
  return flags ? strtol(flags + strlen("flags:"), NULL, 8) : -1;
}

static int judge(int process, int fds, const char *number, const struct stat *file) {
  struct stat link, target;
  if (fstatat(fds, number, &link, AT_SYMLINK_NOFOLLOW) < 0 || !(link.st_mode & S_IWUSR)) return NOT_A_WRITER;
  if (fstatat(fds, number, &target, 0) < 0) return NOT_A_WRITER;
  if (target.st_ino != file->st_ino || target.st_dev != file->st_dev) return NOT_A_WRITER;
  long flags = flags_of(process, number);
  if (flags < 0) return NOT_A_WRITER;
  return flags & O_APPEND ? APPENDS : WRITES;
}

/* The worst that a process does to the file; `hidden` is set where it may not be looked at. */
static int judge_process(int proc, const char *pid, const struct stat *file, bool *hidden) {
  int process = openat(proc, pid, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int fds = process < 0 ? -1 : openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (process >= 0 && fds < 0 && errno == EACCES) *hidden = true;
  DIR *list = fds < 0 ? NULL : fdopendir(fds);
  int worst = NOT_A_WRITER;
  for (struct dirent *e; list && worst != WRITES && (e = readdir(list));) {
    if (!isdigit((unsigned char)*e->d_name)) continue;
    int found = judge(process, fds, e->d_name, file);
    if (found > worst) worst = found;
  }
  if (list) closedir(list);
  else close_fd(fds);
  close_fd(process);
  return worst;
}

/* Whether nobody but our user, whose processes we see, and root may have opened it for writing. */
static bool is_ours_alone(const struct stat *file) {
  return file->st_uid == geteuid() && !(file->st_mode & (S_IWGRP | S_IWOTH));
}

bool writers_append(int fd) {
  struct stat file;
  if (fstat(fd, &file) < 0) return false;
  DIR *proc = opendir("/proc");
  int worst = NOT_A_WRITER;
  bool hidden = false;
  for (struct dirent *e; proc && worst != WRITES && (e = readdir(proc));) {
    if (!isdigit((unsigned char)*e->d_name)) continue;
    int found = judge_process(dirfd(proc), e->d_name, &file, &hidden);
    if (found > worst) worst = found;
  }
  if (proc) closedir(proc);
  if (worst != NOT_A_WRITER) return worst == APPENDS && (!hidden || is_ours_alone(&file));
  enum lease lease = lease_take(fd);
  if (lease == LEASE_HELD) lease_drop(fd);
  return lease == LEASE_HELD;
}
