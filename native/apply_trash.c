/*
 * A_TRASH: gives back, releases and purges what lies in the trash; see apply_trash.h.
 */
#include "apply_trash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "live.h"

#define ACTIONS_MAX 4096
#define ACTION_MIN 5 /* bytes of the smallest action */

struct deed { /* one action at work */
  struct site *site;
  struct bytes label;
  struct trash_action *action;
  int trash; /* .psync/trash */
  struct place from;
  struct info info; /* of what lies there */
};

static void end(struct deed *d, enum status status) {
  d->action->status = (uint8_t)status;
  d->action->error = 0;
  d->action->step = NULL;
}

static void fail(struct deed *d, const char *step) {
  d->action->status = ST_FAILED;
  d->action->error = errno;
  d->action->step = step;
}

static bool ends_with(struct bytes text, const char *tail) {
  size_t len = strlen(tail);
  return text.len > len && !memcmp(text.data + text.len - len, tail, len);
}

bool trash_parse_kept(struct bytes kept, struct bytes *label, enum trash_class *class, struct bytes *rest) {
  const uint8_t *slash = memchr(kept.data, '/', kept.len);
  struct bytes top = {kept.data, slash ? (size_t)(slash - kept.data) : kept.len};
  *rest = (struct bytes){slash ? slash + 1 : NULL, slash ? kept.len - top.len - 1 : 0};
  const uint8_t *twin = memrchr(top.data, '~', top.len);
  if (twin) top.len = (size_t)(twin - top.data);
  bool removed = ends_with(top, ".removed");
  if (!removed && !ends_with(top, ".conflict")) return false;
  *class = removed ? TRASH_REMOVED : TRASH_CONFLICT;
  *label = (struct bytes){top.data, top.len - (removed ? 8 : 9)};
  return site_name_is_plain(*label);
}

/* Opens the place of what lies at `kept` and looks at it. Returns false where the action ended. */
static bool deed_open(struct deed *d) {
  struct bytes kept = d->action->kept;
  d->from = (struct place){.dir = -1, .borrowed = true};
  if (place_open(d->trash, kept, &d->from) == 0 && info_at(d->from.dir, d->from.name, &d->info) == 0) {
    d->action->info = d->info;
    if (d->info.mount_id == d->site->replica->info.mount_id) return true;
    end(d, ST_MOUNT);
    return false;
  }
  fail(d, "open");
  if (errno == ENOENT || errno == ENOTDIR) end(d, ST_GONE);
  if (errno == EXDEV || errno == ELOOP) end(d, ST_MOUNT);
  return false;
}

/* Whether a mount lies at or below the kept directory, or (to) the live one. */
static bool has_mount(struct deed *d, struct bytes path, bool is_kept) {
  struct buf whole = {0};
  if (is_kept) buf_put(&whole, ".psync/trash/", 13);
  buf_put(&whole, path.data, path.len);
  bool found = site_has_mount_below(d->site->replica, (struct bytes){whole.data, whole.len});
  buf_free(&whole);
  return found;
}

/* The mode and owner that a new directory at `path` gets: those of the directory in the trash that
 * stands for it, else those of the live one that holds it. */
static void attrs_for(struct deed *d, struct bytes path, int parent, struct info *info) {
  struct bytes kept = d->action->kept;
  size_t top = (size_t)((const uint8_t *)memchr(kept.data, '/', kept.len) - kept.data) + 1;
  struct buf twin = {0};
  buf_put(&twin, kept.data, top);
  buf_put(&twin, path.data, path.len);
  int dir = open_dir_path(d->trash, (struct bytes){twin.data, twin.len});
  if (dir < 0 || info_at(dir, "", info) < 0) {
    if (info_at(parent, "", info) < 0) *info = (struct info){.mode = 0700, .uid = geteuid(), .gid = getegid()};
    info->mode &= 01777 | S_ISGID;
  }
  close_fd(dir);
  buf_free(&twin);
}

