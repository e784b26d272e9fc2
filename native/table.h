/*
 * A hash table of pointers with open addressing, for the node tree and the set of dirty names.
 *
 * OWNERSHIP: the table owns its slots, never the items. An item's hash must not change while it is
 * in a table: take it out, change it, put it back.
 */
#ifndef PSYNC_TABLE_H
#define PSYNC_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t table_hash_fn(const void *item);
typedef bool table_match_fn(const void *item, const void *key);

struct table {
  void **slots;        /* NULL: free */
  size_t cap;          /* 0 or a power of two */
  size_t used;         /* items in it */
  table_hash_fn *hash; /* of an item */
};

/* Returns the first item with this hash that `match` accepts, or NULL. */
void *table_find(const struct table *t, uint32_t hash, table_match_fn *match, const void *key);
/* Puts an item in that is not in it. */
void table_add(struct table *t, void *item);
/* Takes out this very item (compared by address); nothing where it is not in it. */
void table_remove(struct table *t, const void *item);
/* Gives the slots back; the table is then empty and usable. */
void table_free(struct table *t);

/* Hashes bytes into `seed`; all bits of the result are well mixed. */
uint32_t table_hash_bytes(uint64_t seed, const void *data, size_t len);

#endif
