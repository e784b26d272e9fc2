/*
 * The watched directories; see tree.h.
 */
#include "tree.h"

#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#define PATH_LIMIT 65535 /* what a bytes16 holds */

struct child_key {
  const struct node *parent;
  struct bytes name;
};

static uint32_t hash_wd(int wd) { return table_hash_bytes((uint32_t)wd, NULL, 0); }
static uint32_t hash_of_wd(const void *item) { return hash_wd(((const struct node *)item)->wd); }
static bool wd_matches(const void *item, const void *key) {
  return ((const struct node *)item)->wd == *(const int *)key;
}

static uint32_t hash_child(const struct node *parent, struct bytes name) {
  return table_hash_bytes((uintptr_t)parent, name.data, name.len);
}
static uint32_t hash_of_name(const void *item) {
  const struct node *n = item;
  return hash_child(n->parent, (struct bytes){n->name, n->len});
}
static bool child_matches(const void *item, const void *key) {
  const struct node *n = item;
  const struct child_key *k = key;
  return n->parent == k->parent && n->len == k->name.len && !memcmp(n->name, k->name.data, n->len);
}

static struct node *new_node(const struct tree *t) {
  struct node *n = must_alloc(sizeof *n);
  *n = (struct node){.wd = -1, .epoch = t->epoch};
  return n;
}

void tree_init(struct tree *t) {
  *t = (struct tree){.by_wd.hash = hash_of_wd, .by_name.hash = hash_of_name};
  t->root = new_node(t);
}

struct node *tree_of_wd(const struct tree *t, int wd) {
  return table_find(&t->by_wd, hash_wd(wd), wd_matches, &wd);
}

struct node *tree_child(const struct tree *t, const struct node *parent, struct bytes name) {
  struct child_key key = {parent, name};
  return table_find(&t->by_name, hash_child(parent, name), child_matches, &key);
}

struct node *tree_at(const struct tree *t, struct bytes path) {
  struct node *n = t->root;
  while (n && path.len) {
    const uint8_t *slash = memchr(path.data, '/', path.len);
    size_t len = slash ? (size_t)(slash - path.data) : path.len;
    n = tree_child(t, n, (struct bytes){path.data, len});
    size_t used = slash ? len + 1 : len;
    path = (struct bytes){path.data + used, path.len - used};
  }
  return n;
}

static void set_name(struct node *n, struct bytes name) {
  n->name = must_realloc(n->name, name.len);
  memcpy(n->name, name.data, name.len);
  n->len = (uint8_t)name.len;
}

/* Hangs a node without parent below `parent`, where its name is free. */
static void attach(struct tree *t, struct node *n, struct node *parent) {
  n->parent = parent;
  n->prev = NULL;
  n->next = parent->child;
  if (n->next) n->next->prev = n;
  parent->child = n;
  table_add(&t->by_name, n);
}

static void detach(struct tree *t, struct node *n) {
  table_remove(&t->by_name, n);
  if (n->next) n->next->prev = n->prev;
  if (n->prev) n->prev->next = n->next;
  else n->parent->child = n->next;
  n->parent = n->next = n->prev = NULL;
}

struct node *tree_add(struct tree *t, struct node *parent, struct bytes name) {
  struct node *n = new_node(t);
  set_name(n, name);
  attach(t, n, parent);
  return n;
}

void tree_set_wd(struct tree *t, struct node *n, int wd) {
  if (n->wd == wd) return;
  if (n->wd >= 0) table_remove(&t->by_wd, n);
  n->wd = wd;
  if (wd >= 0) table_add(&t->by_wd, n);
}

void tree_move(struct tree *t, struct node *n, struct node *parent, struct bytes name) {
  detach(t, n);
  set_name(n, name);
  attach(t, n, parent);
}

static void push_grave(struct tree *t, struct node *n) {
  n->next = t->graves;
  t->graves = n;
}

void tree_bury(struct tree *t, struct node *n) {
  if (n != t->root) {
    detach(t, n);
    push_grave(t, n);
    return;
  }
  while (n->child) tree_bury(t, n->child);
}

static void free_node(struct node *n) {
  free(n->name);
  free(n);
}

bool tree_reap(struct tree *t, int inotify_fd, size_t max) {
  for (size_t done = 0; t->graves; done++) {
    if (done == max) return true;
    struct node *n = t->graves;
    if (n->child) {
      struct node *child = n->child;
      detach(t, child);
      push_grave(t, child);
      continue;
    }
    t->graves = n->next;
    /* Fails where the kernel was faster, because the directory is gone. Its IN_IGNORED finds no
     * node then: descriptors are handed out in a circle of 2^31, so an old event cannot meet a new
     * watch of the same number while it waits in a queue. */
    if (n->wd >= 0) (void)inotify_rm_watch(inotify_fd, n->wd);
    tree_set_wd(t, n, -1);
    n->is_reaped = true;
    if (!n->refs) free_node(n);
  }
  return false;
}

void tree_free(struct tree *t) {
  tree_bury(t, t->root);
  tree_reap(t, -1, SIZE_MAX);
  free_node(t->root);
  table_free(&t->by_wd);
  table_free(&t->by_name);
}

struct node *tree_ref(struct node *n) {
  if (n) n->refs++;
  return n;
}

void tree_unref(struct node *n) {
  if (n && --n->refs == 0 && n->is_reaped) free_node(n);
}

bool tree_is_within(const struct node *n, const struct node *top) {
  while (n && n != top) n = n->parent;
  return n != NULL;
}

enum path_state tree_path(const struct tree *t, const struct node *n, struct bytes name, struct buf *out) {
  size_t len = name.len;
  const struct node *top = n;
  for (; top->parent; top = top->parent) len += top->len + (len ? 1u : 0u);
  if (top != t->root) return PATH_DEAD;
  if (len > PATH_LIMIT) return PATH_LONG;
  buf_reserve(out, len);
  uint8_t *begin = out->data + out->len, *at = begin + len;
  if (name.len) memcpy(at -= name.len, name.data, name.len);
  for (; n->parent; n = n->parent) {
    if (at != begin + len) *--at = '/';
    memcpy(at -= n->len, n->name, n->len);
  }
  out->len += len;
  return PATH_FINE;
}
