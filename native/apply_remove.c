/*
 * OP_REMOVE: an object leaves the tree by one rename into the stage, is looked at there, and is
 * given back once if it is not what was expected (I1, I2). An empty directory leaves by rmdir.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "commit.h"
#include "rename.h"

/* `out` in the stage is not what was expected: back to its name, if that is free; else kept. */
static void remove_undo(struct work *w, struct place *place, struct live *live, const char *out, enum status why) {
  struct info info;
  uint8_t kind = info_at(w->site->stage, out, &info) == 0 ? info.kind : KIND_FILE;
  struct end from = {w->site->stage, out}, to = {place->dir, place->name};
  bool undone = rename_noreplace(w->site, from, to, kind) == 0;
  live_close(live);
  if (undone) outcome_end(w, why);
  else work_keep(w, out, w->op->path);
}

/* The trash does not take it, as on a full disk: back to its name, and the removal waits. Where a user has
 * taken the name it stays in the stage, and the next start finds it. */
static void remove_not_kept(struct work *w, struct place *place, const char *out, uint8_t kind) {
  int error = (int)w->op->out.error;
  struct end from = {w->site->stage, out}, to = {place->dir, place->name};
  if (rename_noreplace(w->site, from, to, kind) < 0) return;
  errno = error;
  outcome_fail(w, "keep");
}

/* Takes the live object out of the tree, which `live` is and which was as expected. */
static void remove_take(struct work *w, struct place *place, struct live *live) {
  char out[STAGE_NAME_SIZE];
  struct info info;
  site_fresh_name(w->site->replica, SIGIL_OUT, out);
  if (renameat(place->dir, place->name, w->site->stage, out) < 0) {
    outcome_fail(w, "remove");
    if (errno == ENOENT) outcome_end(w, ST_STALE);
    if (errno == EBUSY) outcome_end(w, ST_MOUNT);
    return;
  }
  bool expected = info_at(w->site->stage, out, &info) == 0 && info_same_after(&live->info, &info);
  if (!expected || !live_is_intact(live)) {
    remove_undo(w, place, live, out, expected ? ST_BUSY : ST_STALE);
    return;
  }
  live_close(live);
  outcome_end(w, ST_DONE);
  if (!work_dispose(w, out, &info, w->op->path)) remove_not_kept(w, place, out, info.kind);
}

/* With force: the directory goes to the trash with all that is in it, but never with a mount. */
static void remove_whole_dir(struct work *w, struct place *place, struct live *live) {
  if (site_has_mount_below(w->site->replica, w->op->path)) {
    outcome_end(w, ST_MOUNT);
    return;
  }
  if ((w->op->flags & OPF_DISPOSAL) == DISPOSE_DROP) w->op->flags |= DISPOSE_REMOVED;
  remove_take(w, place, live);
}

static void remove_dir(struct work *w, struct place *place, struct live *live) {
  if (unlinkat(place->dir, place->name, AT_REMOVEDIR) == 0) {
    outcome_end(w, ST_DONE);
    return;
  }
  outcome_fail(w, "rmdir");
  switch (errno) {
    case EBUSY: outcome_end(w, ST_MOUNT); break;
    case ENOENT:
    case ENOTDIR: outcome_end(w, ST_STALE); break;
    case ENOTEMPTY:
    case EEXIST:
      if (w->op->flags & OPF_FORCE) remove_whole_dir(w, place, live);
      else outcome_end(w, ST_NOT_EMPTY);
      break;
    default: break;
  }
}

void remove_swap(struct work *w) {
  struct place place;
  struct live live;
  if (!work_open_cached(w, w->op->path, &place, &live, w->op->expected.kind != KIND_NONE)) return;
  if (live.object < 0) {
    outcome_end(w, ST_DONE); /* absent was expected */
  } else if (w->op->expected.kind == KIND_NONE) {
    outcome_end(w, ST_STALE);
  } else if (work_expect(w, &live, &w->op->expected)) {
    if (live.info.kind == KIND_DIR) remove_dir(w, &place, &live);
    else remove_take(w, &place, &live);
  }
  live_close(&live);
  place_close(&place);
}
