/*
 * The bounded set of what is to be written; see watch_set.h.
 */
#include "watch_set.h"

#include <stdlib.h>
#include <string.h>

struct item {
  struct item *next;
  struct node *dir; /* of a dirty name; referenced */
  uint32_t value;   /* dirty: DIRTY_* bits; root: reason; barrier: id */
  uint32_t len;     /* of data */
  uint8_t type;     /* W_DIRTY, W_MOVE, W_OVERFLOW, W_ROOT, W_BARRIER */
  uint8_t data[];   /* dirty: the name; move: the body */
};

struct item_key {
  const struct node *dir;
  struct bytes name;
};

static uint32_t hash_key(const struct node *dir, struct bytes name) {
  return table_hash_bytes((uintptr_t)dir, name.data, name.len);
}
static uint32_t hash_item(const void *item) {
  const struct item *i = item;
  return hash_key(i->dir, (struct bytes){i->data, i->len});
}
static bool item_matches(const void *item, const void *key) {
  const struct item *i = item;
  const struct item_key *k = key;
  return i->dir == k->dir && i->len == k->name.len && (!i->len || !memcmp(i->data, k->name.data, i->len));
}

void set_init(struct set *s) { *s = (struct set){.dirty.hash = hash_item}; }

static bool is_whole(const struct item *i) { return i->type == W_DIRTY && (i->value & DIRTY_WHOLE); }

static void count_item(struct set *s, const struct item *i, bool comes) {
  size_t *counter = is_whole(i) ? &s->wholes : &s->names;
  if (i->type == W_DIRTY || i->type == W_MOVE) *counter += comes ? 1 : (size_t)-1;
}

static void push(struct item_list *l, struct item *i) {
  i->next = NULL;
  if (l->last) l->last->next = i;
  else l->first = i;
  l->last = i;
}

static struct item *pop(struct item_list *l) {
  struct item *i = l->first;
  l->first = i->next;
  if (!l->first) l->last = NULL;
  return i;
}

static struct item *append(struct set *s, uint8_t type, uint32_t value, struct bytes data) {
  struct item *i = must_alloc(sizeof *i + data.len);
  *i = (struct item){.type = type, .value = value, .len = (uint32_t)data.len};
  if (data.len) memcpy(i->data, data.data, data.len);
  push(type == W_MOVE ? &s->pairs : &s->others, i);
  count_item(s, i, true);
  return i;
}

/* Frees an item that is out of the list already. */
static void discard(struct set *s, struct item *i) {
  if (i->type == W_DIRTY) table_remove(&s->dirty, i);
  if (i->type == W_OVERFLOW) s->is_lost = false;
  count_item(s, i, false);
  tree_unref(i->dir);
  free(i);
}

void set_free(struct set *s) {
  while (s->pairs.first) discard(s, pop(&s->pairs));
  while (s->others.first) discard(s, pop(&s->others));
  table_free(&s->dirty);
}

bool set_is_empty(const struct set *s) { return !s->pairs.first && !s->others.first; }

static struct item *find(const struct set *s, const struct node *dir, struct bytes name) {
  struct item_key key = {dir, name};
  return table_find(&s->dirty, hash_key(dir, name), item_matches, &key);
}

static void add_item(struct set *s, struct node *dir, struct bytes name, uint16_t bits) {
  struct item *i = append(s, W_DIRTY, bits, name);
  i->dir = tree_ref(dir);
  table_add(&s->dirty, i);
}

static void add_whole(struct set *s, struct node *dir) {
  struct bytes self = {NULL, 0};
  struct item *i = find(s, dir, self);
  if (s->wholes >= SET_WHOLE_MAX) return set_overflow(s);
  if (!i) return add_item(s, dir, self, DIRTY_WHOLE | DIRTY_DIR);
  count_item(s, i, false);
  i->value |= DIRTY_WHOLE | DIRTY_DIR;
  count_item(s, i, true);
}

void set_dirty(struct set *s, struct node *dir, struct bytes name, uint16_t bits) {
  if (s->is_lost) return;
  struct item *i = find(s, dir, name);
  if (i) {
    i->value |= bits;
    return;
  }
  struct item *whole = name.len ? find(s, dir, (struct bytes){NULL, 0}) : NULL;
  if (whole && is_whole(whole)) return;
  if (s->names < SET_NAMES_MAX) add_item(s, dir, name, bits);
  else add_whole(s, dir);
}

bool set_move(struct set *s, const struct buf *body) {
  if (s->is_lost || s->names >= SET_NAMES_MAX) return false;
  append(s, W_MOVE, 0, (struct bytes){body->data, body->len});
  return true;
}

void set_overflow(struct set *s) {
  struct item_list old = s->others;
  s->others = (struct item_list){0};
  while (s->pairs.first) discard(s, pop(&s->pairs));
  while (old.first) {
    struct item *i = pop(&old);
    if (i->type == W_ROOT || i->type == W_BARRIER) push(&s->others, i);
    else discard(s, i);
  }
  append(s, W_OVERFLOW, 0, (struct bytes){NULL, 0});
  s->is_lost = true;
}

void set_mark(struct set *s, uint8_t type, uint32_t value) { append(s, type, value, (struct bytes){NULL, 0}); }

/* Appends "bits, path"; where the path is too long for a record, of the nearest directory that has
 * one, which is then whole. Returns false where the node is buried. */
static bool put_dirty(const struct tree *t, struct buf *out, const struct item *i) {
  size_t begin = out->len;
  uint32_t bits = i->value;
  const struct node *dir = i->dir;
  struct bytes name = {i->data, i->len};
  for (;;) {
    out->len = begin;
    buf_u16(out, (uint16_t)bits);
    buf_u16(out, 0);
    enum path_state state = tree_path(t, dir, name, out);
    if (state == PATH_DEAD) break;
    if (state == PATH_FINE) {
      size_t len = out->len - begin - 4;
      out->data[begin + 2] = (uint8_t)len;
      out->data[begin + 3] = (uint8_t)(len >> 8);
      return true;
    }
    if (!name.len) dir = dir->parent;
    name.len = 0;
    bits = DIRTY_WHOLE | DIRTY_DIR;
  }
  out->len = begin;
  return false;
}

/* Writes the dirty names at the front as one W_DIRTY, or nothing where all of them are buried. */
static void write_dirty(struct set *s, const struct tree *t, struct buf *out, size_t limit) {
  size_t begin = record_begin(out, W_DIRTY, 0), count_at = out->len;
  uint32_t count = 0;
  buf_u32(out, 0);
  do {
    struct item *i = pop(&s->others);
    if (put_dirty(t, out, i)) count++;
    discard(s, i);
  } while (s->others.first && s->others.first->type == W_DIRTY && out->len < limit);
  if (!count) {
    out->len = begin;
    return;
  }
  buf_set_u32(out, count_at, count);
  record_end(out, begin);
}

static void write_other(struct set *s, struct item *i, struct buf *out) {
  size_t begin = record_begin(out, i->type, i->type == W_BARRIER ? i->value : 0);
  if (i->type == W_ROOT) buf_u8(out, (uint8_t)i->value);
  buf_put(out, i->data, i->len);
  record_end(out, begin);
  discard(s, i);
}

void set_write(struct set *s, const struct tree *t, struct buf *out, size_t limit) {
  while (s->pairs.first && out->len < limit) write_other(s, pop(&s->pairs), out);
  while (s->others.first && out->len < limit) {
    if (s->others.first->type == W_DIRTY) write_dirty(s, t, out, limit);
    else write_other(s, pop(&s->others), out);
  }
}
