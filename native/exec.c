/*
 * `psync-native exec HEX...`: runs a command with arguments that are bytes. Deno passes on text only,
 * so a name that is not UTF-8 could not be an argument otherwise. The environment, the working
 * directory and the standard fds are passed on as they are. SIGUSR1, which psync's launcher blocks
 * and every child takes over blocked, is open again: rsync, for one, tells itself things by it.
 */
#include "exec.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "record.h"

#define STATUS_USAGE 2
#define STATUS_CANNOT_RUN 126
#define STATUS_NOT_FOUND 127

static int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes in place. Returns 0, or -1 where it is not hexadecimal or holds a NUL. */
static int decode(char *hex) {
  size_t len = strlen(hex);
  if (len % 2) return -1;
  for (size_t i = 0; i < len / 2; i++) {
    int high = digit_of(hex[2 * i]), low = digit_of(hex[2 * i + 1]);
    if (high < 0 || low < 0 || !(high | low)) return -1;
    hex[i] = (char)(high << 4 | low);
  }
  hex[len / 2] = 0;
  return 0;
}

static void open_signal(int number) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  sigprocmask(SIG_UNBLOCK, &set, NULL); /* fails only for an unknown way to change it */
}

int exec_main(int count, char **hex) {
  for (int i = 0; i < count; i++) {
    if (decode(hex[i]) == 0) continue;
    fprintf(stderr, "psync-native: Cannot decode argument %d: it is not hexadecimal\n", i + 1);
    return STATUS_USAGE;
  }
  if (count < 1) {
    fprintf(stderr, "psync-native: Cannot run a command: none is given\n");
    return STATUS_USAGE;
  }
  open_signal(SIGUSR1);
  execvp(hex[0], hex); /* argv ends with NULL, as main's does */
  int err = errno;
  fprintf(stderr, "psync-native: Cannot run \"%s\": %s\n", hex[0], strerror(err));
  return err == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_RUN;
}
