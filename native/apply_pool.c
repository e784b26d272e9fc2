/*
 * The worker threads; see apply_pool.h.
 */
#include "apply_pool.h"

#define POOL_STACK (512u << 10) /* bytes; the deepest is a recursive removal in .psync */

void pool_init(struct pool *p) {
  *p = (struct pool){0};
  pthread_mutex_init(&p->lock, NULL);
  pthread_cond_init(&p->has_job, NULL);
  pthread_cond_init(&p->has_room, NULL);
}

/* Under the lock: takes the next job, or NULL at the end. */
static struct job *take(struct pool *p) {
  while (!p->first && !p->is_closed) {
    p->idle++;
    pthread_cond_wait(&p->has_job, &p->lock);
    p->idle--;
  }
  struct job *job = p->first;
  if (!job) return NULL;
  p->first = job->next;
  if (!p->first) p->last = NULL;
  p->waiting--;
  p->bytes -= job->size;
  p->busy++;
  pthread_cond_broadcast(&p->has_room);
  return job;
}

static void *work(void *argument) {
  struct pool *p = argument;
  pthread_mutex_lock(&p->lock);
  for (struct job *job; (job = take(p));) {
    pthread_mutex_unlock(&p->lock);
    job->run(job);
    pthread_mutex_lock(&p->lock);
    p->busy--;
    pthread_cond_broadcast(&p->has_room);
  }
  pthread_mutex_unlock(&p->lock);
  return NULL;
}

/* Under the lock. Where no thread can be had the job waits for those that there are. */
static bool add_thread(struct pool *p) {
  pthread_attr_t attr;
  if (pthread_attr_init(&attr) != 0) return false;
  pthread_attr_setstacksize(&attr, POOL_STACK);
  bool made = pthread_create(&p->ids[p->threads], &attr, work, p) == 0;
  if (made) p->threads++;
  pthread_attr_destroy(&attr);
  return made;
}

void pool_push(struct pool *p, struct job *job) {
  pthread_mutex_lock(&p->lock);
  while (p->waiting && (p->waiting >= POOL_JOBS_MAX || p->bytes + job->size > POOL_BYTES_MAX))
    pthread_cond_wait(&p->has_room, &p->lock);
  if (p->idle <= p->waiting && p->threads < POOL_THREADS && !add_thread(p) && !p->threads) {
    p->busy++;
    pthread_mutex_unlock(&p->lock);
    job->run(job); /* no thread at all: here, then */
    pthread_mutex_lock(&p->lock);
    p->busy--;
    pthread_mutex_unlock(&p->lock);
    return;
  }
  job->next = NULL;
  if (p->last) p->last->next = job;
  else p->first = job;
  p->last = job;
  p->waiting++;
  p->bytes += job->size;
  pthread_cond_signal(&p->has_job);
  pthread_mutex_unlock(&p->lock);
}

void pool_drain(struct pool *p) {
  pthread_mutex_lock(&p->lock);
  while (p->waiting || p->busy) pthread_cond_wait(&p->has_room, &p->lock);
  pthread_mutex_unlock(&p->lock);
}

void pool_end(struct pool *p) {
  pthread_mutex_lock(&p->lock);
  p->is_closed = true;
  pthread_cond_broadcast(&p->has_job);
  pthread_mutex_unlock(&p->lock);
  for (unsigned i = 0; i < p->threads; i++) pthread_join(p->ids[i], NULL);
}
