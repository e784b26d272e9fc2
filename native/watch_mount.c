/*
 * The mounts at and below the root; see watch_mount.h.
 */
#include "watch_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_STEP 65536
#define POINT_FIELD 4 /* of a line of mountinfo, from 0; the id is field 0 */

struct bytes mounts_below(const char *root, struct bytes point) {
  size_t len = strlen(root);
  if (len == 1) len = 0; /* "/" */
  struct bytes none = {NULL, 0};
  if (point.len < len || memcmp(point.data, root, len)) return none;
  if (point.len <= len + 1 && (point.len == len || point.data[len] == '/')) return (struct bytes){point.data + point.len, 0};
  if (point.data[len] != '/') return none;
  return (struct bytes){point.data + len + 1, point.len - len - 1};
}

static void list_free(struct mount_list *l) {
  free(l->mounts);
  buf_free(&l->text);
  *l = (struct mount_list){0};
}

/* Appends a field with its octal escapes (\040) undone. */
static void unescape(struct buf *out, struct bytes in) {
  for (size_t i = 0; i < in.len; i++) {
    const uint8_t *c = in.data + i;
    if (c[0] == '\\' && in.len - i >= 4 && c[1] >= '0' && c[1] <= '3' && c[2] >= '0' && c[2] <= '7' && c[3] >= '0' &&
        c[3] <= '7') {
      buf_u8(out, (uint8_t)((c[1] - '0') * 64 + (c[2] - '0') * 8 + (c[3] - '0')));
      i += 3;
    } else {
      buf_u8(out, c[0]);
    }
  }
}

/* Returns field `index` of a line, empty where it has none. */
static struct bytes field_of(struct bytes line, int index) {
  const uint8_t *at = line.data, *end = line.data + line.len;
  for (;; index--) {
    const uint8_t *stop = memchr(at, ' ', (size_t)(end - at));
    if (!stop) stop = end;
    if (index == 0) return (struct bytes){at, (size_t)(stop - at)};
    if (stop == end) return (struct bytes){end, 0};
    at = stop + 1;
  }
}

static uint64_t number_of(struct bytes text) {
  uint64_t v = 0;
  for (size_t i = 0; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++) v = v * 10 + (text.data[i] - '0');
  return v;
}

static void add_line(struct mount_list *l, struct bytes line, const char *root, uint64_t root_mount) {
  struct mount m = {.id = number_of(field_of(line, 0)), .at = l->text.len};
  if (m.id == root_mount) l->has_root_mount = true;
  unescape(&l->text, field_of(line, POINT_FIELD));
  m.len = l->text.len - m.at;
  if (!m.len || !mounts_below(root, (struct bytes){l->text.data + m.at, m.len}).data) {
    l->text.len = m.at;
    return;
  }
  if (l->count == l->cap) {
    l->cap = l->cap ? l->cap * 2 : 16;
    l->mounts = must_realloc(l->mounts, l->cap * sizeof *l->mounts);
  }
  l->mounts[l->count++] = m;
}

static int by_id(const void *a, const void *b) {
  const struct mount *x = a, *y = b;
  return x->id < y->id ? -1 : x->id > y->id;
}

/* Reads the whole file from its begin. Returns 0, or -1 with errno. */
static int read_text(int fd, struct buf *text) {
  if (lseek(fd, 0, SEEK_SET) < 0) return -1;
  for (;;) {
    buf_reserve(text, READ_STEP);
    ssize_t got = read(fd, text->data + text->len, READ_STEP);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return (int)got;
    text->len += (size_t)got;
  }
}

static int list_read(struct mount_list *l, int fd, const char *root, uint64_t root_mount) {
  struct buf text = {0};
  int result = read_text(fd, &text);
  for (size_t at = 0; !result && at < text.len;) {
    const uint8_t *line = text.data + at, *end = memchr(line, '\n', text.len - at);
    size_t len = end ? (size_t)(end - line) : text.len - at;
    add_line(l, (struct bytes){line, len}, root, root_mount);
    at += len + 1;
  }
  if (l->count) qsort(l->mounts, l->count, sizeof *l->mounts, by_id);
  buf_free(&text);
  return result;
}

static struct bytes point_of(const struct mount_list *l, size_t i) {
  return (struct bytes){l->text.data + l->mounts[i].at, l->mounts[i].len};
}

static bool bytes_equal(struct bytes a, struct bytes b) {
  return a.len == b.len && (!a.len || !memcmp(a.data, b.data, a.len));
}

int mounts_open(struct mounts *m, const char *root, uint64_t root_mount) {
  *m = (struct mounts){.fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC)};
  if (m->fd < 0) return -1;
  return list_read(&m->list, m->fd, root, root_mount);
}

void mounts_close(struct mounts *m) {
  list_free(&m->list);
  if (m->fd >= 0) close(m->fd);
  m->fd = -1;
}

int mounts_read(struct mounts *m, const char *root, uint64_t root_mount,
                void (*changed)(void *arg, struct bytes point, bool came), void *arg) {
  struct mount_list now = {0}, old = m->list;
  if (list_read(&now, m->fd, root, root_mount) < 0) {
    int err = errno;
    list_free(&now);
    errno = err;
    return -1;
  }
  m->list = now;
  for (size_t i = 0, j = 0; i < old.count || j < now.count;) {
    bool has_both = i < old.count && j < now.count;
    if (has_both && old.mounts[i].id == now.mounts[j].id && bytes_equal(point_of(&old, i), point_of(&now, j))) {
      i++;
      j++;
    } else if (j == now.count || (has_both && old.mounts[i].id <= now.mounts[j].id)) {
      changed(arg, point_of(&old, i++), false);
    } else {
      changed(arg, point_of(&now, j++), true);
    }
  }
  list_free(&old);
  return 0;
}

bool mounts_has(const struct mounts *m, struct bytes point) {
  for (size_t i = 0; i < m->list.count; i++)
    if (bytes_equal(point_of(&m->list, i), point)) return true;
  return false;
}
