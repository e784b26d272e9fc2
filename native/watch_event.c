/*
 * What inotify events mean; see watch_event.h, and watch.h for the rules of doubt.
 */
#include "watch_event.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define EVENT_BATCH (1u << 20)  /* bytes of events handled under one lock: at most some 10 ms */
#define PACE_NS 1000000       /* under load events are read once in so long, so that they coalesce */
#define PACE_FREE_NS 64000000 /* credit after a quiet time: so many reads (64) come without delay */
#define HOLD_MAX_NS 20000000 /* a stream of departing directories holds the writer up no longer */

/* One event, read out. */
struct event {
  struct node *dir;  /* the watched directory */
  struct bytes name; /* empty: the directory itself */
  uint32_t mask;
  uint32_t cookie;
};

uint32_t watch_mask(void) {
  return IN_CREATE | IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE |
         IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK;
}

uint16_t watch_dirty_bits(uint32_t mask) {
  uint16_t bits = 0;
  if (mask & IN_CREATE) bits |= DIRTY_CREATED;
  if (mask & IN_MODIFY) bits |= DIRTY_MODIFIED;
  if (mask & IN_CLOSE_WRITE) bits |= DIRTY_CLOSED;
  if (mask & IN_ATTRIB) bits |= DIRTY_ATTRIB;
  if (mask & (IN_DELETE | IN_MOVED_FROM)) bits |= DIRTY_GONE;
  if (mask & IN_MOVED_TO) bits |= DIRTY_MOVED;
  if (mask & IN_ISDIR) bits |= DIRTY_DIR;
  return bits;
}

int64_t monotonic_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static struct bytes node_name(const struct node *n) { return (struct bytes){n->name, n->len}; }

static bool is_trusted(const struct watch *w, const struct node *n) { return n->epoch == w->tree.epoch; }

/* Takes a directory out of the tree: it no longer bears its name. */
static void lose(struct watch *w, struct node *n) {
  w->losses++;
  tree_bury(&w->tree, n);
}

/* ---- renames ------------------------------------------------------------------------------------- */

/* The node of a half, if it still stands where it left from and can be trusted; else NULL. */
static struct node *moved_node(const struct watch *w, const struct half *h) {
  struct bytes name = {h->name, h->len};
  if (!h->moved || !is_trusted(w, h->moved)) return NULL;
  return tree_child(&w->tree, h->dir, name) == h->moved ? h->moved : NULL;
}

static uint32_t name_hash(struct bytes name) { return table_hash_bytes(0, name.data, name.len) | 1; }

/* A half that is alone: what it tells of left the tree, or went where nothing is watched. */
static void end_alone(struct watch *w, size_t index) {
  struct half h = moves_take(&w->moves, index);
  struct bytes name = {h.name, h.len};
  if (h.moved && tree_child(&w->tree, h.dir, name) == h.moved) lose(w, h.moved);
  set_dirty(&w->set, h.dir, name, DIRTY_GONE | h.bits | (h.is_doubtful && h.bits ? DIRTY_NEWDIR : 0));
  half_release(&h);
}

/* Ends the halves that an event in their own directory proves to be alone. */
static void end_disproved(struct watch *w, const struct event *e) {
  for (size_t i = w->moves.count; i-- > 0;)
    if (w->moves.halves[i].dir == e->dir && w->moves.halves[i].cookie != e->cookie) end_alone(w, i);
}

static void on_moved_from(struct watch *w, const struct event *e, bool is_exchange) {
  struct node *n = e->mask & IN_ISDIR ? tree_child(&w->tree, e->dir, e->name) : NULL;
  w->losses++;
  if (n && !is_trusted(w, n)) {
    lose(w, n);
    n = NULL;
  }
  if (w->moves.count == MOVE_HALVES_MAX) end_alone(w, 0);
  struct half h = {
      .cookie = e->cookie, .dir = e->dir, .moved = n, .until_ns = monotonic_ns() + MOVE_WAIT_NS,
      .bits = watch_dirty_bits(e->mask) & DIRTY_DIR, .len = (uint8_t)e->name.len,
      .is_doubtful = is_exchange, .first_wd = e->dir->last_from_wd, .first_hash = e->dir->last_from,
  };
  memcpy(h.name, e->name.data, e->name.len);
  moves_add(&w->moves, &h);
}

