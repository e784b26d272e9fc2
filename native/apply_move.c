/*
 * OP_MOVE: one rename within the root, of the object that was expected at `from`, to a name that is
 * free, or in exchange with what was expected there (I2).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "commit.h"
#include "rename.h"

struct move { /* both ends of one OP_MOVE */
  struct place from, to;
  struct live moved, displaced;
};

static struct end end_of(const struct place *place) { return (struct end){place->dir, place->name}; }

static bool stands_at(const struct place *place, const struct live *live) {
  struct info info;
  return info_at(place->dir, place->name, &info) == 0 && info_same_object(&info, &live->info);
}

static void move_failed(struct work *w, const char *step) {
  outcome_fail(w, step);
  if (errno == EBUSY) outcome_end(w, ST_MOUNT);
  if (errno == ENOENT) outcome_end(w, ST_STALE);
}

/* Takes what now stands at `place` into the stage and keeps it as a conflict's loser. */
static void move_keep(struct work *w, const struct place *place, struct bytes path) {
  char out[STAGE_NAME_SIZE];
  site_fresh_name(w->site->replica, SIGIL_OUT, out);
  if (renameat(place->dir, place->name, w->site->stage, out) == 0) work_keep(w, out, path);
  else move_failed(w, "keep");
}

/* What arrived is not what was expected to leave: back, if its name is free; else it is kept. */
static void move_undo(struct work *w, struct move *m) {
  struct info info;
  if (info_at(m->to.dir, m->to.name, &info) < 0) {
    outcome_end(w, ST_DIRTY); /* its user has taken it elsewhere by now */
    return;
  }
  if (rename_noreplace(w->site, end_of(&m->to), end_of(&m->from), info.kind) == 0) outcome_end(w, ST_STALE);
  else move_keep(w, &m->to, w->op->path);
}

static void move_to_free(struct work *w, struct move *m) {
  if (rename_noreplace(w->site, end_of(&m->from), end_of(&m->to), m->moved.info.kind) < 0) {
    move_failed(w, "move");
    if (errno == EEXIST) outcome_end(w, ST_STALE);
    return;
  }
  if (stands_at(&m->to, &m->moved)) {
    struct info before = m->moved.info, now;
    bool same = info_at(m->moved.object, "", &now) == 0 && info_same_after(&before, &now);
    outcome_stamp(w, m->moved.object, same);
    if (!live_is_intact(&m->moved)) outcome_end(w, ST_DIRTY);
    return;
  }
  live_close(&m->moved);
  move_undo(w, m);
}

/* After the exchange what was displaced stands at `from` for a moment, where a user may rename over
 * it: where it is to be kept, a second name in the stage makes sure. Returns false when it failed. */
static bool move_link_displaced(struct work *w, struct move *m, char name[STAGE_NAME_SIZE]) {
  *name = 0;
  if ((w->op->flags & OPF_DISPOSAL) == DISPOSE_DROP || m->displaced.info.kind == KIND_DIR) return true;
  site_fresh_name(w->site->replica, SIGIL_OUT, name);
  struct info info;
  if (linkat(m->to.dir, m->to.name, w->site->stage, name, 0) == 0) {
    if (info_at(w->site->stage, name, &info) == 0 && info_same_object(&info, &m->displaced.info)) return true;
    unlinkat(w->site->stage, name, 0); /* it has its live name */
    outcome_end(w, ST_STALE);
  } else {
    move_failed(w, "link");
  }
  *name = 0;
  return false;
}

/* Takes the displaced object away from `from`; `link` is its second name, or "". */
static void move_dispose(struct work *w, struct move *m, const char *link) {
  char out[STAGE_NAME_SIZE];
  struct info info;
  struct info displaced = m->displaced.info;
  live_close(&m->displaced);
  site_fresh_name(w->site->replica, SIGIL_OUT, out);
  bool taken = renameat(m->from.dir, m->from.name, w->site->stage, out) == 0;
  if (taken && (info_at(w->site->stage, out, &info) < 0 || !info_same_object(&info, &displaced))) {
    /* A user has put something there: it is theirs. */
    struct end back = {w->site->stage, out};
    if (rename_noreplace(w->site, back, end_of(&m->from), info.kind) < 0) {
      work_keep(w, out, w->op->path);
      if (*link) unlinkat(w->site->stage, link, 0);
      return;
    }
    taken = false;
  }
  if (*link && taken) unlinkat(w->site->stage, out, 0);
  if (*link || taken) work_dispose(w, *link ? link : out, &displaced, w->op->to);
}

