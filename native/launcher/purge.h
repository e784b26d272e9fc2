/*
 * Keeps the cache small. See cache.h for what lies there.
 */
#ifndef PSYNC_PURGE_H
#define PSYNC_PURGE_H

/* Of each kind of section in `lib` (whose path is `path`) leaves the two newest by the time of their
 * directories, and what runs. Best effort. The builds that another host put beside lib are kept in
 * order by that host. */
void purge_cache(int lib, const char *path);

/* Removes what an unpacking that was killed left in a section's directory more than an hour ago. */
void purge_leftovers(int dir);

#endif
