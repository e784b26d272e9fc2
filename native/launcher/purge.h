/*
 * Keeps the cache small. See cache.h for what lies there.
 */
#ifndef PSYNC_PURGE_H
#define PSYNC_PURGE_H

/* Of each kind of section in `lib` (whose path is `path`), and of the builds beside it in `top`,
 * leaves the two newest by the time of their directories, and what runs. Best effort. */
void purge_cache(int top, int lib, const char *path);

/* Removes what an unpacking that was killed left in a section's directory more than an hour ago. */
void purge_leftovers(int dir);

#endif
