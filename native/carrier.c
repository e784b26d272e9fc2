/*
 * Packs on a stream of their own; see carrier.h.
 */
#include "carrier.h"
#include "carry.h"
#include "spare.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define GREETING "psync-2\n"
#define WORD_SIZE 8
#define GREETING_SIZE (WORD_SIZE + 8)
#define HEAD_SIZE 12
#define STACK (128u << 10)

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static uint64_t little(const uint8_t *at, unsigned count) {
  uint64_t value = 0;
  for (unsigned i = 0; i < count; i++) value |= (uint64_t)at[i] << (8 * i);
  return value;
}

/* Waits until `fd` is ready. Returns 0, or -1 where everybody is to give up, whoever brought the stream has
 * ended, or after `patience_ms` (-1: none). */
static int await(struct carrier *c, int fd, short events, int patience_ms) {
  struct pollfd fds[] = {
    {.fd = fd, .events = events}, {.fd = c->stop, .events = POLLIN}, {.fd = c->holder, .events = POLLIN}};
  int ready;
  do ready = poll(fds, 3, patience_ms);
  while (ready < 0 && errno == EINTR);
  return ready > 0 && !fds[1].revents && !fds[2].revents ? 0 : -1;
}

/* Under `sending`. */
static int send_bytes(struct carrier *c, const uint8_t *data, size_t len) {
  while (len) {
    ssize_t n = c->out < 0 ? -1 : write(c->out, data, len);
    if (n >= 0) {
      data += n, len -= (size_t)n;
      continue;
    }
    if (c->out < 0 || (errno != EAGAIN && errno != EINTR)) return -1;
    if (errno == EAGAIN && await(c, c->out, POLLOUT, CARRIER_SILENCE_S * 1000) < 0) return -1;
  }
  return 0;
}

static int receive(struct carrier *c, uint8_t *data, size_t len, int patience_ms) {
  while (len) {
    ssize_t n = read(c->in, data, len);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return -1;
    if (n < 0) {
      if (errno == EAGAIN && await(c, c->in, POLLIN, patience_ms) < 0) return -1;
      continue;
    }
    data += n, len -= (size_t)n;
    patience_ms = CARRIER_SILENCE_S * 1000; /* once begun, it must go on */
    pthread_mutex_lock(&c->lock);
    c->heard_ns = now_ns();
    pthread_mutex_unlock(&c->lock);
  }
  return 0;
}

/* Under the lock: the pack of that number, or a place that is free for it. */
static struct carried *find(struct carrier *c, uint64_t number) {
  for (size_t i = 0; i < CARRIER_PACKS; i++)
    if (c->packs[i].number == number) return &c->packs[i];
  return NULL;
}

/* Keeps what came, as its owner. Returns -1 where it is one too many, or its number does not rise. */
static int keep(struct carrier *c, uint64_t number, struct buf *content) {
  pthread_mutex_lock(&c->lock);
  struct carried *place = number < c->next ? NULL : find(c, 0);
  if (place) {
    *place = (struct carried){number, *content};
    c->next = number + 1;
  }
  pthread_cond_broadcast(&c->changed);
  pthread_mutex_unlock(&c->lock);
  return place ? 0 : -1;
}

static int receive_pack(struct carrier *c) {
  uint8_t head[HEAD_SIZE];
  struct buf content = {0};
  if (receive(c, head, sizeof head, -1) < 0) return -1;
  uint64_t number = little(head, 8), len = little(head + 8, 4);
  if (!number || number == UINT64_MAX || len > CARRIER_PACK_MAX) return -1;
  content = spare_take();
  buf_reserve(&content, len);
  content.len = len;
  if (receive(c, content.data, len, CARRIER_SILENCE_S * 1000) == 0 && keep(c, number, &content) == 0) return 0;
  spare_give(&content);
  return -1;
}

static void become(struct carrier *c, enum carrier_state state) {
  pthread_mutex_lock(&c->lock);
  c->state = state;
  pthread_cond_broadcast(&c->changed);
  pthread_mutex_unlock(&c->lock);
}

/* Says who speaks, and from which number on it will send; hears the same of the other end. From here on
 * `out` can be sent on, and never before: nothing may go ahead of the greeting. */
static int greet(struct carrier *c, int out) {
  uint8_t heard[GREETING_SIZE];
  struct buf own = {0};
  pthread_mutex_lock(&c->sending);
  c->out = out;
  buf_put(&own, GREETING, WORD_SIZE);
  buf_u64(&own, c->last + 1);
  int sent = send_bytes(c, own.data, own.len);
  pthread_mutex_unlock(&c->sending);
  buf_free(&own);
  if (sent < 0 || receive(c, heard, sizeof heard, CARRIER_SILENCE_S * 1000) < 0) return -1;
  if (memcmp(heard, GREETING, WORD_SIZE)) return -1;
  pthread_mutex_lock(&c->lock);
  c->next = little(heard + WORD_SIZE, 8);
  pthread_mutex_unlock(&c->lock);
  return 0;
}

