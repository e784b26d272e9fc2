/*
 * psync's own directory: adopt, unlock, sync, space; see apply_own.h. The sweep is in apply_sweep.c.
 */
#include "apply_own.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "open.h"
#include "partial.h"
#include "trash.h"

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

#define LOCK_TRIES 500 /* of 10 ms: another psync holds the lock for less than one */

static struct own_result failed(enum status status) { return (struct own_result){errno, status}; }
static const struct own_result done = {0, ST_DONE};

/* Locks .psync against another adopter; released when `own` is closed. */
static int lock_own(int own) {
  for (int i = 0; i < LOCK_TRIES; i++) {
    if (flock(own, LOCK_EX | LOCK_NB) == 0) return 0;
    if (errno != EWOULDBLOCK && errno != EINTR) return -1;
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
  }
  return -1;
}

/* Opens dir/name as a directory of ours with mode 0700, making it. */
static int make_own_dir(int dir, const char *name) {
  if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST) return -1;
  int fd = site_open_dir(dir, name);
  struct info info;
  if (fd < 0 || info_at(fd, "", &info) < 0) return fd;
  if (info.uid != geteuid()) errno = EPERM;
  else if (info.mode == 0700 || fchmod(fd, 0700) == 0) return fd;
  close_fd(fd);
  return -1;
}

static int make_own_dirs(int own) {
  static const char *const names[] = {"trash", "stage", "basis", "supply"};
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
    int fd = make_own_dir(own, names[i]);
    if (fd < 0) return -1;
    close_fd(fd);
  }
  return 0;
}

