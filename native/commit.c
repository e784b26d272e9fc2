/*
 * Transitions: the three phases and the answer; see commit.h. The request is read in commit_parse.c.
 */
#include "commit.h"
#include "permit.h"
#include "spare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define MANY_FILES 32 /* from here on one syncfs is cheaper than a flush for each (measured: C1) */

void outcome_end(struct work *w, enum status status) {
  w->op->out.status = (uint8_t)status;
  w->op->out.error = 0;
}

void outcome_fail(struct work *w, const char *step) {
  w->op->out.status = ST_FAILED;
  w->op->out.error = errno;
  w->op->out.step = step;
}

void outcome_stamp(struct work *w, int fd, bool is_proven) {
  struct outcome *out = &w->op->out;
  if (info_at(fd, "", &out->after) < 0) is_proven = false;
  /* A later write is told by its mtime, unless that falls on the same tick of a coarse clock. */
  bool young = site_stamp_is_young(w->site->replica, &out->after) && site_now_ns() - out->after.mtime_ns < 20000000;
  outcome_end(w, is_proven && !(young && out->after.kind == KIND_FILE) ? ST_DONE : ST_DIRTY);
}

static bool has_parent(struct work *w, int opened) {
  if (opened == 0) return true;
  outcome_fail(w, "open parent");
  w->op->out.status = (uint8_t)place_status(errno);
  return false;
}

bool work_open_parent(struct work *w, struct bytes path, struct place *place) {
  return has_parent(w, place_open(w->site->root, path, place));
}

bool work_open_parent_cached(struct work *w, struct bytes path, struct place *place) {
  return has_parent(w, place_open_cached(w->site->root, path, &w->site->parent, place));
}

static bool open_live(struct work *w, struct place *place, struct live *live, bool is_needed) {
  if (live_open(place, w->site->replica->info.mount_id, live) == 0) return true;
  if (errno == ENOENT && !is_needed) return true;
  outcome_fail(w, "open");
  if (errno == ENOENT) outcome_end(w, ST_STALE);
  if (errno == EXDEV) outcome_end(w, ST_MOUNT);
  place_close(place);
  return false;
}

bool work_open(struct work *w, struct bytes path, struct place *place, struct live *live, bool is_needed) {
  *live = (struct live){.object = -1, .fd = -1};
  return work_open_parent(w, path, place) && open_live(w, place, live, is_needed);
}

bool work_open_cached(struct work *w, struct bytes path, struct place *place, struct live *live, bool is_needed) {
  *live = (struct live){.object = -1, .fd = -1};
  return work_open_parent_cached(w, path, place) && open_live(w, place, live, is_needed);
}

bool work_expect(struct work *w, struct live *live, const struct expected *expected) {
  if (live->info.kind != expected->kind) {
    outcome_end(w, ST_STALE);
    return false;
  }
  if (live->info.kind == KIND_FILE && live_lease(live) < 0) {
    outcome_fail(w, "lease");
    if (errno == EBUSY) outcome_end(w, ST_BUSY);
    return false;
  }
  if (live_matches(live, expected)) return true;
  outcome_end(w, ST_STALE);
  return false;
}

bool work_dispose(struct work *w, const char *name, const struct info *info, struct bytes path) {
  int how = w->op->flags & OPF_DISPOSAL;
  if (how == DISPOSE_DROP) {
    trash_drop(w->site, name, info, w->label, path);
    return true;
  }
  enum trash_class class = how == DISPOSE_REMOVED ? TRASH_REMOVED : TRASH_CONFLICT;
  struct trash_place place = {class, w->label, path};
  if (trash_keep_from(w->site, (struct end){w->site->stage, name}, info->kind, place, &w->op->out.kept) == 0) return true;
  w->op->out.error = errno;
  w->op->out.step = "keep";
  return false;
}

void work_keep(struct work *w, const char *name, struct bytes path) {
  outcome_end(w, ST_STALE_KEPT);
  if (trash_keep(w->site, name, TRASH_CONFLICT, w->label, path, &w->op->out.kept) == 0) return;
  w->op->out.error = errno;
  w->op->out.step = "keep";
}

/* "Leave" means for a file that replaces another: as that one has it. */
static struct attrs attrs_of_successor(struct work *w) {
  struct attrs attrs = w->op->attrs;
  bool leaves = attrs.uid == ATTR_LEAVE_ID || attrs.gid == ATTR_LEAVE_ID || attrs.mode == ATTR_LEAVE_MODE;
  struct place place;
  if (!leaves || w->op->expected.kind != KIND_FILE || place_open(w->site->root, w->op->path, &place) < 0) return attrs;
  struct info live;
  if (info_at(place.dir, place.name, &live) == 0 && live.kind == KIND_FILE) {
    if (attrs.uid == ATTR_LEAVE_ID) attrs.uid = live.uid;
    if (attrs.gid == ATTR_LEAVE_ID) attrs.gid = live.gid;
    if (attrs.mode == ATTR_LEAVE_MODE) attrs.mode = live.mode;
  }
  place_close(&place);
  return attrs;
}

static void stage_one(struct work *w, bool many) {
  struct transition *op = w->op;
  struct attrs attrs = attrs_of_successor(w);
  unsigned how = (many ? STAGE_MANY : 0) | (op->expected.kind == KIND_NONE ? STAGE_NEW : 0);
  struct arrived arrived = {op->batch, op->id, op->size};
  int staged = op->from_batch ? stage_take(w->site, &arrived, &attrs, many, &op->staged)
                              : stage_content(w->site, op->content, &attrs, how, &op->staged);
  if (staged == 0) return;
  outcome_fail(w, "stage");
  if (errno == ENODATA) outcome_end(w, ST_GONE);
}

