/*
 * Interrupted transfers; see partial.h.
 *
 * DESIGN: an rsync that was told to end, or lost its link, leaves the partial file as .partial/<id>;
 * one that was killed leaves its temporary file, .<id>. and six characters. A partial file that was
 * given and not finished comes back the same way: rsync writes into it, from its beginning, so that
 * what it had is never behind what it needs next. That holds for one that was joined with the live
 * file, too.
 */
#include "partial.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "open.h"

#define AREA "partial"
#define GIVEN ".partial"       /* rsync's --partial-dir */
#define KEEP_MIN (1u << 20)    /* bytes: less is sent again as soon */
#define JOIN_FACTOR 32         /* to copy more than so many times what was sent costs more than it saves */
#define NAMES_MAX 1024         /* in the area */
#define ID_SIZE 11             /* ten digits and NUL */
#define TEMP_SUFFIX 6          /* characters that rsync appends to a temporary name */

/* Opens .psync/partial, making it. Returns an fd or -1. */
static int open_area(const struct site *site) {
  if (mkdirat(site->own, AREA, 0700) < 0 && errno != EEXIST) return -1;
  return site_open_dir(site->own, AREA);
}

/* Reads the id at the front of a name; `rest` follows it. */
static bool read_id(const char *name, char id[ID_SIZE], const char **rest) {
  size_t len = 0;
  while (isdigit((unsigned char)name[len])) len++;
  if (!len || len >= ID_SIZE) return false;
  memcpy(id, name, len);
  id[len] = 0;
  *rest = name + len;
  return true;
}

static bool is_temp_of(const char *name, char id[ID_SIZE]) {
  const char *rest;
  return *name == '.' && read_id(name + 1, id, &rest) && *rest == '.' && strlen(rest + 1) == TEMP_SUFFIX;
}

static uint64_t size_at(int dir, const char *name) {
  struct info info;
  return info_at(dir, name, &info) == 0 && info.kind == KIND_FILE ? info.size : 0;
}

/* The larger of two has more of the file. */
static void keep_one(int area, int dir, const char *name, const char *id) {
  uint64_t size = size_at(dir, name);
  if (size >= KEEP_MIN && size > size_at(area, id)) renameat(dir, name, area, id);
}

typedef void entry_fn(int area, int dir, const char *name, void *data);

/* Calls `entry` for each name in `dir`, which it may rename or remove. */
static unsigned each(int area, int dir, entry_fn *entry, void *data) {
  int listed = site_open_dir(dir, ".");
  DIR *list = listed < 0 ? NULL : fdopendir(listed);
  struct buf names = {0};
  for (struct dirent *e; list && (e = readdir(list));) buf_put(&names, e->d_name, strlen(e->d_name) + 1);
  if (list) closedir(list);
  else close_fd(listed);
  unsigned count = 0;
  for (size_t at = 0; at < names.len; at += strlen((char *)names.data + at) + 1, count++)
    entry(area, dir, (char *)names.data + at, data);
  buf_free(&names);
  return count;
}

static void keep_partial(int area, int dir, const char *name, void *data) {
  (void)data;
  char id[ID_SIZE];
  const char *rest;
  if (read_id(name, id, &rest) && !*rest) keep_one(area, dir, name, id);
}

static void keep_temp(int area, int dir, const char *name, void *data) {
  (void)data;
  char id[ID_SIZE];
  if (is_temp_of(name, id)) keep_one(area, dir, name, id);
}

static void count_only(int area, int dir, const char *name, void *data) {
  (void)area, (void)dir, (void)name, (void)data;
}

static int open_batch(const struct site *site, const char *batch) { return site_open_dir(site->stage, batch); }

void partial_keep(const struct site *site, const char *batch) {
  int dir = open_batch(site, batch);
  int area = dir < 0 ? -1 : open_area(site);
  if (area >= 0 && each(area, area, count_only, NULL) < NAMES_MAX) {
    int given = site_open_dir(dir, GIVEN);
    if (given >= 0) each(area, given, keep_partial, NULL);
    close_fd(given);
    each(area, dir, keep_temp, NULL);
  }
  close_fd(area);
  close_fd(dir);
}

