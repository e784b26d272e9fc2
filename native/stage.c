/*
 * Staging; see stage.h.
 */
#include "stage.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "live.h"
#include "rename.h"

#define HOLE_BYTES 4096 /* the block of the usual file systems */

/* Looks at the complete object and makes the name that tells what it is. */
static int stage_identify(struct site *site, int fd, const struct attrs *attrs, struct staged *out) {
  if (info_at(fd, "", &out->info) < 0) return -1;
  out->masked = attrs_are_masked(attrs, &out->info);
  bool is_file = out->info.kind == KIND_FILE;
  snprintf(out->name, sizeof out->name, "%c%llx-%llx-%llx-%x", SIGIL_STAGED, (unsigned long long)out->info.inode,
           is_file ? (unsigned long long)out->info.size : 0ull,
           is_file ? (unsigned long long)out->info.mtime_ns : 0ull,
           atomic_fetch_add(&site->replica->sequence, 1));
  return 0;
}

/* Ends the staging of a file that is open as `fd` and has its name: keeps or closes what is needed. */
static int stage_settle(struct site *site, int fd, bool many, struct staged *out) {
  out->is_there = true;
  out->needs_flush = out->info.size > 0;
  if (many) {
    if (out->needs_flush) sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    close_fd(fd);
    return 0;
  }
  if (out->needs_flush) {
    out->flush = fd;
  } else {
    close_fd(fd);
  }
  return stage_open(site, out);
}

