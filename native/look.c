/*
 * Looks; see look.h.
 */
#include "look.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "live.h"
#include "sha256.h"
#include "writers.h"

#define LOOK_TRIES 2           /* reads of a file that changes */
#define LOOK_YOUNG_TRIES 3     /* looks at a file whose stamp stays young */
#define LOOK_PAUSE_NS 21000000 /* until a coarse clock has surely moved */
#define HASH_PIECE 262144      /* bytes */
#define LOOKED_FIXED 112       /* bytes of a LOOKED without target and content */

struct looked {
  uint8_t status;
  int error;
  bool has_changed; /* busy, as it changed while it was read */
  struct info info;
  char *target;
  size_t target_len;
  bool has_digest, has_content, is_prefix;
  uint8_t digest[SHA256_SIZE];
  uint8_t *content;
};

static void looked_fail(struct looked *l, int err) {
  l->status = ST_FAILED;
  l->error = err;
}

static void looked_clear(struct looked *l) {
  free(l->target);
  free(l->content);
  *l = (struct looked){0};
}

/* Reads up to `limit` bytes into a new buffer. Returns the length or -1 with errno. */
static ssize_t read_content(int fd, size_t limit, uint8_t **content) {
  uint8_t *data = must_alloc(limit + 1);
  size_t len = 0;
  while (len <= limit) {
    ssize_t n = pread(fd, data + len, limit + 1 - len, (off_t)len);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      free(data);
      return -1;
    }
    len += (size_t)n;
    if (n == 0 || len == limit) break; /* whether it has grown, its stamp will tell */
  }
  *content = data;
  return (ssize_t)len;
}

/* Reads the small file whole, under the lease. Returns 1 where that is proven to be what the stamp
 * stands for, 0 where it changed, -1 with errno. */
static int read_small(struct live *live, struct looked *l) {
  struct info before = live->info;
  ssize_t len = read_content(live->fd, before.size, &l->content);
  if (len < 0) return -1;
  if (live_refresh(live) < 0) return -1;
  if ((uint64_t)len != before.size || !info_same_stamp(&before, &live->info) || !live_is_intact(live)) {
    free(l->content);
    l->content = NULL;
    return 0;
  }
  if (live_is_leased(live)) lease_drop(live->fd); /* proven: nobody is to wait for the hash */
  struct sha256 hash;
  sha256_begin(&hash);
  sha256_add(&hash, l->content, (size_t)len);
  sha256_end(&hash, l->digest);
  l->has_digest = l->has_content = true;
  return 1;
}

int look_hash(int fd, uint64_t limit, uint8_t digest[SHA256_SIZE], uint64_t *size) {
  struct sha256 hash;
  uint8_t *piece = must_alloc(HASH_PIECE);
  sha256_begin(&hash);
  ssize_t n;
  *size = 0;
  while ((n = pread(fd, piece, limit - *size < HASH_PIECE ? limit - *size : HASH_PIECE, (off_t)*size)) != 0) {
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) break;
    sha256_add(&hash, piece, (size_t)n);
    *size += (uint64_t)n;
  }
  int err = errno;
  free(piece);
  errno = err;
  sha256_end(&hash, digest);
  return n < 0 ? -1 : 0;
}

/* Hashes a file of any size. No lease is held meanwhile: it is taken before and after, and an equal
 * stamp proves that nobody who came and went in between wrote. As read_small. */
static int read_large(struct live *live, struct looked *l) {
  struct info before = live->info;
  if (!live_is_intact(live)) return 0;
  if (live_is_leased(live)) lease_drop(live->fd);
  bool was_leased = live_is_leased(live);
  uint64_t size;
  if (look_hash(live->fd, UINT64_MAX, l->digest, &size) < 0) return -1;
  live->lease = was_leased ? lease_take(live->fd) : LEASE_NONE;
  if (live_refresh(live) < 0) return -1;
  if (live->lease == LEASE_BUSY || size != before.size || !info_same_stamp(&before, &live->info)) return 0;
  l->has_digest = true;
  return 1;
}

static int look_content(struct live *live, const struct look_request *request, struct looked *l) {
  if (live->fd < 0) { /* it may not be read: without content, not even by the lease */
    errno = EACCES;
    return -1;
  }
  if (!live_is_quiet(live)) {
    errno = EBUSY;
    return -1;
  }
  uint32_t limit = request->content_limit < LOOK_CONTENT_MAX ? request->content_limit : LOOK_CONTENT_MAX;
  if (limit && live->info.size <= limit) return read_small(live, l);
  if (request->digests) return read_large(live, l);
  return live_is_intact(live);
}

