/*
 * Watches over a root while both users work:
 *
 *     witness ROOT
 *
 * Goes through all files again and again, until SIGTERM. Of a file that nobody has open for writing
 * (a lease tells) it looks whether it is whole: if not, somebody has shown a half file, and it says
 *     torn PATH at TIME, SIZE bytes, inode INODE
 * And it says when a token appears at a path, and when it was not there in two rounds in a row (a
 * name may be passed by while it is renamed):
 *     + MS MS TOKEN PATH          - MS MS TOKEN PATH
 * That was between the two: rounds are long on a busy machine, and a name may be passed by just before it is made.
 * A file that its user renames while he has it open for writing cannot be read under its new name: it
 * is taken to hold there what it held, as long as that lasts.
 * MS is the monotonic clock.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "content.h"
#include "text.h"

#define PAUSE_NS 15000000L
#define MISSED_ROUNDS 2

/* A token at a path. */
struct seen {
  char token[TOKEN_SIZE];
  char *path;
  unsigned round;  /* the last one that saw it */
  long kept_ms;    /* when the last one began that saw it, once one has missed it */
  long missed_ms;  /* when the first one ended that did not see it; 0: none */
  ino_t inode;     /* the file that held it, when it was last read */
  struct timespec ctime;
  struct statx_timestamp birth;
};

static struct seen *seen;
static size_t seen_count;
static unsigned round_now;
static long round_ms, previous_ms; /* when this round began, and the one before it */
static volatile sig_atomic_t is_over;

static void on_signal(int number) { is_over |= number == SIGTERM; }

static long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void say(const char *sign, long from_ms, long to_ms, const struct seen *one) {
  printf("%s %ld %ld %s ", sign, from_ms, to_ms, one->token);
  text_print(stdout, one->path);
  putchar('\n');
  fflush(stdout);
}

/* The file that is read now. */
struct reading {
  const char *path;
  const struct stat *st;
  struct statx_timestamp birth;
};

static void found(void *context, const char *token) {
  const struct reading *reading = context;
  const char *path = reading->path;
  for (size_t i = 0; i < seen_count; i++) {
    if (strcmp(seen[i].token, token) || strcmp(seen[i].path, path)) continue;
    seen[i].round = round_now;
    seen[i].missed_ms = 0;
    seen[i].inode = reading->st->st_ino;
    seen[i].ctime = reading->st->st_ctim;
    seen[i].birth = reading->birth;
    return;
  }
  seen = realloc(seen, (seen_count + 1) * sizeof *seen);
  if (!seen) err(1, "realloc");
  struct seen *one = &seen[seen_count++];
  *one = (struct seen){.path = strdup(path),
                       .round = round_now,
                       .inode = reading->st->st_ino,
                       .ctime = reading->st->st_ctim,
                       .birth = reading->birth};
  memcpy(one->token, token, TOKEN_SIZE);
  say("+", previous_ms, now_ms(), one);
}

static void forget_missed(void) {
  for (size_t i = seen_count; i-- > 0;) {
    if (seen[i].round == round_now) continue;
    if (seen[i].missed_ms == 0) {
      seen[i].kept_ms = previous_ms;
      seen[i].missed_ms = now_ms();
    }
    if (round_now - seen[i].round < MISSED_ROUNDS) continue;
    say("-", seen[i].kept_ms, seen[i].missed_ms, &seen[i]);
    free(seen[i].path);
    seen[i] = seen[--seen_count];
  }
}

/* Keeps what is known of a path that cannot be read now, or (`st`) that need not be. Whether something was kept. */
static bool keep(const char *path, const struct stat *st) {
  bool kept = false;
  for (size_t i = 0; i < seen_count; i++) {
    struct seen *one = &seen[i];
    if (strcmp(one->path, path)) continue;
    if (st && (one->inode != st->st_ino || memcmp(&one->ctime, &st->st_ctim, sizeof one->ctime))) continue;
    one->round = round_now;
    one->missed_ms = 0;
    kept = true;
  }
  return kept;
}

/* Under a name that is new to us: what the same file held under another one. */
static void keep_renamed(const struct reading *reading) {
  for (size_t i = seen_count; i-- > 0;) { /* `found` adds at the end */
    const struct statx_timestamp *birth = &seen[i].birth;
    bool is_same = seen[i].inode == reading->st->st_ino && birth->tv_sec == reading->birth.tv_sec &&
                   birth->tv_nsec == reading->birth.tv_nsec;
    char token[TOKEN_SIZE];
    memcpy(token, seen[i].token, TOKEN_SIZE);
    if (is_same && strcmp(seen[i].path, reading->path)) found((void *)reading, token);
  }
}

static void say_torn(const char *path, const struct stat *st) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  struct tm *tm = gmtime(&now.tv_sec);
  fputs("torn ", stdout);
  text_print(stdout, path);
  printf(" at %02d:%02d:%02d.%03ld, %lld bytes, inode %llu\n", tm->tm_hour, tm->tm_min, tm->tm_sec, now.tv_nsec / 1000000,
         (long long)st->st_size, (unsigned long long)st->st_ino);
  fflush(stdout);
}

/* Says when it is half though nobody writes, and which tokens it holds. */
static void look_at_file(int dir, const char *name, const char *path) {
  int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOATIME);
  struct stat st;
  struct statx more;
  if (fd < 0 || fstat(fd, &st) < 0) return;
  struct reading reading = {.path = path, .st = &st};
  if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &more) == 0) reading.birth = more.stx_btime;
  /* Refused while anybody has it open for writing: his file may be half. */
  if (keep(path, &st)) {
    /* as it was in the last round */
  } else if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0) {
    if (!keep(path, NULL)) keep_renamed(&reading);
  } else {
    int whole = content_check_file(fd, found, &reading);
    if (whole == 0 && fcntl(fd, F_GETLEASE) == F_RDLCK) {
      say_torn(path, &st);
    } else if (whole == 0) {
      keep(path, NULL);
    }
  }
  close(fd);
}

/* Closes `dir`. */
static void look_at_dir(int dir, const char *path) {
  DIR *list = fdopendir(dir);
  if (!list) err(1, "fdopendir");
  for (struct dirent *e; !is_over && (e = readdir(list));) {
    if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
    if (!*path && !strcmp(e->d_name, ".psync")) continue;
    char *below;
    if (asprintf(&below, "%s%s%s", path, *path ? "/" : "", e->d_name) < 0) err(1, "asprintf");
    int next = e->d_type == DT_DIR ? openat(dirfd(list), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) : -1;
    if (next >= 0) look_at_dir(next, below);
    else if (e->d_type == DT_REG) look_at_file(dirfd(list), e->d_name, below);
    free(below);
  }
  closedir(list);
}

int main(int argc, char **argv) {
  if (argc != 2 || chdir(argv[1]) < 0) errx(2, "witness ROOT");
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGIO, &action, NULL); /* somebody wants to write: the lease is given back in a moment */
  while (!is_over) {
    round_now++;
    previous_ms = round_ms;
    round_ms = now_ms();
    int root = open(".", O_RDONLY | O_DIRECTORY);
    if (root < 0) err(1, "%s", argv[1]);
    look_at_dir(root, "");
    if (!is_over) forget_missed();
    nanosleep(&(struct timespec){0, PAUSE_NS}, NULL);
  }
  return 0;
}
