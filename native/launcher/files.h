/*
 * Small helpers on paths and directories for the launcher. Nothing here knows of images.
 */
#ifndef PSYNC_FILES_H
#define PSYNC_FILES_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* Joins up to three parts. Returns 0, or -1 with ENAMETOOLONG. */
int path_join(char out[PATH_MAX], const char *a, const char *b, const char *c);

/* Whether `name` is `len` lower-case hex digits and nothing else. */
bool is_hex(const char *name, size_t len);

/* Makes (0700) and opens a directory that must be one's own; closes it to group and others for
 * writing. Never follows a link. Returns a CLOEXEC fd or -1 with errno (EPERM: somebody else's). */
int own_dir(int parent, const char *name);

/* Removes a file or a whole directory, never following a link. Best effort. */
void remove_tree(int parent, const char *name);

/* The same, with a shared lock on it as long as the fd is open, so that nobody takes it away
 * meanwhile. Where a file system knows no locks there is none. */
int hold_dir(int parent, const char *name);

/* Whether a living process runs an executable below LIB/NAME, or was started with the path of something
 * there, as far as /proc lets one see. Who is just becoming what lies below LIB counts for all of it. */
bool is_in_use(const char *lib, const char *name);

#endif
