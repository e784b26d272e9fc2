/*
 * The two renames that never destroy what they did not expect, and what stands in for them on file
 * systems that have neither (FUSE): links (design: "Poorer file systems").
 */
#ifndef PSYNC_RENAME_H
#define PSYNC_RENAME_H

#include "site.h"

struct end { /* one end of a rename: a directory fd and a name in it */
  int dir;
  const char *name;
};

/* Renames where nothing may be at `to`. Returns 0 or -1 with errno (EEXIST). `kind` is that of
 * what is believed to be at `from`; a `from` in the stage is known to be ours alone. */
int rename_noreplace(struct site *site, struct end from, struct end to, uint8_t kind);
/* Gives the file without a name that is open as `object` (O_PATH) the name `to`, where nothing may be. As above. */
int rename_nameless(int object, struct end to);
/* Exchanges both. Returns 0 or -1 with errno; rename_is_unsupported(errno): not here. */
int rename_exchange(struct end a, struct end b);
bool rename_is_unsupported(int err);

#endif