/* Makes the directory `name` in `parent`; private until it has its owner. */
static int make_dir(struct deed *d, int parent, const char *name, struct bytes path) {
  struct info attrs;
  attrs_for(d, path, parent, &attrs);
  if (mkdirat(parent, name, 0700) < 0) return errno == EEXIST ? 0 : -1;
  int fd = open_beneath(parent, name, O_RDONLY | O_DIRECTORY, 0);
  if (fd < 0) return -1;
  bool owned = !d->site->replica->is_root_user || fchown(fd, attrs.uid, attrs.gid) == 0;
  int result = fchmod(fd, owned ? attrs.mode : 0700);
  close_fd(fd);
  return result;
}

/* Makes the topmost directory that is missing above the last name of `path`. */
static int make_topmost(struct deed *d, struct bytes path) {
  for (size_t i = 0; i < path.len; i++) {
    if (path.data[i] != '/') continue;
    struct bytes upto = {path.data, i};
    struct place place;
    struct info info;
    if (place_open(d->site->root, upto, &place) < 0) return -1;
    int found = info_at(place.dir, place.name, &info);
    bool is_missing = found < 0 && errno == ENOENT;
    if (is_missing) found = make_dir(d, place.dir, place.name, upto);
    place_close(&place);
    if (is_missing || found < 0) return found;
  }
  return 0; /* all are there by now */
}

/* Opens the parent of the path to which something is given back, making what is missing above. */
static int open_target(struct deed *d, struct place *to) {
  for (size_t tries = 0; tries <= d->action->to.len; tries++) {
    if (place_open(d->site->root, d->action->to, to) == 0) return 0;
    place_close(to);
    if (errno != ENOENT || make_topmost(d, d->action->to) < 0) return -1;
  }
  errno = ENOENT; /* somebody removes what is made here */
  return -1;
}

/* Without EXCHANGE: the live one goes to the stage first, from where it is kept. */
static void replace_plainly(struct deed *d, struct place *to, const struct info *live) {
  char out[STAGE_NAME_SIZE];
  struct bytes path = d->action->to;
  site_fresh_name(d->site->replica, SIGIL_OUT, out);
  if (renameat(to->dir, to->name, d->site->stage, out) < 0) {
    fail(d, "displace");
    return;
  }
  struct end from = {d->from.dir, d->from.name}, target = {to->dir, to->name}, stage = {d->site->stage, out};
  if (rename_noreplace(d->site, from, target, d->info.kind) < 0) {
    fail(d, "restore");
    if (errno == EEXIST) end(d, ST_STALE);
    if (rename_noreplace(d->site, stage, target, live->kind) == 0) return;
  }
  if (trash_keep(d->site, out, TRASH_REMOVED, d->label, path, &d->action->place) < 0) fail(d, "keep");
}

/* By exchange: what stood there lies at `from` for a moment, and then under the new label. */
static void replace_live(struct deed *d, struct place *to, const struct info *live) {
  struct end from = {d->from.dir, d->from.name}, target = {to->dir, to->name};
  if (rename_exchange(from, target) < 0) {
    if (rename_is_unsupported(errno)) replace_plainly(d, to, live);
    else fail(d, "exchange");
    return;
  }
  end(d, ST_DONE);
  struct info out;
  uint8_t kind = info_at(from.dir, from.name, &out) == 0 ? out.kind : live->kind;
  struct trash_place place = {TRASH_REMOVED, d->label, d->action->to};
  if (trash_keep_from(d->site, from, kind, place, &d->action->place) < 0) {
    /* It is kept where it is. */
    buf_put(&d->action->place, d->action->kept.data, d->action->kept.len);
  }
}

