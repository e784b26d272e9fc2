/*
 * Listing with a watch set first; see watch_list.h, and watch.h for rules 1 and 2.
 */
#include "watch_list.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "follow.h"
#include "open.h"
#include "watch_event.h"

#define PART_BYTES (256u << 10)  /* a part of a listing is closed when it has grown to this */
#define PLACE_TRIES 8            /* rule 1: the last time a node is placed in doubt, and reported so */

/* One name of a directory. */
struct entry {
  const uint8_t *name; /* NUL-terminated, in `text` of the listing */
  uint8_t len;
  uint8_t type; /* d_type */
};

/* One directory while it is listed. */
struct listing {
  uint32_t id;
  struct bytes path;
  int fd;            /* -1: not open */
  int err;           /* why the list is not complete; 0: it is */
  uint8_t flags;     /* LISTING_UNWATCHED */
  int wd;            /* -1: not watched */
  struct info info;  /* of the directory */
  struct buf text;   /* the names as read: type, length, name, NUL */
  struct entry *entries;
  size_t count;
};

/* ---- the watch and its node -------------------------------------------------------------------- */

enum placed { PLACE_DONE, PLACE_AGAIN };

static void split_path(struct bytes path, struct bytes *parent, struct bytes *name) {
  const uint8_t *slash = path.len ? memrchr(path.data, '/', path.len) : NULL;
  size_t at = slash ? (size_t)(slash - path.data) : 0;
  *parent = (struct bytes){path.data, at};
  *name = slash ? (struct bytes){slash + 1, path.len - at - 1} : path;
}

static void report_new(struct watch *w, struct node *parent, struct bytes name) {
  set_dirty(&w->set, parent, name, DIRTY_DIR | DIRTY_NEWDIR);
}

/* Returns the node at a path that was just opened, making what is missing on the way. What cannot be
 * trusted there is buried: the parents will be listed again, too. */
static struct node *make_parents(struct watch *w, struct bytes path) {
  struct node *n = w->tree.root;
  while (path.len) {
    const uint8_t *slash = memchr(path.data, '/', path.len);
    size_t len = slash ? (size_t)(slash - path.data) : path.len, used = slash ? len + 1 : len;
    struct bytes name = {path.data, len};
    struct node *child = tree_child(&w->tree, n, name);
    if (child && child->epoch != w->tree.epoch) {
      tree_bury(&w->tree, child);
      child = NULL;
    }
    n = child ? child : tree_add(&w->tree, n, name);
    path = (struct bytes){path.data + used, path.len - used};
  }
  return n;
}

/* Frees the descriptor from a node that cannot be brought to where its directory is. */
static void steal_wd(struct watch *w, struct node *n) {
  if (n->parent && n->epoch == w->tree.epoch) report_new(w, n->parent, (struct bytes){n->name, n->len});
  tree_set_wd(&w->tree, n, -1);
}

/* Puts the node of a descriptor where its directory was opened (rule 2). Holds the lock. */
static void place_node(struct watch *w, struct bytes path, int wd, bool in_doubt) {
  struct bytes above, name;
  split_path(path, &above, &name);
  struct node *owner = tree_of_wd(&w->tree, wd);
  if (!path.len) {
    if (owner && owner != w->tree.root) steal_wd(w, owner);
    tree_set_wd(&w->tree, w->tree.root, wd);
    w->tree.root->epoch = w->tree.epoch;
    return;
  }
  struct node *parent = make_parents(w, above), *there = tree_child(&w->tree, parent, name);
  bool is_wrong = in_doubt;
  if (there && there != owner && there->wd >= 0) {
    is_wrong = is_wrong || there->epoch == w->tree.epoch;
    tree_bury(&w->tree, there);
    there = NULL;
  }
  if (owner && owner != there) {
    bool is_alive = tree_is_within(owner, w->tree.root);
    if (!is_alive || there || tree_is_within(parent, owner)) {
      is_wrong = is_wrong || (is_alive && owner->epoch == w->tree.epoch);
      steal_wd(w, owner);
    } else {
      if (owner->epoch == w->tree.epoch) report_new(w, owner->parent, (struct bytes){owner->name, owner->len});
      is_wrong = is_wrong || owner->epoch == w->tree.epoch;
      tree_move(&w->tree, owner, parent, name);
      there = owner;
    }
  }
  if (!there) there = tree_add(&w->tree, parent, name);
  tree_set_wd(&w->tree, there, wd);
  there->epoch = w->tree.epoch;
  if (is_wrong) report_new(w, parent, name);
}