/* Takes the two ends of a stream out of a message, and whether whoever brings it stays with it. Returns 0,
 * or -1. */
static int receive_ends(int peer, int ends[2], bool *holds) {
  char byte;
  union {
    struct cmsghdr align;
    char space[CMSG_SPACE(2 * sizeof(int))];
  } control;
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  if (recvmsg(peer, &message, MSG_CMSG_CLOEXEC) != 1) return -1;
  struct cmsghdr *got = CMSG_FIRSTHDR(&message);
  if (!got || got->cmsg_level != SOL_SOCKET || got->cmsg_type != SCM_RIGHTS) return -1;
  if (got->cmsg_len != CMSG_LEN(2 * sizeof(int))) {
    int one; /* less than two: the kernel has cut off what was more */
    memcpy(&one, CMSG_DATA(got), sizeof one);
    if (got->cmsg_len == CMSG_LEN(sizeof one)) close(one);
    return -1;
  }
  memcpy(ends, CMSG_DATA(got), 2 * sizeof(int));
  *holds = byte == CARRY_HOLDS;
  return 0;
}

static void tell_stop(struct carrier *c) {
  uint64_t one = 1;
  if (c->stop >= 0 && write(c->stop, &one, sizeof one) < 0) return; /* cannot fail: the counter is far from full */
}

static int make_nonblocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* Waits for somebody of this user who brings a stream, and then for nobody else. Returns the connection,
 * which stays open as long as the stream is needed, or -1 where everybody gives up. */
static int await_stream(struct carrier *c, int ends[2]) {
  for (;;) {
    bool holds = false;
    if (await(c, c->listener, POLLIN, -1) < 0) return -1;
    int peer = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC);
    if (peer < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) return -1;
    if (peer < 0) continue;
    if (carry_is_same_user(peer) && await(c, peer, POLLIN, 1000) == 0 && receive_ends(peer, ends, &holds) == 0) {
      if (make_nonblocking(ends[0]) == 0 && make_nonblocking(ends[1]) == 0) {
        pthread_mutex_lock(&c->sending); /* `holder` is for those that send, too */
        c->holder = holds ? peer : -1;
        pthread_mutex_unlock(&c->sending);
        return peer;
      }
      close(ends[0]);
      close(ends[1]);
    }
    close(peer);
  }
}

static void close_listener(struct carrier *c) {
  close(c->listener);
  c->listener = -1;
}

static void close_stream(struct carrier *c) {
  pthread_mutex_lock(&c->sending);
  if (c->in >= 0) close(c->in);
  if (c->out >= 0) close(c->out);
  c->in = c->out = c->holder = -1;
  pthread_mutex_unlock(&c->sending);
}

static void drop_packs(struct carrier *c) {
  for (size_t i = 0; i < CARRIER_PACKS; i++) {
    spare_give(&c->packs[i].content);
    c->packs[i] = (struct carried){0};
  }
}

static void *read_stream(void *argument) {
  struct carrier *c = argument;
  int ends[2], peer = await_stream(c, ends);
  close_listener(c);
  if (peer >= 0) {
    c->in = ends[0];
    if (greet(c, ends[1]) == 0) {
      become(c, CARRIER_UP);
      while (receive_pack(c) == 0) {
      }
    }
  }
  become(c, CARRIER_GONE);
  close_stream(c);
  if (peer >= 0) close(peer);
  return NULL;
}

/* A socket with a name that nobody has. Returns it, or -1 with errno. */
static int open_listener(char name[64]) {
  uint8_t random[16];
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (getrandom(random, sizeof random, 0) != sizeof random) return -1;
  int len = snprintf(name, 64, "psync-");
  for (size_t i = 0; i < sizeof random; i++) len += snprintf(name + len, 64 - (size_t)len, "%02x", random[i]);
  memcpy(address.sun_path + 1, name, (size_t)len);
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd >= 0 && (bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 1) < 0)) {
    close(fd);
    return -1;
  }
  return fd;
}

/* Under `bringing`. */
static int start_reader(struct carrier *c) {
  pthread_attr_t attr;
  if (pthread_attr_init(&attr) != 0) return -1;
  pthread_attr_setstacksize(&attr, STACK);
  int err = pthread_create(&c->reader, &attr, read_stream, c);
  pthread_attr_destroy(&attr);
  c->has_reader = err == 0;
  errno = err;
  return err ? -1 : 0;
}

/* Under `bringing`: ends the stream that there was. Whoever used it is told, and done with it. */
static void bury(struct carrier *c) {
  uint64_t told;
  if (!c->has_reader) return;
  tell_stop(c);
  pthread_join(c->reader, NULL);
  c->has_reader = false;
  pthread_mutex_lock(&c->lock);
  drop_packs(c);
  c->state = CARRIER_NONE;
  /* Nobody looks at `stop` any more: who sent did so with `sending` held, without which no reader ends. */
  if (!c->is_ended && read(c->stop, &told, sizeof told) < 0) c->is_ended = true;
  pthread_mutex_unlock(&c->lock);
}

