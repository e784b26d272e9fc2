/*
 * Renames; see rename.h.
 */
#include "rename.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "live.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif
#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE 2
#endif

static int renameat2_raw(struct end from, struct end to, unsigned flags) {
  return (int)syscall(SYS_renameat2, from.dir, from.name, to.dir, to.name, flags);
}

bool rename_is_unsupported(int err) { return err == EINVAL || err == ENOSYS || err == EOPNOTSUPP; }

int rename_exchange(struct end a, struct end b) { return renameat2_raw(a, b, RENAME_EXCHANGE); }

/* Takes the old name of what was linked to its new one away. A live name may hold something newer
 * by now: it is taken out, looked at, and put back. */
static int retire_source(struct site *site, struct end from, const struct info *linked) {
  if (from.dir == site->stage) return unlinkat(from.dir, from.name, 0);
  char out[STAGE_NAME_SIZE];
  site_fresh_name(site->replica, SIGIL_OUT, out);
  if (renameat(from.dir, from.name, site->stage, out) < 0) return errno == ENOENT ? 0 : -1;
  struct info info;
  if (info_at(site->stage, out, &info) < 0) return -1;
  if (info_same_object(&info, linked)) return unlinkat(site->stage, out, 0);
  if (linkat(site->stage, out, from.dir, from.name, 0) < 0) return 0; /* stays in the stage: found by the sweep */
  return unlinkat(site->stage, out, 0);
}

static int link_noreplace(struct site *site, struct end from, struct end to) {
  struct info linked;
  if (linkat(from.dir, from.name, to.dir, to.name, 0) < 0) return -1;
  if (info_at(to.dir, to.name, &linked) < 0) return -1;
  return retire_source(site, from, &linked);
}

/* RACE: on a file system without NOREPLACE an empty directory made at `to` in between is replaced. */
static int rename_dir_checked(struct end from, struct end to) {
  struct info there;
  if (info_at(to.dir, to.name, &there) == 0) errno = EEXIST;
  if (errno != ENOENT) return -1;
  return renameat(from.dir, from.name, to.dir, to.name);
}

int rename_nameless(int object, struct end to) {
  return open_link(object, to.dir, to.name);
}

int rename_noreplace(struct site *site, struct end from, struct end to, uint8_t kind) {
  if (renameat2_raw(from, to, RENAME_NOREPLACE) == 0) return 0;
  if (!rename_is_unsupported(errno)) return -1;
  return kind == KIND_DIR ? rename_dir_checked(from, to) : link_noreplace(site, from, to);
}
