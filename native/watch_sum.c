/*
 * The sum of a directory; see watch_sum.h. Each name becomes 128 bits of SipHash-2-4 of
 *
 *     u64 kind, u64 inode, i64 btime_ns; not of a directory: u64 size, i64 mtime_ns, i64 ctime_ns; name
 *
 * (integers little-endian), and these are added up modulo 2^128.
 */
#include "watch_sum.h"

#include <limits.h>
#include <string.h>

#define WORDS_MAX 6 /* before the name */

struct sip {
  uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t x, int by) { return x << by | x >> (64 - by); }

static void sip_rounds(struct sip *s, int count) {
  while (count--) {
    s->v0 += s->v1, s->v1 = rotate(s->v1, 13) ^ s->v0, s->v0 = rotate(s->v0, 32);
    s->v2 += s->v3, s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3, s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1, s->v1 = rotate(s->v1, 17) ^ s->v2, s->v2 = rotate(s->v2, 32);
  }
}

static void sip_take(struct sip *s, uint64_t word) {
  s->v3 ^= word;
  sip_rounds(s, 2);
  s->v0 ^= word;
}

static uint64_t load(const uint8_t *data, size_t len) {
  uint64_t word = 0;
  for (size_t i = 0; i < len; i++) word |= (uint64_t)data[i] << (8 * i);
  return word;
}

struct sum sum_hash(const struct sum_key *key, const uint8_t *data, size_t len) {
  struct sip s = {key->low ^ 0x736f6d6570736575u, key->high ^ 0x646f72616e646f6du ^ 0xee,
                  key->low ^ 0x6c7967656e657261u, key->high ^ 0x7465646279746573u};
  size_t at = 0;
  for (; len - at >= 8; at += 8) sip_take(&s, load(data + at, 8));
  sip_take(&s, load(data + at, len - at) | (uint64_t)len << 56);
  s.v2 ^= 0xee;
  sip_rounds(&s, 4);
  struct sum sum = {.low = s.v0 ^ s.v1 ^ s.v2 ^ s.v3};
  s.v1 ^= 0xdd;
  sip_rounds(&s, 4);
  sum.high = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
  return sum;
}

static void store(uint8_t *at, uint64_t word) {
  for (int i = 0; i < 8; i++) at[i] = (uint8_t)(word >> (8 * i));
}

void sum_add(struct sum *sum, const struct sum_key *key, struct bytes name, const struct info *info) {
  const uint64_t words[WORDS_MAX] = {info->kind, info->inode, (uint64_t)info->btime_ns,
                                     info->size, (uint64_t)info->mtime_ns, (uint64_t)info->ctime_ns};
  uint8_t data[WORDS_MAX * 8 + NAME_MAX];
  size_t len = 0, count = info->kind == KIND_DIR ? 3 : WORDS_MAX;
  for (size_t i = 0; i < count; i++, len += 8) store(data + len, words[i]);
  memcpy(data + len, name.data, name.len);
  struct sum one = sum_hash(key, data, len + name.len);
  sum->low += one.low;
  sum->high += one.high + (sum->low < one.low);
}