/* The exchange brought up something unexpected: back once. */
static void move_exchange_back(struct work *w, struct move *m, const char *link, enum status why) {
  bool back = rename_exchange(end_of(&m->from), end_of(&m->to)) == 0;
  live_close(&m->displaced);
  live_close(&m->moved);
  if (*link) unlinkat(w->site->stage, link, 0);
  if (back) outcome_end(w, why);
  else if (errno == ENOENT) outcome_end(w, ST_DIRTY); /* a user took one away: both are looked at again */
  else outcome_fail(w, "exchange back");
}

static void move_look(struct work *w, struct move *m, const char *link) {
  struct info out;
  bool expected = info_at(m->from.dir, m->from.name, &out) == 0 && info_same_after(&m->displaced.info, &out) &&
                  stands_at(&m->to, &m->moved);
  if (!expected || !live_is_intact(&m->displaced)) {
    move_exchange_back(w, m, link, expected ? ST_BUSY : ST_STALE);
    return;
  }
  bool is_dir = m->displaced.info.kind == KIND_DIR;
  if (is_dir && unlinkat(m->from.dir, m->from.name, AT_REMOVEDIR) < 0) {
    move_exchange_back(w, m, link, ST_NOT_EMPTY);
    return;
  }
  struct info now;
  bool same = info_at(m->moved.object, "", &now) == 0 && info_same_after(&m->moved.info, &now);
  outcome_stamp(w, m->moved.object, same && live_is_intact(&m->moved));
  live_close(&m->moved);
  if (!is_dir) move_dispose(w, m, link);
}

/* Without EXCHANGE: the displaced one is given a second name, then `from` is renamed over it. */
static void move_over_plainly(struct work *w, struct move *m, char *link) {
  if (m->displaced.info.kind == KIND_DIR) {
    if (unlinkat(m->to.dir, m->to.name, AT_REMOVEDIR) == 0) {
      move_to_free(w, m);
      return;
    }
    move_failed(w, "rmdir");
    if (errno == ENOTEMPTY || errno == EEXIST) outcome_end(w, ST_NOT_EMPTY);
    return;
  }
  if (!*link) {
    w->op->flags |= DISPOSE_REMOVED; /* so that a second name is made; it is dropped below */
    bool linked = move_link_displaced(w, m, link);
    w->op->flags &= (uint8_t)~DISPOSE_REMOVED;
    if (!linked) return;
  }
  bool intact = live_is_intact(&m->displaced) && stands_at(&m->to, &m->displaced) && stands_at(&m->from, &m->moved);
  if (!intact || renameat(m->from.dir, m->from.name, m->to.dir, m->to.name) < 0) {
    move_failed(w, "replace");
    if (!intact) outcome_end(w, ST_STALE);
    unlinkat(w->site->stage, link, 0);
    return;
  }
  outcome_stamp(w, m->moved.object, live_is_intact(&m->moved));
  struct info displaced = m->displaced.info;
  live_close(&m->displaced);
  work_dispose(w, link, &displaced, w->op->to);
}

static void move_over(struct work *w, struct move *m) {
  char link[STAGE_NAME_SIZE];
  if (!work_expect(w, &m->displaced, &w->op->expected_to) || !move_link_displaced(w, m, link)) return;
  if (rename_exchange(end_of(&m->from), end_of(&m->to)) == 0) {
    move_look(w, m, link);
    return;
  }
  if (rename_is_unsupported(errno)) {
    move_over_plainly(w, m, link);
    return;
  }
  move_failed(w, "exchange");
  if (*link) unlinkat(w->site->stage, link, 0);
}

/* A directory with a mount below it is not moved: the mount would go with it. */
static bool move_is_blocked(struct work *w, struct move *m) {
  bool from_dir = m->moved.info.kind == KIND_DIR && site_has_mount_below(w->site->replica, w->op->path);
  bool to_dir = m->displaced.object >= 0 && m->displaced.info.kind == KIND_DIR &&
                site_has_mount_below(w->site->replica, w->op->to);
  if (from_dir || to_dir) outcome_end(w, ST_MOUNT);
  return from_dir || to_dir;
}

static void move_opened(struct work *w, struct move *m) {
  bool is_free = w->op->expected_to.kind == KIND_NONE;
  if (is_free && m->displaced.object >= 0) {
    outcome_end(w, ST_STALE);
    return;
  }
  if (move_is_blocked(w, m) || !work_expect(w, &m->moved, &w->op->expected)) return;
  if (is_free) move_to_free(w, m);
  else move_over(w, m);
}

void move_swap(struct work *w) {
  struct move m;
  if (w->op->expected.kind == KIND_NONE) {
    outcome_end(w, ST_STALE);
    return;
  }
  if (!work_open(w, w->op->path, &m.from, &m.moved, true)) return;
  if (work_open(w, w->op->to, &m.to, &m.displaced, w->op->expected_to.kind != KIND_NONE)) {
    move_opened(w, &m);
    live_close(&m.displaced);
    place_close(&m.to);
  }
  live_close(&m.moved);
  place_close(&m.from);
}
