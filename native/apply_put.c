/*
 * OP_PUT_*: a staged object takes its name (design.md, 4.4). What it displaces is looked at under
 * the lease; what was not expected is given back once, or kept (I2).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commit.h"
#include "rename.h"

static struct end staged_end(const struct work *w) { return (struct end){w->site->stage, w->op->staged.name}; }
static struct end place_end(const struct place *place) { return (struct end){place->dir, place->name}; }

/* Directories and links are made just before their swap: they have no content to flush. */
static bool stage_now(struct work *w) {
  struct transition *op = w->op;
  int made = 0;
  if (op->code == OP_PUT_DIR) made = stage_dir(w->site, &op->attrs, &op->staged);
  if (op->code == OP_PUT_LINK) made = stage_link(w->site, op->target, &op->attrs, &op->staged);
  if (op->code == OP_PUT_FILE) made = stage_open(w->site, &op->staged);
  if (made == 0) return true;
  outcome_fail(w, "stage");
  if (errno == ENODATA) outcome_end(w, ST_GONE);
  return false;
}

/* Our object is live: its stamp counts if size and mtime are still what was staged (I14). */
static void put_done(struct work *w) {
  struct staged *staged = &w->op->staged;
  staged->is_there = false;
  bool is_set = w->op->code != OP_PUT_DIR ||
                attrs_set(staged->object, KIND_DIR, &w->op->attrs, w->site->replica->is_root_user) == 0;
  outcome_stamp(w, staged->object, true);
  struct outcome *out = &w->op->out;
  if (out->after.kind == KIND_FILE && !info_same_after(&staged->info, &out->after)) outcome_end(w, ST_DIRTY);
  out->masked = w->op->code == OP_PUT_DIR ? !is_set || attrs_are_masked(&w->op->attrs, &out->after) : staged->masked;
}

static void rename_failed(struct work *w, const char *step) {
  outcome_fail(w, step);
  if (errno == EBUSY) outcome_end(w, ST_MOUNT);
}

/* Gives the staged object a name that nothing has. */
static int place_new(struct work *w, struct place *place) {
  struct staged *staged = &w->op->staged;
  if (staged->is_nameless) return rename_nameless(staged->object, place_end(place));
  return rename_noreplace(w->site, staged_end(w), place_end(place), staged->info.kind);
}

static void put_new(struct work *w, struct place *place) {
  if (place_new(w, place) == 0) {
    put_done(w);
    return;
  }
  rename_failed(w, "place");
  if (errno == EEXIST) outcome_end(w, ST_STALE);
  if (errno == ENOENT) outcome_end(w, ST_ORPHAN); /* the parent was removed since it was opened */
}

/* Whether the directory holds anything; unreadable counts as yes. */
static bool dir_has_entries(int object) {
  int fd = open_again(object, O_RDONLY | O_DIRECTORY);
  DIR *list = fd < 0 ? NULL : fdopendir(fd);
  if (!list) {
    close_fd(fd);
    return true;
  }
  bool found = false;
  for (struct dirent *e; !found && (e = readdir(list));) found = strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
  closedir(list);
  return found;
}

/* What a second exchange brought back: ours, untouched, is dropped (at the epoch's end, as somebody
 * may have opened it while it was live); everything else is kept. */
static void put_back_looked(struct work *w, enum status why) {
  struct staged *staged = &w->op->staged;
  struct info back;
  staged->is_there = false;
  if (info_at(w->site->stage, staged->name, &back) < 0 || !info_same_after(&staged->info, &back)) {
    work_keep(w, staged->name, w->op->path);
    return;
  }
  if (staged->info.kind == KIND_DIR) {
    if (unlinkat(w->site->stage, staged->name, AT_REMOVEDIR) < 0) work_keep(w, staged->name, w->op->path);
    else outcome_end(w, why);
    return;
  }
  trash_drop(w->site, staged->name, &staged->info, w->label, w->op->path);
  outcome_end(w, why);
}

/* Something unexpected came out: exchanged back once, if the live name still holds our object.
 * The lease is held until after that, so that who waits to write lands in the live file. */
static void put_undo(struct work *w, struct place *place, struct live *live, enum status why) {
  struct info ours;
  bool still = info_at(place->dir, place->name, &ours) == 0 && info_same_object(&ours, &w->op->staged.info);
  bool undone = still && rename_exchange(staged_end(w), place_end(place)) == 0;
  live_close(live);
  if (undone) {
    put_back_looked(w, why);
    return;
  }
  w->op->staged.is_there = false;
  work_keep(w, w->op->staged.name, w->op->path);
}