/* Under `bringing`. */
static int begin(struct carrier *c) {
  pthread_mutex_lock(&c->lock);
  bool is_ended = c->is_ended;
  pthread_mutex_unlock(&c->lock);
  if (is_ended) {
    errno = ECANCELED;
    return -1;
  }
  c->listener = open_listener(c->name);
  if (c->listener < 0) return -1;
  pthread_mutex_lock(&c->lock);
  c->state = CARRIER_WAITS;
  c->streams++;
  c->next = 0;
  if (!c->wanted_ns) c->wanted_ns = now_ns();
  pthread_mutex_unlock(&c->lock);
  if (start_reader(c) == 0) return 0;
  int err = errno;
  become(c, CARRIER_NONE);
  close_listener(c);
  errno = err;
  return -1;
}

int carrier_listen(struct carrier *c, char name[CARRIER_NAME_SIZE]) {
  pthread_mutex_lock(&c->bringing);
  bury(c);
  int begun = begin(c);
  if (begun == 0) memcpy(name, c->name, CARRIER_NAME_SIZE);
  pthread_mutex_unlock(&c->bringing);
  return begun;
}

/* Under the lock: waits for something to change. Returns false at `end_ns`. */
static bool await_change(struct carrier *c, int64_t end_ns) {
  if (now_ns() >= end_ns) return false;
  struct timespec until = {.tv_sec = end_ns / 1000000000LL, .tv_nsec = end_ns % 1000000000LL};
  pthread_cond_timedwait(&c->changed, &c->lock, &until);
  return true;
}

/* Waits for the stream where that is worth it. */
static bool comes_up(struct carrier *c, size_t len) {
  pthread_mutex_lock(&c->lock);
  int64_t end_ns = len < CARRIER_WORTH ? 0 : c->wanted_ns + CARRIER_COMING_MS * 1000000LL;
  while (c->state == CARRIER_WAITS && await_change(c, end_ns)) {
  }
  bool up = c->state == CARRIER_UP;
  pthread_mutex_unlock(&c->lock);
  return up;
}

uint64_t carrier_send(struct carrier *c, const struct buf *content) {
  if (!content->len || content->len > CARRIER_PACK_MAX || !comes_up(c, content->len)) return 0;
  struct buf head = {0};
  pthread_mutex_lock(&c->sending);
  uint64_t number = ++c->last;
  buf_u64(&head, number);
  buf_u32(&head, (uint32_t)content->len);
  bool sent = send_bytes(c, head.data, head.len) == 0 && send_bytes(c, content->data, content->len) == 0;
  if (!sent && c->out >= 0) { /* half a pack: nothing can follow it, and the other end is to know */
    close(c->out);
    c->out = -1;
  }
  pthread_mutex_unlock(&c->sending);
  buf_free(&head);
  return sent ? number : 0;
}

/* Under the lock: whether a pack may still come, which nobody has taken. */
static bool is_coming(struct carrier *c, uint64_t number, uint64_t stream) {
  if (c->streams != stream || number < c->next) return false;
  /* What was sent may be asked for before the greeting that came with it was read. */
  return c->state == CARRIER_UP || c->state == CARRIER_WAITS;
}

bool carrier_take(struct carrier *c, uint64_t number, struct buf *content) {
  int64_t since = now_ns();
  pthread_mutex_lock(&c->lock);
  struct carried *found = NULL;
  uint64_t stream = c->streams;
  while (number && !(found = find(c, number)) && is_coming(c, number, stream)) {
    int64_t heard = c->heard_ns > since ? c->heard_ns : since;
    if (!await_change(c, heard + CARRIER_SILENCE_S * 1000000000LL)) break;
  }
  if (found) {
    *content = found->content;
    *found = (struct carried){0};
  }
  pthread_mutex_unlock(&c->lock);
  return found != NULL;
}

void carrier_init(struct carrier *c) {
  pthread_condattr_t attr;
  *c = (struct carrier){.listener = -1, .in = -1, .out = -1, .holder = -1};
  pthread_mutex_init(&c->lock, NULL);
  pthread_mutex_init(&c->sending, NULL);
  pthread_mutex_init(&c->bringing, NULL);
  pthread_condattr_init(&attr);
  pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  pthread_cond_init(&c->changed, &attr);
  pthread_condattr_destroy(&attr);
  c->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  c->is_ended = c->stop < 0;
}

void carrier_stop(struct carrier *c) {
  pthread_mutex_lock(&c->lock);
  c->is_ended = true;
  pthread_mutex_unlock(&c->lock);
  tell_stop(c);
}

void carrier_free(struct carrier *c) {
  carrier_stop(c);
  if (c->has_reader) pthread_join(c->reader, NULL);
  if (c->stop >= 0) close(c->stop);
  drop_packs(c);
}
