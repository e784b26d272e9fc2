/*
 * A_SWEEP: what an earlier life left in stage, basis and supply. What is provably psync's own is
 * removed; between two swaps a user's version lies in the stage, and that is kept (I2, I12). The
 * names tell: see site.h.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apply_own.h"
#include "apply_supply.h"
#include "partial.h"
#include "permit.h"
#include "trash.h"

#define PARTIAL_AGE_S (7 * 86400) /* of an interrupted transfer that nobody took up again */

struct sweep {
  struct site *site;
  struct bytes label;
  struct kept_list found;
  struct buf renewed; /* (path, STAT before, STAT now) */
  uint32_t renewed_count;
};

/* Keeps what may be a user's. */
static void sweep_keep(struct sweep *s, const char *name) {
  char path[300];
  int len = snprintf(path, sizeof path, "found/%s", name + 1);
  struct buf kept = {0};
  struct bytes place = {(uint8_t *)path, (size_t)len};
  if (trash_keep(s->site, name, TRASH_CONFLICT, s->label, place, &kept) == 0) kept_list_add(&s->found, &kept);
  buf_free(&kept);
}

/* Removes the object if it is still the one with these stamps and no writer has it; else keeps it. */
static void sweep_verified(struct sweep *s, const char *name, const unsigned long long stamps[3]) {
  struct info now;
  if (info_at(s->site->stage, name, &now) < 0) return;
  bool same = now.inode == stamps[0];
  if (now.kind == KIND_FILE) same = same && now.size == stamps[1] && (uint64_t)now.mtime_ns == stamps[2];
  if (same && now.kind == KIND_DIR) {
    if (unlinkat(s->site->stage, name, AT_REMOVEDIR) < 0) sweep_keep(s, name);
  } else if (same && trash_is_untouched(s->site, name, &now) == 1) {
    unlinkat(s->site->stage, name, 0);
  } else {
    sweep_keep(s, name);
  }
}

static void sweep_staged(struct sweep *s, const char *name) {
  unsigned long long v[3];
  if (sscanf(name + 1, "%llx-%llx-%llx-", &v[0], &v[1], &v[2]) == 3) sweep_verified(s, name, v);
  else sweep_keep(s, name);
}

static void sweep_dropped(struct sweep *s, const char *name) {
  unsigned life, number;
  unsigned long long v[3];
  int fields = sscanf(name + 1, "%x-%x-%llx-%llx-%llx", &life, &number, &v[0], &v[1], &v[2]);
  if (fields == 5 && life == s->site->replica->life) return; /* waits for A_SYNC */
  if (fields == 5) sweep_verified(s, name, v);
  else sweep_keep(s, name);
}

static void sweep_stage_entry(struct sweep *s, int dir, const char *name) {
  switch (*name) {
    case SIGIL_NEW: trash_remove_tree(dir, name); break;
    case SIGIL_STAGED: sweep_staged(s, name); break;
    case SIGIL_DROP: sweep_dropped(s, name); break;
    case SIGIL_OUT: sweep_keep(s, name); break;
    case SIGIL_PERMIT: permit_sweep(s->site, name); break;
    default:
      if (supply_is_known(s->site->replica, name)) break;
      partial_keep(s->site, name);
      trash_remove_tree(dir, name);
  }
}

/* Links to live files: what psync's own links did to their ctime is told. */
static void sweep_basis_entry(struct sweep *s, int dir, const char *name) {
  (void)dir;
  if (!supply_is_known(s->site->replica, name)) s->renewed_count += supply_sweep_basis(s->site, name, &s->renewed);
}

/* Links to fds: the names are psync's own, whatever they lead to. */
static void sweep_link_entry(struct sweep *s, int dir, const char *name) {
  if (!supply_is_known(s->site->replica, name)) trash_remove_tree(dir, name);
}

typedef void sweep_entry_fn(struct sweep *, int dir, const char *name);

/* All names first: what is renamed while it is listed may be listed twice, or not at all. */
static void sweep_area(struct sweep *s, const char *area, sweep_entry_fn *entry) {
  int dir = site_open_dir(s->site->own, area);
  int listed = dir < 0 ? -1 : site_open_dir(dir, ".");
  DIR *list = listed < 0 ? NULL : fdopendir(listed);
  struct buf names = {0};
  for (struct dirent *e; list && (e = readdir(list));)
    if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) buf_put(&names, e->d_name, strlen(e->d_name) + 1);
  if (list) closedir(list);
  else close_fd(listed);
  for (size_t at = 0; at < names.len; at += strlen((char *)names.data + at) + 1) entry(s, dir, (char *)names.data + at);
  buf_free(&names);
  close_fd(dir);
}

void own_sweep(struct replica *replica, struct bytes label, struct buf *answer) {
  struct site site;
  struct sweep s = {.site = &site, .label = label};
  pthread_rwlock_wrlock(&replica->sweeping);
  if (site_open_own(replica, &site) == 0) {
    sweep_area(&s, "stage", sweep_stage_entry);
    sweep_area(&s, "basis", sweep_basis_entry);
    sweep_area(&s, "supply", sweep_link_entry);
    partial_purge(&site, PARTIAL_AGE_S);
    site_close(&site);
  }
  pthread_rwlock_unlock(&replica->sweeping);
  buf_u32(answer, s.found.count);
  buf_put(answer, s.found.places.data, s.found.places.len);
  buf_u32(answer, s.renewed_count);
  buf_put(answer, s.renewed.data, s.renewed.len);
  buf_free(&s.found.places);
  buf_free(&s.renewed);
}
