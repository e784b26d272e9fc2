/*
 * A stand-in for ssh that makes faults: `--ssh "faulty_ssh DIR"` runs COMMAND on this host, and
 * carries what it reads and writes through faults that a seed decides.
 *
 *   faulty_ssh DIR HOST COMMAND
 *
 * DIR/plan holds `SEED KIND...` while faults are wanted: each connection takes the next number of
 * DIR/count and with it one of the kinds, and after how many bytes it strikes; without a plan, or for
 * the kind `fine`, nothing strikes. SIGUSR1: takes the plan as it is now, and strikes at once. What was
 * done is appended to DIR/faults; what each connection carried, with whether it was one of rsync, to
 * DIR/carried. The kinds:
 *
 *   cut       both directions end, the command gets SIGHUP as from an sshd that lost its client
 *   truncate  what is read from the command ends within a frame, as if it had closed it there
 *   stall     nothing moves any more, nobody closes anything
 *   deaf      what is written to the command waits for ever; what it says is carried on
 *   mute      what the command says waits for ever; what is written to it is carried on
 *   trickle   from there on, the command's words come byte by byte, two each second
 *   slow      from there on, 64 KB a second in either direction
 *   refuse    ends at once with 255, as an ssh that cannot connect
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
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 16384, KINDS_MAX = 16, SLOW_BYTES = 1024, SLOW_MS = 16, TRICKLE_MS = 500 };

/* One direction. */
struct flow {
  int from, to;
  char bytes[CHUNK];
  size_t have, done;
  bool is_open;
};

struct plan {
  char kind[16];
  uint64_t at; /* bytes in both directions before it strikes */
};

static volatile sig_atomic_t is_told;

static void on_told(int signal) {
  (void)signal;
  is_told = 1;
}

static uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

static long now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The number of this connection; each is given once. */
static unsigned next_number(const char *dir) {
  char path[4096], text[32] = "";
  snprintf(path, sizeof path, "%s/count", dir);
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || flock(fd, LOCK_EX) < 0) return 0;
  if (read(fd, text, sizeof text - 1) < 0) text[0] = 0;
  unsigned number = (unsigned)strtoul(text, NULL, 10);
  int size = snprintf(text, sizeof text, "%u", number + 1);
  if (pwrite(fd, text, (size_t)size, 0) < 0) perror("faulty_ssh");
  close(fd);
  return number;
}

static struct plan plan_of(const char *dir, unsigned number) {
  struct plan plan = { "fine", 0 };
  char path[4096], text[512] = "", *kinds[KINDS_MAX], *rest = NULL;
  snprintf(path, sizeof path, "%s/plan", dir);
  FILE *file = fopen(path, "re");
  if (file == NULL) return plan;
  if (fgets(text, sizeof text, file) == NULL) text[0] = 0;
  fclose(file);
  char *seed = strtok_r(text, " \n", &rest);
  unsigned count = 0;
  while (count < KINDS_MAX && (kinds[count] = strtok_r(NULL, " \n", &rest)) != NULL) count++;
  if (seed == NULL || count == 0) return plan;
  uint64_t random = mix(strtoull(seed, NULL, 10) * 1000003 + number);
  snprintf(plan.kind, sizeof plan.kind, "%s", kinds[random % count]);
  /* Half of them within the first frames, the others anywhere up to 2 MB. */
  random = mix(random);
  plan.at = mix(random) % (random & 1 ? 4096 : 2u << 20);
  return plan;
}

static void note(const char *dir, const char *file, unsigned number, const char *what, uint64_t at) {
  char path[4096], line[128];
  snprintf(path, sizeof path, "%s/%s", dir, file);
  int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  int size = snprintf(line, sizeof line, "%u %s %llu\n", number, what, (unsigned long long)at);
  if (fd < 0 || write(fd, line, (size_t)size) < 0) perror("faulty_ssh");
  close(fd);
}

/* Starts the command as sshd does; its ends of the pipes come back in `in` and `out`. */
static pid_t start(const char *command, int *in, int *out) {
  int down[2], up[2];
  if (pipe2(down, O_CLOEXEC) < 0 || pipe2(up, O_CLOEXEC) < 0) return -1;
  pid_t pid = fork();
  if (pid == 0) {
    setsid();
    dup2(down[0], 0);
    dup2(up[1], 1);
    signal(SIGPIPE, SIG_DFL);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
  }
  close(down[0]);
  close(up[1]);
  *in = down[1];
  *out = up[0];
  return pid;
}

/* Moves up to `limit` bytes; false where the direction has ended. */
static bool move(struct flow *flow, short revents, size_t limit, uint64_t *total) {
  if (flow->have == flow->done) {
    if (!(revents & (POLLIN | POLLHUP | POLLERR))) return true;
    ssize_t got = read(flow->from, flow->bytes, CHUNK);
    if (got <= 0) return got < 0 && errno == EINTR;
    flow->have = (size_t)got;
    flow->done = 0;
  }
  size_t size = flow->have - flow->done;
  ssize_t put = write(flow->to, flow->bytes + flow->done, size < limit ? size : limit);
  if (put < 0) return errno == EAGAIN || errno == EINTR;
  flow->done += (size_t)put;
  *total += (uint64_t)put;
  return true;
}