/* A file without a name, or, where there is none such, one with the name `temp`. */
static int open_nameless(struct site *site, char temp[STAGE_NAME_SIZE]) {
  temp[0] = 0;
  int fd = openat(site->stage, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EINVAL)) return fd;
  site_fresh_name(site->replica, SIGIL_NEW, temp);
  return openat(site->stage, temp, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static int give_name(struct site *site, int fd, const char *temp, const char *name) {
  if (*temp) return renameat(site->stage, temp, site->stage, name);
  return open_link(fd, site->stage, name);
}

/* Ends the staging of a file that is to get its first name in the tree: it vanishes with its fds. One
 * of many keeps the fd that it was written by, for the microseconds until it is named: that saves
 * opening it again, and its close is told to nobody, as the file was opened without a name. */
static int settle_nameless(struct site *site, int fd, bool many, struct staged *out) {
  out->needs_flush = out->info.size > 0;
  bool is_flushed_alone = out->needs_flush && !many;
  out->object = is_flushed_alone ? open_again(fd, O_PATH) : fd;
  if (out->object < 0) return -1;
  out->is_nameless = true;
  if (is_flushed_alone) out->flush = fd;
  else if (out->needs_flush && site->replica->fs_type != TMPFS_MAGIC) sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
  return 0;
}

static bool is_zero(const uint8_t *data, size_t len) { return !data[0] && !memcmp(data, data + 1, len - 1); }

/* Writes the content with a hole for each block of zeros, as rsync does it for large files. */
static int write_sparse(int fd, struct bytes content) {
  size_t written = 0; /* all before it is written, or to be a hole */
  for (size_t at = 0; at < content.len; at += HOLE_BYTES) {
    size_t len = content.len - at < HOLE_BYTES ? content.len - at : HOLE_BYTES;
    if (!is_zero(content.data + at, len)) continue;
    if (write_all(fd, content.data + written, at - written) < 0) return -1;
    if (lseek(fd, (off_t)(at + len), SEEK_SET) < 0) return -1;
    written = at + len;
  }
  if (written < content.len) return write_all(fd, content.data + written, content.len - written);
  return written ? ftruncate(fd, (off_t)written) : 0; /* it ends with a hole */
}

int stage_content(struct site *site, struct bytes content, const struct attrs *attrs, unsigned how, struct staged *out) {
  char temp[STAGE_NAME_SIZE];
  bool many = how & STAGE_MANY;
  *out = STAGED_NONE;
  int fd = open_nameless(site, temp);
  if (fd < 0) return -1;
  if (write_sparse(fd, content) < 0) goto fail;
  if (attrs_set(fd, KIND_FILE, attrs, site->replica->is_root_user) < 0) goto fail;
  if (stage_identify(site, fd, attrs, out) < 0) goto fail;
  if ((how & STAGE_NEW) && !*temp) {
    if (settle_nameless(site, fd, many, out) == 0) return 0;
    goto fail;
  }
  if (give_name(site, fd, temp, out->name) < 0) goto fail;
  if (stage_settle(site, fd, many, out) == 0) return 0;
  stage_discard(site, out);
  stage_close(out);
  return -1;
fail:
  if (*temp) {
    int err = errno;
    unlinkat(site->stage, temp, 0);
    errno = err;
  }
  close_fd(fd);
  return -1;
}

int stage_take(struct site *site, const struct arrived *arrived, const struct attrs *attrs, bool many,
               struct staged *out) {
  struct bytes batch = arrived->batch;
  char path[PLAIN_NAME_MAX + 16];
  *out = STAGED_NONE;
  snprintf(path, sizeof path, "%.*s/%u", (int)batch.len, (const char *)batch.data, arrived->id);
  int fd = open_beneath(site->stage, path, O_RDWR | O_NONBLOCK | O_NOCTTY, 0);
  struct info info;
  bool is_cut = arrived->size != UINT64_MAX;
  if (fd < 0 || info_at(fd, "", &info) < 0 || info.kind != KIND_FILE || info.nlink != 1 ||
      (is_cut && info.size < arrived->size)) {
    bool is_gone = fd >= 0 || errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENXIO ||
                   errno == EISDIR;
    close_fd(fd);
    if (is_gone) errno = ENODATA;
    return -1;
  }
  if (is_cut && info.size > arrived->size && ftruncate(fd, (off_t)arrived->size) < 0) goto fail;
  if (attrs_set(fd, KIND_FILE, attrs, site->replica->is_root_user) < 0) goto fail;
  if (stage_identify(site, fd, attrs, out) < 0 || renameat(site->stage, path, site->stage, out->name) < 0) goto fail;
  if (stage_settle(site, fd, many, out) == 0) return 0;
  stage_discard(site, out);
  stage_close(out);
  return -1;
fail:
  close_fd(fd);
  return -1;
}

/* Turns the new object with the name `temp` into a staged one. */
static int stage_finish(struct site *site, const char *temp, uint8_t kind, const struct attrs *attrs,
                        struct staged *out) {
  out->object = openat(site->stage, temp, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (out->object < 0) return -1;
  if (attrs_set(out->object, kind, attrs, site->replica->is_root_user) < 0) return -1;
  if (stage_identify(site, out->object, attrs, out) < 0) return -1;
  if (renameat(site->stage, temp, site->stage, out->name) < 0) return -1;
  out->is_there = true;
  return 0;
}

int stage_dir(struct site *site, const struct attrs *attrs, struct staged *out) {
  char temp[STAGE_NAME_SIZE];
  *out = STAGED_NONE;
  site_fresh_name(site->replica, SIGIL_NEW, temp);
  if (mkdirat(site->stage, temp, 0700) < 0) return -1;
  struct attrs movable = *attrs;
  /* A directory without write permission cannot change its parent unless by root: the final mode
   * is set after the move. */
  if (movable.mode != ATTR_LEAVE_MODE && !site->replica->is_root_user) movable.mode |= 0700;
  if (stage_finish(site, temp, KIND_DIR, &movable, out) == 0) return 0;
  int err = errno;
  unlinkat(site->stage, temp, AT_REMOVEDIR);
  stage_close(out);
  errno = err;
  return -1;
}

int stage_link(struct site *site, struct bytes target, const struct attrs *attrs, struct staged *out) {
  char temp[STAGE_NAME_SIZE];
  *out = STAGED_NONE;
  site_fresh_name(site->replica, SIGIL_NEW, temp);
  char *text = must_alloc(target.len + 1);
  memcpy(text, target.data, target.len);
  text[target.len] = 0;
  int made = symlinkat(text, site->stage, temp);
  free(text);
  if (made < 0) return -1;
  if (stage_finish(site, temp, KIND_LINK, attrs, out) == 0) return 0;
  int err = errno;
  unlinkat(site->stage, temp, 0);
  stage_close(out);
  errno = err;
  return -1;
}

int stage_open(struct site *site, struct staged *staged) {
  if (staged->object >= 0) return 0;
  int fd = openat(site->stage, staged->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  struct info now;
  if (fd >= 0 && info_at(fd, "", &now) == 0 && info_same_after(&staged->info, &now)) {
    staged->object = fd;
    return 0;
  }
  if (fd >= 0 || errno == ENOENT) {
    staged->is_there = false;
    close_fd(fd);
    errno = ENODATA;
  }
  return -1;
}

void stage_discard(struct site *site, struct staged *staged) {
  if (!staged->is_there) return;
  int err = errno;
  struct info now;
  bool ours = info_at(site->stage, staged->name, &now) == 0 && info_same_after(&staged->info, &now);
  if (ours) unlinkat(site->stage, staged->name, staged->info.kind == KIND_DIR ? AT_REMOVEDIR : 0);
  staged->is_there = false;
  errno = err;
}

void stage_close(struct staged *staged) {
  close_fd(staged->flush);
  close_fd(staged->object);
  staged->flush = staged->object = -1;
}