/* After the exchange: `staged.name` holds what was live. */
static void put_look(struct work *w, struct place *place, struct live *live) {
  struct staged *staged = &w->op->staged;
  struct info out;
  bool expected = info_at(w->site->stage, staged->name, &out) == 0 && info_same_after(&live->info, &out);
  if (!expected || !live_is_intact(live)) {
    put_undo(w, place, live, expected ? ST_BUSY : ST_STALE);
    return;
  }
  if (out.kind == KIND_DIR) {
    if (unlinkat(w->site->stage, staged->name, AT_REMOVEDIR) == 0) put_done(w);
    else put_undo(w, place, live, ST_NOT_EMPTY);
    return;
  }
  live_close(live); /* the lease has told what it can; nobody is to wait for what follows */
  put_done(w);
  work_dispose(w, staged->name, &out, w->op->path);
}

/* An empty directory makes room; for a moment nothing stands at its name. */
static void put_over_dir(struct work *w, struct place *place) {
  if (unlinkat(place->dir, place->name, AT_REMOVEDIR) == 0) {
    put_new(w, place);
    return;
  }
  rename_failed(w, "remove");
  if (errno == ENOTEMPTY || errno == EEXIST) outcome_end(w, ST_NOT_EMPTY);
}

/* No EXCHANGE here (FUSE): a link keeps the old one, then ours is renamed over it. RACE: what is
 * renamed to the name between the two is lost; the link count tells, and the result says dirty. */
static void put_without_exchange(struct work *w, struct place *place, struct live *live) {
  struct staged *staged = &w->op->staged;
  char kept[STAGE_NAME_SIZE];
  site_fresh_name(w->site->replica, SIGIL_OUT, kept);
  if (linkat(place->dir, place->name, w->site->stage, kept, 0) < 0) {
    rename_failed(w, "link");
    return;
  }
  struct info linked, after;
  bool expected = info_at(w->site->stage, kept, &linked) == 0 && info_same_after(&live->info, &linked);
  bool intact = live_is_intact(live);
  if (!expected || !intact || renameat(w->site->stage, staged->name, place->dir, place->name) < 0) {
    rename_failed(w, "replace");
    if (!expected || !intact) outcome_end(w, expected ? ST_BUSY : ST_STALE);
    unlinkat(w->site->stage, kept, 0); /* it has its live name still, or lost it to its user */
    return;
  }
  live_close(live);
  put_done(w);
  bool displaced = info_at(w->site->stage, kept, &after) == 0 && after.nlink + 1 == linked.nlink;
  if (!displaced) outcome_end(w, ST_DIRTY);
  work_dispose(w, kept, &linked, w->op->path);
}

static void put_over(struct work *w, struct place *place, struct live *live) {
  if (!work_expect(w, live, &w->op->expected)) return;
  if (live->info.kind == KIND_DIR && dir_has_entries(live->object)) {
    outcome_end(w, ST_NOT_EMPTY);
    return;
  }
  if (rename_exchange(staged_end(w), place_end(place)) == 0) {
    put_look(w, place, live);
  } else if (rename_is_unsupported(errno)) {
    if (live->info.kind == KIND_DIR) put_over_dir(w, place);
    else put_without_exchange(w, place, live);
  } else {
    rename_failed(w, "exchange");
    if (errno == ENOENT) outcome_end(w, ST_STALE);
  }
}

void put_swap(struct work *w) {
  struct place place;
  struct live live;
  bool is_new = w->op->expected.kind == KIND_NONE;
  if (is_new && w->op->staged.is_nameless) { /* what is there already, the link itself finds */
    if (!work_open_parent_cached(w, w->op->path, &place)) return;
    put_new(w, &place);
    place_close(&place);
    return;
  }
  parent_forget(&w->site->parent); /* what follows may change which directory stands where */
  if (!work_open(w, w->op->path, &place, &live, !is_new)) return;
  if (is_new && live.object >= 0) {
    outcome_end(w, ST_STALE);
  } else if (stage_now(w)) {
    if (is_new) put_new(w, &place);
    else put_over(w, &place, &live);
  }
  live_close(&live);
  place_close(&place);
}
