/*
 * Buffers and records: the reading and writing of format.h, shared by watch.c and apply.c.
 *
 * OWNERSHIP: a `struct buf` owns its bytes; buf_free gives them back. A `struct reader` borrows.
 * A reader that runs over its end, or meets a length that does not fit, sets `bad` and returns
 * zeros from then on: check it once at the end.
 */
#ifndef PSYNC_RECORD_H
#define PSYNC_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include "format.h"

struct buf {
  uint8_t *data;
  size_t len;
  size_t cap;
};

struct reader {
  const uint8_t *at;
  const uint8_t *end;
  bool bad;
};

struct bytes { /* borrowed, not NUL-terminated */
  const uint8_t *data;
  size_t len;
};

/* What the kernel says of one object; packed as STAT. */
struct info {
  uint8_t kind;
  uint8_t flags;
  uint16_t mode;
  uint32_t nlink, uid, gid;
  uint64_t inode, size;
  int64_t mtime_ns, ctime_ns, btime_ns;
  uint64_t mount_id;
};

/* Ends the process with status 3 where memory is out: there is nothing to go on with. */
void *must_alloc(size_t size);
void *must_realloc(void *old, size_t size);

void buf_reserve(struct buf *b, size_t more);
void buf_put(struct buf *b, const void *data, size_t len);
void buf_u8(struct buf *b, uint8_t v);
void buf_u16(struct buf *b, uint16_t v);
void buf_u32(struct buf *b, uint32_t v);
void buf_u64(struct buf *b, uint64_t v);
void buf_bytes16(struct buf *b, const void *data, size_t len); /* cut at 65535 */
void buf_bytes32(struct buf *b, const void *data, size_t len);
void buf_info(struct buf *b, const struct info *info);
void buf_set_u32(struct buf *b, size_t at, uint32_t v);
void buf_free(struct buf *b);

/* Begins a record (length left open); returns where it begins, for record_end. */
size_t record_begin(struct buf *b, uint8_t type, uint32_t id);
void record_end(struct buf *b, size_t begin);

uint8_t get_u8(struct reader *r);
uint16_t get_u16(struct reader *r);
uint32_t get_u32(struct reader *r);
uint64_t get_u64(struct reader *r);
struct bytes get_bytes16(struct reader *r);
struct bytes get_bytes32(struct reader *r);
void get_info(struct reader *r, struct info *info);

/* Reads one record into b (the bytes after the length). Returns 1, 0 at a clean end, -1 with errno
 * (EPROTO: too long, cut short, or shorter than type and id). */
int record_read(int fd, struct buf *b);
/* Writes everything. Returns 0 or -1 with errno. */
int write_all(int fd, const void *data, size_t len);
/* Writes one R_FATAL to stdout and exits with `status`. */
_Noreturn void die_fatal(int status, int err, const char *text);

/* Whether a path has the form that format.h allows; own names (.psync) only where `own`. */
bool path_is_valid(struct bytes path, bool own);

/* statx(2) of dirfd/name (AT_EMPTY_PATH where name is ""), never following a link, never
 * triggering an automount. Returns 0 or -1 with errno. `flags` is left 0. */
int info_at(int dirfd, const char *name, struct info *info);

#endif
