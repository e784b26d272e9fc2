/*
 * The trash and the list of drops; see trash.h.
 */
#include "trash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "live.h"

#define TWIN_MAX 10000 /* numbers tried for a name that is taken */
#define TREE_DEPTH_MAX 256
#define TRASH_USES 16 /* things for which a directory in the trash is held open: some 0.5 ms */

struct drop {
  struct drop *next;
  char name[STAGE_NAME_SIZE]; /* in the stage */
  struct info info;           /* when it was displaced */
  struct buf label, path;
};

/* Writes `name`, with "~<twin>" where twin > 1, cut so that it fits. Returns its length. */
static size_t twin_name(char out[NAME_SIZE], struct bytes name, unsigned twin) {
  char suffix[16] = "";
  if (twin > 1) snprintf(suffix, sizeof suffix, "~%u", twin);
  size_t tail = strlen(suffix), head = name.len;
  if (head > NAME_SIZE - 1 - tail) head = NAME_SIZE - 1 - tail;
  memcpy(out, name.data, head);
  memcpy(out + head, suffix, tail + 1);
  return head + tail;
}

/* Gives a directory that was just made mode and owner of the live one at `path`, where there is one;
 * psync itself must always be able to enter it. */
static void take_after(struct site *site, int fd, struct bytes path) {
  struct info info;
  int live = path.len ? open_dir_path(site->root, path) : -1;
  if (live < 0) return;
  if (info_at(live, "", &info) == 0) {
    bool owned = !site->replica->is_root_user || fchown(fd, info.uid, info.gid) == 0;
    if (owned) fchmod(fd, info.mode | 0700);
  }
  close_fd(live);
}

/* Enters `name` below dir, making it; where something else has the name, its twin. `live` is the path
 * of the directory for which it stands; empty: none. */
static int enter_dir(struct site *site, int dir, struct bytes name, struct bytes live, struct buf *kept) {
  for (unsigned twin = 1; twin <= TWIN_MAX; twin++) {
    char text[NAME_SIZE];
    size_t len = twin_name(text, name, twin);
    int fd = site_open_dir(dir, text);
    if (fd < 0 && errno == ENOENT) {
      bool made = mkdirat(dir, text, 0700) == 0;
      if (!made && errno != EEXIST) return -1;
      fd = site_open_dir(dir, text);
      if (made && fd >= 0) take_after(site, fd, live);
    }
    if (fd >= 0 && faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) == 0) {
      buf_put(kept, text, len);
      return fd;
    }
    close_fd(fd);
    if (errno != ENOTDIR && errno != ELOOP && errno != EACCES && errno != EXDEV && errno != EPERM) return -1;
  }
  errno = EEXIST;
  return -1;
}

struct keeping { /* what is to be kept */
  struct end from;
  uint8_t kind;
};

static int place_in(struct site *site, const struct keeping *what, int dir, struct bytes last, struct buf *kept) {
  for (unsigned twin = 1; twin <= TWIN_MAX; twin++) {
    char text[NAME_SIZE];
    size_t len = twin_name(text, last, twin);
    struct end to = {dir, text};
    if (rename_noreplace(site, what->from, to, what->kind) == 0) {
      buf_put(kept, text, len);
      return 0;
    }
    if (errno != EEXIST) return -1;
  }
  return -1;
}

/* The next name of *path, which is cut from it; *is_last where nothing follows. */
static struct bytes next_name(struct bytes *path, bool *is_last) {
  const uint8_t *slash = memchr(path->data, '/', path->len);
  struct bytes name = {path->data, slash ? (size_t)(slash - path->data) : path->len};
  *is_last = !slash;
  size_t used = slash ? name.len + 1 : name.len;
  path->data += used, path->len -= used;
  return name;
}