static void restore_over(struct deed *d, struct place *to) {
  struct live live;
  if (live_open(to, d->site->replica->info.mount_id, &live) < 0) {
    fail(d, "look");
    if (errno == EXDEV) end(d, ST_MOUNT);
    if (errno == ENOENT) end(d, ST_STALE); /* gone since: the caller asks again */
    return;
  }
  if (live.info.kind == KIND_FILE && live_lease(&live) < 0 && errno == EBUSY) end(d, ST_BUSY);
  else if (live.info.kind == KIND_DIR && has_mount(d, d->action->to, false)) end(d, ST_MOUNT);
  else replace_live(d, to, &live.info);
  live_close(&live);
}

static void restore_to(struct deed *d, struct place *to) {
  struct end from = {d->from.dir, d->from.name}, target = {to->dir, to->name};
  if (rename_noreplace(d->site, from, target, d->info.kind) == 0) {
    end(d, ST_DONE);
  } else if (errno == EEXIST || errno == ENOTEMPTY) {
    if (d->action->what == TRASH_REPLACE) restore_over(d, to);
    else end(d, ST_STALE);
  } else {
    fail(d, "restore");
  }
  if (d->action->status != ST_DONE) return;
  struct info now;
  if (info_at(to->dir, to->name, &now) == 0) d->action->info = now;
}

static void deed_restore(struct deed *d) {
  struct place to = {.dir = -1, .borrowed = true};
  if (d->info.kind == KIND_DIR && has_mount(d, d->action->kept, true)) {
    end(d, ST_MOUNT);
    return;
  }
  if (open_target(d, &to) == 0) {
    restore_to(d, &to);
  } else {
    int err = errno;
    fail(d, "make parents");
    if (err == ENOTDIR || err == ELOOP || err == ENOENT) end(d, ST_ORPHAN);
    if (err == EXDEV) end(d, ST_MOUNT);
  }
  place_close(&to);
}

static void deed_release(struct deed *d, struct bytes label, enum trash_class class, struct bytes path) {
  struct end from = {d->from.dir, d->from.name};
  struct trash_place place = {TRASH_REMOVED, label, path};
  end(d, ST_DONE);
  if (class == TRASH_REMOVED) buf_put(&d->action->place, d->action->kept.data, d->action->kept.len);
  else if (trash_keep_from(d->site, from, d->info.kind, place, &d->action->place) < 0) fail(d, "release");
}

static size_t names_in(struct bytes path) {
  size_t count = 1;
  for (size_t i = 0; i < path.len; i++) count += path.data[i] == '/';
  return count;
}

static void deed_purge(struct deed *d) {
  end(d, ST_DONE);
  if (unlinkat(d->from.dir, d->from.name, d->info.kind == KIND_DIR ? AT_REMOVEDIR : 0) == 0) return;
  fail(d, "purge");
  bool is_deep = errno == ENOTEMPTY && names_in(d->action->kept) >= TRASH_DEPTH_MAX;
  if (is_deep && trash_remove_tree(d->from.dir, d->from.name) == 0) {
    end(d, ST_DONE);
    return;
  }
  if (errno == ENOENT) end(d, ST_GONE);
  if (errno == ENOTEMPTY || errno == EEXIST) end(d, ST_NOT_EMPTY);
  if (errno == EBUSY) end(d, ST_MOUNT);
}

static void run_one(struct deed *d) {
  struct bytes label, rest;
  enum trash_class class;
  if (!trash_parse_kept(d->action->kept, &label, &class, &rest) || !rest.len) {
    end(d, ST_GONE);
    return;
  }
  if (deed_open(d)) {
    switch (d->action->what) {
      case TRASH_RELEASE: deed_release(d, label, class, rest); break;
      case TRASH_PURGE: deed_purge(d); break;
      default: deed_restore(d); break;
    }
  }
  place_close(&d->from);
}

