/*
 * A_OPEN; see apply_open.h.
 */
#include "apply_open.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "open.h"

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif
#ifndef F2FS_SUPER_MAGIC
#define F2FS_SUPER_MAGIC 0xF2F52010
#endif
#ifndef OVERLAYFS_SUPER_MAGIC
#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#endif
#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif

#define PROC_TEXT_MAX 8192 /* bytes read of a small file in /proc */

static bool kernel_is_at_least(unsigned major, unsigned minor) {
  struct utsname name;
  unsigned have_major, have_minor;
  if (uname(&name) < 0 || sscanf(name.release, "%u.%u", &have_major, &have_minor) != 2) return false;
  return have_major > major || (have_major == major && have_minor >= minor);
}

void replica_init(struct replica *r) {
  *r = (struct replica){0};
  pthread_mutex_init(&r->lock, NULL);
  pthread_rwlock_init(&r->sweeping, NULL);
  r->is_root_user = geteuid() == 0;
  r->syncfs_reports = kernel_is_at_least(5, 8);
  if (getrandom(&r->life, sizeof r->life, 0) != sizeof r->life) r->life = (uint32_t)getpid();
  char *here = getcwd(NULL, 0);
  r->start = here ? here : strdup("/");
  if (!r->start) _exit(3);
}

/* The file systems whose stamps kernel 6.13 made fine. */
static bool is_fine_grained(uint64_t type) {
  bool known = type == EXT4_SUPER_MAGIC || type == XFS_SUPER_MAGIC || type == BTRFS_SUPER_MAGIC || type == TMPFS_MAGIC;
  return known && kernel_is_at_least(6, 13);
}

/* What this kind of file system is known to have; what it then refuses is done without. */
static uint32_t caps_of(uint64_t type) {
  switch (type) {
    case EXT4_SUPER_MAGIC:
    case XFS_SUPER_MAGIC:
    case BTRFS_SUPER_MAGIC:
    case TMPFS_MAGIC:
    case F2FS_SUPER_MAGIC:
    case OVERLAYFS_SUPER_MAGIC: return CAP_EXCHANGE | CAP_NOREPLACE | CAP_LEASE | CAP_TMPFILE;
    case FUSE_SUPER_MAGIC:
    case NFS_SUPER_MAGIC: return 0;
    default: return CAP_NOREPLACE | CAP_LEASE;
  }
}

/* Whether .psync can be made, or is there and writable. */
static bool is_writable(int root, int own) {
  int dir = own >= 0 ? own : root;
  struct info info;
  if (own < 0 && info_at(root, ".psync", &info) == 0) return false; /* no directory, or not to be opened */
  return faccessat(dir, ".", W_OK | X_OK, AT_EACCESS) == 0;
}

/* Whether nothing but .psync is in the root. Returns 1, 0, or -1 with errno. */
static int is_empty(int root) {
  int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *list = fd < 0 ? NULL : fdopendir(fd);
  if (!list) {
    close_fd(fd);
    return -1;
  }
  int empty = 1;
  errno = 0;
  for (struct dirent *e; empty && (e = readdir(list));)
    empty = !strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || !strcmp(e->d_name, ".psync");
  int err = errno;
  closedir(list);
  errno = err;
  return empty && err ? -1 : empty;
}

/* A small file of /proc, as text without its last newline; "" where there is none. */
static void read_text(const char *path, char out[PROC_TEXT_MAX]) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? 0 : read(fd, out, PROC_TEXT_MAX - 1);
  close_fd(fd);
  if (n < 0) n = 0;
  if (n && out[n - 1] == '\n') n--;
  out[n] = 0;
}

/* The start time of the process named by a line "pid N"; 0: there is none, or it lives no more. */
static uint64_t start_time_of(const struct buf *lock) {
  char path[64], text[PROC_TEXT_MAX];
  unsigned long pid = 0;
  for (size_t at = 0; at < lock->len; at++) {
    if (at && lock->data[at - 1] != '\n') continue;
    size_t left = lock->len - at < 31 ? lock->len - at : 31;
    char line[32];
    memcpy(line, lock->data + at, left);
    line[left] = 0;
    if (sscanf(line, "pid %lu", &pid) == 1) break;
  }
  if (!pid) return 0;
  snprintf(path, sizeof path, "/proc/%lu/stat", pid);
  read_text(path, text);
  char *rest = strrchr(text, ')'), state = 0;
  unsigned long long start = 0;
  const char *fields = " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu";
  if (!rest || sscanf(rest + 1, fields, &state, &start) != 2 || state == 'Z' || state == 'X') return 0;
  return start;
}

static void write_mark_of(int own, const char *name, struct buf *answer, struct buf *content) {
  bool has = own >= 0 && site_read_file(own, name, MARK_MAX, content) == 0;
  if (!has) content->len = 0;
  buf_u8(answer, has);
  buf_bytes32(answer, content->data, content->len);
}

