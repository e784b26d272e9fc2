/*
 * The stopwatch of the bench: does what a user does in one tree, and watches the other tree until it
 * shows the same. One process does both, so one clock times both.
 *
 *   probe latency KIND COUNT GAP_MS FROM TO   KIND: create, change, rename, delete
 *   probe same SOURCE TO -- COMMAND...        until each file of SOURCE is in TO
 *   probe there PATH -- COMMAND...            until PATH is there
 *   probe gone PATH -- COMMAND...             until PATH is gone
 *   probe follow FROM TO -- COMMAND...        until TO shows what COMMAND made of FROM
 *   probe rewrite PATH COUNT GAP_US           writes a file anew, again and again
 *   probe append PATH COUNT GAP_US            appends to a file that stays open
 *   probe tree DIR COUNT A_DIR                makes COUNT small sparse files, A_DIR to a directory
 *   probe versions PATH MS                    how many versions of PATH were seen, and how many torn ones
 *
 * Prints numbers, one a line: microseconds from the return of the user's last system call (or from
 * the end of COMMAND) to the change being visible. `latency` prints one for each sample, the others
 * first how long COMMAND took, then the wait; `versions` prints its two counts. Ends with status 1 and a word on stderr when something
 * fails or is not visible after LIMIT_S.
 *
 * DESIGN: looks with lstat every 50 us. It does not spin: on two cores that would take one away from
 * what is measured. SOURCE is read before the clock runs. Equal means size and mtime, to
 * MTIME_SLACK_NS; contents are compared elsewhere, outside of the measurement. tests/bench/probe.ts runs it.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* MTIME_SLACK_NS: Unison keeps times as seconds in a double. */
enum { LOOK_EVERY_NS = 50000, LIMIT_S = 600, FILE_BYTES = 4096, MTIME_SLACK_NS = 2000 };

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void pause_ns(int64_t ns) {
  struct timespec t = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
  nanosleep(&t, NULL);
}

static void die(const char *what) {
  fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
  exit(1);
}

/* What must be visible at a path. */
struct wanted {
  const char *path; /* absolute */
  int is_there;     /* 0: nothing must be there, and the rest says nothing */
  int64_t size;     /* bytes; -1: any */
  struct timespec mtime; /* tells only where size does */
};

static int is_visible(const struct wanted *want) {
  struct stat st;
  if (lstat(want->path, &st) != 0) return !want->is_there && errno == ENOENT;
  if (!want->is_there) return 0;
  if (want->size < 0) return 1;
  int64_t late_ns = (st.st_mtim.tv_sec - want->mtime.tv_sec) * 1000000000LL + st.st_mtim.tv_nsec - want->mtime.tv_nsec;
  return st.st_size == want->size && late_ns > -MTIME_SLACK_NS && late_ns < MTIME_SLACK_NS;
}

/* Waits until a path shows what is wanted; ends the program when it does not in time. */
static void wait_for(const struct wanted *want) {
  int64_t limit = now_ns() + (int64_t)LIMIT_S * 1000000000;
  while (!is_visible(want)) {
    if (now_ns() > limit) {
      errno = ETIMEDOUT;
      die(want->path);
    }
    pause_ns(LOOK_EVERY_NS);
  }
}

static void print_us(int64_t begin_ns, int64_t end_ns) { printf("%lld\n", (long long)((end_ns - begin_ns) / 1000)); }

static void make_path(char *out, size_t size, const char *dir, const char *name, int number) {
  if (snprintf(out, size, "%s/%s-%d", dir, name, number) >= (int)size) {
    errno = ENAMETOOLONG;
    die(dir);
  }
}

/* Writes a file as an editor does; `seed` makes each content another one, of another length. */
static void write_file(const char *path, int seed) {
  static char bytes[FILE_BYTES + 256];
  size_t length = FILE_BYTES + (size_t)seed % 251;
  memset(bytes, 'a' + seed % 26, sizeof bytes);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0 || write(fd, bytes, length) != (ssize_t)length || close(fd) != 0) die(path);
}

/* What the user's path holds now, wanted at another path. */
static struct wanted like(const char *there, const char *here) {
  struct stat st;
  if (lstat(here, &st) != 0) die(here);
  return (struct wanted){.path = there, .is_there = 1, .size = st.st_size, .mtime = st.st_mtim};
}

enum kind { CREATE, CHANGE, RENAME, DELETE, KINDS };
static const char *const KIND_NAMES[KINDS] = {"create", "change", "rename", "delete"};

struct trial {
  enum kind kind;
  int number; /* of the sample */
  const char *from, *to;
};

