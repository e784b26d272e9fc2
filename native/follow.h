/*
 * Links that are shown as the regular files that they lead to (OPEN_FOLLOW; rsync's -L).
 *
 * DESIGN: a link is followed by its own text, read from the link that is held, wherever that leads: out
 * of the root as well. Only what is read follows links; nothing that changes a tree does. The stamp is
 * the file's, but its birth time is a negative number made of the link's identity and the file's: no
 * object has such a one, so that no commit ever finds what it expects there, and whoever knows the stamp
 * knows that it stands for two objects.
 */
#ifndef PSYNC_FOLLOW_H
#define PSYNC_FOLLOW_H

#include "record.h"

#define FOLLOW_NOWHERE (-1) /* the link leads to no regular file */
#define FOLLOW_FAILED (-2)  /* with errno: that cannot be told */

/* Marks what is known of a file as seen through a link. */
void follow_mark(const struct info *link, struct info *file);
/* Opens (O_PATH) the regular file to which `target` (NUL-terminated) leads, the text of the link `info` in
 * `dir`; *info becomes that file's. Returns an fd, or FOLLOW_*. */
int follow_open(int dir, const char *target, struct info *info);
/* The same without the fd. Returns 0, or -1 with errno where it cannot be told. */
int follow_stat(int dir, const char *target, struct info *info);

#endif
