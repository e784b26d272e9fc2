/*
 * Buffers that are kept; see spare.h.
 */
#include "spare.h"

#include <pthread.h>

#define KEPT_MAX 6           /* as many as packs are under way on both sides of a pair */
#define SIZE_MIN (256u << 10) /* below, malloc is as good */
#define SIZE_MAX_KEPT (4u << 20)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct buf kept[KEPT_MAX];
static unsigned count;

struct buf spare_take(void) {
  struct buf b = {0};
  pthread_mutex_lock(&lock);
  if (count) b = kept[--count];
  pthread_mutex_unlock(&lock);
  return b;
}

void spare_give(struct buf *b) {
  b->len = 0;
  pthread_mutex_lock(&lock);
  bool keeps = b->cap >= SIZE_MIN && b->cap <= SIZE_MAX_KEPT && count < KEPT_MAX;
  if (keeps) kept[count++] = *b;
  pthread_mutex_unlock(&lock);
  if (keeps) *b = (struct buf){0};
  else buf_free(b);
}

bool spare_is_kept(void) {
  pthread_mutex_lock(&lock);
  bool is_kept = count > 0;
  pthread_mutex_unlock(&lock);
  return is_kept;
}

void spare_drop(void) {
  for (;;) {
    pthread_mutex_lock(&lock);
    struct buf b = count ? kept[--count] : (struct buf){0};
    pthread_mutex_unlock(&lock);
    if (!b.data) return;
    buf_free(&b);
  }
}