/* Makes what the sample needs on both sides, and waits until it is there. */
static void prepare(const struct trial *trial) {
  char here[4096], there[4096];
  if (trial->kind == CREATE) return;
  make_path(here, sizeof here, trial->from, KIND_NAMES[trial->kind], trial->number);
  make_path(there, sizeof there, trial->to, KIND_NAMES[trial->kind], trial->number);
  write_file(here, trial->number);
  struct wanted want = like(there, here);
  wait_for(&want);
}

/* Times one sample. */
static void measure(const struct trial *trial) {
  char here[4096], there[4096], here2[4096], there2[4096];
  make_path(here, sizeof here, trial->from, KIND_NAMES[trial->kind], trial->number);
  make_path(there, sizeof there, trial->to, KIND_NAMES[trial->kind], trial->number);
  make_path(here2, sizeof here2, trial->from, "renamed", trial->number);
  make_path(there2, sizeof there2, trial->to, "renamed", trial->number);
  struct wanted old = {.path = there}, new = {.path = there2, .is_there = 1, .size = -1};
  int64_t begin = 0;
  switch (trial->kind) {
  case CREATE:
  case CHANGE:
    write_file(here, trial->number + (trial->kind == CHANGE ? 100 : 0));
    begin = now_ns();
    old = like(there, here);
    break;
  case RENAME:
    if (rename(here, here2) != 0) die(here);
    begin = now_ns();
    wait_for(&new);
    break;
  case DELETE:
    if (unlink(here) != 0) die(here);
    begin = now_ns();
    break;
  case KINDS:
    break;
  }
  wait_for(&old);
  print_us(begin, now_ns());
}

static int latency(int count, char **args) {
  enum kind kind = CREATE;
  while (kind < KINDS && strcmp(args[0], KIND_NAMES[kind]) != 0) kind++;
  if (count != 5 || kind == KINDS) return -1;
  int samples = atoi(args[1]), gap_ms = atoi(args[2]);
  for (int i = 0; i < samples; i++) {
    struct trial trial = {.kind = kind, .number = i, .from = args[3], .to = args[4]};
    prepare(&trial);
    /* uneven, so that the samples do not fall in step with anything that is periodic */
    pause_ns((int64_t)gap_ms * 1000000 + rand() % (gap_ms * 500000 + 1));
    measure(&trial);
  }
  return 0;
}

/* The files of SOURCE, as they are wanted below TO. nftw takes no argument, so they are global. */
static struct {
  struct wanted *items;
  size_t count, capacity;
  size_t prefix; /* length of SOURCE */
  const char *to;
} files;

static int collect(const char *path, const struct stat *st, int type, struct FTW *at) {
  (void)at;
  if (type != FTW_F) return 0;
  if (files.count == files.capacity) {
    files.capacity = files.capacity == 0 ? 1024 : files.capacity * 2;
    files.items = realloc(files.items, files.capacity * sizeof *files.items);
    if (files.items == NULL) return -1;
  }
  char *there = NULL;
  if (asprintf(&there, "%s%s", files.to, path + files.prefix) < 0) return -1;
  files.items[files.count++] =
      (struct wanted){.path = there, .is_there = 1, .size = st->st_size, .mtime = st->st_mtim};
  return 0;
}

/* Runs a command to its end, prints how long it took, and returns when it ended. */
static int64_t run(char **command) {
  int64_t begin = now_ns();
  int status;
  pid_t pid = fork();
  if (pid < 0) die("fork");
  if (pid == 0) {
    execvp(command[0], command);
    _exit(127);
  }
  if (waitpid(pid, &status, 0) != pid) die("waitpid");
  int64_t end = now_ns();
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    errno = ECHILD;
    die(command[0]);
  }
  print_us(begin, end);
  return end;
}

/* Reads what is below SOURCE, as it is wanted below TO. */
static void collect_all(const char *source, const char *to) {
  files.items = NULL;
  files.count = files.capacity = 0;
  files.prefix = strlen(source);
  files.to = to;
  if (nftw(source, collect, 32, FTW_PHYS) != 0) die(source);
}

/* The index of what follows "--"; 0 where there is none. */
static int command_at(int count, char **args) {
  for (int i = 0; i + 1 < count; i++) if (strcmp(args[i], "--") == 0) return i + 1;
  return 0;
}

static int same(int count, char **args) {
  int command = command_at(count, args);
  if (command != 3) return -1;
  collect_all(args[0], args[1]);
  if (files.count == 0) die(args[0]);
  int64_t end = run(args + command);
  for (size_t i = 0; i < files.count; i++) wait_for(&files.items[i]);
  print_us(end, now_ns());
  return 0;
}

