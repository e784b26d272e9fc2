/*
 * The sum of a directory: 128 bits that stand for the names, kinds and stamps of all that is in it.
 * src/core/sum.ts is the other half, and says what for.
 */
#ifndef PSYNC_WATCH_SUM_H
#define PSYNC_WATCH_SUM_H

#include "record.h"

#define SUM_SIZE 16

struct sum_key {
  uint64_t low, high;
};

/* A number of 128 bits. */
struct sum {
  uint64_t low, high;
};

/* Adds one name; only of a file, a directory or a link. */
void sum_add(struct sum *sum, const struct sum_key *key, struct bytes name, const struct info *info);

/* SipHash-2-4 with 128 bits. */
struct sum sum_hash(const struct sum_key *key, const uint8_t *data, size_t len);

#endif
