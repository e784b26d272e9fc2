/*
 * Runs `RUNTIME --version` once, right after it was unpacked, so that a system that lacks what it
 * needs gets a clear word instead of the dynamic loader's. See probe.h.
 *
 * OWNERSHIP: the child and the pipe begin and end in probe_runtime.
 */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child's exit status when exec itself failed; it then writes errno as a number. */
#define EXIT_NO_EXEC 126

/* How the loader begins a line about a library that it does not find. */
#define LOADER_SAYS "error while loading shared libraries: "

const char *explain_exec(int err) {
  /* The file is there, so ENOENT speaks of the loader that it names. */
  if (err == ENOENT) return "this system has no glibc (musl?): psync needs glibc 2.27 or later";
  if (err == ENOEXEC) return "this psync was built for another architecture";
  return strerror(err);
}

static _Noreturn void run_child(const char *path, int out) {
  char *const argv[] = {(char *)"psync", (char *)"--version", NULL};
  char number[16];
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null >= 0 && dup2(null, 0) >= 0 && dup2(null, 1) >= 0 && dup2(out, 2) >= 0) execv(path, argv);
  int len = snprintf(number, sizeof number, "%d", errno);
  if (write(out, number, (size_t)len) < 0) _exit(1);
  _exit(EXIT_NO_EXEC);
}

/* Reads what fits, drops the rest, until the other end is closed. */
static void read_text(int fd, char text[PROBE_TEXT_SIZE]) {
  char rest[PROBE_TEXT_SIZE];
  size_t len = 0;
  for (;;) {
    ssize_t got = len < PROBE_TEXT_SIZE - 1 ? read(fd, text + len, PROBE_TEXT_SIZE - 1 - len)
                                            : read(fd, rest, sizeof rest);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    if (len < PROBE_TEXT_SIZE - 1) len += (size_t)got;
  }
  text[len] = '\0';
}

/* Puts what the loader or the runtime said into words; the first line of it where none fits. */
static enum probe judge(int status, const char *said, char why[PROBE_TEXT_SIZE]) {
  int err = 0;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return PROBE_RUNS;
  if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NO_EXEC && sscanf(said, "%d", &err) == 1) {
    if (err == EACCES || err == EPERM) return PROBE_DENIED;
    snprintf(why, PROBE_TEXT_SIZE, "%s", explain_exec(err));
  } else if (strstr(said, "GLIBC_") != NULL) {
    snprintf(why, PROBE_TEXT_SIZE, "the glibc of this system is too old: psync needs glibc 2.27 or later");
  } else if (strstr(said, "libgcc_s.so") != NULL) {
    snprintf(why, PROBE_TEXT_SIZE, "this system has no libgcc_s.so.1: install libgcc-s1 (or libgcc)");
  } else if (strstr(said, LOADER_SAYS) != NULL) {
    const char *name = strstr(said, LOADER_SAYS) + strlen(LOADER_SAYS);
    snprintf(why, PROBE_TEXT_SIZE, "this system lacks %.*s: psync needs glibc 2.27 or later and libgcc_s",
             (int)strcspn(name, ":\n"), name);
  } else if (WIFSIGNALED(status)) {
    snprintf(why, PROBE_TEXT_SIZE, "the runtime was ended by signal %d", WTERMSIG(status));
  } else {
    snprintf(why, PROBE_TEXT_SIZE, "the runtime does not start: %.*s", (int)strcspn(said, "\n"), said);
  }
  return PROBE_FAILED;
}

enum probe probe_runtime(const char *path, char why[PROBE_TEXT_SIZE]) {
  char said[PROBE_TEXT_SIZE];
  int ends[2], status = 0;
  snprintf(why, PROBE_TEXT_SIZE, "cannot start a process");
  if (pipe2(ends, O_CLOEXEC) < 0) return PROBE_FAILED;
  pid_t child = fork();
  if (child == 0) run_child(path, ends[1]);
  close(ends[1]);
  if (child > 0) read_text(ends[0], said);
  close(ends[0]);
  if (child < 0) return PROBE_FAILED;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return PROBE_FAILED;
  }
  return judge(status, said, why);
}