/* Removes the directories above `kept` that are empty now. */
static void prune(int trash, struct bytes kept) {
  for (;;) {
    const uint8_t *slash = memrchr(kept.data, '/', kept.len);
    if (!slash) return;
    kept.len = (size_t)(slash - kept.data);
    struct place place;
    bool removed = place_open(trash, kept, &place) == 0 && unlinkat(place.dir, place.name, AT_REMOVEDIR) == 0;
    bool was_gone = !removed && errno == ENOENT;
    place_close(&place);
    if (!removed && !was_gone) return;
  }
}

static void run_all(struct site *site, struct trash_request *q) {
  int trash = site_open_dir(site->own, "trash");
  for (uint32_t i = 0; i < q->count; i++) {
    struct deed d = {.site = site, .label = q->label, .action = &q->actions[i], .trash = trash};
    if (d.action->status == ST_REFUSED) continue;
    if (trash >= 0) run_one(&d);
    else end(&d, ST_GONE);
  }
  close_fd(trash);
}

static void prune_all(struct site *site, const struct trash_request *q) {
  int trash = site_open_dir(site->own, "trash");
  for (uint32_t i = 0; trash >= 0 && i < q->count; i++)
    if (q->actions[i].status == ST_DONE || q->actions[i].status == ST_GONE) prune(trash, q->actions[i].kept);
  close_fd(trash);
}

static void write_answer(const struct trash_request *q, struct buf *answer) {
  buf_u32(answer, q->count);
  for (uint32_t i = 0; i < q->count; i++) {
    const struct trash_action *a = &q->actions[i];
    buf_u8(answer, a->status);
    buf_u32(answer, (uint32_t)a->error);
    buf_u8(answer, 0);
    buf_info(answer, a->status == ST_DONE ? &a->info : &(struct info){0});
    buf_bytes16(answer, a->place.data, a->place.len);
    buf_bytes16(answer, a->step, a->step ? strlen(a->step) : 0);
  }
}

void trash_run(struct replica *replica, struct trash_request *q, struct buf *answer) {
  struct site site;
  pthread_rwlock_rdlock(&replica->sweeping);
  bool open = site_open_own(replica, &site) == 0;
  if (open) run_all(&site, q);
  for (uint32_t i = 0; !open && i < q->count; i++) q->actions[i].status = ST_GUARD;
  pthread_rwlock_unlock(&replica->sweeping);
  if (open) {
    pthread_rwlock_wrlock(&replica->sweeping);
    prune_all(&site, q);
    pthread_rwlock_unlock(&replica->sweeping);
    site_close(&site);
  }
  write_answer(q, answer);
}

static bool parse_action(struct reader *r, struct trash_action *a) {
  *a = (struct trash_action){.what = get_u8(r)};
  a->kept = get_bytes16(r);
  a->to = get_bytes16(r);
  bool restores = a->what == TRASH_RESTORE || a->what == TRASH_REPLACE;
  if (!restores && a->what != TRASH_RELEASE && a->what != TRASH_PURGE) return false;
  bool valid = path_is_valid(a->kept, true) && a->kept.len < 60000;
  if (restores) valid = valid && a->to.len && a->to.len < 60000 && path_is_valid(a->to, false);
  if (!valid) a->status = ST_REFUSED;
  return !r->bad && (restores || !a->to.len);
}

bool trash_parse(struct reader *r, struct trash_request *q) {
  *q = (struct trash_request){.label = get_bytes16(r)};
  uint32_t count = get_u32(r);
  if (r->bad || !site_name_is_plain(q->label)) return false;
  if (count > ACTIONS_MAX || count > (size_t)(r->end - r->at) / ACTION_MIN) return false;
  q->actions = must_alloc((count + 1) * sizeof *q->actions);
  for (; q->count < count; q->count++)
    if (!parse_action(r, &q->actions[q->count])) return false;
  return !r->bad && r->at == r->end;
}

void trash_request_free(struct trash_request *q) {
  for (uint32_t i = 0; i < q->count; i++) buf_free(&q->actions[i].place);
  free(q->actions);
  *q = (struct trash_request){0};
}
