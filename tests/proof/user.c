/*
 * A user who works at random: see user.h.
 *
 *     user ROOT GRAVE LOG SIDE SEED PHASE OPS
 *
 * Appends to LOG. Exit status 0 when all was done, whatever failed on the way.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "text.h"
#include "user.h"

#define NOREPLACE 1
#define EXCHANGE 2
#define REWORK_MS 250 /* rsync takes about as long to send a file */
#define CROWDED 120 /* names in the root, from which on he rather cleans up */

struct user user;

static int rename_with(const char *from, const char *to, unsigned flags) {
  fputs(" -> ", user.log);
  text_print(user.log, to);
  return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

static bool is_below(const char *path, const char *dir) {
  size_t size = strlen(dir);
  return !strncmp(path, dir, size) && (path[size] == '/' || path[size] == 0);
}

/* A name as an editor's temporary file has it, beside the path. */
static void temp_beside(char *out, const char *path) {
  static unsigned count;
  const char *slash = strrchr(path, '/');
  size_t at = slash ? (size_t)(slash + 1 - path) : 0;
  memcpy(out, path, at);
  snprintf(out + at, 64, ".t%c%u-%u.swp", user.side, user.phase, count++);
}

static int op_create(char *path) {
  random_path(path);
  make_parents(path);
  if (write_new(path) == 0) return 0;
  return errno == EEXIST ? write_in_place(path, random_percent(50)) : -1;
}

static int op_overwrite(char *path) { return random_existing(path, 'f') ? write_in_place(path, false) : 0; }

static int op_truncate(char *path) { return random_existing(path, 'f') ? write_in_place(path, true) : 0; }

static int op_append(char *path) { return random_existing(path, 'f') ? write_append(path) : 0; }

/* Puts what `temp` is at `path`, and destroys what was there knowingly, in one of three ways. */
static int put_in_place(const char *temp, const char *path) {
  char aside[PATH_MAX];
  switch (random_below(3)) {
    case 0: /* as a program that swaps */
      if (rename_with(temp, path, EXCHANGE) == 0) return bury(temp);
      return errno == ENOENT ? rename_with(temp, path, NOREPLACE) : -1;
    case 1: /* as one that removes first */
      bury(path);
      return rename_with(temp, path, NOREPLACE);
    default: /* as one that keeps a backup */
      random_beside(aside, path);
      rename_with(path, aside, NOREPLACE);
      return rename_with(temp, path, NOREPLACE);
  }
}

static int op_save(char *path) {
  char temp[PATH_MAX];
  if (random_percent(40) || !random_existing(path, 'f')) random_path(path);
  make_parents(path);
  temp_beside(temp, path);
  if (write_new(temp) < 0) return -1;
  if (random_percent(30)) random_think();
  int result = put_in_place(temp, path), error = errno;
  if (result < 0) bury(temp);
  errno = error;
  return result;
}

static int op_remove(char *path) { return random_existing(path, 'f') ? bury(path) : 0; }

static int op_rename(char *path) {
  char to[PATH_MAX];
  if (!random_existing(path, 'f')) return 0;
  random_path(to);
  if (random_percent(50)) make_parents(to);
  return rename_with(path, to, NOREPLACE);
}

static int op_move_dir(char *path) {
  char to[PATH_MAX];
  if (!random_existing(path, 'd')) return 0;
  if (random_percent(50)) random_beside(to, path);
  else random_new(to);
  return is_below(to, path) ? 0 : rename_with(path, to, NOREPLACE);
}

/* A directory that is worked in, goes away, and is back at once: as a program does that needs its name free. */
static int op_away(char *path) {
  char to[PATH_MAX], below[PATH_MAX];
  if (!random_existing(below, 'f')) return 0;
  const char *slash = strrchr(below, '/');
  if (!slash) return 0;
  snprintf(path, PATH_MAX, "%.*s", (int)(slash - below), below);
  if (random_percent(50)) chmod(below, random_percent(50) ? 0644 : 0600);
  else write_append(below);
  random_beside(to, path);
  if (is_below(to, path) || rename_with(path, to, NOREPLACE) < 0) return -1;
  if (random_percent(70)) pause_below(user.hold_ms);
  return rename_with(to, path, NOREPLACE);
}

/* A large file that is written again and again, so that it changes while it is sent. */
static int op_rework(char *path) {
  if (!random_existing(path, 'f')) return 0;
  for (unsigned i = 2 + random_below(2); i > 0; i--) {
    if (write_large(path) < 0) return -1;
    pause_below(REWORK_MS);
  }
  return 0;
}

static int op_exchange(char *path) {
  char to[PATH_MAX];
  char kind = random_percent(70) ? 'f' : '*';
  if (!random_existing(path, kind) || !random_existing(to, kind)) return 0;
  return is_below(to, path) || is_below(path, to) ? 0 : rename_with(path, to, EXCHANGE);
}

static int op_mkdir(char *path) {
  random_path(path);
  make_parents(path);
  return mkdir(path, random_percent(80) ? 0755 : 0700);
}

static int op_rmdir(char *path) { return random_existing(path, 'd') ? rmdir(path) : 0; }

static int op_rm_rf(char *path) {
  if (!random_existing(path, 'd')) return 0;
  return random_percent(50) ? bury(path) : bury_slowly(path);
}

static int op_symlink(char *path) {
  random_path(path);
  make_parents(path);
  if (random_percent(50)) bury(path);
  return link_new(path);
}

static int op_change_type(char *path) {
  if (!random_existing(path, '*')) return 0;
  struct stat st;
  if (lstat(path, &st) < 0 || bury(path) < 0) return -1;
  if (S_ISDIR(st.st_mode)) return random_percent(70) ? write_new(path) : link_new(path);
  if (random_percent(30)) return link_new(path);
  if (mkdir(path, 0755) < 0) return -1;
  char below[PATH_MAX];
  snprintf(below, sizeof below, "%s/a", path);
  return write_new(below);
}

static int op_chmod(char *path) {
  /* Of a directory only such as its owner can work in: what he cannot enter, psync cannot, either. */
  static const unsigned modes[] = {0644, 0600, 0755, 0700, 0775};
  struct stat st;
  if (!random_existing(path, '*') || lstat(path, &st) < 0 || S_ISLNK(st.st_mode)) return 0;
  return chmod(path, modes[random_below(5)] | (S_ISDIR(st.st_mode) ? 0700 : 0));
}

static int op_touch(char *path) {
  struct timespec times[2] = {{0, UTIME_NOW}, {1000000000 + random_below(700000000), random_below(1000000000)}};
  if (!random_existing(path, 'f')) return 0;
  return utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
}

static int op_read(char *path) { return random_existing(path, 'f') ? read_file(path) : 0; }

/* A small tree at once, as tar or cp -r makes it. */
static int op_untar(char *path) {
  char below[PATH_MAX];
  random_new(path);
  if (mkdir(path, 0755) < 0) return -1;
  for (unsigned i = random_below(6); i > 0; i--) {
    random_new(below);
    if (!is_below(below, path)) snprintf(below, sizeof below, "%s/%u", path, i);
    if (random_percent(30)) mkdir(below, 0755);
    else write_new(below);
  }
  return 0;
}

static const struct {
  const char *name;
  unsigned weight;
  int (*run)(char *path);
} OPS[] = {
    {"create", 13, op_create},     {"overwrite", 9, op_overwrite}, {"truncate", 6, op_truncate},
    {"append", 7, op_append},      {"save", 15, op_save},          {"remove", 8, op_remove},
    {"rename", 9, op_rename},      {"movedir", 6, op_move_dir},    {"exchange", 4, op_exchange},
    {"mkdir", 4, op_mkdir},        {"rmdir", 2, op_rmdir},         {"rmrf", 3, op_rm_rf},
    {"symlink", 4, op_symlink},    {"type", 3, op_change_type},    {"chmod", 4, op_chmod},
    {"touch", 2, op_touch},        {"read", 4, op_read},           {"untar", 2, op_untar},
    {"away", 3, op_away},          {"rework", 1, op_rework},
};
#define OP_COUNT (sizeof OPS / sizeof *OPS)

static void run_op(void) {
  unsigned weights[OP_COUNT];
  char path[PATH_MAX] = {0};
  struct timespec now;
  for (size_t i = 0; i < OP_COUNT; i++) weights[i] = OPS[i].weight;
  size_t op = random_weighted(weights, OP_COUNT);
  if (names_counted > CROWDED && random_percent(30)) op = 11; /* rmrf */
  clock_gettime(CLOCK_REALTIME, &now);
  struct tm *tm = gmtime(&now.tv_sec);
  fprintf(user.log, "%u %02d:%02d:%02d.%03ld %s", user.seq++, tm->tm_hour, tm->tm_min, tm->tm_sec,
          now.tv_nsec / 1000000, OPS[op].name);
  errno = 0;
  int result = OPS[op].run(path), error = errno;
  fputs(" @ ", user.log);
  text_print(user.log, path);
  if (result < 0) fprintf(user.log, " =%s", strerrorname_np(error));
  fputc('\n', user.log);
  fflush(user.log);
}

int main(int argc, char **argv) {
  if (argc != 8) errx(2, "user ROOT GRAVE LOG SIDE SEED PHASE OPS");
  user.side = *argv[4];
  user.seed = (unsigned)atoi(argv[5]);
  user.phase = (unsigned)atoi(argv[6]);
  user.random = ((uint64_t)user.seed << 16) ^ (user.phase << 8) ^ (uint64_t)user.side;
  random_style();
  const char *hold = getenv("PROOF_HOLD_MS");
  user.hold_ms = hold ? (unsigned)atoi(hold) : 40;
  user.log = fopen(argv[3], "a");
  user.grave = open(argv[2], O_PATH | O_DIRECTORY);
  if (!user.log || user.grave < 0 || chdir(argv[1]) < 0) err(2, "%s", argv[1]);
  umask(0);
  for (int ops = atoi(argv[7]); ops > 0; ops--) {
    run_op();
    random_think();
  }
  return fclose(user.log) == 0 ? 0 : 1;
}
