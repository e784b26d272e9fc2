/*
 * A hash table of pointers; see table.h. Linear probing, at most three quarters full; taking out
 * shifts the items behind back, so that there are no tombstones.
 */
#include "table.h"

#include <stdlib.h>
#include <string.h>

#include "record.h"

#define TABLE_MIN 64 /* slots of the smallest table: a power of two */

void *table_find(const struct table *t, uint32_t hash, table_match_fn *match, const void *key) {
  if (!t->cap) return NULL;
  for (size_t i = hash & (t->cap - 1);; i = (i + 1) & (t->cap - 1)) {
    if (!t->slots[i]) return NULL;
    if (match(t->slots[i], key)) return t->slots[i];
  }
}

/* Puts an item into the first free slot from where it belongs; there is one. */
static void place(struct table *t, void *item) {
  size_t i = t->hash(item) & (t->cap - 1);
  while (t->slots[i]) i = (i + 1) & (t->cap - 1);
  t->slots[i] = item;
}

static void grow(struct table *t) {
  struct table old = *t;
  t->cap = old.cap ? old.cap * 2 : TABLE_MIN;
  if (t->cap > SIZE_MAX / sizeof *t->slots) abort();
  t->slots = must_alloc(t->cap * sizeof *t->slots);
  memset(t->slots, 0, t->cap * sizeof *t->slots);
  for (size_t i = 0; i < old.cap; i++)
    if (old.slots[i]) place(t, old.slots[i]);
  free(old.slots);
}

void table_add(struct table *t, void *item) {
  if (t->used + 1 > t->cap / 4 * 3) grow(t);
  place(t, item);
  t->used++;
}

/* Closes the hole at `hole` by moving back what probing would no longer find. */
static void close_hole(struct table *t, size_t hole) {
  size_t mask = t->cap - 1;
  for (size_t i = (hole + 1) & mask; t->slots[i]; i = (i + 1) & mask) {
    size_t home = t->hash(t->slots[i]) & mask;
    if (((i - home) & mask) < ((i - hole) & mask)) continue;
    t->slots[hole] = t->slots[i];
    hole = i;
  }
  t->slots[hole] = NULL;
}

void table_remove(struct table *t, const void *item) {
  if (!t->cap) return;
  size_t i = t->hash(item) & (t->cap - 1);
  while (t->slots[i] && t->slots[i] != item) i = (i + 1) & (t->cap - 1);
  if (!t->slots[i]) return;
  close_hole(t, i);
  t->used--;
}

void table_free(struct table *t) {
  free(t->slots);
  t->slots = NULL;
  t->cap = t->used = 0;
}

uint32_t table_hash_bytes(uint64_t seed, const void *data, size_t len) {
  const uint8_t *at = data;
  uint64_t h = seed * 0x9e3779b97f4a7c15u + 0xcbf29ce484222325u;
  for (size_t i = 0; i < len; i++) h = (h ^ at[i]) * 0x100000001b3u;
  h ^= h >> 32;
  h *= 0xd6e8feb86659fd93u;
  return (uint32_t)(h ^ (h >> 32));
}