/* Queues a W_MOVE. Returns false where there is no room or a path is not sure. */
static bool put_move(struct watch *w, const struct half *from, const struct event *to) {
  struct buf body = {0}, path = {0};
  bool is_fine = is_trusted(w, from->dir) && is_trusted(w, to->dir);
  buf_u8(&body, (to->mask & IN_ISDIR) != 0);
  buf_reserve(&path, 1);
  is_fine = is_fine && tree_path(&w->tree, from->dir, (struct bytes){from->name, from->len}, &path) == PATH_FINE;
  buf_bytes16(&body, path.data, path.len);
  path.len = 0;
  is_fine = is_fine && tree_path(&w->tree, to->dir, to->name, &path) == PATH_FINE;
  buf_bytes16(&body, path.data, path.len);
  is_fine = is_fine && set_move(&w->set, &body);
  buf_free(&body);
  buf_free(&path);
  return is_fine;
}

/* Both halves of a rename within the tree. Returns the bits for the new name. */
static uint16_t end_paired(struct watch *w, const struct half *from, const struct event *to) {
  struct node *n = moved_node(w, from);
  bool is_dir = to->mask & IN_ISDIR, is_sure = put_move(w, from, to);
  set_dirty(&w->set, from->dir, (struct bytes){from->name, from->len}, DIRTY_GONE | from->bits);
  if (n && !is_trusted(w, to->dir)) {
    lose(w, n);
    n = NULL;
  }
  if (!n) return is_dir ? DIRTY_NEWDIR : 0;
  if (tree_is_within(to->dir, n)) { /* no directory moves into itself: the tree is wrong */
    w->tree.epoch++;
    set_overflow(&w->set);
    lose(w, n);
    return DIRTY_NEWDIR;
  }
  tree_move(&w->tree, n, to->dir, to->name);
  return is_sure ? 0 : DIRTY_NEWDIR;
}

/* Whether a half and its other half are the second pair of an exchange: back to where the first pair
 * came from. A directory that was renamed twice goes elsewhere, or back, which looks the same. */
static bool ends_exchange(const struct half *from, const struct event *to, uint32_t to_hash) {
  if (!from->is_doubtful) return false;
  return from->first_wd < 0 || (from->first_wd == to->dir->wd && from->first_hash == to_hash);
}

/* Which of two directories bears the name of an exchange is not known: it is listed anew (rule 3). */
static void end_exchange(struct watch *w, struct half *from) {
  struct bytes name = {from->name, from->len};
  if (from->moved && tree_child(&w->tree, from->dir, name) == from->moved) lose(w, from->moved);
  tree_unref(from->moved);
  from->moved = NULL;
  if (from->bits) set_dirty(&w->set, from->dir, name, DIRTY_GONE | DIRTY_DIR | DIRTY_NEWDIR);
}

static void on_moved_to(struct watch *w, const struct event *e, uint32_t hash) {
  uint16_t more = e->mask & IN_ISDIR ? DIRTY_NEWDIR : 0;
  ptrdiff_t index = moves_find(&w->moves, e->cookie);
  struct half from = {0};
  if (index >= 0) from = moves_take(&w->moves, (size_t)index);
  if (index >= 0 && ends_exchange(&from, e, hash)) end_exchange(w, &from);
  struct node *there = tree_child(&w->tree, e->dir, e->name);
  if (there && there != from.moved) lose(w, there);
  if (index >= 0) more = end_paired(w, &from, e);
  e->dir->last_from_wd = index >= 0 ? from.dir->wd : -1;
  e->dir->last_from = name_hash((struct bytes){from.name, from.len});
  half_release(&from);
  w->losses++;
  set_dirty(&w->set, e->dir, e->name, watch_dirty_bits(e->mask) | more);
}

/* ---- other events -------------------------------------------------------------------------------- */

static void on_create(struct watch *w, const struct event *e) {
  uint16_t bits = watch_dirty_bits(e->mask);
  if (e->mask & IN_ISDIR) {
    struct node *n = tree_child(&w->tree, e->dir, e->name);
    if (n && !is_trusted(w, n)) {
      lose(w, n);
      n = NULL;
    }
    if (!n || n->wd < 0) bits |= DIRTY_NEWDIR;
  }
  set_dirty(&w->set, e->dir, e->name, bits);
}