/* Moves a kept one into .partial of the batch. Returns that, open, or -1. */
static int give(int area, int dir, const char *name) {
  if (area < 0 || dir < 0 || !size_at(area, name)) return -1;
  if (mkdirat(dir, GIVEN, 0700) < 0 && errno != EEXIST) return -1;
  int given = site_open_dir(dir, GIVEN);
  if (given >= 0 && renameat(area, name, given, name) == 0) return given;
  close_fd(given);
  return -1;
}

void partial_give(const struct site *site, const char *batch, uint32_t id) {
  char name[ID_SIZE];
  snprintf(name, sizeof name, "%u", id);
  int area = site_open_dir(site->own, AREA);
  int dir = area < 0 ? -1 : open_batch(site, batch);
  close_fd(give(area, dir, name));
  close_fd(dir);
  close_fd(area);
}

/* Whether so much may be written here, and the file that is to arrive as well. */
static bool has_room(int fd, uint64_t more, uint64_t incoming) {
  struct statvfs fs;
  return fstatvfs(fd, &fs) == 0 && more / fs.f_frsize + incoming / fs.f_frsize + 2 < fs.f_bavail;
}

/* Appends the live file from `from` on to what was sent. */
static bool append_live(int fd, struct live *live, uint64_t sent, uint64_t from) {
  off_t in = (off_t)from, out = (off_t)sent;
  lease_drop(live->fd); /* nobody waits for a copy; what is written meanwhile makes a worse basis, and no more */
  while ((uint64_t)in < live->info.size) {
    ssize_t n = copy_file_range(live->fd, &in, fd, &out, live->info.size - (uint64_t)in, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n == 0; /* the file became shorter */
  }
  return true;
}

/* What was sent stands for as much of the live file, and for what the new one has more: the rest follows. */
static bool join(int given, const char *name, struct live *live, uint64_t incoming) {
  int fd = open_beneath(given, name, O_RDWR | O_NONBLOCK, 0);
  uint64_t sent = fd < 0 ? 0 : size_at(given, name), size = live->info.size;
  uint64_t grown = incoming > size ? incoming - size : 0, from = sent > grown ? sent - grown : 0;
  uint64_t more = from < size ? size - from : 0;
  bool joined = sent > more / JOIN_FACTOR && has_room(fd, more, incoming) && append_live(fd, live, sent, from);
  close_fd(fd);
  return joined;
}

bool partial_join(const struct site *site, const char *batch, uint32_t id, struct live *live, uint64_t incoming) {
  char name[ID_SIZE];
  snprintf(name, sizeof name, "%u", id);
  int area = site_open_dir(site->own, AREA);
  int dir = area < 0 ? -1 : open_batch(site, batch);
  int given = give(area, dir, name);
  bool joined = given >= 0 && join(given, name, live, incoming);
  if (given >= 0 && !joined) renameat(given, name, area, name);
  close_fd(given);
  close_fd(dir);
  close_fd(area);
  return joined;
}

void partial_drop(const struct site *site, uint32_t id) {
  char name[ID_SIZE];
  snprintf(name, sizeof name, "%u", id);
  int area = site_open_dir(site->own, AREA);
  if (area >= 0) unlinkat(area, name, 0);
  close_fd(area);
}

static void purge_one(int area, int dir, const char *name, void *data) {
  struct info info;
  if (!isdigit((unsigned char)*name) || info_at(dir, name, &info) < 0) return;
  if (info.mtime_ns <= *(int64_t *)data) unlinkat(area, name, 0);
}

void partial_purge(const struct site *site, int64_t age_s) {
  int64_t before = age_s ? site_now_ns() - age_s * 1000000000LL : INT64_MAX;
  int area = site_open_dir(site->own, AREA);
  if (area >= 0) each(area, area, purge_one, &before);
  close_fd(area);
}
