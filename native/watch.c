/*
 * `psync-native watch`: the main thread; see watch.h.
 */
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "open.h"
#include "watch_event.h"
#include "watch_list.h"

#define OUT_BYTES 65536    /* of the set, written at once */
#define REAP_STEP 256      /* nodes freed under one lock */
#define SUM_PATHS_MAX 65536
#define BARRIERS_MAX 1024  /* that wait at once: beyond that no half is waited for */
#define STATUS_PROTOCOL 2  /* exit: the peer does not speak the format */
#define STATUS_SYSTEM 3    /* exit: the system refuses what there is no going on without */
#define STATUS_PEER_GONE 4 /* exit: nobody reads stdout */

#define INSTANCES_TEXT "Cannot watch: raise fs.inotify.max_user_instances"
#define MALFORMED_TEXT "Cannot read request: it is malformed"

/* ---- writing -------------------------------------------------------------------------------------- */

void watch_flush(struct watch *w) {
  if (w->out.len && write_all(STDOUT_FILENO, w->out.data, w->out.len) < 0) _exit(STATUS_PEER_GONE);
  w->out.len = 0;
}

void watch_write_set(struct watch *w, bool now) {
  for (bool more = true; more;) {
    pthread_mutex_lock(&w->lock);
    if (events_can_write(w)) {
      set_write(&w->set, &w->tree, &w->out, OUT_BYTES);
      w->held_since_ns = 0;
    }
    more = events_can_write(w);
    int err = w->drain_errno;
    pthread_mutex_unlock(&w->lock);
    if (now || more || w->out.len >= OUT_BYTES) watch_flush(w);
    if (err) die_fatal(STATUS_SYSTEM, err, "Cannot read inotify");
  }
}

static void put_ready(struct watch *w, uint32_t id, int err, const struct info *info, const struct statfs *fs) {
  size_t begin = record_begin(&w->out, W_READY, id);
  uint32_t fsid[2];
  memcpy(fsid, &fs->f_fsid, sizeof fsid);
  buf_u32(&w->out, FORMAT_VERSION);
  buf_u32(&w->out, (uint32_t)err);
  buf_info(&w->out, info);
  buf_u64(&w->out, (uint64_t)fsid[1] << 32 | fsid[0]);
  buf_u64(&w->out, (uint64_t)fs->f_type);
  buf_u64(&w->out, w->root.device);
  record_end(&w->out, begin);
}

void watch_put_mount(struct watch *w, struct bytes path) {
  size_t begin = record_begin(&w->out, W_MOUNT, 0);
  buf_bytes16(&w->out, path.data, path.len);
  record_end(&w->out, begin);
}

/* ---- the root and the mounts ----------------------------------------------------------------------- */

void watch_root_lost(struct watch *w, uint8_t reason) {
  uint8_t bit = (uint8_t)(1u << reason);
  if (w->root_said & bit) return;
  w->root_said |= bit;
  set_mark(&w->set, W_ROOT, reason);
}

/* Opens the root and proves that it is the one of W_OPEN. Returns an fd, or -1 with errno; where the
 * root is gone or another, `lost` is reported as W_ROOT and errno is ESTALE. */
static int open_root(struct watch *w, uint8_t lost) {
  struct info info;
  struct root_id id;
  int fd = root_open(w->root_path, &info, &id);
  if (fd >= 0 && root_id_equals(&id, &w->root)) return fd;
  if (fd < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP) return -1;
  close_fd(fd);
  pthread_mutex_lock(&w->lock);
  watch_root_lost(w, lost);
  pthread_mutex_unlock(&w->lock);
  errno = ESTALE;
  return -1;
}

static void on_mount_changed(void *arg, struct bytes point, bool came) {
  struct watch *w = arg;
  struct bytes path = mounts_below(w->root_path, point);
  if (!path_is_valid(path, false)) return;
  if (came && path.len) {
    pthread_mutex_lock(&w->lock);
    struct node *covered = tree_at(&w->tree, path);
    if (covered) tree_bury(&w->tree, covered);
    pthread_mutex_unlock(&w->lock);
  }
  watch_put_mount(w, path);
}

void watch_check_mounts(struct watch *w) {
  if (w->mounts.fd < 0) return;
  if (mounts_read(&w->mounts, w->root_path, w->root.mount_id, on_mount_changed, w) < 0)
    die_fatal(STATUS_SYSTEM, errno, "Cannot read /proc/self/mountinfo");
  int fd = open_root(w, w->mounts.list.has_root_mount ? ROOT_COVERED : ROOT_UNMOUNTED);
  if (fd < 0) return;
  close(fd);
  pthread_mutex_lock(&w->lock);
  w->root_said &= (uint8_t)~(1u << ROOT_COVERED); /* uncovered again: the next cover is news */
  pthread_mutex_unlock(&w->lock);
}

