/*
 * The flush of staged files before their names are given (stage.h, stage_flush): content before
 * name (I12). Few files: each by fdatasync in a thread of its own, so that they share the journal's
 * commits; many: one syncfs.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "open.h"
#include "stage.h"

#define FLUSH_STACK 65536 /* bytes; a helper thread calls nothing but fdatasync */

struct flush_job {
  struct staged *staged;
  int error;
  bool has_thread;
  pthread_t thread;
};

static void *flush_one(void *argument) {
  struct flush_job *job = argument;
  job->error = fdatasync(job->staged->flush) < 0 ? errno : 0;
  /* The last fd that may write to it: once it is live, we would count as its writer. */
  close_fd(job->staged->flush);
  job->staged->flush = -1;
  return NULL;
}

/* Each job in a thread, the last one (and what gets no thread) here. */
static void flush_jobs(struct flush_job *jobs, size_t count) {
  pthread_attr_t attr;
  bool has_attr = pthread_attr_init(&attr) == 0;
  if (has_attr) pthread_attr_setstacksize(&attr, FLUSH_STACK);
  for (size_t i = 0; i + 1 < count; i++)
    jobs[i].has_thread = has_attr && pthread_create(&jobs[i].thread, &attr, flush_one, &jobs[i]) == 0;
  for (size_t i = 0; i < count; i++)
    if (!jobs[i].has_thread) flush_one(&jobs[i]);
  for (size_t i = 0; i < count; i++)
    if (jobs[i].has_thread) pthread_join(jobs[i].thread, NULL);
  if (has_attr) pthread_attr_destroy(&attr);
}

/* Kernels before 5.8 tell nothing about write errors in syncfs. */
static int flush_closed(struct site *site, struct staged *staged) {
  int fd = staged->is_nameless
             ? open_again(staged->object, O_RDONLY)
             : openat(site->stage, staged->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return errno;
  int err = fdatasync(fd) < 0 ? errno : 0;
  close_fd(fd);
  return err;
}

void stage_flush(struct site *site, struct staged **staged, int *errors, size_t count, int guard) {
  struct flush_job *jobs = must_alloc(count * sizeof *jobs);
  size_t waiting = 0;
  bool by_syncfs = false;
  for (size_t i = 0; i < count; i++) {
    if (staged[i]->flush >= 0) jobs[waiting++] = (struct flush_job){.staged = staged[i]};
    if (staged[i]->needs_flush && staged[i]->flush < 0) by_syncfs = true;
  }
  int whole = by_syncfs && site->replica->syncfs_reports && syncfs(guard) < 0 ? errno : 0;
  flush_jobs(jobs, waiting);
  for (size_t i = 0, job = 0; i < count; i++) {
    errors[i] = 0;
    if (!staged[i]->needs_flush) continue;
    if (job < waiting && jobs[job].staged == staged[i]) {
      errors[i] = jobs[job++].error;
    } else {
      errors[i] = site->replica->syncfs_reports ? whole : flush_closed(site, staged[i]);
    }
  }
  free(jobs);
}