static int follow(int count, char **args) {
  int command = command_at(count, args);
  if (command != 3) return -1;
  const char *from = args[0], *to = args[1];
  collect_all(from, to);
  struct wanted *before = files.items;
  size_t before_count = files.count;
  int64_t end = run(args + command);
  collect_all(from, to);
  for (size_t i = 0; i < files.count; i++) wait_for(&files.items[i]);
  for (size_t i = 0; i < before_count; i++) {
    char *here = NULL;
    struct stat st;
    if (asprintf(&here, "%s%s", from, before[i].path + strlen(to)) < 0) die(from);
    if (lstat(here, &st) != 0) wait_for(&(struct wanted){.path = before[i].path});
    free(here);
  }
  print_us(end, now_ns());
  return 0;
}

/* A file that is written to COUNT times, GAP_US apart as far as the machine keeps up. */
static int busy(int count, char **args, int appends) {
  if (count != 3) return -1;
  int times = atoi(args[1]);
  int64_t next = now_ns(), gap_ns = (int64_t)atoi(args[2]) * 1000;
  int fd = appends ? open(args[0], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
  if (appends && fd < 0) die(args[0]);
  for (int i = 0; i < times; i++) {
    if (appends && dprintf(fd, "line %d\n", i) < 0) die(args[0]);
    if (!appends) write_file(args[0], i);
    next += gap_ns;
    if (next > now_ns()) pause_ns(next - now_ns());
  }
  return 0;
}

/* Files that take a size and no room: for what is counted and not read. */
static int tree(int count, char **args) {
  if (count != 3) return -1;
  int files_all = atoi(args[1]), a_dir = atoi(args[2]);
  char above[4096], dir[4096 + 16], path[4096 + 64];
  for (int i = 0; i < files_all; i++) {
    int number = i / a_dir;
    make_path(above, sizeof above, args[0], "above", number / 1000);
    snprintf(dir, sizeof dir, "%s/d%d", above, number);
    if (number % 1000 == 0 && i % a_dir == 0 && mkdir(above, 0755) != 0) die(above);
    if (i % a_dir == 0 && mkdir(dir, 0755) != 0) die(dir);
    snprintf(path, sizeof path, "%s/f%d", dir, i);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 || ftruncate(fd, 200 + i % 3800) != 0 || close(fd) != 0) die(path);
  }
  return 0;
}

/* Whether what `write_file` wrote is there in part only. */
static int is_torn(const char *path) {
  char bytes[FILE_BYTES + 256];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t length = read(fd, bytes, sizeof bytes);
  close(fd);
  if (length < FILE_BYTES) return 1;
  for (ssize_t i = 1; i < length; i++) if (bytes[i] != bytes[0]) return 1;
  return 0;
}

static int versions(int count, char **args) {
  if (count != 2) return -1;
  int64_t end = now_ns() + (int64_t)atoi(args[1]) * 1000000;
  struct stat last = {0}, st;
  int seen = 0, torn = 0;
  for (; now_ns() < end; pause_ns(10 * LOOK_EVERY_NS)) {
    if (lstat(args[0], &st) != 0) continue;
    int is_same = st.st_ino == last.st_ino && st.st_size == last.st_size && st.st_mtim.tv_sec == last.st_mtim.tv_sec &&
                  st.st_mtim.tv_nsec == last.st_mtim.tv_nsec;
    if (is_same) continue;
    last = st;
    seen++;
    torn += is_torn(args[0]);
  }
  printf("%d\n%d\n", seen, torn);
  return 0;
}

static int one(int count, char **args, int is_there) {
  int command = command_at(count, args);
  if (command != 2) return -1;
  struct wanted want = {.path = args[0], .is_there = is_there, .size = -1};
  int64_t end = run(args + command);
  wait_for(&want);
  print_us(end, now_ns());
  return 0;
}

int main(int argc, char **argv) {
  int result = -1;
  prctl(PR_SET_TIMERSLACK, 1UL);
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (argc > 2 && strcmp(argv[1], "latency") == 0) result = latency(argc - 2, argv + 2);
  if (argc > 2 && strcmp(argv[1], "same") == 0) result = same(argc - 2, argv + 2);
  if (argc > 2 && strcmp(argv[1], "there") == 0) result = one(argc - 2, argv + 2, 1);
  if (argc > 2 && strcmp(argv[1], "gone") == 0) result = one(argc - 2, argv + 2, 0);
  if (argc > 2 && strcmp(argv[1], "follow") == 0) result = follow(argc - 2, argv + 2);
  if (argc > 2 && strcmp(argv[1], "rewrite") == 0) result = busy(argc - 2, argv + 2, 0);
  if (argc > 2 && strcmp(argv[1], "append") == 0) result = busy(argc - 2, argv + 2, 1);
  if (argc > 2 && strcmp(argv[1], "tree") == 0) result = tree(argc - 2, argv + 2);
  if (argc > 2 && strcmp(argv[1], "versions") == 0) result = versions(argc - 2, argv + 2);
  if (result != 0) fputs("probe: wrong arguments; see the head of probe.c\n", stderr);
  return result == 0 ? 0 : 2;
}
