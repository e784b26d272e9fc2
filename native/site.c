/*
 * The replica and a request's hold on it; see site.h.
 */
#include "site.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include "open.h"

#define YOUNG_NS 20000000LL /* kernels stamp in steps of up to 10 ms; twice that */

int site_open_dir(int dir, const char *path) { return open_beneath(dir, path, O_RDONLY | O_DIRECTORY, 0); }

static int check_root(const struct replica *r, int root) {
  struct info now;
  struct statfs fs;
  if (info_at(root, "", &now) < 0 || fstatfs(root, &fs) < 0) return -1;
  uint64_t fs_id;
  memcpy(&fs_id, &fs.f_fsid, sizeof fs_id);
  bool same = now.inode == r->info.inode && now.btime_ns == r->info.btime_ns &&
              now.mount_id == r->info.mount_id && fs_id == r->fs_id;
  if (!same) errno = ESTALE;
  return same ? 0 : -1;
}

int site_open(struct replica *r, struct site *site) {
  *site = (struct site){.replica = r, .root = -1, .own = -1, .stage = -1, .parent = PARENT_NONE, .trash = {.dir = -1}};
  if (!r->path) {
    errno = ESTALE;
    return -1;
  }
  site->root = open(r->path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (site->root >= 0 && check_root(r, site->root) == 0) return 0;
  site_close(site);
  return -1;
}

int site_read_file(int dir, const char *name, size_t limit, struct buf *out) {
  int fd = open_beneath(dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
  if (fd < 0) return -1;
  struct info info;
  int result = info_at(fd, "", &info);
  if (result == 0 && info.kind != KIND_FILE) errno = EINVAL, result = -1;
  while (result == 0) {
    buf_reserve(out, 4096);
    ssize_t n = read(fd, out->data + out->len, 4096);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) result = -1;
    if (n <= 0) break;
    out->len += (size_t)n;
    if (out->len > limit) errno = EFBIG, result = -1;
  }
  close_fd(fd);
  return result;
}

static bool mark_reads(int own, const char *name, const struct mark *mark) {
  struct buf now = {0};
  bool same = site_read_file(own, name, MARK_MAX, &now) == 0 && now.len == mark->len &&
              (!now.len || !memcmp(now.data, mark->data, now.len));
  buf_free(&now);
  return same;
}

static bool marks_read_as_adopted(struct replica *r, int own) {
  pthread_mutex_lock(&r->lock);
  bool same = r->is_adopted && mark_reads(own, "pair", &r->pair) && mark_reads(own, "lock", &r->lock_mark);
  pthread_mutex_unlock(&r->lock);
  return same;
}

int site_open_own(struct replica *r, struct site *site) {
  if (site_open(r, site) < 0) return -1;
  site->own = site_open_dir(site->root, ".psync");
  if (site->own >= 0 && marks_read_as_adopted(r, site->own)) site->stage = site_open_dir(site->own, "stage");
  if (site->stage >= 0) return 0;
  site_close(site);
  errno = ESTALE;
  return -1;
}

void site_leave_trash(struct site *site) {
  close_fd(site->trash.dir);
  buf_free(&site->trash.wanted);
  buf_free(&site->trash.found);
  site->trash = (struct trash_cache){.dir = -1};
}

void site_close(struct site *site) {
  parent_forget(&site->parent);
  site_leave_trash(site);
  close_fd(site->stage);
  close_fd(site->own);
  close_fd(site->root);
  site->stage = site->own = site->root = -1;
}

void site_fresh_name(struct replica *r, char sigil, char out[STAGE_NAME_SIZE]) {
  snprintf(out, STAGE_NAME_SIZE, "%c%08x-%x", sigil, r->life, atomic_fetch_add(&r->sequence, 1));
}

int64_t site_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

bool site_stamp_is_young(const struct replica *r, const struct info *info) {
  return !r->has_fine_time && site_now_ns() - info->ctime_ns < YOUNG_NS;
}

bool site_name_is_plain(struct bytes name) {
  if (!name.len || name.len > PLAIN_NAME_MAX || name.data[0] == '.') return false;
  for (size_t i = 0; i < name.len; i++) {
    uint8_t c = name.data[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.') return false;
  }
  return true;
}

/* Undoes the octal escapes of mountinfo (blank, tab, newline, backslash) in place. */
static void unescape(char *text) {
  char *to = text;
  for (char *at = text; *at; at++) {
    if (at[0] == '\\' && at[1] && at[2] && at[3]) {
      *to++ = (char)((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0'));
      at += 3;
    } else {
      *to++ = *at;
    }
  }
  *to = 0;
}

/* The fifth field of a line of mountinfo, or NULL. */
static char *mount_point_of(char *line) {
  char *rest = line;
  for (int i = 0; i < 4; i++) {
    rest = strchr(rest, ' ');
    if (!rest) return NULL;
    rest++;
  }
  char *end = strchr(rest, ' ');
  if (!end) return NULL;
  *end = 0;
  unescape(rest);
  return rest;
}

bool site_has_mount_below(const struct replica *r, struct bytes path) {
  FILE *f = fopen("/proc/self/mountinfo", "re");
  if (!f) return true; /* unknown is not none */
  struct buf dir = {0};
  buf_put(&dir, r->path, strlen(r->path));
  if (strcmp(r->path, "/")) buf_u8(&dir, '/');
  buf_put(&dir, path.data, path.len);
  char *line = NULL;
  size_t size = 0;
  bool found = false;
  while (!found && getline(&line, &size, f) > 0) {
    char *point = mount_point_of(line);
    if (!point || strncmp(point, (char *)dir.data, dir.len)) continue;
    found = point[dir.len] == 0 || point[dir.len] == '/';
  }
  if (ferror(f)) found = true;
  free(line);
  fclose(f);
  buf_free(&dir);
  return found;
}