/* Walks down from `dir`, which it closes, to the directory at `path`. Returns its fd or -1 with errno. */
static int enter_below(struct site *site, int dir, struct bytes path, struct buf *kept) {
  const uint8_t *start = path.data;
  while (dir >= 0 && path.len) {
    bool is_last;
    struct bytes part = next_name(&path, &is_last);
    buf_u8(kept, '/');
    int next = enter_dir(site, dir, part, (struct bytes){start, (size_t)(part.data + part.len - start)}, kept);
    close_fd(dir);
    dir = next;
  }
  return dir;
}

/* Has the site hold the directory that stands for the live one at `path`. Returns 0 or -1 with errno. */
static int enter_anew(struct site *site, struct bytes top, struct bytes path) {
  struct trash_cache *cache = &site->trash;
  site_leave_trash(site);
  int trash = site_open_dir(site->own, "trash");
  if (trash < 0) return -1;
  int dir = enter_dir(site, trash, top, (struct bytes){0}, &cache->found);
  close_fd(trash);
  cache->dir = enter_below(site, dir, path, &cache->found);
  buf_put(&cache->wanted, top.data, top.len);
  buf_u8(&cache->wanted, '/');
  buf_put(&cache->wanted, path.data, path.len);
  return cache->dir < 0 ? -1 : 0;
}

static bool is_held(struct trash_cache *cache, struct bytes top, struct bytes path) {
  const uint8_t *wanted = cache->wanted.data;
  return cache->dir >= 0 && cache->wanted.len == top.len + 1 + path.len && !memcmp(wanted, top.data, top.len) &&
         (!path.len || !memcmp(wanted + top.len + 1, path.data, path.len)) && cache->uses++ < TRASH_USES;
}

int trash_keep_from(struct site *site, struct end from, uint8_t kind, struct trash_place place, struct buf *kept) {
  char text[NAME_SIZE];
  int len = snprintf(text, sizeof text, "%.*s.%s", (int)place.label.len, (const char *)place.label.data,
                     place.class == TRASH_REMOVED ? "removed" : "conflict");
  struct bytes top = {(uint8_t *)text, (size_t)len}, last = place.path;
  const uint8_t *slash = memrchr(place.path.data, '/', place.path.len);
  struct bytes above = {place.path.data, slash ? (size_t)(slash - place.path.data) : 0};
  if (slash) last = (struct bytes){slash + 1, place.path.len - above.len - 1};
  bool held = is_held(&site->trash, top, above);
  for (;; held = false) {
    kept->len = 0;
    if (!held && enter_anew(site, top, above) < 0) return -1;
    buf_put(kept, site->trash.found.data, site->trash.found.len);
    buf_u8(kept, '/');
    if (place_in(site, &(struct keeping){from, kind}, site->trash.dir, last, kept) == 0) return 0;
    /* What was held may be gone, as empty directories are purged. */
    if (!held) break;
  }
  kept->len = 0;
  return -1;
}

int trash_keep(struct site *site, const char *name, enum trash_class class, struct bytes label, struct bytes path,
               struct buf *kept) {
  struct info info;
  kept->len = 0;
  if (info_at(site->stage, name, &info) < 0) return -1;
  struct end from = {site->stage, name};
  return trash_keep_from(site, from, info.kind, (struct trash_place){class, label, path}, kept);
}

void trash_drop(struct site *site, const char *name, const struct info *info, struct bytes label, struct bytes path) {
  struct drop *drop = must_alloc(sizeof *drop);
  *drop = (struct drop){.info = *info};
  snprintf(drop->name, sizeof drop->name, "%c%08x-%x-%llx-%llx-%llx", SIGIL_DROP, site->replica->life,
           atomic_fetch_add(&site->replica->sequence, 1), (unsigned long long)info->inode,
           (unsigned long long)info->size, (unsigned long long)info->mtime_ns);
  if (renameat(site->stage, name, site->stage, drop->name) < 0) snprintf(drop->name, sizeof drop->name, "%s", name);
  buf_put(&drop->label, label.data, label.len);
  buf_put(&drop->path, path.data, path.len);
  pthread_mutex_lock(&site->replica->lock);
  drop->next = site->replica->drops;
  site->replica->drops = drop;
  pthread_mutex_unlock(&site->replica->lock);
}