struct link {
  const char *dir;
  unsigned number;
  struct plan plan;
  struct flow down, up;
  uint64_t total;
  bool has_struck;
};

static bool is(const struct link *link, const char *kind) {
  return link->has_struck && strcmp(link->plan.kind, kind) == 0;
}

/* Whether `flow` may move now, and how much at once; a wait is made here. */
static size_t allowance(const struct link *link, const struct flow *flow) {
  if (is(link, "stall")) return 0;
  if (is(link, "deaf") && flow == &link->down) return 0;
  if (is(link, "mute") && flow == &link->up) return 0;
  if (is(link, "trickle") && flow == &link->up) return 1;
  if (is(link, "slow")) return SLOW_BYTES;
  if (link->has_struck) return CHUNK;
  uint64_t left = link->plan.at - link->total;
  return strcmp(link->plan.kind, "fine") == 0 || left > CHUNK ? CHUNK : left == 0 ? 1 : (size_t)left;
}

static void take_plan(struct link *link) {
  link->plan = plan_of(link->dir, link->number);
}

static void strike(struct link *link) {
  if (is_told && !link->has_struck) {
    take_plan(link);
    link->plan.at = link->total;
  }
  if (link->has_struck || strcmp(link->plan.kind, "fine") == 0 || link->total < link->plan.at) return;
  link->has_struck = true;
  note(link->dir, "faults", link->number, link->plan.kind, link->total);
}

/* Carries bytes until either side, or a fault, ends it. */
static void carry(struct link *link) {
  struct flow *flows[2] = { &link->down, &link->up };
  long next_ms[2] = { 0, 0 };
  while (link->up.is_open) {
    strike(link);
    if (is(link, "cut") || is(link, "truncate")) return;
    struct pollfd polls[3] = { { -1, 0, 0 }, { -1, 0, 0 }, { 1, 0, 0 } };
    int wait_ms = -1;
    for (int i = 0; i < 2; i++) {
      size_t limit = allowance(link, flows[i]);
      if (!flows[i]->is_open || limit == 0) continue;
      long ms = next_ms[i] - now_ms();
      if (ms > 0) {
        wait_ms = wait_ms < 0 || ms < wait_ms ? (int)ms : wait_ms;
        continue;
      }
      bool is_full = flows[i]->have > flows[i]->done;
      polls[i] = (struct pollfd){ is_full ? flows[i]->to : flows[i]->from, is_full ? POLLOUT : POLLIN, 0 };
    }
    if (poll(polls, 3, wait_ms) < 0 && errno != EINTR) return;
    if (polls[2].revents & (POLLERR | POLLHUP)) return; /* nobody reads us any more */
    for (int i = 0; i < 2; i++) {
      if (polls[i].fd < 0 || polls[i].revents == 0) continue;
      size_t limit = allowance(link, flows[i]);
      if (limit == 0) continue;
      if (!move(flows[i], polls[i].revents, limit, &link->total)) {
        flows[i]->is_open = false;
        if (i == 0) close(flows[i]->to);
      }
      if (is(link, "trickle") && i == 1) next_ms[i] = now_ms() + TRICKLE_MS;
      if (is(link, "slow")) next_ms[i] = now_ms() + SLOW_MS;
      strike(link);
    }
  }
}

int main(int argc, char **argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: faulty_ssh DIR HOST COMMAND...\n");
    return 2;
  }
  /* rsync gives its remote command as words; ssh joins them with blanks. */
  static char command[65536];
  for (int i = 3; i < argc; i++) {
    size_t used = strlen(command);
    snprintf(command + used, sizeof command - used, "%s%s", i > 3 ? " " : "", argv[i]);
  }
  signal(SIGPIPE, SIG_IGN);
  signal(SIGUSR1, on_told);
  struct link link = { .dir = argv[1], .number = next_number(argv[1]) };
  take_plan(&link);
  if (strcmp(link.plan.kind, "refuse") == 0) {
    note(link.dir, "faults", link.number, "refuse", 0);
    fprintf(stderr, "faulty_ssh: Connection refused\n");
    return 255;
  }
  int in, out;
  pid_t pid = start(command, &in, &out);
  if (pid < 0) return 255;
  fcntl(in, F_SETFL, O_NONBLOCK);
  link.down = (struct flow){ .from = 0, .to = in, .is_open = true };
  link.up = (struct flow){ .from = out, .to = 1, .is_open = true };
  carry(&link);
  note(link.dir, "carried", link.number, strncmp(command, "rsync", 5) == 0 ? "rsync" : "other", link.total);
  if (is(&link, "cut")) kill(-pid, SIGHUP);
  close(in);
  close(out);
  if (is(&link, "cut") || is(&link, "truncate")) return 255;
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}
