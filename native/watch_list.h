/*
 * Answering W_LIST: a watch on the directory first, then its listing.
 *
 * Called by watch.c on the main thread; takes the lock for as long as it touches the tree.
 */
#ifndef PSYNC_WATCH_LIST_H
#define PSYNC_WATCH_LIST_H

#include "watch.h"
#include "watch_sum.h"

#define DENTS_BYTES (256u << 10) /* read of a directory at once */

/* Lists the directory at `path` (valid or not: the answer tells) below root_fd (or, where that is -1,
 * answers with `root_errno`), and appends the answer to w->out, which it writes when it is much.
 * `id` is the request's. */
void list_dir(struct watch *w, int root_fd, int root_errno, uint32_t id, struct bytes path);

/* Watches the same directory, and appends what W_SUMMED says of it to `out`, which is not written. */
void sum_dir(struct watch *w, int root_fd, int root_errno, const struct sum_key *key, struct bytes path,
             struct buf *out);

/* Mount points that were listed: those that are gone again by now are reported as W_MOUNT, as their
 * coming and going may both have been missed. Called after each batch. */
void list_check_mounts(struct watch *w);

#endif