/* Sets the watch. Returns its descriptor, or -1 where the limit is reached or the kernel refuses. */
static int add_watch(struct watch *w, const struct listing *l) {
  char path[32];
  open_proc_path(path, l->fd);
  for (int tries = 0; tries < 2; tries++) {
    const struct node *there = tree_at(&w->tree, l->path);
    if (!w->max_watches || w->tree.by_wd.used < w->max_watches || (there && there->wd >= 0)) {
      int wd = inotify_add_watch(w->inotify_fd, path, watch_mask());
      if (wd >= 0) return wd;
    }
    tree_reap(&w->tree, w->inotify_fd, SIZE_MAX); /* dropped watches count as well */
  }
  return -1;
}

/* Watches the open directory and places its node. `losses`: as it was before the directory was opened. */
static enum placed place(struct watch *w, struct listing *l, uint64_t losses, bool is_last_try) {
  pthread_mutex_lock(&w->lock);
  bool in_doubt = w->losses != losses;
  if (in_doubt && !is_last_try) {
    pthread_mutex_unlock(&w->lock);
    return PLACE_AGAIN;
  }
  l->wd = add_watch(w, l);
  if (l->wd >= 0) {
    place_node(w, l->path, l->wd, in_doubt);
  } else {
    l->flags |= LISTING_UNWATCHED;
    struct node *there = l->path.len ? tree_at(&w->tree, l->path) : NULL;
    if (there && there->wd >= 0) tree_bury(&w->tree, there); /* another directory: this one has no watch */
  }
  events_settle(w, 0);
  pthread_mutex_unlock(&w->lock);
  return PLACE_DONE;
}

/* Opens and watches. Sets l->err where that failed. */
static void open_watched(struct watch *w, int root_fd, struct listing *l) {
  for (int tries = 0;; tries++) {
    pthread_mutex_lock(&w->lock);
    uint64_t losses = w->losses;
    pthread_mutex_unlock(&w->lock);
    l->fd = root_open_dir(root_fd, l->path);
    if (l->fd < 0 || info_at(l->fd, "", &l->info) < 0) {
      l->err = errno;
      return;
    }
    if (l->info.mount_id != w->root.mount_id) l->info.flags |= STAT_MOUNT;
    if (l->info.flags & STAT_MOUNT) {
      l->err = EXDEV;
      return;
    }
    if (place(w, l, losses, tries + 1 == PLACE_TRIES) == PLACE_DONE) return;
    close(l->fd);
  }
}

/* ---- the names --------------------------------------------------------------------------------- */

struct dirent64_raw { /* struct linux_dirent64 of getdents64(2) */
  uint64_t ino;
  int64_t off;
  uint16_t reclen;
  uint8_t type;
  char name[];
};

static bool is_left_out(const struct listing *l, const char *name, size_t len) {
  if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'))) return true;
  return !l->path.len && len == 6 && !memcmp(name, ".psync", 6);
}

static void keep_name(struct listing *l, const struct dirent64_raw *raw) {
  size_t len = strlen(raw->name);
  if (len > NAME_MAX || is_left_out(l, raw->name, len)) return;
  buf_u8(&l->text, raw->type);
  buf_u8(&l->text, (uint8_t)len);
  buf_put(&l->text, raw->name, len + 1);
  l->count++;
}

static int by_name(const void *a, const void *b) {
  const struct entry *x = a, *y = b;
  int order = memcmp(x->name, y->name, x->len < y->len ? x->len : y->len);
  return order ? order : (int)x->len - (int)y->len;
}

