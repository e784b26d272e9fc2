/*
 * The cache: where an image lies unpacked between starts.
 *
 * DESIGN
 * BASE is the first of $XDG_CACHE_HOME, ~/.cache, /var/cache (root) and $XDG_RUNTIME_DIR that is
 * one's own, writable and not mounted noexec. Below it:
 *     BASE/psync/lib/<section id>/psync          the runtime, 0700
 *     BASE/psync/lib/<section id>/psync.js       the program, 0600; beside it deno/, its DENO_DIR
 *     BASE/psync/lib/<section id>/psync-native   0700
 *     BASE/psync/<sha-256>/psync                 builds that other hosts put here
 * Each section has the name of its content, so a new build with the same runtime unpacks only the
 * rest, and two first starts at once write the same thing: each aside, each synced, each renamed.
 * A warm start believes kind, owner, mode and size. The two newest of each kind are kept, and what
 * a living process runs or was started with: between its look and its exec a launcher has a shared lock
 * on the directories of its sections, and afterwards command line and environment name what it uses.
 */
#ifndef PSYNC_CACHE_H
#define PSYNC_CACHE_H

#include <limits.h>
#include "image.h"

/* The paths to run from. */
struct place {
  char file[SECTIONS][PATH_MAX];
  char deno_dir[PATH_MAX];
};

/* Why no base was taken: one line for each, to be shown when nothing else is left. */
struct reasons {
  char text[2048];
  size_t len;
};

/* Finds a base and unpacks there what is missing. Returns 0, or -1 when there is no usable base. */
int cache_place(const struct image *image, struct place *place, struct reasons *reasons);

/* HOME, or what the user database says; NULL where neither names an absolute path. */
const char *home_dir(void);

/* Unpacks into memory instead. The runtime's descriptor is CLOEXEC; the other two stay open for
 * the program, and for what it starts. Returns 0 or -1 with errno. */
int memory_place(const struct image *image, struct place *place);

#endif
