/*
 * A user's programs beside psync-native apply, as fast as they can, until stdin ends:
 *
 *     apply_user append PATH      opens PATH for appending, writes one token "A<n>;", closes
 *     apply_user log PATH         the same, making PATH where it is not there
 *     apply_user save PATH        atomic saves: writes "S<n>;" aside, exchanges it with PATH, and
 *                                 prints what it has so retired knowingly
 *     apply_user swap A B         exchanges the names A and B
 *
 * Prints "made <n>" at the end. Built and run by apply_race_test.ts.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXCHANGE 2 /* RENAME_EXCHANGE */

static int ends(void) {
  struct pollfd in = {.fd = 0, .events = POLLIN};
  return poll(&in, 1, 0) > 0;
}

static void fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

/* Writes the token in one write. */
static void write_token(int fd, char kind, unsigned long n) {
  char token[32];
  int len = snprintf(token, sizeof token, "%c%lu;", kind, n);
  if (write(fd, token, (size_t)len) != len) fail("write");
}

static unsigned long append(const char *path, int flags) {
  unsigned long n = 0;
  while (!ends()) {
    int fd = open(path, O_WRONLY | O_APPEND | flags, 0600);
    if (fd < 0) fail("append"); /* without O_CREAT: the name must never be absent */
    write_token(fd, 'A', n++);
    close(fd);
    usleep((useconds_t)(n % 7) * 20);
  }
  return n;
}

static void print_file(const char *path) {
  char text[65536];
  int fd = open(path, O_RDONLY);
  ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof text);
  if (len < 0) fail("read");
  close(fd);
  printf("%.*s\n", (int)len, text);
}

static unsigned long save(const char *path) {
  char aside[4096];
  unsigned long n = 0;
  snprintf(aside, sizeof aside, "%s.aside", path);
  while (!ends()) {
    int fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0) fail("open aside");
    write_token(fd, 'S', n++);
    close(fd);
    if (syscall(SYS_renameat2, AT_FDCWD, aside, AT_FDCWD, path, EXCHANGE) < 0) fail("exchange");
    print_file(aside);
    if (unlink(aside) < 0) fail("unlink");
    usleep((useconds_t)(n % 7) * 20);
  }
  return n;
}

static unsigned long swap(const char *a, const char *b) {
  unsigned long n = 0;
  for (; !ends(); n++)
    if (syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, EXCHANGE) < 0) fail("swap");
  return n;
}

int main(int argc, char **argv) {
  unsigned long made = 0;
  if (argc < 3) return 2;
  if (!strcmp(argv[1], "append")) made = append(argv[2], 0);
  if (!strcmp(argv[1], "log")) made = append(argv[2], O_CREAT);
  if (!strcmp(argv[1], "save")) made = save(argv[2]);
  if (!strcmp(argv[1], "swap") && argc > 3) made = swap(argv[2], argv[3]);
  printf("made %lu\n", made);
  return 0;
}