/* Makes the sorted entries out of the text, which does not move any more. */
static void sort_names(struct listing *l) {
  l->entries = must_alloc(l->count * sizeof *l->entries);
  const uint8_t *at = l->text.data;
  for (size_t i = 0; i < l->count; i++) {
    l->entries[i] = (struct entry){.type = at[0], .len = at[1], .name = at + 2};
    at += 2 + at[1] + 1;
  }
  if (l->count) qsort(l->entries, l->count, sizeof *l->entries, by_name);
}

/* Reads all names; what was read before an error is kept. */
static void read_names(struct listing *l, uint8_t *dents) {
  for (;;) {
    long got = syscall(SYS_getdents64, l->fd, dents, DENTS_BYTES);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) l->err = errno;
    if (got <= 0) break;
    for (long at = 0; at < got;) {
      const struct dirent64_raw *raw = (const void *)(dents + at);
      keep_name(l, raw);
      at += raw->reclen;
    }
  }
  sort_names(l);
}

static bool has_dir(const struct listing *l, const struct node *n) {
  struct entry key = {.name = n->name, .len = n->len};
  const struct entry *found = l->count ? bsearch(&key, l->entries, l->count, sizeof key, by_name) : NULL;
  return found && (found->type == DT_DIR || found->type == DT_UNKNOWN);
}

/* Brings the tree in line with a finished listing: a directory that was removed before its watch
 * was set will have no event, and after lost events (epoch) old children may be gone. */
static void settle_node(struct watch *w, const struct listing *l) {
  if (l->wd < 0) return;
  pthread_mutex_lock(&w->lock);
  struct node *n = tree_of_wd(&w->tree, l->wd);
  if (n && l->err == ENOENT && n->parent) {
    w->losses++;
    tree_bury(&w->tree, n);
  } else if (n && !l->err && w->tree.epoch) {
    for (struct node *child = n->child, *next; child; child = next) {
      next = child->next;
      if (child->epoch != w->tree.epoch && !has_dir(l, child)) tree_bury(&w->tree, child);
    }
  }
  pthread_mutex_unlock(&w->lock);
}

/* ---- the records ------------------------------------------------------------------------------- */

/* A part that is being written. */
struct part {
  size_t begin, flags_at, count_at;
  uint32_t count;
};

static struct part part_begin(struct watch *w, const struct listing *l) {
  struct part p = {.begin = record_begin(&w->out, W_LISTING, l->id)};
  buf_bytes16(&w->out, l->path.data, l->path.len);
  buf_u32(&w->out, (uint32_t)l->err);
  p.flags_at = w->out.len;
  buf_u8(&w->out, l->flags);
  buf_info(&w->out, &l->info);
  p.count_at = w->out.len;
  buf_u32(&w->out, 0);
  return p;
}

static void part_end(struct watch *w, const struct part *p, bool is_last) {
  if (is_last) w->out.data[p->flags_at] |= LISTING_LAST;
  buf_set_u32(&w->out, p->count_at, p->count);
  record_end(&w->out, p->begin);
}

/* Remembers a listed mount point for list_check_mounts. */
static void saw_mount(struct watch *w, const struct listing *l, struct bytes name) {
  size_t len = l->path.len + (l->path.len && name.len ? 1 : 0) + name.len;
  if (len > UINT16_MAX) return;
  buf_u16(&w->seen_mounts, (uint16_t)len);
  buf_put(&w->seen_mounts, l->path.data, l->path.len);
  if (l->path.len && name.len) buf_u8(&w->seen_mounts, '/');
  buf_put(&w->seen_mounts, name.data, name.len);
}

/* Appends one entry. Returns false where it is no longer there. */
static bool put_entry(struct watch *w, const struct listing *l, const struct entry *e) {
  struct info info = {0};
  char target[PATH_MAX];
  ssize_t len = 0;
  const char *name = (const char *)e->name;
  if (info_at(l->fd, name, &info) < 0) {
    if (errno == ENOENT) return false;
    info = (struct info){.kind = KIND_NONE};
  }
  if (info.kind == KIND_LINK) len = readlinkat(l->fd, name, target, sizeof target - 1);
  if (len < 0 && (errno == ENOENT || errno == EINVAL)) return false; /* gone, or no link any more: an event follows */
  if (len > 0 && w->follows) {
    target[len] = 0;
    if (follow_stat(l->fd, target, &info) < 0) info = (struct info){.kind = KIND_NONE};
    if (info.kind != KIND_LINK) len = 0;
  }
  if (len < 0) info = (struct info){.kind = KIND_NONE};
  if (info.kind != KIND_NONE && info.mount_id != w->root.mount_id) {
    info.flags |= STAT_MOUNT;
    saw_mount(w, l, (struct bytes){e->name, e->len});
  }
  buf_bytes16(&w->out, e->name, e->len);
  buf_info(&w->out, &info);
  buf_bytes16(&w->out, target, len > 0 ? (size_t)len : 0);
  return true;
}