static void on_delete(struct watch *w, const struct event *e) {
  if (e->mask & IN_ISDIR) {
    struct node *n = tree_child(&w->tree, e->dir, e->name);
    w->losses++;
    if (n) lose(w, n);
  }
  set_dirty(&w->set, e->dir, e->name, watch_dirty_bits(e->mask));
}

/* An event that adds, takes or renames a name. */
static void on_name(struct watch *w, const struct event *e) {
  uint32_t hash = name_hash(e->name);
  /* The second half of an exchange begins with IN_MOVED_FROM of the very name that was just moved
   * in; so does a chain of renames. Which directory has left is known when it has come (rule 3). */
  bool is_exchange = (e->mask & IN_MOVED_FROM) && e->dir->last_to == hash;
  end_disproved(w, e);
  e->dir->last_to = e->mask & IN_MOVED_TO ? hash : 0;
  if (e->mask & IN_MOVED_FROM) on_moved_from(w, e, is_exchange);
  else if (e->mask & IN_MOVED_TO) on_moved_to(w, e, hash);
  else if (e->mask & IN_CREATE) on_create(w, e);
  else on_delete(w, e);
}

/* A directory whose parent has no watch tells of itself; elsewhere the parent tells it better. */
static void on_self(struct watch *w, const struct event *e) {
  struct node *n = e->dir;
  if (e->mask & IN_UNMOUNT) watch_root_lost(w, ROOT_UNMOUNTED);
  if (n == w->tree.root) {
    if (e->mask & IN_MOVE_SELF) watch_root_lost(w, ROOT_MOVED);
    if (e->mask & (IN_DELETE_SELF | IN_IGNORED)) watch_root_lost(w, ROOT_REMOVED);
    if (e->mask & IN_IGNORED) tree_set_wd(&w->tree, n, -1);
    if (e->mask & IN_ATTRIB) set_dirty(&w->set, n, e->name, DIRTY_ATTRIB | DIRTY_DIR);
    return;
  }
  bool is_alone = !n->parent || n->parent->wd < 0;
  if (e->mask & IN_IGNORED) tree_set_wd(&w->tree, n, -1);
  if (!n->parent) return; /* the top of a buried subtree */
  if ((e->mask & IN_ATTRIB) && is_alone) set_dirty(&w->set, n->parent, node_name(n), DIRTY_ATTRIB | DIRTY_DIR);
  if (!(e->mask & IN_IGNORED) && !((e->mask & (IN_MOVE_SELF | IN_DELETE_SELF)) && is_alone)) return;
  set_dirty(&w->set, n->parent, node_name(n), DIRTY_GONE | DIRTY_DIR);
  lose(w, n);
}

static bool is_own(const struct watch *w, const struct event *e) {
  return e->dir == w->tree.root && e->name.len == 6 && !memcmp(e->name.data, ".psync", 6);
}

static void handle(struct watch *w, const struct inotify_event *raw) {
  if (raw->mask & IN_Q_OVERFLOW) {
    w->tree.epoch++;
    w->losses++;
    set_overflow(&w->set);
    return;
  }
  struct event e = {
      .dir = tree_of_wd(&w->tree, raw->wd),
      .name = {(const uint8_t *)raw->name, raw->len ? strnlen(raw->name, raw->len) : 0},
      .mask = raw->mask, .cookie = raw->cookie,
  };
  /* WHY: an unknown descriptor is one that was dropped; a new one is in the table before the lock
   * under which it was made is given back. */
  if (!e.dir || e.name.len > NAME_MAX || is_own(w, &e)) return;
  if (!e.name.len) on_self(w, &e);
  else if (raw->mask & (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)) on_name(w, &e);
  else set_dirty(&w->set, e.dir, e.name, watch_dirty_bits(raw->mask));
}

/* ---- reading ------------------------------------------------------------------------------------- */

