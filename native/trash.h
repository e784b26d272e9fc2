/*
 * Where displaced objects go: kept in the trash, or on the list of what is dropped at the next
 * epoch's end (I2, I9). Nothing here is ever overwritten. Directories that are made in the trash get
 * mode and owner of the live ones for which they stand, so that a restore can give them back.
 */
#ifndef PSYNC_TRASH_H
#define PSYNC_TRASH_H

#include "rename.h"
#include "site.h"

enum trash_class { TRASH_REMOVED, TRASH_CONFLICT };

struct kept_list { /* places below .psync/trash/ */
  struct buf places; /* bytes16 each */
  uint32_t count;
};

struct trash_place { /* where in the trash something is to lie */
  enum trash_class class;
  struct bytes label, path;
};

/* Renames .psync/stage/<name> to .psync/trash/<label>.<class>/<path>, or, where that is taken,
 * <path>~2 and so on. The place, below .psync/trash/, is put into *kept. Returns 0, or -1 with
 * errno: it stays in the stage, where a later sweep finds and keeps it. */
int trash_keep(struct site *site, const char *name, enum trash_class class, struct bytes label, struct bytes path,
               struct buf *kept);

/* The same for any object: renames `from`, which is `kind`. */
int trash_keep_from(struct site *site, struct end from, uint8_t kind, struct trash_place place, struct buf *kept);

/* Puts .psync/stage/<name>, which is `info`, on the list. */
void trash_drop(struct site *site, const char *name, const struct info *info, struct bytes label, struct bytes path);

/* Adds a place, as long as a record holds the list. */
void kept_list_add(struct kept_list *list, const struct buf *place);

/* Takes the whole list out of the replica; for trash_settle or trash_put_back. */
struct drop *trash_take_drops(struct replica *replica);
void trash_put_back(struct replica *replica, struct drop *drops);
/* Frees the list; what is on it stays in the stage for the next life's sweep. */
void trash_forget(struct drop *drops);
/* Removes what is on the list: what was written to since goes to the trash as a conflict's loser and
 * onto *kept, what a writer still holds stays on the replica's list. Frees the list. */
void trash_settle(struct site *site, struct drop *drops, struct kept_list *kept);

/* Whether the object .psync/stage/<name> still is `info` and no writer has it open; 1, 0, or -1:
 * a writer has it. */
int trash_is_untouched(struct site *site, const char *name, const struct info *info);
/* Removes dir/name and all below it, never over a mount or a link. Returns 0 or -1 with errno. */
int trash_remove_tree(int dir, const char *name);

#endif