static void put_listing(struct watch *w, const struct listing *l) {
  struct part part = part_begin(w, l);
  for (size_t i = 0; i < l->count; i++) {
    if (w->out.len - part.begin >= PART_BYTES) {
      part_end(w, &part, false);
      watch_flush(w);
      part = part_begin(w, l);
    }
    if (put_entry(w, l, &l->entries[i])) part.count++;
  }
  part_end(w, &part, true);
  if (w->out.len >= PART_BYTES) watch_flush(w);
}

/* Watches the directory, then reads its names. */
static void listing_read(struct watch *w, int root_fd, int root_errno, struct listing *l) {
  if (!path_is_valid(l->path, false)) l->err = EINVAL;
  else if (root_fd < 0) l->err = root_errno;
  else open_watched(w, root_fd, l);
  if (!l->err) read_names(l, w->dents);
  if (l->err == EXDEV) saw_mount(w, l, (struct bytes){NULL, 0});
  settle_node(w, l);
}

static void listing_free(struct listing *l) {
  close_fd(l->fd);
  free(l->entries);
  buf_free(&l->text);
}

void list_dir(struct watch *w, int root_fd, int root_errno, uint32_t id, struct bytes path) {
  struct listing l = {.id = id, .path = path, .fd = -1, .wd = -1};
  listing_read(w, root_fd, root_errno, &l);
  put_listing(w, &l);
  listing_free(&l);
}

/* ---- sums ---------------------------------------------------------------------------------------- */

/* Adds what a listing would show. Returns false at what has no place in a sum. */
static bool add_entry(struct watch *w, const struct listing *l, const struct entry *e, const struct sum_key *key,
                      struct sum *sum) {
  struct info info = {0};
  struct bytes name = {e->name, e->len};
  if (info_at(l->fd, (const char *)e->name, &info) < 0) return errno == ENOENT; /* gone: an event follows */
  if (info.mount_id != w->root.mount_id) return false;
  if (info.kind == KIND_LINK ? w->follows : info.kind != KIND_FILE && info.kind != KIND_DIR) return false;
  sum_add(sum, key, name, &info);
  return true;
}

void sum_dir(struct watch *w, int root_fd, int root_errno, const struct sum_key *key, struct bytes path,
             struct buf *out) {
  struct listing l = {.path = path, .fd = -1, .wd = -1};
  struct sum sum = {0};
  bool is_plain = true;
  listing_read(w, root_fd, root_errno, &l);
  for (size_t i = 0; i < l.count && !l.err && is_plain; i++) is_plain = add_entry(w, &l, &l.entries[i], key, &sum);
  buf_u32(out, (uint32_t)l.err);
  buf_u8(out, (uint8_t)((l.flags & LISTING_UNWATCHED ? SUMMED_UNWATCHED : 0) | (is_plain ? 0 : SUMMED_OTHER)));
  buf_info(out, &l.info);
  buf_u64(out, sum.low);
  buf_u64(out, sum.high);
  listing_free(&l);
}

void list_check_mounts(struct watch *w) {
  if (!w->seen_mounts.len) return;
  struct buf seen = w->seen_mounts;
  w->seen_mounts = (struct buf){0};
  watch_check_mounts(w);
  struct reader r = {seen.data, seen.data + seen.len, false};
  while (r.at < r.end) {
    struct bytes path = get_bytes16(&r);
    if (!watch_is_mounted(w, path)) watch_put_mount(w, path);
  }
  buf_free(&seen);
}