/* Reads the first `size` bytes twice. Returns 1 where both are the same, 0, or -1 with errno. */
static int read_twice(int fd, size_t size, struct looked *l) {
  uint8_t *again = NULL;
  ssize_t first = read_content(fd, size, &l->content);
  ssize_t second = first < 0 ? -1 : read_content(fd, size, &again);
  bool same = second >= 0 && (size_t)first >= size && (size_t)second >= size && !memcmp(l->content, again, size);
  free(again);
  if (second < 0) return -1;
  if (!same) return 0;
  struct sha256 hash;
  sha256_begin(&hash);
  sha256_add(&hash, l->content, size);
  sha256_end(&hash, l->digest);
  l->has_digest = l->has_content = true;
  return 1;
}

/* Whether a file begins with what both sides held of it last. */
static bool begins_as_agreed(const struct live *live, const struct agreed *agreed) {
  uint8_t digest[SHA256_SIZE];
  uint64_t size;
  if (!agreed || !agreed->size || agreed->size > live->info.size) return false;
  if (look_hash(live->fd, agreed->size, digest, &size) < 0) return false;
  return size == agreed->size && !memcmp(digest, agreed->digest, SHA256_SIZE);
}

/* What a file that somebody writes to held when this began, if all that is done to it is to append: nobody
 * has it open for anything else, or it has only grown so far; and a second read shows the same bytes. A large one is read
 * once here, and again when it was sent (A_RELEASE). As read_small. */
static int look_prefix(struct live *live, const struct look_request *request, const struct agreed *agreed,
                       struct looked *l) {
  free(l->content);
  l->content = NULL;
  l->has_content = l->has_digest = false;
  if (live->fd < 0 || live_refresh(live) < 0) return -1;
  struct info before = live->info;
  if (!writers_append(live->fd) && !begins_as_agreed(live, agreed)) return 0;
  uint32_t limit = request->content_limit < LOOK_CONTENT_MAX ? request->content_limit : LOOK_CONTENT_MAX;
  uint64_t size = before.size;
  int result = size <= limit ? read_twice(live->fd, size, l) : look_hash(live->fd, size, l->digest, &size);
  if (result < 0 || (before.size <= limit && result == 0)) return result;
  l->has_digest = true;
  if (live_refresh(live) < 0) return -1;
  if (size < before.size || !info_same_object(&before, &live->info) || live->info.size < before.size) return 0;
  live->info = before;
  l->is_prefix = true;
  return 1;
}

static void look_file(struct live *live, const struct look_request *request, const struct agreed *agreed,
                      struct looked *l) {
  int leased = live_lease(live);
  int result = leased < 0 ? -1 : look_content(live, request, l);
  bool is_written = result == 0 || (leased < 0 && errno == EBUSY && request->open);
  if (is_written && request->growing) {
    result = look_prefix(live, request, agreed, l);
    if (result < 0) errno = EBUSY; /* that cannot be told, but this can */
  }
  int err = errno;
  l->info = live->info;
  l->has_changed = result == 0;
  if (result == 1) l->status = ST_DONE;
  else if (result == 0 || err == EBUSY) l->status = ST_BUSY;
  else looked_fail(l, err);
}

static void look_link(struct live *live, struct looked *l) {
  ssize_t len = live_target(live, &l->target);
  if (len < 0) looked_fail(l, errno);
  else l->target_len = (size_t)len;
}

/* Looks at a file by its name alone. Returns false where it is none, or nothing is there. */
static bool look_stamp(const struct site *site, const struct place *place, struct looked *l) {
  if (place->is_root || info_at(place->dir, place->name, &l->info) < 0) return false;
  return l->info.kind == KIND_FILE && l->info.mount_id == site->replica->info.mount_id;
}

static void look_once(const struct site *site, const struct place *place, const struct look_request *request,
                      const struct agreed *agreed, struct looked *l) {
  struct live live;
  looked_clear(l);
  if (request->stamp_only && look_stamp(site, place, l)) return;
  if (live_open_source(place, site->replica->info.mount_id, site->replica->follows, &live) < 0) {
    looked_fail(l, errno);
    if (errno == ENOENT) l->status = ST_ABSENT;
    if (errno == EXDEV) l->status = ST_MOUNT;
    return;
  }
  l->info = live.info;
  if (live.info.kind == KIND_FILE && !request->stamp_only) look_file(&live, request, agreed, l);
  if (live.info.kind == KIND_LINK) look_link(&live, l);
  live_close(&live);
}

/* RACE: a removed directory answers ENOENT for every name, also through an fd: absent is said only
 * where the parent still has a name itself. */
static void confirm_absence(const struct place *place, struct looked *l) {
  struct info parent;
  if (info_at(place->dir, "", &parent) < 0) looked_fail(l, errno);
  else if (parent.nlink == 0) l->status = ST_ORPHAN;
}