bool watch_is_mounted(const struct watch *w, struct bytes path) {
  struct buf point = {0};
  if (strcmp(w->root_path, "/")) buf_put(&point, w->root_path, strlen(w->root_path));
  buf_u8(&point, '/');
  buf_put(&point, path.data, path.len);
  bool is_mounted = mounts_has(&w->mounts, (struct bytes){point.data, point.len});
  buf_free(&point);
  return is_mounted;
}

/* ---- requests -------------------------------------------------------------------------------------- */

static _Noreturn void die_malformed(void) { die_fatal(STATUS_PROTOCOL, EPROTO, MALFORMED_TEXT); }

static void check_end(const struct reader *r) {
  if (r->bad || r->at != r->end) die_malformed();
}

/* Starts inotify and the thread that drains it. */
static void start_draining(struct watch *w) {
  w->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (w->inotify_fd < 0)
    die_fatal(STATUS_SYSTEM, errno, errno == EMFILE ? INSTANCES_TEXT : "Cannot watch: inotify is refused");
  w->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (w->kick_fd < 0 || w->wake_fd < 0) die_fatal(STATUS_SYSTEM, errno, "Cannot make an eventfd");
  w->events = must_alloc(EVENT_BYTES);
  w->dents = must_alloc(DENTS_BYTES);
  int err = pthread_create(&w->drainer, NULL, events_drain, w);
  if (err) die_fatal(STATUS_SYSTEM, err, "Cannot start a thread");
}

/* Returns 0, or the errno for W_READY: then nothing is kept, and W_OPEN may come again. */
static int try_open(struct watch *w, struct info *info, struct statfs *fs) {
  int fd = root_open(w->root_path, info, &w->root);
  if (fd < 0) return errno;
  int dot = open_beneath(fd, ".", O_PATH, 0);
  if (dot < 0 && (errno == ENOSYS || errno == EPERM))
    die_fatal(STATUS_SYSTEM, errno, "Cannot open below the root: Linux 5.6 or later is needed (openat2)");
  int err = dot < 0 || fstatfs(fd, fs) < 0 ? errno : 0;
  close_fd(dot);
  close(fd);
  if (!err && mounts_open(&w->mounts, w->root_path, w->root.mount_id) < 0)
    die_fatal(STATUS_SYSTEM, errno, "Cannot read /proc/self/mountinfo");
  return err;
}

static void on_open(struct watch *w, uint32_t id, struct reader *r) {
  struct bytes root = get_bytes16(r);
  uint32_t max_watches = get_u32(r);
  uint8_t flags = get_u8(r);
  check_end(r);
  if (w->root_path || !root.len || root.data[0] != '/' || memchr(root.data, 0, root.len)) die_malformed();
  if (flags & ~OPEN_FOLLOW) die_malformed();
  w->root_path = must_alloc(root.len + 1);
  memcpy(w->root_path, root.data, root.len);
  w->root_path[root.len] = 0;
  w->max_watches = max_watches;
  w->follows = flags & OPEN_FOLLOW;
  struct info info = {0};
  struct statfs fs = {0};
  int err = try_open(w, &info, &fs);
  put_ready(w, id, err, &info, &fs);
  if (!err) return start_draining(w);
  free(w->root_path);
  w->root_path = NULL;
}

static void on_list(struct watch *w, uint32_t id, struct reader *r) {
  struct reader all = *r;
  uint32_t count = get_u32(&all);
  for (uint32_t i = 0; i < count && !all.bad; i++) get_bytes16(&all);
  check_end(&all);
  get_u32(r);
  int root_fd = open_root(w, ROOT_REMOVED), root_errno = errno;
  for (uint32_t i = 0; i < count; i++) {
    list_dir(w, root_fd, root_errno, id, get_bytes16(r));
    watch_write_set(w, false);
  }
  close_fd(root_fd);
  list_check_mounts(w);
}

static void on_sum(struct watch *w, uint32_t id, struct reader *r) {
  struct sum_key key = {.low = get_u64(r)};
  key.high = get_u64(r);
  struct reader all = *r;
  uint32_t count = get_u32(&all);
  for (uint32_t i = 0; i < count && !all.bad; i++) get_bytes16(&all);
  check_end(&all);
  if (count > SUM_PATHS_MAX) die_malformed();
  get_u32(r);
  int root_fd = open_root(w, ROOT_REMOVED), root_errno = errno;
  struct buf answer = {0}; /* events go out between the directories */
  size_t begin = record_begin(&answer, W_SUMMED, id);
  buf_u32(&answer, count);
  for (uint32_t i = 0; i < count; i++) {
    sum_dir(w, root_fd, root_errno, &key, get_bytes16(r), &answer);
    watch_write_set(w, false);
  }
  record_end(&answer, begin);
  buf_put(&w->out, answer.data, answer.len);
  buf_free(&answer);
  close_fd(root_fd);
  list_check_mounts(w);
}

static void on_drop(struct watch *w, struct reader *r) {
  struct bytes path = get_bytes16(r);
  check_end(r);
  if (!path_is_valid(path, false)) return;
  pthread_mutex_lock(&w->lock);
  struct node *n = tree_at(&w->tree, path);
  if (n) tree_bury(&w->tree, n);
  if (n && n == w->tree.root && n->wd >= 0) {
    (void)inotify_rm_watch(w->inotify_fd, n->wd);
    tree_set_wd(&w->tree, n, -1);
  }
  pthread_mutex_unlock(&w->lock);
}

