/*
 * Changes in directories that their owner may not write to (0555, as package caches have them): without
 * root such a directory is given the permission for the moment of the change, as rsync does it.
 *
 * A name in .psync/stage tells of each while it lasts, so that the next start takes back what a kill
 * left: %<mode>-<inode>-<n>, a link whose target is the directory's path (I12).
 */
#ifndef PSYNC_PERMIT_H
#define PSYNC_PERMIT_H

#include "site.h"

#define SIGIL_PERMIT '%'

struct permit {
  int dir;     /* O_PATH; -1: none */
  mode_t mode; /* to be given back */
  char marker[STAGE_NAME_SIZE];
};

/* Lets its owner, who is us, write to the directory at `path`. Returns false where that is not needed,
 * or not ours to give; then nothing is to be taken back. */
bool permit_give(const struct site *site, struct bytes path, struct permit *permit);
void permit_take(const struct site *site, struct permit *permit);
/* Takes back what a kill left. */
void permit_sweep(const struct site *site, const char *marker);

#endif