static void look_place(const struct site *site, const struct place *place, const struct look_request *request,
                       const struct agreed *agreed, struct looked *l) {
  int young = 0;
  for (int tries = 1;; tries++) {
    look_once(site, place, request, agreed, l);
    bool is_file = l->status == ST_DONE && l->info.kind == KIND_FILE && !l->is_prefix;
    if (l->has_changed && tries < LOOK_TRIES) continue;
    if (!is_file || request->stamp_only || !site_stamp_is_young(site->replica, &l->info) || young++ == LOOK_YOUNG_TRIES) break;
    nanosleep(&(struct timespec){.tv_nsec = LOOK_PAUSE_NS}, NULL);
    tries = 0;
  }
  if (l->status == ST_ABSENT) confirm_absence(place, l);
}

/* Looks at the path of this number. */
static void look_path(struct site *site, uint32_t nth, const struct look_request *request, struct looked *l) {
  struct place place;
  struct bytes path = request->paths[nth];
  if (!path_is_valid(path, false)) {
    *l = (struct looked){.status = ST_REFUSED, .error = EINVAL};
  } else if (place_open_cached(site->root, path, &site->parent, &place) < 0) {
    *l = (struct looked){.status = (uint8_t)place_status(errno), .error = errno};
  } else {
    *l = (struct looked){0};
    look_place(site, &place, request, request->agreed ? &request->agreed[nth] : NULL, l);
    place_close(&place);
  }
}

/* Leaves out what would not fit into the record: `room` bytes. */
static void fit(struct looked *l, size_t room) {
  if (l->status == ST_DONE && l->target_len > room) looked_fail(l, EMSGSIZE);
  if (l->has_content && l->info.size > room) l->has_content = false;
}

static void write_looked(const struct looked *l, struct buf *answer) {
  buf_u8(answer, l->status);
  buf_u32(answer, (uint32_t)l->error);
  if (l->status != ST_DONE && l->status != ST_BUSY) return;
  bool done = l->status == ST_DONE;
  bool digest = done && l->has_digest, content = done && l->has_content;
  buf_info(answer, &l->info);
  buf_bytes16(answer, l->target, l->target_len);
  buf_u8(answer, (uint8_t)((digest ? LOOKED_DIGEST : 0) | (content ? LOOKED_CONTENT : 0) |
                            (l->is_prefix ? LOOKED_PREFIX : 0)));
  if (digest) buf_put(answer, l->digest, SHA256_SIZE);
  if (content) buf_bytes32(answer, l->content, l->info.size);
}

void look_run(struct replica *replica, const struct look_request *request, struct buf *answer) {
  struct site site;
  int guard = site_open(replica, &site) < 0 ? errno : 0;
  buf_u32(answer, request->count);
  for (uint32_t i = 0; i < request->count; i++) {
    struct looked l = {.status = ST_GUARD, .error = guard};
    if (!guard) look_path(&site, i, request, &l);
    size_t used = answer->len + (size_t)(request->count - i) * LOOKED_FIXED;
    fit(&l, used < RECORD_MAX ? RECORD_MAX - used : 0);
    write_looked(&l, answer);
    looked_clear(&l);
  }
  if (!guard) site_close(&site);
}

static void parse_agreed(struct reader *r, struct agreed *agreed) {
  *agreed = (struct agreed){0};
  if (get_u8(r) != 1) return;
  agreed->size = get_u64(r);
  for (size_t i = 0; i < SHA256_SIZE; i++) agreed->digest[i] = get_u8(r);
}

bool look_parse(struct reader *r, struct look_request *request) {
  *request = (struct look_request){.content_limit = get_u32(r)};
  uint8_t flags = get_u8(r);
  request->digests = flags & LOOK_DIGEST;
  request->growing = flags & LOOK_GROWING;
  request->open = flags & LOOK_OPEN;
  request->stamp_only = flags & LOOK_STAMP;
  uint32_t count = get_u32(r);
  if (r->bad || (flags & ~(LOOK_DIGEST | LOOK_GROWING | LOOK_OPEN | LOOK_STAMP | LOOK_AGREED))) return false;
  if (count > LOOK_MAX || count > (size_t)(r->end - r->at) / 2) return false;
  request->paths = must_alloc(count * sizeof *request->paths);
  request->count = count;
  if (flags & LOOK_AGREED) request->agreed = must_alloc(count * sizeof *request->agreed);
  for (uint32_t i = 0; i < count; i++) {
    request->paths[i] = get_bytes16(r);
    if (request->agreed) parse_agreed(r, &request->agreed[i]);
  }
  return !r->bad && r->at == r->end;
}

void look_free(struct look_request *request) {
  free(request->paths);
  free(request->agreed);
  *request = (struct look_request){0};
}
