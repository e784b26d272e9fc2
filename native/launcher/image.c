/*
 * Reads the image that is appended to the launcher. See image.h.
 *
 * DESIGN: numbers from the trailer are checked once, in trailer_read; zstd's own checksum proves
 * what comes out of a frame. Nothing is allocated but the decoder and its two buffers, which
 * image_unpack frees.
 */
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#define MAGIC_SIZE 16
#define HEAD_SIZE (MAGIC_SIZE + SHA256_SIZE + 16)
#define SECTION_SIZE (24 + SHA256_SIZE)

_Static_assert(HEAD_SIZE + SECTIONS * SECTION_SIZE <= TRAILER_SIZE, "the trailer is too small");
_Static_assert(TRAILER_SIZE % BLOCK_SIZE == 0, "the trailer must be whole blocks");

static void put64(uint8_t *p, uint64_t v) {
  for (int i = 0; i < 8; i++) p[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t get64(const uint8_t *p) {
  uint64_t v = 0;
  for (int i = 7; i >= 0; i--) v = v << 8 | p[i];
  return v;
}

void trailer_write(const struct image *image, uint8_t out[TRAILER_SIZE]) {
  memset(out, 0, TRAILER_SIZE);
  memcpy(out, IMAGE_MAGIC, MAGIC_SIZE);
  memcpy(out + MAGIC_SIZE, image->middle, SHA256_SIZE);
  put64(out + HEAD_SIZE - 16, image->size - TRAILER_SIZE);
  put64(out + HEAD_SIZE - 8, SECTIONS);
  for (int i = 0; i < SECTIONS; i++) {
    uint8_t *at = out + HEAD_SIZE + i * SECTION_SIZE;
    put64(at, image->section[i].offset);
    put64(at + 8, image->section[i].packed);
    put64(at + 16, image->section[i].size);
    memcpy(at + 24, image->section[i].hash, SHA256_SIZE);
  }
}

bool trailer_read(struct image *image, const uint8_t in[TRAILER_SIZE]) {
  uint64_t begin = get64(in + HEAD_SIZE - 16);
  if (memcmp(in, IMAGE_MAGIC, MAGIC_SIZE) != 0 || get64(in + HEAD_SIZE - 8) != SECTIONS) return false;
  if (image->size < TRAILER_SIZE || begin != image->size - TRAILER_SIZE || begin % BLOCK_SIZE != 0) return false;
  memcpy(image->middle, in + MAGIC_SIZE, SHA256_SIZE);
  for (int i = 0; i < SECTIONS; i++) {
    const uint8_t *at = in + HEAD_SIZE + i * SECTION_SIZE;
    struct section *s = &image->section[i];
    s->offset = get64(at);
    s->packed = get64(at + 8);
    s->size = get64(at + 16);
    memcpy(s->hash, at + 24, SHA256_SIZE);
    if (s->offset > begin || s->packed > begin - s->offset || s->size > INT64_MAX) return false;
  }
  return true;
}

/* Reads exactly `len` bytes at `offset`. Returns 0 or -1 with errno (ENOEXEC: the file ends). */
static int read_at(int fd, void *data, size_t len, uint64_t offset) {
  for (size_t done = 0; done < len;) {
    ssize_t got = pread(fd, (char *)data + done, len - done, (off_t)(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got == 0) errno = ENOEXEC;
    if (got <= 0) return -1;
    done += (size_t)got;
  }
  return 0;
}

/* Begins a digest where pack.c stopped: right before the trailer. */
static void resume_digest(struct sha256 *sum, const struct image *image) {
  sha256_begin(sum);
  for (int i = 0; i < 8; i++) {
    const uint8_t *p = image->middle + 4 * i;
    sum->state[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
  }
  sum->total = image->size - TRAILER_SIZE;
}

int image_open(struct image *image, const char *path) {
  uint8_t trailer[TRAILER_SIZE], hash[SHA256_SIZE];
  struct sha256 sum;
  struct stat st;
  image->fd = open(path, O_RDONLY | O_CLOEXEC);
  if (image->fd < 0 || fstat(image->fd, &st) < 0) return -1;
  image->size = (uint64_t)st.st_size;
  errno = ENOEXEC;
  if (image->size < TRAILER_SIZE) return -1;
  if (read_at(image->fd, trailer, TRAILER_SIZE, image->size - TRAILER_SIZE) < 0) return -1;
  errno = ENOEXEC;
  if (!trailer_read(image, trailer)) return -1;
  resume_digest(&sum, image);
  sha256_add(&sum, trailer, TRAILER_SIZE);
  sha256_end(&sum, hash);
  hex_encode(image->hash, hash, SHA256_SIZE);
  return 0;
}

static int write_whole(int fd, const char *data, size_t len) {
  while (len > 0) {
    ssize_t put = write(fd, data, len);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return -1;
    data += put;
    len -= (size_t)put;
  }
  return 0;
}

/* One frame and the buffers that it needs while it is unpacked. */
struct unpacker {
  ZSTD_DStream *stream;
  char *in, *out;
  size_t in_size, out_size;
};

/* Moves the frame through the decoder. Returns 0 or -1 with errno. */
static int unpack_frame(struct unpacker *u, const struct image *image, const struct section *s, int fd) {
  uint64_t at = s->offset, end = s->offset + s->packed, written = 0;
  size_t left = 1;
  while (at < end) {
    size_t part = end - at < u->in_size ? (size_t)(end - at) : u->in_size;
    if (read_at(image->fd, u->in, part, at) < 0) return -1;
    at += part;
    for (ZSTD_inBuffer in = {u->in, part, 0}; in.pos < in.size;) {
      ZSTD_outBuffer out = {u->out, u->out_size, 0};
      left = ZSTD_decompressStream(u->stream, &out, &in);
      written += out.pos;
      errno = EBADMSG;
      if (ZSTD_isError(left) || written > s->size) return -1;
      if (write_whole(fd, u->out, out.pos) < 0) return -1;
    }
  }
  errno = EBADMSG;
  return left == 0 && written == s->size ? 0 : -1;
}

int image_unpack(const struct image *image, enum section_kind kind, int fd) {
  struct unpacker u = {.in_size = ZSTD_DStreamInSize(), .out_size = ZSTD_DStreamOutSize()};
  int result = -1;
  u.stream = ZSTD_createDStream();
  u.in = malloc(u.in_size);
  u.out = malloc(u.out_size);
  errno = ENOMEM;
  if (u.stream != NULL && u.in != NULL && u.out != NULL) {
    result = unpack_frame(&u, image, &image->section[kind], fd);
  }
  int err = errno;
  ZSTD_freeDStream(u.stream);
  free(u.in);
  free(u.out);
  errno = err;
  return result;
}

void digest_state(const struct sha256 *sum, uint8_t out[SHA256_SIZE]) {
  for (int i = 0; i < SHA256_SIZE; i++) out[i] = (uint8_t)(sum->state[i / 4] >> (24 - 8 * (i % 4)));
}

void hex_encode(char *out, const uint8_t *data, size_t len) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < len; i++) {
    *out++ = digits[data[i] >> 4];
    *out++ = digits[data[i] & 15];
  }
  *out = 0;
}

void section_id(const struct section *section, char out[SECTION_ID_SIZE + 1]) {
  hex_encode(out, section->hash, SECTION_ID_SIZE / 2);
}
