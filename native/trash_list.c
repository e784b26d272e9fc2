/*
 * A_TRASH_LIST: a walk over the trash in the order of names, cut where an answer is full and taken up
 * again behind its last item; see apply_trash.h.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apply_trash.h"
#include "open.h"

#define LIST_MAX 4096         /* items in one answer */
#define LIST_BYTES (2u << 20) /* of one answer; a path more may come */
#define LIST_PATH_MAX 60000   /* bytes of a path; deeper things are not told */

struct listing { /* one walk */
  struct replica *replica;
  uint8_t classes;
  uint32_t limit, count;
  bool is_full;
  struct buf path; /* of the directory that is walked */
  struct buf items;
};

static int compare_names(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b); /* as unsigned bytes, as memcmp */
}

struct names { /* sorted; points into `text` */
  struct buf text;
  const char **list;
  size_t count;
};

static void free_names(struct names *names) {
  buf_free(&names->text);
  free(names->list);
}

/* Reads all names of the directory `fd`, which it closes. Returns 0 or -1 with errno. */
static int read_names(int fd, struct names *names) {
  *names = (struct names){0};
  DIR *dir = fdopendir(fd);
  if (!dir) {
    close_fd(fd);
    return -1;
  }
  for (struct dirent *e; errno = 0, (e = readdir(dir));) {
    if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
    buf_put(&names->text, e->d_name, strlen(e->d_name) + 1);
    names->count++;
  }
  int err = errno;
  closedir(dir);
  names->list = must_alloc((names->count + 1) * sizeof *names->list);
  const char *at = (const char *)names->text.data;
  for (size_t i = 0; i < names->count; i++, at += strlen(at) + 1) names->list[i] = at;
  qsort(names->list, names->count, sizeof *names->list, compare_names);
  if (!err) return 0;
  free_names(names);
  errno = err;
  return -1;
}

static bool class_is_wanted(const struct listing *l, enum trash_class class) {
  return l->classes & (class == TRASH_REMOVED ? TRASH_CLASS_REMOVED : TRASH_CLASS_CONFLICT);
}

/* Whether a name right below the trash is to be walked. */
static bool top_is_wanted(const struct listing *l, const char *name) {
  struct bytes label, rest;
  enum trash_class class;
  return trash_parse_kept((struct bytes){(const uint8_t *)name, strlen(name)}, &label, &class, &rest) &&
         class_is_wanted(l, class);
}

static void add_item(struct listing *l, const struct info *info) {
  if (l->path.len > LIST_PATH_MAX) return;
  buf_bytes16(&l->items, l->path.data, l->path.len);
  buf_info(&l->items, info);
  l->count++;
  l->is_full = l->count >= l->limit || l->items.len >= LIST_BYTES;
}

static void walk(struct listing *l, int fd, struct bytes after, unsigned depth);

/* One entry, whose path l->path is; `after`: what of it was told already, empty: nothing. */
static void walk_entry(struct listing *l, int dir, const char *name, struct bytes after, unsigned depth) {
  struct info info;
  if (info_at(dir, name, &info) < 0 || info.mount_id != l->replica->info.mount_id) return;
  if (depth == 1 && info.kind != KIND_DIR) return; /* no item: nothing of ours is right below the trash */
  int fd = info.kind == KIND_DIR && depth < TRASH_DEPTH_MAX ? site_open_dir(dir, name) : -1;
  if (fd < 0) {
    if (!after.len && depth > 1) add_item(l, &info);
    return;
  }
  uint32_t before = l->count;
  walk(l, fd, after, depth);
  /* Nothing in it is an item: it is one itself. But not where all was told before. */
  if (!after.len && l->count == before && depth > 1) add_item(l, &info);
}

/* Walks the directory `fd`, which it closes. `after`: the path in it behind which the walk begins. */
static void walk(struct listing *l, int fd, struct bytes after, unsigned depth) {
  struct names names;
  int dir = openat(fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (read_names(fd, &names) < 0) {
    close_fd(dir);
    return;
  }
  const uint8_t *slash = after.len ? memchr(after.data, '/', after.len) : NULL;
  struct bytes first = {after.data, slash ? (size_t)(slash - after.data) : after.len};
  struct bytes rest = {slash ? slash + 1 : NULL, slash ? after.len - first.len - 1 : 0};
  size_t base = l->path.len;
  for (size_t i = 0; dir >= 0 && i < names.count && !l->is_full; i++) {
    const char *name = names.list[i];
    size_t len = strlen(name), common = len < first.len ? len : first.len;
    int order = first.len ? memcmp(name, first.data, common) : 1;
    if (order == 0) order = (len > first.len) - (len < first.len);
    if (order < 0 || (order == 0 && !rest.len)) continue;
    if (depth == 0 && !top_is_wanted(l, name)) continue;
    if (base) buf_u8(&l->path, '/');
    buf_put(&l->path, name, len);
    walk_entry(l, dir, name, order == 0 ? rest : (struct bytes){0}, depth + 1);
    l->path.len = base;
  }
  close_fd(dir);
  free_names(&names);
}

bool trash_parse_query(struct reader *r, struct trash_query *query) {
  *query = (struct trash_query){.classes = get_u8(r), .limit = get_u32(r)};
  query->after = get_bytes16(r);
  return !r->bad && r->at == r->end && path_is_valid(query->after, true);
}

void trash_list(struct replica *replica, const struct trash_query *query, struct buf *answer) {
  struct site site;
  uint32_t limit = query->limit && query->limit < LIST_MAX ? query->limit : LIST_MAX;
  struct listing l = {.replica = replica, .classes = query->classes, .limit = limit};
  if (site_open(replica, &site) == 0) {
    int trash = site_open_dir(site.root, ".psync/trash");
    if (trash >= 0) walk(&l, trash, query->after, 0);
    site_close(&site);
  }
  buf_u8(answer, l.is_full);
  buf_u32(answer, l.count);
  buf_put(answer, l.items.data, l.items.len);
  buf_free(&l.items);
  buf_free(&l.path);
}