/* Writes a small file aside, flushes it, and renames it to its name. */
static int write_mark(struct site *site, const char *name, const void *data, size_t len) {
  char aside[STAGE_NAME_SIZE];
  site_fresh_name(site->replica, SIGIL_NEW, aside);
  int fd = openat(site->stage, aside, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  int result = write_all(fd, data, len) < 0 || fsync(fd) < 0 ? -1 : 0;
  close_fd(fd);
  if (result == 0) result = renameat(site->stage, aside, site->own, name);
  if (result < 0) {
    int err = errno;
    unlinkat(site->stage, aside, 0);
    errno = err;
  }
  return result;
}

static bool reads_as(int own, const char *name, bool has, struct bytes content) {
  struct buf now = {0};
  int read = site_read_file(own, name, MARK_MAX, &now);
  bool absent = read < 0 && errno == ENOENT;
  bool same = read == 0 && now.len == content.len && (!now.len || !memcmp(now.data, content.data, now.len));
  buf_free(&now);
  return has ? same : absent;
}

static void set_mark(struct mark *mark, struct bytes content) {
  free(mark->data);
  mark->data = must_alloc(content.len);
  if (content.len) memcpy(mark->data, content.data, content.len);
  mark->len = content.len;
}

/* Under the flock. */
static struct own_result write_marks(struct site *site, const struct own_marks *marks) {
  if (!reads_as(site->own, "lock", marks->has_old, marks->old_lock)) return (struct own_result){0, ST_STALE};
  if (make_own_dirs(site->own) < 0) return failed(ST_FAILED);
  site->stage = site_open_dir(site->own, "stage");
  if (site->stage < 0) return failed(ST_FAILED);
  static const struct bytes all = {(const uint8_t *)"*\n", 2};
  bool fine = reads_as(site->own, ".gitignore", true, all) || write_mark(site, ".gitignore", all.data, all.len) == 0;
  if (!fine || write_mark(site, "pair", marks->pair.data, marks->pair.len) < 0 ||
      write_mark(site, "lock", marks->lock.data, marks->lock.len) < 0 || fsync(site->own) < 0)
    return failed(ST_FAILED);
  struct replica *r = site->replica;
  pthread_mutex_lock(&r->lock);
  set_mark(&r->pair, marks->pair);
  set_mark(&r->lock_mark, marks->lock);
  r->is_adopted = true;
  pthread_mutex_unlock(&r->lock);
  return done;
}

struct own_result own_adopt(struct replica *replica, const struct own_marks *marks) {
  struct site site;
  if (site_open(replica, &site) < 0) return failed(ST_GUARD);
  struct own_result result;
  site.own = make_own_dir(site.root, ".psync");
  if (site.own < 0 || lock_own(site.own) < 0) result = failed(ST_FAILED);
  else result = write_marks(&site, marks);
  site_close(&site);
  return result;
}

struct own_result own_unlock(struct replica *replica) {
  struct site site;
  if (site_open_own(replica, &site) < 0) return failed(ST_GUARD);
  struct own_result result = done;
  pthread_mutex_lock(&replica->lock);
  struct bytes ours = {replica->lock_mark.data, replica->lock_mark.len};
  if (lock_own(site.own) < 0) result = failed(ST_FAILED);
  else if (!reads_as(site.own, "lock", true, ours)) result = (struct own_result){0, ST_STALE};
  else if (unlinkat(site.own, "lock", 0) < 0) result = failed(ST_FAILED);
  else replica->is_adopted = false;
  pthread_mutex_unlock(&replica->lock);
  site_close(&site);
  return result;
}

/* One fsync of a file just written commits the journal, and with it every rename before. */
static int sync_journal(struct site *site, struct bytes age) {
  if (age.len) return write_mark(site, "age", age.data, age.len);
  int fd = openat(site->own, "sync", O_CREAT | O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  char text[32];
  int len = snprintf(text, sizeof text, "%08x %u\n", site->replica->life,
                     atomic_fetch_add(&site->replica->sequence, 1));
  int result = write_all(fd, text, (size_t)len) < 0 || fsync(fd) < 0 ? -1 : 0;
  close_fd(fd);
  return result;
}

bool own_parse_epoch(struct reader *r, struct own_epoch *epoch) {
  uint8_t flags = get_u8(r);
  *epoch = (struct own_epoch){.contents = flags & SYNC_CONTENTS, .age = get_bytes32(r)};
  return !r->bad && r->at == r->end && flags <= SYNC_CONTENTS && epoch->age.len <= MARK_MAX;
}

/* WHY the age first: what it tells of is recorded already, and is never to be older than the names. */
static int sync_site(struct site *site, const struct own_epoch *epoch) {
  uint64_t fs = site->replica->fs_type;
  if ((fs == EXT4_SUPER_MAGIC || fs == XFS_SUPER_MAGIC) && !epoch->contents) return sync_journal(site, epoch->age);
  if (epoch->age.len && write_mark(site, "age", epoch->age.data, epoch->age.len) < 0) return -1;
  return syncfs(site->own);
}

struct own_result own_sync(struct replica *replica, const struct own_epoch *epoch, struct kept_list *kept) {
  struct site site;
  struct own_result result = done;
  pthread_rwlock_rdlock(&replica->sweeping);
  struct drop *drops = trash_take_drops(replica);
  if (site_open_own(replica, &site) < 0) {
    result = failed(ST_GUARD);
  } else {
    if (sync_site(&site, epoch) < 0) {
      result = failed(ST_FAILED);
    } else {
      trash_settle(&site, drops, kept);
      drops = NULL;
    }
    site_close(&site);
  }
  trash_put_back(replica, drops);
  pthread_rwlock_unlock(&replica->sweeping);
  return result;
}

static uint64_t free_bytes(const struct replica *replica, const struct statvfs *fs) {
  uint64_t unit = fs->f_frsize ? fs->f_frsize : fs->f_bsize;
  return replica->is_root_user ? fs->f_bfree * unit : fs->f_bavail * unit;
}

/* What is left of interrupted transfers makes room for what is to come. */
static void make_room(struct replica *replica) {
  struct site site;
  pthread_rwlock_rdlock(&replica->sweeping);
  if (site_open_own(replica, &site) == 0) partial_purge(&site, 0);
  site_close(&site);
  pthread_rwlock_unlock(&replica->sweeping);
}

void own_space(struct replica *replica, uint64_t needed, struct buf *answer) {
  struct site site;
  struct statvfs fs = {0};
  if (site_open(replica, &site) == 0) {
    if (fstatvfs(site.root, &fs) < 0) fs = (struct statvfs){0};
    if (free_bytes(replica, &fs) < needed) {
      make_room(replica);
      if (fstatvfs(site.root, &fs) < 0) fs = (struct statvfs){0};
    }
    site_close(&site);
  }
  uint64_t unit = fs.f_frsize ? fs.f_frsize : fs.f_bsize;
  buf_u64(answer, free_bytes(replica, &fs));
  buf_u64(answer, fs.f_blocks * unit);
  buf_u64(answer, fs.f_favail);
  buf_u64(answer, fs.f_files);
}

bool own_parse_marks(struct reader *r, struct own_marks *marks) {
  *marks = (struct own_marks){.pair = get_bytes32(r), .lock = get_bytes32(r)};
  uint8_t has_old = get_u8(r);
  marks->has_old = has_old == 1;
  marks->old_lock = get_bytes32(r);
  if (r->bad || r->at != r->end || has_old > 1) return false;
  return marks->pair.len <= MARK_MAX && marks->lock.len <= MARK_MAX && marks->old_lock.len <= MARK_MAX;
}
