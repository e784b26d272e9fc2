/*
 * Supplies and bases for rsync; see apply_supply.h.
 *
 * DESIGN: a batch lives in the replica's list from its first A_SUPPLY or A_PREPARE to A_RELEASE.
 * A supplied file stays open (that fd alone keeps the file system busy), without a lease: whether
 * it was written to is told by its stamp and a second lease at the end (I3).
 * A basis link changes the ctime of a user's file, and so does its end. Beside it lies a note of what the
 * file was before, so that a later life, too, can tell that from an edit.
 */
#include "apply_supply.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "follow.h"
#include "look.h"
#include "partial.h"
#include "trash.h"

#define NOTE ".was"
#define NOTE_SIZE 16
#define NOTE_MAX (UINT16_MAX + 256u) /* bytes: path, two STATs */
#define ENTRY_SIZE_MIN 79 /* bytes: id, path, STAT, incoming, is_growing */

struct holding { /* one supplied file, or one basis link */
  uint32_t id;
  int fd;           /* O_RDONLY of a supplied file; -1: a basis link */
  struct info info; /* when it was opened or linked */
  struct info link; /* supplied: of the link that led to it (follow.h); KIND_NONE: none did */
  struct buf path;  /* of the live file, for a basis */
  bool is_growing;  /* supplied: only its first info.size bytes count */
  uint8_t digest[SHA256_SIZE]; /* of those */
};

struct batch {
  struct batch *next;
  char name[NAME_SIZE];
  struct holding *holdings;
  size_t count, cap;
};

struct result {
  uint32_t id;
  uint8_t status;
  int error;
  struct info info;
};

static struct result result_of(uint32_t id, enum status status, int error) {
  return (struct result){.id = id, .status = (uint8_t)status, .error = error};
}

static void write_result(struct buf *answer, const struct result *result) {
  buf_u32(answer, result->id);
  buf_u8(answer, result->status);
  buf_u32(answer, (uint32_t)result->error);
  buf_info(answer, &result->info);
}

static void plain_name(char out[NAME_SIZE], struct bytes name) {
  memcpy(out, name.data, name.len); /* short: site_name_is_plain */
  out[name.len] = 0;
}

/* Finds or makes the batch; under the replica's lock. */
static struct batch *batch_of(struct replica *r, const char *name) {
  struct batch *b = r->batches;
  while (b && strcmp(b->name, name)) b = b->next;
  if (b) return b;
  b = must_alloc(sizeof *b);
  *b = (struct batch){.next = r->batches};
  snprintf(b->name, sizeof b->name, "%s", name);
  return r->batches = b;
}

static void batch_add(struct replica *r, const char *name, struct holding holding) {
  pthread_mutex_lock(&r->lock);
  struct batch *b = batch_of(r, name);
  if (b->count == b->cap) {
    b->cap = b->cap ? 2 * b->cap : 16;
    b->holdings = must_realloc(b->holdings, b->cap * sizeof *b->holdings);
  }
  b->holdings[b->count++] = holding;
  pthread_mutex_unlock(&r->lock);
}

static struct batch *batch_take(struct replica *r, const char *name) {
  pthread_mutex_lock(&r->lock);
  struct batch **at = &r->batches, *found = NULL;
  while (*at && strcmp((*at)->name, name)) at = &(*at)->next;
  if (*at) {
    found = *at;
    *at = found->next;
  }
  pthread_mutex_unlock(&r->lock);
  return found;
}

static void batch_free(struct batch *b) {
  for (size_t i = 0; i < b->count; i++) {
    close_fd(b->holdings[i].fd);
    buf_free(&b->holdings[i].path);
  }
  free(b->holdings);
  free(b);
}

void supply_forget(struct replica *r) {
  for (struct batch *b; (b = r->batches);) {
    r->batches = b->next;
    batch_free(b);
  }
}

bool supply_is_known(struct replica *r, const char *name) {
  pthread_mutex_lock(&r->lock);
  struct batch *b = r->batches;
  while (b && strcmp(b->name, name)) b = b->next;
  pthread_mutex_unlock(&r->lock);
  return b;
}

/* Opens .psync/<area>/<batch>, making it. Returns an fd or -1 with errno. */
static int open_batch_dir(const struct site *site, const char *area, const char *batch) {
  int dir = site_open_dir(site->own, area);
  if (dir < 0) return -1;
  int made = mkdirat(dir, batch, 0700);
  int fd = made < 0 && errno != EEXIST ? -1 : site_open_dir(dir, batch);
  close_fd(dir);
  return fd;
}

static bool has_grown(const struct info *before, const struct info *now) {
  return info_same_object(before, now) && now->size >= before->size;
}

