/*
 * `psync-native probe`: tries on a live file system what psync needs of it, for `psync doctor`.
 *
 * DESIGN
 * Prints one line for each feature, "<name> <errno>": 0 it works, -1 it was not tried. Nothing that
 * anybody can see is changed: lease and owner are tried on a file that never has a name, in .psync
 * where that is there. Names can be exchanged only where there are two, so that is tried in .psync
 * alone; the two live for an instant, and psync sees none of what is there (I10).
 */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "open.h"
#include "rename.h"

#define STATUS_NO_ROOT 2
#define NOT_TRIED (-1)
#define ANOTHER_USER 1 /* any number that is not root's */
#define FD_PATH_MAX 64
#define PROBE_NAME_MAX 64

struct probed {
  int tmpfile, lease, owner, exchange; /* errno, 0, or NOT_TRIED */
};

/* A file without a name, first open for writing, then only for reading: a writer has no read lease. */
static int open_nameless(int dir, int *err) {
  char path[FD_PATH_MAX];
  int made = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  *err = made < 0 ? errno : 0;
  if (made < 0) return -1;
  snprintf(path, sizeof path, "/proc/self/fd/%d", made);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) *err = errno;
  close_fd(made);
  return fd;
}

static void probe_file(int dir, struct probed *out) {
  int fd = open_nameless(dir, &out->tmpfile);
  if (fd < 0) return;
  out->lease = fcntl(fd, F_SETLEASE, F_RDLCK) < 0 ? errno : 0;
  if (!out->lease) fcntl(fd, F_SETLEASE, F_UNLCK);
  out->owner = fchown(fd, ANOTHER_USER, ANOTHER_USER) < 0 ? errno : 0;
  close_fd(fd);
}

static void probe_exchange(int own, struct probed *out) {
  char names[2][PROBE_NAME_MAX];
  int made = 0;
  for (; made < 2; made++) {
    snprintf(names[made], sizeof names[made], "probe.%ld.%d", (long)getpid(), made);
    int fd = openat(own, names[made], O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) break;
    close_fd(fd);
  }
  if (made == 2) out->exchange = rename_exchange((struct end){own, names[0]}, (struct end){own, names[1]}) < 0 ? errno : 0;
  while (made > 0) unlinkat(own, names[--made], 0);
}

/* Reads the path from stdin. Returns 0 or -1. */
static int read_root(char root[PATH_MAX + 1]) {
  size_t len = 0;
  for (ssize_t n; len < PATH_MAX; len += (size_t)n) {
    n = read(STDIN_FILENO, root + len, PATH_MAX - len);
    if (n < 0 && errno == EINTR) n = 0;
    else if (n <= 0) break;
  }
  root[len] = 0;
  return len && strlen(root) == len ? 0 : -1;
}

int probe_main(void) {
  char root[PATH_MAX + 1];
  int dir = read_root(root) < 0 ? -1 : open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0) return STATUS_NO_ROOT;
  struct probed out = {NOT_TRIED, NOT_TRIED, NOT_TRIED, NOT_TRIED};
  int own = openat(dir, ".psync", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (own >= 0) probe_exchange(own, &out);
  probe_file(own >= 0 ? own : dir, &out);
  close_fd(own);
  close_fd(dir);
  int failed = printf("tmpfile %d\nlease %d\nowner %d\nexchange %d\n", out.tmpfile, out.lease, out.owner, out.exchange);
  return failed < 0 || fflush(stdout) != 0;
}
