/*
 * The image: what is appended to the launcher's own executable, and how it is found there.
 *
 * DESIGN
 *     the launcher (ELF)
 *     SECTIONS times: one zstd frame with a content checksum
 *     zeros, up to a multiple of 64
 *     trailer, TRAILER_SIZE bytes; all integers little-endian:
 *         16  IMAGE_MAGIC
 *         32  state of SHA-256 over everything before the trailer, big-endian words
 *          8  u64 where the trailer begins
 *          8  u64 number of sections
 *        SECTIONS times
 *            8  u64 where the frame begins
 *            8  u64 its length
 *            8  u64 the length of what is in it
 *           32  SHA-256 of what is in it
 *        zeros
 * From the state the launcher goes on to the hash of the whole file without reading it: it has
 * only the four blocks of the trailer to take.
 * The trailer is written by pack.c and read by the launcher, through the two functions below.
 */
#ifndef PSYNC_IMAGE_H
#define PSYNC_IMAGE_H

#include <stdbool.h>
#include <stdint.h>
#include "../sha256.h"

#define IMAGE_MAGIC "psync trailer 1\n"
#define BLOCK_SIZE 64 /* of SHA-256 */
#define TRAILER_SIZE 256
/* Half a hash, in hex: names a section's directory in the cache. */
#define SECTION_ID_SIZE 32

enum section_kind { SECTION_RUNTIME, SECTION_PROGRAM, SECTION_NATIVE, SECTIONS };

struct section {
  uint64_t offset;           /* of the frame, in the file */
  uint64_t packed;           /* length of the frame */
  uint64_t size;             /* length of what is in it */
  uint8_t hash[SHA256_SIZE]; /* of what is in it */
};

struct image {
  int fd;                            /* of the file, CLOEXEC; owned */
  uint64_t size;                     /* of the file */
  uint8_t middle[SHA256_SIZE];       /* state of SHA-256 before the trailer */
  struct section section[SECTIONS];
  char hash[2 * SHA256_SIZE + 1];    /* SHA-256 of the whole file, in hex */
};

/* Writes the trailer of an image whose `size` ends with it, or reads one and checks each number
 * against `size`. Reading returns whether it is sound. */
void trailer_write(const struct image *image, uint8_t out[TRAILER_SIZE]);
bool trailer_read(struct image *image, const uint8_t in[TRAILER_SIZE]);

/* Opens an executable with its image. Returns 0, or -1 with errno (ENOEXEC: no sound trailer). */
int image_open(struct image *image, const char *path);

/* Unpacks a section to `fd`, from its current offset. Returns 0, or -1 with errno (EBADMSG: the
 * frame is damaged). */
int image_unpack(const struct image *image, enum section_kind kind, int fd);

/* Takes the state of a hash that stands at a whole block, as 32 bytes. */
void digest_state(const struct sha256 *sum, uint8_t out[SHA256_SIZE]);

/* Writes 2 * len lower-case hex digits and a NUL. */
void hex_encode(char *out, const uint8_t *data, size_t len);

/* The name of a section's directory in the cache. */
void section_id(const struct section *section, char out[SECTION_ID_SIZE + 1]);

#endif