static void on_sync(struct watch *w, uint32_t id, struct reader *r) {
  check_end(r);
  pthread_mutex_lock(&w->lock);
  if (events_read_here(w, events_queued(w)) < 0) w->drain_errno = errno;
  moves_add_barrier(&w->moves, id);
  events_settle(w, w->moves.barrier_count > BARRIERS_MAX ? INT64_MAX : 0);
  pthread_mutex_unlock(&w->lock);
}

static void on_count(struct watch *w, uint32_t id, struct reader *r) {
  check_end(r);
  pthread_mutex_lock(&w->lock);
  size_t watches = w->tree.by_wd.used;
  pthread_mutex_unlock(&w->lock);
  size_t begin = record_begin(&w->out, W_COUNTED, id);
  buf_u32(&w->out, (uint32_t)watches);
  record_end(&w->out, begin);
}

static void on_request(struct watch *w) {
  struct reader r = {w->in.data, w->in.data + w->in.len, false};
  uint8_t type = get_u8(&r);
  uint32_t id = get_u32(&r);
  if (!w->root_path && type != W_OPEN) die_malformed();
  switch (type) {
    case W_OPEN: return on_open(w, id, &r);
    case W_LIST: return on_list(w, id, &r);
    case W_SUM: return on_sum(w, id, &r);
    case W_DROP: return on_drop(w, &r);
    case W_SYNC: return on_sync(w, id, &r);
    case W_COUNT: return on_count(w, id, &r);
    default: die_fatal(STATUS_PROTOCOL, EPROTO, "Cannot read request: its type is unknown");
  }
}

/* ---- the loop -------------------------------------------------------------------------------------- */

/* Frees a few dropped nodes. Their watches tell of their end in as many events, so those are read
 * here, too. Returns whether more wait. */
static bool reap_some(struct watch *w) {
  pthread_mutex_lock(&w->lock);
  bool had = w->tree.graves != NULL;
  bool more = tree_reap(&w->tree, w->inotify_fd, REAP_STEP);
  if (had && events_read_here(w, 1) < 0) w->drain_errno = errno;
  if (had) events_settle(w, 0);
  pthread_mutex_unlock(&w->lock);
  return more;
}

/* Sleeps until there is something to do (with `more` work left: looks without sleeping). Returns
 * whether a request has come or stdin has ended. */
static bool wait_for_work(struct watch *w, bool more) {
  pthread_mutex_lock(&w->lock);
  w->writer_sleeps = true;
  more = more || w->drain_errno || events_can_write(w);
  pthread_mutex_unlock(&w->lock);
  struct pollfd fds[] = {
      {STDIN_FILENO, POLLIN, 0}, {w->wake_fd, POLLIN, 0}, {w->mounts.fd, POLLPRI, 0}, {STDOUT_FILENO, 0, 0}};
  if (poll(fds, 4, more ? 0 : -1) < 0 && errno != EINTR) die_fatal(STATUS_SYSTEM, errno, "Cannot poll");
  eventfd_t count;
  if (fds[1].revents) (void)eventfd_read(w->wake_fd, &count);
  if (fds[2].revents) watch_check_mounts(w);
  if (fds[3].revents & (POLLERR | POLLNVAL)) _exit(STATUS_PEER_GONE);
  return fds[0].revents != 0;
}

static void serve(struct watch *w) {
  for (;;) {
    watch_write_set(w, true);
    bool more = reap_some(w);
    if (!wait_for_work(w, more)) continue;
    int got = record_read(STDIN_FILENO, &w->in);
    if (got < 0) die_fatal(STATUS_PROTOCOL, errno, MALFORMED_TEXT);
    if (!got) return;
    on_request(w);
  }
}

static void stop(struct watch *w) {
  if (w->root_path) {
    pthread_mutex_lock(&w->lock);
    w->is_stopping = true;
    pthread_mutex_unlock(&w->lock);
    (void)eventfd_write(w->kick_fd, 1);
    pthread_join(w->drainer, NULL);
    mounts_close(&w->mounts);
    close(w->inotify_fd);
    close(w->kick_fd);
    close(w->wake_fd);
  }
  moves_free(&w->moves);
  set_free(&w->set);
  tree_free(&w->tree);
  free(w->events);
  free(w->dents);
  free(w->root_path);
  buf_free(&w->in);
  buf_free(&w->out);
  buf_free(&w->seen_mounts);
  pthread_mutex_destroy(&w->lock);
}

int watch_main(void) {
  struct watch w = {.kick_fd = -1, .wake_fd = -1, .inotify_fd = -1, .mounts.fd = -1};
  signal(SIGPIPE, SIG_IGN);
  pthread_mutex_init(&w.lock, NULL);
  tree_init(&w.tree);
  set_init(&w.set);
  serve(&w);
  stop(&w);
  return 0;
}
