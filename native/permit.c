/*
 * Directories without write permission; see permit.h.
 */
#include "permit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "open.h"

#define NEEDED 0300 /* to make and remove names in a directory */

static int set_mode(int dir, mode_t mode) {
  char path[32];
  open_proc_path(path, dir); /* WHY: fchmod refuses an O_PATH fd */
  return chmod(path, mode);
}

/* Notes the directory in the stage. Returns 0 or -1 with errno. */
static int mark(const struct site *site, struct bytes path, const struct info *info, struct permit *permit) {
  char target[PATH_MAX];
  if (path.len >= sizeof target) {
    errno = ENAMETOOLONG;
    return -1;
  }
  snprintf(target, sizeof target, "%.*s", path.len ? (int)path.len : 1, path.len ? (const char *)path.data : ".");
  snprintf(permit->marker, sizeof permit->marker, "%c%o-%llx-%x", SIGIL_PERMIT, (unsigned)info->mode,
           (unsigned long long)info->inode, atomic_fetch_add(&site->replica->sequence, 1));
  return symlinkat(target, site->stage, permit->marker);
}

bool permit_give(const struct site *site, struct bytes path, struct permit *permit) {
  struct info info;
  *permit = (struct permit){.dir = open_dir_path(site->root, path)};
  if (permit->dir < 0) return false;
  bool is_ours = info_at(permit->dir, "", &info) == 0 && info.kind == KIND_DIR && info.uid == geteuid();
  if (is_ours && (info.mode & NEEDED) != NEEDED && mark(site, path, &info, permit) == 0) {
    permit->mode = info.mode;
    if (set_mode(permit->dir, info.mode | NEEDED) == 0) return true;
    unlinkat(site->stage, permit->marker, 0);
  }
  close_fd(permit->dir);
  permit->dir = -1;
  return false;
}

/* Gives the mode back, if nobody has set another one since. */
static void restore(int dir, mode_t mode) {
  struct info now;
  if (info_at(dir, "", &now) == 0 && now.mode == (mode | NEEDED)) set_mode(dir, mode);
}

void permit_take(const struct site *site, struct permit *permit) {
  if (permit->dir < 0) return;
  restore(permit->dir, permit->mode);
  unlinkat(site->stage, permit->marker, 0);
  close_fd(permit->dir);
  permit->dir = -1;
}

void permit_sweep(const struct site *site, const char *marker) {
  char target[PATH_MAX];
  unsigned mode;
  unsigned long long inode;
  ssize_t len = readlinkat(site->stage, marker, target, sizeof target);
  struct bytes path = {(uint8_t *)target, len > 0 ? (size_t)len : 0};
  if (len == 1 && *target == '.') path.len = 0;
  bool is_ours = len > 0 && (size_t)len < sizeof target && sscanf(marker + 1, "%o-%llx-", &mode, &inode) == 2;
  int dir = is_ours && path_is_valid(path, false) ? open_dir_path(site->root, path) : -1;
  struct info info;
  if (dir >= 0 && info_at(dir, "", &info) == 0 && info.inode == inode && info.kind == KIND_DIR) restore(dir, mode & 07777);
  close_fd(dir);
  unlinkat(site->stage, marker, 0);
}
