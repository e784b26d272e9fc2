/*
 * What a user does next, and where; see user.h.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "user.h"

#define MAX_DEPTH 5

unsigned names_counted;

/* The paths at which both users meet. */
static const char *const HOT[] = {"h0",     "h1",      "d/h2",          "d/h3",
                                  "d/e/h4", "-h5 \n'", "d\xff\xfe/#h6", "d\xff\xfe/h7\""};
#define HOT_COUNT (sizeof HOT / sizeof *HOT)

/* Names that somebody somewhere takes for something else. */
static const char *const NAMES[] = {
    "a",      "b",       "c",         "dir",        "sub",  "-rf",     "--",          "#hash", "new\nline", "q'uo\"te",
    "sp ace", "\xff",    "\xc3\xa9",  "e\xcc\x81",  "*",    "$(id)",   "`x`",         ";x",    "a:b",       "back\\slash",
    "\x01",   ".hidden", ".psync2",   "psync",      "~",    "x~",      "\xed\xa0\x80", "A",     ".f.Xa8Kd2", "...",
};
#define NAME_COUNT (sizeof NAMES / sizeof *NAMES)

static uint64_t random_next(void) {
  uint64_t z = user.random += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

uint32_t random_below(uint32_t limit) { return limit == 0 ? 0 : (uint32_t)(random_next() % limit); }

bool random_percent(unsigned percent) { return random_below(100) < percent; }

size_t random_weighted(const unsigned *weights, size_t count) {
  unsigned total = 0;
  for (size_t i = 0; i < count; i++) total += weights[i];
  unsigned at = random_below(total);
  size_t i = 0;
  for (; at >= weights[i]; i++) at -= weights[i];
  return i;
}

void random_style(void) {
  static const unsigned hot[] = {35, 50, 80}, pause[] = {10, 30, 60}, pause_ms[] = {3, 20, 60}, large[] = {1, 1, 8};
  user.style = (struct style){hot[user.seed % 3], pause[user.seed / 3 % 3], pause_ms[user.seed / 9 % 3],
                              large[user.seed / 27 % 3]};
}

/* Bursts, short pauses, and now and then one in which everything can arrive. */
void random_think(void) {
  if (!random_percent(user.style.pause_percent)) return;
  double mean_ms = random_percent(15) ? 400 : user.style.pause_ms;
  double ms = -mean_ms * log((random_below(1000) + 1) / 1001.0);
  struct timespec time = {(time_t)(ms / 1000), (long)(fmod(ms, 1000) * 1e6)};
  nanosleep(&time, NULL);
}

void pause_below(unsigned limit_ms) {
  long ms = (long)random_below(limit_ms);
  struct timespec time = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&time, NULL);
}

size_t random_size(void) {
  const unsigned weights[] = {3, 3, 40, 26, 14, 10, user.style.large_weight};
  static const size_t sizes[] = {0, 1, 32, 4095, 65520, 300000, 3000000};
  size_t i = random_weighted(weights, 7);
  return i < 2 ? sizes[i] : sizes[i] + random_below(64);
}

static void random_name(char *out) {
  if (random_percent(4)) {
    memset(out, 'n', 254);
    snprintf(out + 254, 2, "%u", random_below(10));
  } else {
    strcpy(out, NAMES[random_below(NAME_COUNT)]);
  }
}

static bool is_own(const char *name) { return !strcmp(name, ".psync"); }

struct walk {
  char kind;
  unsigned seen;
  char *out;
};

/* Keeps each of what it walks over with equal chance. */
static void walk_dir(struct walk *walk, const char *path, int depth) {
  DIR *list = opendir(*path ? path : ".");
  if (!list) return;
  for (struct dirent *e; (e = readdir(list));) {
    if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || (!*path && is_own(e->d_name))) continue;
    char below[PATH_MAX];
    struct stat st;
    if (snprintf(below, sizeof below, "%s%s%s", path, *path ? "/" : "", e->d_name) >= (int)sizeof below) continue;
    if (lstat(below, &st) < 0) continue;
    bool is_dir = S_ISDIR(st.st_mode);
    names_counted++;
    if (walk->kind == '*' || (walk->kind == 'd') == is_dir)
      if (random_below(++walk->seen) == 0) strcpy(walk->out, below);
    if (is_dir && depth < 50) walk_dir(walk, below, depth + 1);
  }
  closedir(list);
}

bool random_existing(char *out, char kind) {
  struct walk walk = {.kind = kind, .out = out};
  if (random_percent(user.style.hot_percent)) {
    struct stat st;
    strcpy(out, HOT[random_below(HOT_COUNT)]);
    if (lstat(out, &st) == 0 && (kind == '*' || (kind == 'd') == S_ISDIR(st.st_mode))) return true;
  }
  names_counted = 0;
  walk_dir(&walk, "", 1);
  return walk.seen > 0;
}

static int depth_of(const char *path) {
  int depth = 1;
  for (; *path; path++) depth += *path == '/';
  return depth;
}

void random_new(char *out) {
  char name[NAME_MAX + 1];
  if (random_percent(30) || !random_existing(out, 'd') || depth_of(out) >= MAX_DEPTH) *out = 0;
  random_name(name);
  size_t at = strlen(out);
  sprintf(out + at, "%s%s", at ? "/" : "", name);
}

void random_path(char *out) {
  if (random_below(100) < user.style.hot_percent) strcpy(out, HOT[random_below(HOT_COUNT)]);
  else if (random_percent(40) || !random_existing(out, '*')) random_new(out);
}

void random_beside(char *out, const char *path) {
  const char *slash = strrchr(path, '/');
  size_t at = slash ? (size_t)(slash + 1 - path) : 0;
  memcpy(out, path, at);
  random_name(out + at);
}

void make_parents(const char *path) {
  char parent[PATH_MAX];
  for (const char *at = path; (at = strchr(at, '/')); at++) {
    memcpy(parent, path, (size_t)(at - path));
    parent[at - path] = 0;
    mkdir(parent, 0755);
  }
}
