/*
 * Reading inotify and what each event means for the tree and the set; the drain thread.
 */
#ifndef PSYNC_WATCH_EVENT_H
#define PSYNC_WATCH_EVENT_H

#include "watch.h"

#define EVENT_BYTES 65536 /* read at once: about 2,000 events, a millisecond of work under the lock */

/* The mask of every watch. IN_DONT_FOLLOW is not in it: watches are set through /proc/self/fd/N,
 * which must be followed, and which was opened without following anything. */
uint32_t watch_mask(void);
/* The DIRTY_* bits of an event's mask. */
uint16_t watch_dirty_bits(uint32_t mask);

/* Reads and handles at least `bytes` of events, or all there are. Returns 0, or -1 with errno. Holds
 * the lock. */
int events_read(struct watch *w, size_t bytes);
/* The same on the main thread: the drain thread learns of halves that wait. Holds the lock. */
int events_read_here(struct watch *w, size_t bytes);
/* How many bytes of events the kernel has queued by now. */
size_t events_queued(const struct watch *w);
/* Ends the waiting of halves whose time is over (of all: `now_ns` INT64_MAX), answers the barriers
 * that waited for them, and wakes the writer where it has something to do. Holds the lock. */
void events_settle(struct watch *w, int64_t now_ns);
/* Whether the set may be written: something is in it, and no directory is on its way to another path
 * (or one has been for too long). Holds the lock. */
bool events_can_write(struct watch *w);
int64_t monotonic_ns(void);

/* The body of the drain thread; `arg` is the struct watch. */
void *events_drain(void *arg);

#endif
