/*
 * SHA-256; see sha256.h.
 */
#include "sha256.h"

#include <stdatomic.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t v, unsigned by) { return v >> by | v << (32 - by); }

/* Fills the 64 words that one block is expanded to. */
static void expand(uint32_t w[64], const uint8_t *block) {
  for (unsigned i = 0; i < 16; i++)
    w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 |
           block[4 * i + 3];
  for (unsigned i = 16; i < 64; i++) {
    uint32_t a = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
    uint32_t b = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + a + w[i - 7] + b;
  }
}

/* One round; the caller renames the eight words instead of moving them. */
static inline void one_round(uint32_t v[8], unsigned i, uint32_t word) {
  uint32_t *a = &v[(64 - i) % 8], *b = &v[(65 - i) % 8], *c = &v[(66 - i) % 8], *d = &v[(67 - i) % 8];
  uint32_t *e = &v[(68 - i) % 8], *f = &v[(69 - i) % 8], *g = &v[(70 - i) % 8], *h = &v[(71 - i) % 8];
  uint32_t t = *h + (rotate(*e, 6) ^ rotate(*e, 11) ^ rotate(*e, 25)) + ((*e & *f) ^ (~*e & *g)) + word;
  *d += t;
  *h = t + (rotate(*a, 2) ^ rotate(*a, 13) ^ rotate(*a, 22)) + ((*a & *b) ^ (*a & *c) ^ (*b & *c));
}

static void run_block(uint32_t state[8], const uint8_t *block) {
  uint32_t w[64], v[8];
  expand(w, block);
  memcpy(v, state, sizeof v);
  for (unsigned i = 0; i < 64; i += 8)
    for (unsigned j = 0; j < 8; j++) one_round(v, j, round_constants[i + j] + w[i + j]);
  for (unsigned i = 0; i < 8; i++) state[i] += v[i];
}

static void run_portable(uint32_t state[8], const uint8_t *data, size_t blocks) {
  for (; blocks; blocks--, data += 64) run_block(state, data);
}

#if defined(__x86_64__)

static bool ask_cpu(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSSE3) || !(c & bit_SSE4_1)) return false;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

/* Four rounds with the words of `w`. */
__attribute__((target("sha,sse4.1"))) static inline void four_rounds(__m128i *abef, __m128i *cdgh, __m128i w,
                                                                    unsigned first) {
  __m128i k = _mm_loadu_si128((const __m128i *)(round_constants + first));
  __m128i sum = _mm_add_epi32(w, k);
  *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, sum);
  *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32(sum, 0x0e));
}

__attribute__((target("sha,sse4.1"))) static void fast_block(__m128i *abef, __m128i *cdgh, const uint8_t *block) {
  const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
  __m128i w[4], abef_before = *abef, cdgh_before = *cdgh;
  for (unsigned i = 0; i < 4; i++)
    w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(block + 16 * i)), swap);
  for (unsigned i = 0; i < 16; i++) {
    four_rounds(abef, cdgh, w[0], 4 * i);
    __m128i next = _mm_sha256msg1_epu32(w[0], w[1]);
    next = _mm_add_epi32(next, _mm_alignr_epi8(w[3], w[2], 4));
    next = _mm_sha256msg2_epu32(next, w[3]);
    w[0] = w[1], w[1] = w[2], w[2] = w[3], w[3] = next;
  }
  *abef = _mm_add_epi32(*abef, abef_before);
  *cdgh = _mm_add_epi32(*cdgh, cdgh_before);
}

/* The instructions want the state as the words f e b a and h g d c, lowest first. */
__attribute__((target("sha,sse4.1"))) static void run_fast(uint32_t state[8], const uint8_t *data, size_t blocks) {
  __m128i abef = _mm_set_epi32((int)state[0], (int)state[1], (int)state[4], (int)state[5]);
  __m128i cdgh = _mm_set_epi32((int)state[2], (int)state[3], (int)state[6], (int)state[7]);
  for (; blocks; blocks--, data += 64) fast_block(&abef, &cdgh, data);
  state[0] = (uint32_t)_mm_extract_epi32(abef, 3), state[1] = (uint32_t)_mm_extract_epi32(abef, 2);
  state[4] = (uint32_t)_mm_extract_epi32(abef, 1), state[5] = (uint32_t)_mm_extract_epi32(abef, 0);
  state[2] = (uint32_t)_mm_extract_epi32(cdgh, 3), state[3] = (uint32_t)_mm_extract_epi32(cdgh, 2);
  state[6] = (uint32_t)_mm_extract_epi32(cdgh, 1), state[7] = (uint32_t)_mm_extract_epi32(cdgh, 0);
}

#else

static bool ask_cpu(void) { return false; }
#define run_fast run_portable

#endif

void sha256_begin_portable(struct sha256 *s) {
  *s = (struct sha256){
      .state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19},
      .run = run_portable};
}

bool sha256_has_fast(void) {
  /* WHY: in a virtual machine each CPUID leaves it: 30 us for these, as much as 40 KB of hashing. */
  static atomic_int known = -1;
  int fast = atomic_load_explicit(&known, memory_order_relaxed);
  if (fast < 0) atomic_store_explicit(&known, fast = ask_cpu(), memory_order_relaxed);
  return fast;
}

void sha256_begin(struct sha256 *s) {
  sha256_begin_portable(s);
  if (sha256_has_fast()) s->run = run_fast;
}

void sha256_add(struct sha256 *s, const void *data, size_t len) {
  const uint8_t *at = data;
  size_t held = s->total % 64;
  s->total += len;
  if (held) {
    size_t more = 64 - held < len ? 64 - held : len;
    memcpy(s->held + held, at, more);
    at += more, len -= more;
    if (held + more < 64) return;
    s->run(s->state, s->held, 1);
  }
  s->run(s->state, at, len / 64);
  if (len % 64) memcpy(s->held, at + len / 64 * 64, len % 64);
}

void sha256_end(struct sha256 *s, uint8_t out[SHA256_SIZE]) {
  uint64_t bits = s->total * 8;
  static const uint8_t padding[64] = {0x80};
  size_t held = s->total % 64;
  sha256_add(s, padding, held < 56 ? 56 - held : 120 - held);
  uint8_t length[8];
  for (unsigned i = 0; i < 8; i++) length[i] = (uint8_t)(bits >> (56 - 8 * i));
  sha256_add(s, length, 8);
  for (unsigned i = 0; i < SHA256_SIZE; i++) out[i] = (uint8_t)(s->state[i / 4] >> (24 - 8 * (i % 4)));
}