/* Opens the file of an entry, through a link where `follows`, and compares it under the lease. DONE: `live` and `place` are open. */
static struct result open_expected(const struct site *site, const struct supply_entry *e, bool follows,
                                   struct place *place, struct live *live) {
  if (!path_is_valid(e->path, false) || !e->path.len) return result_of(e->id, ST_REFUSED, EINVAL);
  if (place_open(site->root, e->path, place) < 0) return result_of(e->id, place_status(errno), errno);
  struct result result = result_of(e->id, ST_DONE, 0);
  if (live_open_source(place, site->replica->info.mount_id, follows, live) < 0) {
    result = result_of(e->id, errno == ENOENT ? ST_STALE : errno == EXDEV ? ST_MOUNT : ST_FAILED, errno);
  } else if (live->info.kind != KIND_FILE) {
    result.status = ST_STALE;
  } else if (live_lease(live) < 0 && !(errno == EBUSY && e->is_growing)) {
    result = result_of(e->id, errno == EBUSY ? ST_BUSY : ST_FAILED, errno);
  } else if (live->fd < 0) {
    result = result_of(e->id, ST_FAILED, EACCES);
  } else if (!e->is_growing && !live_is_quiet(live)) {
    result = result_of(e->id, ST_BUSY, EBUSY);
  } else if (e->is_growing ? !has_grown(&e->expected.info, &live->info) : !live_matches(live, &e->expected)) {
    result.status = ST_STALE;
  }
  if (result.status == ST_DONE) return result;
  live_close(live);
  place_close(place);
  return result;
}

static struct result supply_one(const struct site *site, int dir, const char *batch, const struct supply_entry *e) {
  struct place place = {.dir = -1, .borrowed = true};
  struct live live = {.object = -1, .fd = -1};
  struct result result = open_expected(site, e, site->replica->follows, &place, &live);
  if (result.status != ST_DONE) return result;
  char name[16], target[64];
  snprintf(name, sizeof name, "%u", e->id);
  snprintf(target, sizeof target, "/proc/%ld/fd/%d", (long)getpid(), live.fd);
  if (!e->is_growing && !live_is_intact(&live)) {
    result.status = ST_BUSY;
  } else if (symlinkat(target, dir, name) < 0) {
    result = result_of(e->id, ST_FAILED, errno);
  } else {
    if (live_is_leased(&live)) lease_drop(live.fd);
    result.info = live.info;
    struct holding holding = {
        .id = e->id, .fd = live.fd, .info = live.info, .link = live.link, .is_growing = e->is_growing};
    if (e->is_growing) {
      holding.info = e->expected.info;
      memcpy(holding.digest, e->digest, SHA256_SIZE);
    }
    batch_add(site->replica, batch, holding);
    live.fd = -1; /* the batch owns it now */
  }
  live_close(&live);
  place_close(&place);
  return result;
}

