/*
 * Packs; see apply_pack.h.
 */
#include "apply_pack.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "sha256.h"
#include "spare.h"

#define ENTRY_SIZE_MIN 66 /* bytes: path, STAT */

/* Reads `size` bytes from the start of the file behind what the buffer holds. Returns 1, 0 where the
 * file is shorter, -1 with errno. Whether it is longer, its stamp will tell. */
static int read_into(int fd, uint64_t size, struct buf *contents) {
  buf_reserve(contents, size);
  for (uint64_t got = 0; got < size;) {
    ssize_t n = pread(fd, contents->data + contents->len + got, size - got, (off_t)got);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n < 0 ? -1 : 0;
    got += (uint64_t)n;
  }
  contents->len += size;
  return 1;
}

/* Reads the leased file as it was expected. */
static enum status read_live(const struct site *site, struct live *live, const struct info *expected,
                             struct buf *contents) {
  if (!info_same_stamp(&live->info, expected)) return ST_STALE;
  if (live->fd < 0) return ST_FAILED;
  if (!live_is_quiet(live)) return ST_BUSY;
  if (site_stamp_is_young(site->replica, &live->info)) return ST_BUSY;
  int got = read_into(live->fd, expected->size, contents);
  if (got < 0) return ST_FAILED;
  if (got == 0 || live_refresh(live) < 0 || !info_same_stamp(&live->info, expected)) return ST_STALE;
  return live_is_intact(live) ? ST_DONE : ST_BUSY;
}

static enum status pack_place(const struct site *site, const struct place *place, const struct info *expected,
                              struct buf *contents) {
  struct live live;
  if (live_open_source(place, site->replica->info.mount_id, site->replica->follows, &live) < 0)
    return errno == ENOENT ? ST_STALE : ST_FAILED;
  enum status status = ST_STALE;
  if (live.info.kind == KIND_FILE && info_same_stamp(&live.info, expected)) {
    if (live_lease(&live) < 0) status = errno == EBUSY ? ST_BUSY : ST_FAILED;
    else status = read_live(site, &live, expected, contents);
  }
  live_close(&live); /* the lease with it: nobody is to wait for the hash */
  return status;
}

static enum status pack_one(struct site *site, const struct pack_entry *entry, struct buf *contents) {
  struct place place;
  if (!path_is_valid(entry->path, false) || !entry->path.len) return ST_REFUSED;
  if (place_open_cached(site->root, entry->path, &site->parent, &place) < 0) return place_status(errno);
  size_t before = contents->len;
  enum status status = pack_place(site, &place, &entry->expected, contents);
  place_close(&place);
  if (status != ST_DONE) contents->len = before;
  return status;
}

static void write_digest(struct buf *answer, const uint8_t *data, size_t len) {
  struct sha256 hash;
  uint8_t digest[SHA256_SIZE];
  sha256_begin(&hash);
  sha256_add(&hash, data, len);
  sha256_end(&hash, digest);
  buf_put(answer, digest, sizeof digest);
}

void pack_run(struct replica *replica, struct carrier *carrier, const struct pack_request *request,
              struct buf *answer) {
  struct site site;
  struct buf contents = spare_take();
  bool is_guarded = site_open(replica, &site) < 0;
  buf_u32(answer, request->count);
  for (uint32_t i = 0; i < request->count; i++) {
    size_t before = contents.len;
    enum status status = is_guarded ? ST_GUARD : pack_one(&site, &request->entries[i], &contents);
    buf_u8(answer, (uint8_t)status);
    if (status == ST_DONE) write_digest(answer, contents.data + before, contents.len - before);
  }
  uint64_t carried = carrier_send(carrier, &contents);
  buf_bytes32(answer, contents.data, carried ? 0 : contents.len);
  buf_u64(answer, carried);
  spare_give(&contents);
  if (!is_guarded) site_close(&site);
}

bool pack_parse(struct reader *r, struct pack_request *request) {
  *request = (struct pack_request){0};
  uint32_t count = get_u32(r);
  if (r->bad || count > PACK_FILES_MAX || count > (size_t)(r->end - r->at) / ENTRY_SIZE_MIN) return false;
  request->entries = must_alloc(count * sizeof *request->entries);
  request->count = count;
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < count; i++) {
    struct pack_entry *entry = &request->entries[i];
    entry->path = get_bytes16(r);
    get_info(r, &entry->expected);
    if (entry->expected.size > PACK_BYTES_MAX) return false;
    bytes += entry->expected.size;
  }
  return !r->bad && r->at == r->end && bytes <= PACK_BYTES_MAX;
}

void pack_free(struct pack_request *request) {
  free(request->entries);
  *request = (struct pack_request){0};
}