struct drop *trash_take_drops(struct replica *replica) {
  pthread_mutex_lock(&replica->lock);
  struct drop *drops = replica->drops;
  replica->drops = NULL;
  pthread_mutex_unlock(&replica->lock);
  return drops;
}

void trash_put_back(struct replica *replica, struct drop *drops) {
  if (!drops) return;
  struct drop *last = drops;
  while (last->next) last = last->next;
  pthread_mutex_lock(&replica->lock);
  last->next = replica->drops;
  replica->drops = drops;
  pthread_mutex_unlock(&replica->lock);
}

int trash_is_untouched(struct site *site, const char *name, const struct info *info) {
  struct place place = {.dir = site->stage, .borrowed = true};
  struct live live;
  snprintf(place.name, sizeof place.name, "%s", name);
  if (live_open(&place, site->replica->info.mount_id, &live) < 0) return 0;
  int result = 1;
  if (live.info.kind == KIND_FILE && live_lease(&live) < 0) result = errno == EBUSY ? -1 : 0;
  if (result == 1) {
    result = info_same_object(info, &live.info) && info->size == live.info.size && info->mtime_ns == live.info.mtime_ns;
    if (result == 1 && !live_is_intact(&live)) result = -1;
  }
  live_close(&live);
  return result;
}

static void free_drop(struct drop *drop) {
  buf_free(&drop->label);
  buf_free(&drop->path);
  free(drop);
}

void trash_forget(struct drop *drops) {
  for (struct drop *next; drops; drops = next) {
    next = drops->next;
    free_drop(drops);
  }
}

void kept_list_add(struct kept_list *list, const struct buf *place) {
  if (list->places.len + place->len + 16 >= RECORD_MAX) return;
  buf_bytes16(&list->places, place->data, place->len);
  list->count++;
}

void trash_settle(struct site *site, struct drop *drops, struct kept_list *list) {
  struct drop *held = NULL, *next;
  for (; drops; drops = next) {
    next = drops->next;
    struct bytes label = {drops->label.data, drops->label.len}, path = {drops->path.data, drops->path.len};
    struct buf kept = {0};
    int untouched = trash_is_untouched(site, drops->name, &drops->info);
    if (untouched < 0) {
      drops->next = held;
      held = drops;
      continue;
    }
    if (untouched) {
      unlinkat(site->stage, drops->name, 0);
    } else if (trash_keep(site, drops->name, TRASH_CONFLICT, label, path, &kept) == 0) {
      kept_list_add(list, &kept);
    }
    buf_free(&kept);
    free_drop(drops);
  }
  trash_put_back(site->replica, held);
}

static int remove_level(int dir, const char *name, unsigned depth);

/* Removes every entry of the directory that `fd` is (and closes it). */
static int remove_entries(int fd, unsigned depth) {
  DIR *list = fdopendir(fd);
  if (!list) {
    close_fd(fd);
    return -1;
  }
  int result = 0;
  for (struct dirent *entry; result == 0 && (errno = 0, entry = readdir(list));) {
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    result = remove_level(fd, entry->d_name, depth + 1);
  }
  if (result == 0 && errno) result = -1;
  int err = errno;
  closedir(list);
  errno = err;
  return result;
}

static int remove_level(int dir, const char *name, unsigned depth) {
  if (unlinkat(dir, name, 0) == 0) return 0;
  if (errno != EISDIR && errno != EPERM) return errno == ENOENT ? 0 : -1;
  if (depth > TREE_DEPTH_MAX) {
    errno = ELOOP;
    return -1;
  }
  int fd = site_open_dir(dir, name);
  if (fd < 0) return -1;
  if (remove_entries(fd, depth) < 0) return -1;
  return unlinkat(dir, name, AT_REMOVEDIR);
}

int trash_remove_tree(int dir, const char *name) { return remove_level(dir, name, 0); }
