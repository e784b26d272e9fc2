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

/* Whether a living process runs an executable below `dir`, as far as /proc lets one see. */
bool is_running_below(const char *dir);

#endif