static void write_marks(int own, struct buf *answer) {
  struct buf pair = {0}, lock = {0}, age = {0};
  write_mark_of(own, "pair", answer, &pair);
  write_mark_of(own, "lock", answer, &lock);
  buf_u64(answer, start_time_of(&lock));
  write_mark_of(own, "age", answer, &age);
  buf_free(&pair);
  buf_free(&age);
  buf_free(&lock);
}

/* Device and inode of each directory above, nearest first. */
static void write_ancestors(const char *root, struct buf *answer) {
  size_t at = answer->len;
  uint16_t count = 0;
  char *path = strdup(root ? root : "/");
  if (!path) _exit(3);
  buf_u16(answer, 0);
  while (strcmp(path, "/")) {
    char *slash = strrchr(path, '/');
    slash[slash == path] = 0;
    struct stat s;
    if (stat(path, &s) < 0) continue;
    buf_u64(answer, s.st_dev);
    buf_u64(answer, s.st_ino);
    count++;
  }
  free(path);
  answer->data[at] = (uint8_t)count;
  answer->data[at + 1] = (uint8_t)(count >> 8);
}

static void write_host(struct buf *answer) {
  char boot[PROC_TEXT_MAX], host[256] = "";
  read_text("/proc/sys/kernel/random/boot_id", boot);
  if (gethostname(host, sizeof host - 1) < 0) *host = 0;
  buf_bytes16(answer, boot, strlen(boot));
  buf_bytes16(answer, host, strlen(host));
}

/* The root as given, made absolute by the directory the process was started in. From malloc. */
static char *absolute_path(const struct replica *r, struct bytes root) {
  struct buf path = {0};
  if (!root.len || root.data[0] != '/') {
    buf_put(&path, r->start, strlen(r->start));
    buf_u8(&path, '/');
  }
  buf_put(&path, root.data, root.len);
  buf_u8(&path, 0);
  return (char *)path.data;
}

struct opened {
  int root, own, empty;
  char *path; /* canonical; NULL: failed */
};

/* Resolves and opens. Returns 0 or an errno. */
static int open_root(struct replica *r, struct bytes root, struct opened *o) {
  struct stat s;
  struct statfs fs;
  if (memchr(root.data ? root.data : (const uint8_t *)"", 0, root.len)) return EINVAL;
  char *given = absolute_path(r, root);
  o->path = realpath(given, NULL);
  free(given);
  if (!o->path) return errno;
  o->root = open(o->path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (o->root < 0 || info_at(o->root, "", &r->info) < 0) return errno;
  if (fstat(o->root, &s) < 0 || fstatfs(o->root, &fs) < 0) return errno;
  o->empty = is_empty(o->root);
  if (o->empty < 0) return errno;
  r->device = s.st_dev;
  r->fs_type = (uint64_t)(unsigned long)fs.f_type;
  memcpy(&r->fs_id, &fs.f_fsid, sizeof r->fs_id);
  r->has_fine_time = is_fine_grained(r->fs_type);
  o->own = site_open_dir(o->root, ".psync");
  return 0;
}

void replica_free(struct replica *r) {
  free(r->start);
  free(r->path);
  free(r->pair.data);
  free(r->lock_mark.data);
}

static void forget_root(struct replica *r) {
  free(r->path);
  r->path = NULL;
  r->info = (struct info){0};
  r->device = r->fs_id = r->fs_type = 0;
  r->is_adopted = false;
}

bool open_parse(struct reader *r, struct open_request *request) {
  *request = (struct open_request){.root = get_bytes16(r)};
  uint8_t flags = get_u8(r);
  request->follows = flags & OPEN_FOLLOW;
  return !r->bad && r->at == r->end && !(flags & ~OPEN_FOLLOW);
}

void replica_open(struct replica *r, const struct open_request *request, struct buf *answer) {
  struct opened o = {.root = -1, .own = -1};
  pthread_mutex_lock(&r->lock);
  forget_root(r);
  int err = open_root(r, request->root, &o);
  r->follows = request->follows;
  if (!err) r->path = o.path;
  buf_u32(answer, FORMAT_VERSION);
  buf_u32(answer, (uint32_t)err);
  buf_u32(answer, geteuid());
  buf_info(answer, &r->info);
  buf_u64(answer, r->fs_id);
  buf_u64(answer, r->fs_type);
  buf_u64(answer, r->device);
  buf_u32(answer, err ? 0 : caps_of(r->fs_type) | (is_writable(o.root, o.own) ? CAP_WRITE : 0));
  buf_u8(answer, err ? 0 : (uint8_t)o.empty);
  buf_bytes16(answer, o.path, o.path ? strlen(o.path) : 0);
  write_ancestors(o.path, answer);
  write_marks(o.own, answer);
  write_host(answer);
  if (err) free(o.path);
  close_fd(o.own);
  close_fd(o.root);
  pthread_mutex_unlock(&r->lock);
}
