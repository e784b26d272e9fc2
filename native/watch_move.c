/*
 * Halves of renames that wait for their other half; see watch_move.h.
 */
#include "watch_move.h"

#include <stdlib.h>
#include <string.h>

void half_release(struct half *h) {
  tree_unref(h->dir);
  tree_unref(h->moved);
}

void moves_free(struct moves *m) {
  for (size_t i = 0; i < m->count; i++) half_release(&m->halves[i]);
  free(m->halves);
  free(m->barriers);
  *m = (struct moves){0};
}

void moves_add(struct moves *m, const struct half *h) {
  if (m->count == m->cap) {
    m->cap = m->cap ? m->cap * 2 : 4;
    m->halves = must_realloc(m->halves, m->cap * sizeof *m->halves);
  }
  struct half *added = &m->halves[m->count++];
  *added = *h;
  added->serial = m->serial++;
  tree_ref(added->dir);
  if (tree_ref(added->moved)) m->directories++;
}

ptrdiff_t moves_find(const struct moves *m, uint32_t cookie) {
  for (size_t i = m->count; i-- > 0;)
    if (m->halves[i].cookie == cookie) return (ptrdiff_t)i;
  return -1;
}

struct half moves_take(struct moves *m, size_t index) {
  struct half h = m->halves[index];
  m->count--;
  memmove(&m->halves[index], &m->halves[index + 1], (m->count - index) * sizeof *m->halves);
  if (h.moved) m->directories--;
  return h;
}

void moves_add_barrier(struct moves *m, uint32_t id) {
  if (m->barrier_count == m->barrier_cap) {
    m->barrier_cap = m->barrier_cap ? m->barrier_cap * 2 : 4;
    m->barriers = must_realloc(m->barriers, m->barrier_cap * sizeof *m->barriers);
  }
  m->barriers[m->barrier_count++] = (struct barrier){id, m->serial};
}

bool moves_take_barrier(struct moves *m, uint32_t *id) {
  if (!m->barrier_count) return false;
  if (m->count && m->halves[0].serial < m->barriers[0].serial) return false;
  *id = m->barriers[0].id;
  m->barrier_count--;
  memmove(m->barriers, m->barriers + 1, m->barrier_count * sizeof *m->barriers);
  return true;
}
