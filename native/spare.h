/*
 * Buffers of packs, kept for the next pack: pages that are new cost as much as what is written to them.
 *
 * Any thread may take and give. What is kept is bounded, and dropped while nothing is asked for (apply.c).
 */
#ifndef PSYNC_SPARE_H
#define PSYNC_SPARE_H

#include <stdbool.h>

#include "record.h"

/* An empty buffer; one that was given back where there is one. */
struct buf spare_take(void);
/* Takes a buffer's bytes from it, as buf_free does. */
void spare_give(struct buf *b);
/* Whether any is kept. */
bool spare_is_kept(void);
/* Frees what is kept. */
void spare_drop(void);

#endif
