/*
 * Buffers and records; see record.h.
 */
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

void *must_alloc(size_t size) { return must_realloc(NULL, size); }

void *must_realloc(void *old, size_t size) {
  void *p = realloc(old, size ? size : 1);
  if (!p) _exit(3);
  return p;
}

void buf_reserve(struct buf *b, size_t more) {
  if (b->cap - b->len >= more) return;
  size_t cap = b->cap ? b->cap : 256;
  while (cap - b->len < more) {
    if (cap > SIZE_MAX / 2) _exit(3);
    cap *= 2;
  }
  b->data = must_realloc(b->data, cap);
  b->cap = cap;
}

void buf_put(struct buf *b, const void *data, size_t len) {
  if (!len) return;
  buf_reserve(b, len);
  memcpy(b->data + b->len, data, len);
  b->len += len;
}

static void put_le(struct buf *b, uint64_t v, unsigned bytes) {
  uint8_t out[8];
  for (unsigned i = 0; i < bytes; i++) out[i] = (uint8_t)(v >> (8 * i));
  buf_put(b, out, bytes);
}

void buf_u8(struct buf *b, uint8_t v) { put_le(b, v, 1); }
void buf_u16(struct buf *b, uint16_t v) { put_le(b, v, 2); }
void buf_u32(struct buf *b, uint32_t v) { put_le(b, v, 4); }
void buf_u64(struct buf *b, uint64_t v) { put_le(b, v, 8); }

void buf_bytes16(struct buf *b, const void *data, size_t len) {
  if (len > UINT16_MAX) len = UINT16_MAX;
  buf_u16(b, (uint16_t)len);
  buf_put(b, data, len);
}

void buf_bytes32(struct buf *b, const void *data, size_t len) {
  buf_u32(b, (uint32_t)len);
  buf_put(b, data, len);
}

void buf_info(struct buf *b, const struct info *info) {
  buf_u8(b, info->kind);
  buf_u8(b, info->flags);
  buf_u16(b, info->mode);
  buf_u32(b, info->nlink);
  buf_u32(b, info->uid);
  buf_u32(b, info->gid);
  buf_u64(b, info->inode);
  buf_u64(b, info->size);
  buf_u64(b, (uint64_t)info->mtime_ns);
  buf_u64(b, (uint64_t)info->ctime_ns);
  buf_u64(b, (uint64_t)info->btime_ns);
  buf_u64(b, info->mount_id);
}

void buf_set_u32(struct buf *b, size_t at, uint32_t v) {
  for (unsigned i = 0; i < 4; i++) b->data[at + i] = (uint8_t)(v >> (8 * i));
}

void buf_free(struct buf *b) {
  free(b->data);
  *b = (struct buf){0};
}

size_t record_begin(struct buf *b, uint8_t type, uint32_t id) {
  size_t begin = b->len;
  buf_u32(b, 0);
  buf_u8(b, type);
  buf_u32(b, id);
  return begin;
}

void record_end(struct buf *b, size_t begin) { buf_set_u32(b, begin, (uint32_t)(b->len - begin - 4)); }

static const uint8_t *take(struct reader *r, size_t len) {
  if (r->bad || (size_t)(r->end - r->at) < len) {
    r->bad = true;
    return NULL;
  }
  const uint8_t *at = r->at;
  r->at += len;
  return at;
}

static uint64_t get_le(struct reader *r, unsigned bytes) {
  const uint8_t *at = take(r, bytes);
  uint64_t v = 0;
  if (at)
    for (unsigned i = 0; i < bytes; i++) v |= (uint64_t)at[i] << (8 * i);
  return v;
}

uint8_t get_u8(struct reader *r) { return (uint8_t)get_le(r, 1); }
uint16_t get_u16(struct reader *r) { return (uint16_t)get_le(r, 2); }
uint32_t get_u32(struct reader *r) { return (uint32_t)get_le(r, 4); }
uint64_t get_u64(struct reader *r) { return get_le(r, 8); }

static struct bytes get_bytes(struct reader *r, size_t len) {
  const uint8_t *at = take(r, len);
  return (struct bytes){at, at ? len : 0};
}

struct bytes get_bytes16(struct reader *r) { return get_bytes(r, get_u16(r)); }
struct bytes get_bytes32(struct reader *r) { return get_bytes(r, get_u32(r)); }

