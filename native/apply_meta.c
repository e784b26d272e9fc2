/*
 * OP_META: mode, owner and mtime on the live inode, through a held fd and under the lease (I14): a
 * write in between would otherwise be hidden by the mtime that we set.
 */
#include <errno.h>

#include "commit.h"

static void meta_set(struct work *w, struct live *live) {
  struct info before = live->info, now;
  struct transition *op = w->op;
  if (attrs_set(live->object, live->info.kind, &op->attrs, w->site->replica->is_root_user) < 0) {
    outcome_fail(w, "attributes");
    return;
  }
  bool proven = before.kind != KIND_FILE || live_is_leased(live);
  bool same = info_at(live->object, "", &now) == 0 && now.size == before.size;
  outcome_stamp(w, live->object, proven && same);
  op->out.masked = attrs_are_masked(&op->attrs, &op->out.after);
  /* After the stamp was read: nobody came to write until then. */
  if (!live_is_intact(live)) outcome_end(w, ST_DIRTY);
}

void meta_swap(struct work *w) {
  struct place place;
  struct live live;
  if (w->op->expected.kind == KIND_NONE) {
    outcome_end(w, ST_STALE);
    return;
  }
  if (!work_open(w, w->op->path, &place, &live, true)) return;
  if (work_expect(w, &live, &w->op->expected)) meta_set(w, &live);
  live_close(&live);
  place_close(&place);
}
