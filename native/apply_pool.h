/*
 * A bounded queue of jobs and the threads that run them, started on demand.
 *
 * OWNERSHIP: pool_push takes the job; its `run` frees it. One thread pushes.
 */
#ifndef PSYNC_APPLY_POOL_H
#define PSYNC_APPLY_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#define POOL_THREADS 8
#define POOL_JOBS_MAX 64            /* jobs that wait */
#define POOL_BYTES_MAX (48u << 20)  /* of requests that wait; one is always taken */

struct job {
  struct job *next;
  size_t size; /* bytes held by it */
  void (*run)(struct job *job);
};

struct pool {
  pthread_mutex_t lock;
  pthread_cond_t has_job, has_room;
  struct job *first, *last;
  size_t waiting, bytes;
  unsigned threads, idle, busy;
  bool is_closed;
  pthread_t ids[POOL_THREADS];
};

void pool_init(struct pool *pool);
/* Waits while the queue is full. */
void pool_push(struct pool *pool, struct job *job);
/* Waits until nothing waits and nothing runs. */
void pool_drain(struct pool *pool);
/* Ends the threads after what waits was run. */
void pool_end(struct pool *pool);

#endif