void get_info(struct reader *r, struct info *info) {
  info->kind = get_u8(r);
  info->flags = get_u8(r);
  info->mode = get_u16(r);
  info->nlink = get_u32(r);
  info->uid = get_u32(r);
  info->gid = get_u32(r);
  info->inode = get_u64(r);
  info->size = get_u64(r);
  info->mtime_ns = (int64_t)get_u64(r);
  info->ctime_ns = (int64_t)get_u64(r);
  info->btime_ns = (int64_t)get_u64(r);
  info->mount_id = get_u64(r);
}

/* Returns how many bytes came before the end (0..len), or -1 with errno. */
static ssize_t read_full(int fd, uint8_t *to, size_t len) {
  size_t got = 0;
  while (got < len) {
    ssize_t n = read(fd, to + got, len - got);
    if (n == 0) break;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    got += (size_t)n;
  }
  return (ssize_t)got;
}

int record_read(int fd, struct buf *b) {
  uint8_t head[4];
  ssize_t got = read_full(fd, head, 4);
  if (got <= 0) return (int)got;
  uint32_t len = head[0] | (uint32_t)head[1] << 8 | (uint32_t)head[2] << 16 | (uint32_t)head[3] << 24;
  if (got < 4 || len < 5 || len > RECORD_MAX) {
    errno = EPROTO;
    return -1;
  }
  b->len = 0;
  buf_reserve(b, len);
  got = read_full(fd, b->data, len);
  if (got < 0) return -1;
  if ((uint32_t)got < len) {
    errno = EPROTO;
    return -1;
  }
  b->len = len;
  return 1;
}

int write_all(int fd, const void *data, size_t len) {
  const uint8_t *at = data;
  while (len) {
    ssize_t n = write(fd, at, len);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    at += n;
    len -= (size_t)n;
  }
  return 0;
}

_Noreturn void die_fatal(int status, int err, const char *text) {
  struct buf b = {0};
  size_t begin = record_begin(&b, R_FATAL, 0);
  buf_u32(&b, (uint32_t)err);
  buf_bytes16(&b, text, strlen(text));
  record_end(&b, begin);
  if (write_all(STDOUT_FILENO, b.data, b.len) < 0) status = 4;
  _exit(status);
}

static bool name_is_valid(const uint8_t *name, size_t len) {
  if (len == 0 || len > 255 || memchr(name, 0, len)) return false;
  return !(name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')));
}

bool path_is_valid(struct bytes path, bool own) {
  const uint8_t *at = path.data, *end = path.data + path.len;
  for (bool first = true; at < end; first = false) {
    const uint8_t *slash = memchr(at, '/', (size_t)(end - at));
    const uint8_t *stop = slash ? slash : end;
    size_t len = (size_t)(stop - at);
    if (!name_is_valid(at, len) || (slash && slash + 1 == end)) return false;
    if (first && !own && len == 6 && !memcmp(at, ".psync", 6)) return false;
    at = slash ? slash + 1 : end;
  }
  return true;
}

static uint8_t kind_of(uint16_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG: return KIND_FILE;
    case S_IFDIR: return KIND_DIR;
    case S_IFLNK: return KIND_LINK;
    case S_IFIFO: return KIND_FIFO;
    case S_IFSOCK: return KIND_SOCKET;
    case S_IFCHR: return KIND_CHAR;
    case S_IFBLK: return KIND_BLOCK;
    default: return KIND_NONE;
  }
}

static int64_t to_ns(const struct statx_timestamp *t) { return t->tv_sec * 1000000000LL + t->tv_nsec; }

int info_at(int dirfd, const char *name, struct info *info) {
  struct statx s;
  unsigned flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name ? 0 : AT_EMPTY_PATH);
  if (syscall(SYS_statx, dirfd, name, flags, STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID, &s) < 0) return -1;
  *info = (struct info){
      .kind = kind_of(s.stx_mode), .mode = s.stx_mode & 07777,
      .nlink = s.stx_nlink, .uid = s.stx_uid, .gid = s.stx_gid,
      .inode = s.stx_ino, .size = s.stx_size,
      .mtime_ns = to_ns(&s.stx_mtime), .ctime_ns = to_ns(&s.stx_ctime),
      .btime_ns = (s.stx_mask & STATX_BTIME) ? to_ns(&s.stx_btime) : 0,
      .mount_id = s.stx_mnt_id,
  };
  return 0;
}
