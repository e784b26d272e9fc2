/*
 * A stand-in for ssh over a long way: runs COMMAND on this host, and hands on each byte that either side
 * writes MS milliseconds later.
 *
 *   delayed_ssh MS HOME HOST COMMAND...
 *
 * HOME is that of the command, with its cache and state in it. Bandwidth is not limited; what is on its
 * way is bounded (WAY_BYTES), as in a window of TCP. tests/bench/latency.ts runs it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PIECE_BYTES = 65536, WAY_BYTES = 64 << 20 };

/* Bytes that were read together. */
struct piece {
  struct piece *next;
  int64_t due_ns;
  size_t len, done;
  char bytes[];
};

/* One direction. */
struct way {
  int from, to;
  struct piece *first, *last;
  size_t bytes; /* that are on the way */
  bool is_ended; /* nothing more comes */
};

static int64_t delay_ns;

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void take(struct way *way) {
  struct piece *piece = malloc(sizeof *piece + PIECE_BYTES);
  if (piece == NULL) _exit(255);
  ssize_t got = read(way->from, piece->bytes, PIECE_BYTES);
  if (got <= 0) {
    free(piece);
    way->is_ended = got == 0 || (errno != EAGAIN && errno != EINTR);
    return;
  }
  piece = realloc(piece, sizeof *piece + (size_t)got);
  *piece = (struct piece){.due_ns = now_ns() + delay_ns, .len = (size_t)got};
  if (way->last) way->last->next = piece;
  else way->first = piece;
  way->last = piece;
  way->bytes += piece->len;
}

/* Returns false where nobody reads any more. */
static bool hand_on(struct way *way) {
  struct piece *piece = way->first;
  ssize_t put = write(way->to, piece->bytes + piece->done, piece->len - piece->done);
  if (put < 0) return errno == EAGAIN || errno == EINTR;
  piece->done += (size_t)put;
  if (piece->done < piece->len) return true;
  way->bytes -= piece->len;
  way->first = piece->next;
  if (!way->first) way->last = NULL;
  free(piece);
  return true;
}

static bool is_due(const struct way *way) { return way->first && way->first->due_ns <= now_ns(); }

/* Carries bytes both ways until the command has said its last. */
static void carry(struct way *down, struct way *up) {
  struct way *ways[2] = {down, up};
  while (!up->is_ended || up->first) {
    struct pollfd polls[4];
    int64_t wait_ns = -1;
    for (int i = 0; i < 2; i++) {
      struct way *way = ways[i];
      bool reads = !way->is_ended && way->bytes < WAY_BYTES, writes = is_due(way);
      polls[2 * i] = (struct pollfd){reads ? way->from : -1, POLLIN, 0};
      polls[2 * i + 1] = (struct pollfd){writes ? way->to : -1, POLLOUT, 0};
      if (!way->first || writes) continue;
      int64_t ns = way->first->due_ns - now_ns();
      if (ns < 0) ns = 0;
      if (wait_ns < 0 || ns < wait_ns) wait_ns = ns;
    }
    struct timespec wait = {wait_ns / 1000000000, wait_ns % 1000000000};
    if (ppoll(polls, 4, wait_ns < 0 ? NULL : &wait, NULL) < 0 && errno != EINTR) return;
    for (int i = 0; i < 2; i++) {
      if (polls[2 * i].revents) take(ways[i]);
      if (polls[2 * i + 1].revents && !hand_on(ways[i])) return;
    }
    if (down->is_ended && !down->first && down->to >= 0) {
      close(down->to);
      down->to = -1;
    }
  }
}

static pid_t start(const char *command, const char *home, int *in, int *out) {
  int to[2], from[2];
  if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0) return -1;
  pid_t pid = fork();
  if (pid == 0) {
    dup2(to[0], 0);
    dup2(from[1], 1);
    setsid();
    setenv("HOME", home, 1);
    unsetenv("XDG_CACHE_HOME");
    unsetenv("XDG_STATE_HOME");
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
  }
  close(to[0]);
  close(from[1]);
  *in = to[1];
  *out = from[0];
  return pid;
}

int main(int argc, char **argv) {
  if (argc < 5) {
    fputs("usage: delayed_ssh MS HOME HOST COMMAND...\n", stderr);
    return 2;
  }
  delay_ns = (int64_t)atoi(argv[1]) * 1000000;
  /* ssh joins the words of a command with blanks. */
  static char command[65536];
  for (int i = 4; i < argc; i++) {
    size_t used = strlen(command);
    snprintf(command + used, sizeof command - used, "%s%s", i > 4 ? " " : "", argv[i]);
  }
  prctl(PR_SET_TIMERSLACK, 1UL);
  signal(SIGPIPE, SIG_IGN);
  int in, out;
  pid_t pid = start(command, argv[2], &in, &out);
  if (pid < 0) return 255;
  fcntl(in, F_SETFL, O_NONBLOCK);
  struct way down = {.from = 0, .to = in}, up = {.from = out, .to = 1};
  carry(&down, &up);
  if (down.to >= 0) close(down.to);
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}
