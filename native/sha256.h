/*
 * SHA-256 (FIPS 180-4), with the CPU's SHA instructions where there are any.
 *
 * A `struct sha256` owns nothing; it may be copied and dropped. It does no I/O. Called by look.c.
 */
#ifndef PSYNC_SHA256_H
#define PSYNC_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE 32

/* Runs `blocks` blocks of 64 bytes through `state`. */
typedef void sha256_blocks_fn(uint32_t state[8], const uint8_t *data, size_t blocks);

struct sha256 {
  uint32_t state[8];
  uint64_t total;   /* bytes so far */
  uint8_t held[64]; /* the first total % 64 bytes of the next block */
  sha256_blocks_fn *run;
};

/* Whether this CPU has what the fast path needs. */
bool sha256_has_fast(void);
/* Begins a digest by the fastest path of this CPU. */
void sha256_begin(struct sha256 *s);
/* Begins a digest by the portable path; for tests, and for sha256_begin. */
void sha256_begin_portable(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *data, size_t len);
void sha256_end(struct sha256 *s, uint8_t out[SHA256_SIZE]);

#endif