/* Returns the bytes read and handled, 0 where nothing is queued, or -1 with errno. */
static ssize_t read_once(struct watch *w) {
  ssize_t got;
  do got = read(w->inotify_fd, w->events, EVENT_BYTES);
  while (got < 0 && errno == EINTR);
  if (got < 0) return errno == EAGAIN ? 0 : -1;
  for (ssize_t at = 0; at < got;) {
    const struct inotify_event *raw = (const void *)(w->events + at);
    handle(w, raw);
    at += (ssize_t)(sizeof *raw + raw->len);
  }
  return got;
}

int events_read(struct watch *w, size_t bytes) {
  for (size_t done = 0; done < bytes;) {
    ssize_t got = read_once(w);
    if (got <= 0) return (int)got;
    done += (size_t)got;
  }
  return 0;
}

size_t events_queued(const struct watch *w) {
  int bytes = 0;
  if (ioctl(w->inotify_fd, FIONREAD, &bytes) < 0 || bytes < 0) return SIZE_MAX;
  return (size_t)bytes;
}

int events_read_here(struct watch *w, size_t bytes) {
  int result = events_read(w, bytes);
  if (w->moves.count) (void)eventfd_write(w->kick_fd, 1);
  return result;
}

bool events_can_write(struct watch *w) {
  if (set_is_empty(&w->set)) return false;
  if (!w->moves.directories) return true;
  if (!w->held_since_ns) w->held_since_ns = monotonic_ns();
  return monotonic_ns() - w->held_since_ns >= HOLD_MAX_NS;
}

void events_settle(struct watch *w, int64_t now_ns) {
  while (w->moves.count && w->moves.halves[0].until_ns <= now_ns) end_alone(w, 0);
  for (uint32_t id; moves_take_barrier(&w->moves, &id);) set_mark(&w->set, W_BARRIER, id);
  if (!w->writer_sleeps || !(w->drain_errno || events_can_write(w))) return;
  w->writer_sleeps = false;
  (void)eventfd_write(w->wake_fd, 1);
}

/* Waits for events, a kick, or the time at which the oldest half counts as alone (0: no time). Returns
 * 0 or an errno. */
static int wait_for_events(const struct watch *w, int64_t until_ns) {
  struct pollfd fds[] = {{w->inotify_fd, POLLIN, 0}, {w->kick_fd, POLLIN, 0}};
  int64_t left = until_ns - monotonic_ns();
  struct timespec timeout = {0, left > 0 ? left : 0};
  if (ppoll(fds, 2, until_ns ? &timeout : NULL, NULL) < 0 && errno != EINTR) return errno;
  eventfd_t count;
  if (fds[1].revents) (void)eventfd_read(w->kick_fd, &count);
  return 0;
}

/* How often the drain thread may read without delay. */
struct pace {
  int64_t last_ns;   /* when it was asked last */
  int64_t credit_ns; /* grows with time, up to PACE_FREE_NS; each read costs PACE_NS */
};

/* Lets a storm gather for a moment: a file that is created, written and closed is then one name, and
 * each wake of both threads serves many events. The kernel's queue holds 16,384 of them. */
static void keep_pace(const struct watch *w, struct pace *p) {
  int64_t now = monotonic_ns();
  p->credit_ns += now - p->last_ns;
  if (p->credit_ns > PACE_FREE_NS) p->credit_ns = PACE_FREE_NS;
  p->last_ns = now;
  if (p->credit_ns >= PACE_NS) {
    p->credit_ns -= PACE_NS;
    return;
  }
  struct pollfd kick = {w->kick_fd, POLLIN, 0};
  struct timespec pause = {0, PACE_NS};
  (void)ppoll(&kick, 1, &pause, NULL);
}

void *events_drain(void *arg) {
  struct watch *w = arg;
  int64_t until_ns = 0;
  struct pace pace = {0};
  for (bool goes_on = true; goes_on;) {
    int err = wait_for_events(w, until_ns);
    keep_pace(w, &pace);
    pthread_mutex_lock(&w->lock);
    if (!err && events_read(w, EVENT_BATCH) < 0) err = errno;
    if (err) w->drain_errno = err;
    events_settle(w, w->moves.count ? monotonic_ns() : 0);
    until_ns = w->moves.count ? w->moves.halves[0].until_ns : 0;
    goes_on = !w->drain_errno && !w->is_stopping;
    pthread_mutex_unlock(&w->lock);
  }
  return NULL;
}
