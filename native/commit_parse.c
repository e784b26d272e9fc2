/*
 * Reads the body of an A_COMMIT (format.h, OP). Limits come before allocations; what is malformed
 * ends the process, what is merely refused (a path that names .psync) ends its op.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commit.h"

#define OP_SIZE_MIN 70 /* bytes of the smallest op: code, flags, path, EXPECTED */

bool commit_read_expected(struct reader *r, struct expected *expected) {
  expected->kind = get_u8(r);
  get_info(r, &expected->info);
  expected->target = get_bytes16(r);
  return expected->kind <= KIND_LINK;
}

static void read_attrs(struct reader *r, struct attrs *attrs) {
  attrs->mode = get_u16(r);
  attrs->uid = get_u32(r);
  attrs->gid = get_u32(r);
  attrs->mtime_ns = (int64_t)get_u64(r);
}

static bool read_source(struct reader *r, struct transition *op) {
  uint8_t source = get_u8(r);
  if (source > 2) return false;
  op->from_batch = source == 1;
  op->from_pack = source == 2;
  if (op->from_pack) op->content.len = get_u32(r);
  if (source == 0) op->content = get_bytes32(r);
  if (source != 1) return true;
  op->batch = get_bytes16(r);
  op->id = get_u32(r);
  op->size = get_u64(r);
  return site_name_is_plain(op->batch);
}

static bool read_rest(struct reader *r, struct transition *op) {
  switch (op->code) {
    case OP_PUT_FILE: read_attrs(r, &op->attrs); return read_source(r, op);
    case OP_PUT_LINK:
      read_attrs(r, &op->attrs);
      op->target = get_bytes16(r);
      return op->target.len && !memchr(op->target.data, 0, op->target.len);
    case OP_PUT_DIR:
    case OP_META: read_attrs(r, &op->attrs); return true;
    case OP_MOVE: op->to = get_bytes16(r); return commit_read_expected(r, &op->expected_to);
    default: return op->code == OP_REMOVE;
  }
}

static bool path_is_usable(struct bytes path, bool root_too) {
  return path_is_valid(path, false) && path.len < 60000 && (root_too || path.len);
}

/* Whether `inner` lies at or below `outer`. */
static bool path_is_within(struct bytes outer, struct bytes inner) {
  if (inner.len < outer.len || memcmp(inner.data, outer.data, outer.len)) return false;
  return inner.len == outer.len || inner.data[outer.len] == '/';
}

static bool op_is_acceptable(const struct transition *op) {
  if (!path_is_usable(op->path, op->code == OP_META)) return false;
  if (op->code != OP_MOVE) return true;
  return path_is_usable(op->to, false) && !path_is_within(op->path, op->to) && !path_is_within(op->to, op->path);
}

static bool read_op(struct reader *r, struct transition *op) {
  *op = (struct transition){.staged = STAGED_NONE};
  op->code = get_u8(r);
  op->flags = get_u8(r);
  op->path = get_bytes16(r);
  if (!commit_read_expected(r, &op->expected) || !read_rest(r, op) || r->bad) return false;
  if ((op->flags & ~(OPF_DISPOSAL | OPF_FORCE)) || (op->flags & OPF_DISPOSAL) > DISPOSE_CONFLICT) return false;
  if (!op_is_acceptable(op)) op->out = (struct outcome){.status = ST_REFUSED, .error = EINVAL};
  return true;
}

/* Gives each packed source its part of the pack. Returns false where they do not fill it just so. */
static bool share_pack(struct commit *c, struct bytes pack) {
  for (uint32_t i = 0; i < c->count; i++) {
    struct bytes *content = &c->ops[i].content;
    if (!c->ops[i].from_pack) continue;
    if (content->len > pack.len) return false;
    content->data = pack.data;
    pack.data += content->len, pack.len -= content->len;
  }
  return !pack.len;
}

static bool read_pack(struct reader *r, struct commit *c) {
  c->carried = get_u64(r);
  struct bytes pack = get_bytes32(r);
  if (r->bad) return false;
  return c->carried ? !pack.len : share_pack(c, pack);
}

void commit_receive(struct commit *c, struct carrier *carrier) {
  if (!c->carried) return;
  bool came = carrier_take(carrier, c->carried, &c->pack);
  if (came && share_pack(c, (struct bytes){c->pack.data, c->pack.len})) return;
  for (uint32_t i = 0; i < c->count; i++)
    if (c->ops[i].from_pack) c->ops[i].out = (struct outcome){.status = ST_GONE, .error = ENODATA};
}

bool commit_parse(struct reader *r, struct commit *c) {
  *c = (struct commit){.label = get_bytes16(r)};
  uint32_t count = get_u32(r);
  if (r->bad || !site_name_is_plain(c->label) || count > COMMIT_MAX) return false;
  if (count > (size_t)(r->end - r->at) / OP_SIZE_MIN) return false;
  c->ops = must_alloc(count * sizeof *c->ops);
  size_t answer = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (!read_op(r, &c->ops[i])) return false;
    c->count = i + 1;
    answer += COMMIT_ANSWER + c->ops[i].path.len;
  }
  /* What is kept is named in the answer: it must fit before anything is done. */
  return read_pack(r, c) && r->at == r->end && answer < RECORD_MAX;
}