static bool is_to_stage(const struct transition *op) { return op->code == OP_PUT_FILE && op->out.status == ST_DONE; }

static void stage_all(struct site *site, struct commit *c) {
  uint32_t files = 0;
  for (uint32_t i = 0; i < c->count; i++) files += is_to_stage(&c->ops[i]);
  for (uint32_t i = 0; i < c->count; i++)
    if (is_to_stage(&c->ops[i])) stage_one(&(struct work){site, c->label, &c->ops[i]}, files >= MANY_FILES);
}

static void flush_all(struct site *site, struct commit *c) {
  struct staged **staged = must_alloc(c->count * sizeof *staged);
  struct transition **ops = must_alloc(c->count * sizeof *ops);
  int *errors = must_alloc(c->count * sizeof *errors);
  size_t count = 0;
  for (uint32_t i = 0; i < c->count; i++) {
    if (!is_to_stage(&c->ops[i])) continue;
    ops[count] = &c->ops[i];
    staged[count++] = &c->ops[i].staged;
  }
  stage_flush(site, staged, errors, count, site->own);
  for (size_t i = 0; i < count; i++) {
    if (!errors[i]) continue;
    /* WHY: after a failed flush the kernel may call the lost pages clean; only new content will do. */
    stage_discard(site, staged[i]);
    errno = errors[i];
    outcome_fail(&(struct work){site, c->label, ops[i]}, "flush");
  }
  free(errors);
  free(ops);
  free(staged);
}

static void swap_by_code(struct work *w) {
  bool is_file = w->op->code == OP_PUT_FILE || (w->op->code == OP_REMOVE && w->op->expected.kind != KIND_DIR);
  if (!is_file) parent_forget(&w->site->parent);
  switch (w->op->code) {
    case OP_PUT_FILE:
    case OP_PUT_DIR:
    case OP_PUT_LINK: put_swap(w); break;
    case OP_REMOVE: remove_swap(w); break;
    case OP_MOVE: move_swap(w); break;
    default: meta_swap(w); break;
  }
}

static struct bytes parent_of(struct bytes path) {
  const uint8_t *slash = path.len ? memrchr(path.data, '/', path.len) : NULL;
  return (struct bytes){path.data, slash ? (size_t)(slash - path.data) : 0};
}

/* Whether the directories of an op were given the permission that it lacked. A directory that gets
 * another parent is changed itself. */
static bool give_permits(struct work *w, struct permit permits[4]) {
  struct bytes path = w->op->path, to = w->op->to;
  bool moves = w->op->code == OP_MOVE;
  bool given = permit_give(w->site, parent_of(path), &permits[0]);
  given |= permit_give(w->site, path, &permits[1]);
  given |= moves && permit_give(w->site, parent_of(to), &permits[2]);
  given |= moves && permit_give(w->site, to, &permits[3]);
  return given;
}

static void swap_one(struct work *w) {
  struct permit permits[4] = {{.dir = -1}, {.dir = -1}, {.dir = -1}, {.dir = -1}};
  swap_by_code(w);
  bool denied = w->op->out.status == ST_FAILED && w->op->out.error == EACCES;
  if (!denied || w->site->replica->is_root_user) return;
  if (give_permits(w, permits)) {
    if (w->op->code != OP_PUT_FILE) { /* staged anew, just before its swap */
      stage_discard(w->site, &w->op->staged);
      stage_close(&w->op->staged);
    }
    w->op->out = (struct outcome){.status = ST_DONE};
    swap_by_code(w);
  }
  for (int i = 3; i >= 0; i--) permit_take(w->site, &permits[i]);
}

static void write_answer(const struct commit *c, struct buf *answer) {
  buf_u32(answer, c->count);
  for (uint32_t i = 0; i < c->count; i++) {
    const struct outcome *out = &c->ops[i].out;
    bool stands = out->status == ST_DONE || out->status == ST_DIRTY;
    buf_u8(answer, out->status);
    buf_u32(answer, (uint32_t)out->error);
    buf_u8(answer, out->masked);
    buf_info(answer, stands ? &out->after : &(struct info){0});
    buf_bytes16(answer, out->kept.data, out->kept.len);
    buf_bytes16(answer, out->step, out->step ? strlen(out->step) : 0);
  }
}

static void run_ops(struct site *site, struct commit *c) {
  stage_all(site, c);
  flush_all(site, c);
  for (uint32_t i = 0; i < c->count; i++) {
    struct transition *op = &c->ops[i];
    if (op->out.status == ST_DONE) swap_one(&(struct work){site, c->label, op});
    stage_discard(site, &op->staged);
    stage_close(&op->staged);
  }
}

void commit_run(struct replica *replica, struct commit *c, struct buf *answer) {
  struct site site;
  pthread_rwlock_rdlock(&replica->sweeping);
  if (site_open_own(replica, &site) == 0) {
    run_ops(&site, c);
    site_close(&site);
  } else {
    for (uint32_t i = 0; i < c->count; i++) c->ops[i].out = (struct outcome){.status = ST_GUARD, .error = errno};
  }
  pthread_rwlock_unlock(&replica->sweeping);
  write_answer(c, answer);
}

void commit_free(struct commit *c) {
  for (uint32_t i = 0; i < c->count; i++) buf_free(&c->ops[i].out.kept);
  spare_give(&c->pack);
  free(c->ops);
  *c = (struct commit){0};
}