/* Writes the note of a link; without one, the file may count as edited after a kill, and no more. */
static void note_basis(int dir, const struct supply_entry *e, const struct info *before, const struct info *after) {
  char name[NOTE_SIZE];
  struct buf note = {0};
  snprintf(name, sizeof name, "%u" NOTE, e->id);
  buf_bytes16(&note, e->path.data, e->path.len);
  buf_info(&note, before);
  buf_info(&note, after);
  int fd = openat(dir, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  if (fd >= 0 && write_all(fd, note.data, note.len) < 0) unlinkat(dir, name, 0);
  close_fd(fd);
  buf_free(&note);
}

/* The link changes the ctime: the stamp after it counts if nobody came to write until it was read. */
static struct result link_basis(const struct site *site, int dir, const char *batch, const struct supply_entry *e,
                                const struct place *place, struct live *live) {
  char name[16];
  snprintf(name, sizeof name, "%u", e->id);
  if (linkat(place->dir, place->name, dir, name, 0) < 0)
    return result_of(e->id, errno == ENOENT ? ST_STALE : ST_FAILED, errno);
  struct info before = live->info, linked;
  bool same = info_at(dir, name, &linked) == 0 && info_same_after(&before, &linked) && live_refresh(live) == 0;
  bool intact = live_is_intact(live);
  struct result result = result_of(e->id, !same ? ST_STALE : !intact ? ST_BUSY : ST_DONE, 0);
  if (result.status != ST_DONE) {
    unlinkat(dir, name, 0); /* a second name that we have just made */
    return result;
  }
  if (!live_is_leased(live) || site_stamp_is_young(site->replica, &before)) result.status = ST_DIRTY;
  else note_basis(dir, e, &before, &live->info);
  result.info = live->info;
  struct holding holding = {.id = e->id, .fd = -1, .info = live->info};
  buf_put(&holding.path, e->path.data, e->path.len);
  batch_add(site->replica, batch, holding);
  return result;
}

static struct result prepare_one(const struct site *site, int dir, const char *batch, const struct supply_entry *e) {
  struct place place = {.dir = -1, .borrowed = true};
  struct live live = {.object = -1, .fd = -1};
  struct result result = open_expected(site, e, false, &place, &live);
  if (result.status != ST_DONE) {
    partial_give(site, batch, e->id);
    return result;
  }
  /* WHY joined: rsync takes one basis, and both have something that does not have to be sent. */
  if (partial_join(site, batch, e->id, &live, e->incoming)) {
    result = result_of(e->id, ST_GONE, 0);
  } else {
    partial_drop(site, e->id);
    result = link_basis(site, dir, batch, e, &place, &live);
  }
  live_close(&live);
  place_close(&place);
  return result;
}

typedef struct result each_fn(const struct site *, int dir, const char *batch, const struct supply_entry *);

static void run_each(struct replica *r, const struct supply_request *q, struct buf *answer, bool is_supply) {
  struct site site;
  int dir = -1, stage = -1;
  char batch[NAME_SIZE];
  plain_name(batch, q->batch);
  pthread_rwlock_rdlock(&r->sweeping);
  enum status refused = ST_GUARD;
  if (site_open_own(r, &site) == 0) {
    refused = ST_FAILED;
    dir = open_batch_dir(&site, is_supply ? "supply" : "basis", batch);
    if (dir >= 0 && !is_supply && (stage = open_batch_dir(&site, "stage", batch)) < 0) {
      close_fd(dir);
      dir = -1;
    }
  }
  int err = errno;
  each_fn *each = is_supply ? supply_one : prepare_one;
  buf_u32(answer, q->count);
  for (uint32_t i = 0; i < q->count; i++) {
    uint32_t id = q->entries[i].id;
    struct result result = dir < 0 ? result_of(id, refused, err) : each(&site, dir, batch, &q->entries[i]);
    write_result(answer, &result);
  }
  close_fd(stage);
  close_fd(dir);
  site_close(&site);
  pthread_rwlock_unlock(&r->sweeping);
}

void supply_run(struct replica *r, const struct supply_request *q, struct buf *answer) { run_each(r, q, answer, true); }

void supply_prepare(struct replica *r, const struct supply_request *q, struct buf *answer) {
  run_each(r, q, answer, false);
}

/* What is known of a supplied file now. Returns 0 or -1 with errno. */
static int held_info(const struct holding *h, struct info *info) {
  if (info_at(h->fd, "", info) < 0) return -1;
  if (h->link.kind == KIND_LINK) follow_mark(&h->link, info);
  return 0;
}

/* The second read of a file that grows: whether its first bytes are still what they were. */
static struct result release_growing(struct holding *h) {
  struct result result = result_of(h->id, ST_STALE, 0);
  uint8_t digest[SHA256_SIZE];
  uint64_t size;
  if (look_hash(h->fd, h->info.size, digest, &size) < 0 || held_info(h, &result.info) < 0)
    result = result_of(h->id, ST_FAILED, errno);
  else if (size == h->info.size && !memcmp(digest, h->digest, SHA256_SIZE) && has_grown(&h->info, &result.info))
    result.status = ST_DONE;
  close_fd(h->fd);
  h->fd = -1;
  return result;
}

/* Whether a supplied file is what was opened, and nobody writes to it. */
static struct result release_supplied(struct holding *h) {
  if (h->is_growing) return release_growing(h);
  struct result result = result_of(h->id, ST_DONE, 0);
  enum lease lease = lease_take(h->fd);
  if (held_info(h, &result.info) < 0) result = result_of(h->id, ST_FAILED, errno);
  else if (lease == LEASE_BUSY) result.status = ST_BUSY;
  else if (!info_same_stamp(&h->info, &result.info)) result.status = ST_STALE;
  close_fd(h->fd);
  h->fd = -1;
  return result;
}

/* Removes a basis link. DONE: its file is live as it was, with the stamp that our unlink left. */
static struct result release_basis(const struct site *site, int dir, const struct holding *h) {
  char name[16];
  snprintf(name, sizeof name, "%u", h->id);
  struct supply_entry entry = {.id = h->id, .path = {h->path.data, h->path.len}};
  entry.expected = (struct expected){.kind = KIND_FILE, .info = h->info};
  struct place place = {.dir = -1, .borrowed = true};
  struct live live = {.object = -1, .fd = -1};
  struct result result = open_expected(site, &entry, false, &place, &live);
  bool unlinked = unlinkat(dir, name, 0) == 0;
  if (result.status != ST_DONE) return result;
  struct info before = live.info;
  if (!unlinked || live_refresh(&live) < 0) result = result_of(h->id, ST_FAILED, errno);
  else if (!live_is_intact(&live) || !info_same_after(&before, &live.info)) result.status = ST_BUSY;
  else if (!live_is_leased(&live) || site_stamp_is_young(site->replica, &before)) result.status = ST_DIRTY;
  result.info = live.info;
  live_close(&live);
  place_close(&place);
  return result;
}

/* One note: the link beside it goes. Returns whether the file is still what it was, but for psync's links. */
static bool sweep_note(const struct site *site, int dir, const char *name, struct buf *renewed) {
  char *rest;
  struct buf text = {0};
  struct holding holding = {.id = (uint32_t)strtoul(name, &rest, 10), .fd = -1};
  if (strcmp(rest, NOTE) || site_read_file(dir, name, NOTE_MAX, &text) < 0) {
    buf_free(&text);
    return false;
  }
  struct reader r = {text.data, text.data + text.len, false};
  struct bytes path = get_bytes16(&r);
  struct info before;
  get_info(&r, &before);
  get_info(&r, &holding.info);
  struct result result = result_of(holding.id, ST_FAILED, 0);
  if (!r.bad && r.at == r.end) {
    buf_put(&holding.path, path.data, path.len);
    result = release_basis(site, dir, &holding);
  }
  if (result.status == ST_DONE) {
    buf_bytes16(renewed, path.data, path.len);
    buf_info(renewed, &before);
    buf_info(renewed, &result.info);
  }
  buf_free(&holding.path);
  buf_free(&text);
  return result.status == ST_DONE;
}

uint32_t supply_sweep_basis(const struct site *site, const char *batch, struct buf *renewed) {
  int area = site_open_dir(site->own, "basis"), dir = area < 0 ? -1 : site_open_dir(area, batch);
  int listed = dir < 0 ? -1 : site_open_dir(dir, ".");
  DIR *list = listed < 0 ? NULL : fdopendir(listed);
  uint32_t count = 0;
  for (struct dirent *e; list && (e = readdir(list));) count += sweep_note(site, dir, e->d_name, renewed);
  if (list) closedir(list);
  else close_fd(listed);
  close_fd(dir);
  if (area >= 0) trash_remove_tree(area, batch);
  close_fd(area);
  return count;
}

static void remove_batch_dir(const struct site *site, const char *area, const char *batch) {
  int dir = site_open_dir(site->own, area);
  if (dir >= 0) trash_remove_tree(dir, batch);
  close_fd(dir);
}

static void release_all(const struct site *site, bool is_open, struct batch *b, struct buf *answer) {
  int basis = is_open && b ? open_batch_dir(site, "basis", b->name) : -1;
  for (size_t i = 0; b && i < b->count; i++) {
    struct holding *h = &b->holdings[i];
    struct result result = h->fd >= 0   ? release_supplied(h)
                           : basis >= 0 ? release_basis(site, basis, h)
                                        : result_of(h->id, is_open ? ST_FAILED : ST_GUARD, EIO);
    write_result(answer, &result);
  }
  close_fd(basis);
}

void supply_release(struct replica *r, struct bytes name, struct buf *answer) {
  struct site site;
  char batch[NAME_SIZE];
  plain_name(batch, name);
  pthread_rwlock_rdlock(&r->sweeping);
  bool is_open = site_open_own(r, &site) == 0;
  struct batch *b = batch_take(r, batch);
  buf_u32(answer, b ? (uint32_t)b->count : 0);
  release_all(&site, is_open, b, answer);
  if (is_open) {
    remove_batch_dir(&site, "supply", batch);
    remove_batch_dir(&site, "basis", batch);
    partial_keep(&site, batch);
    remove_batch_dir(&site, "stage", batch);
  }
  if (b) batch_free(b);
  site_close(&site);
  pthread_rwlock_unlock(&r->sweeping);
}

bool supply_parse(struct reader *r, struct supply_request *q) {
  *q = (struct supply_request){.batch = get_bytes16(r)};
  uint32_t count = get_u32(r);
  if (r->bad || !site_name_is_plain(q->batch) || count > SUPPLY_MAX) return false;
  if (count > (size_t)(r->end - r->at) / ENTRY_SIZE_MIN) return false;
  q->entries = must_alloc(count * sizeof *q->entries);
  q->count = count;
  for (uint32_t i = 0; i < count; i++) {
    struct supply_entry *e = &q->entries[i];
    *e = (struct supply_entry){.id = get_u32(r), .path = get_bytes16(r), .expected = {.kind = KIND_FILE}};
    get_info(r, &e->expected.info);
    e->incoming = get_u64(r);
    e->is_growing = get_u8(r) == 1;
    for (size_t at = 0; e->is_growing && at < SHA256_SIZE; at++) e->digest[at] = get_u8(r);
  }
  return !r->bad && r->at == r->end;
}

bool supply_parse_release(struct reader *r, struct bytes *batch) {
  *batch = get_bytes16(r);
  return !r->bad && r->at == r->end && site_name_is_plain(*batch);
}

void supply_free(struct supply_request *q) {
  free(q->entries);
  *q = (struct supply_request){0};
}
