/*
 * The contents that a user writes; see user.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "text.h"
#include "user.h"

#define LARGE_SIZE 3000000
#define LARGE_HOLD_MS 600 /* rsync needs a part of that to come to read the file */

static const unsigned MODES[] = {0644, 0600, 0755, 0664};

void token_next(char *token) {
  snprintf(token, TOKEN_SIZE, "%c%05x%1x%05x", user.side, user.seed & 0xfffff, user.phase & 0xf, user.written++ & 0xfffff);
}

void log_written(const char *token) { fprintf(user.log, " +%s", token); }

void log_retired(void *context, const char *token) {
  (void)context;
  fprintf(user.log, " -%s", token);
}

void log_torn(const char *path) {
  fprintf(user.log, " !torn ");
  text_print(user.log, path);
}

/* How a content is written. */
enum manner {
  WRITE_WHOLE,  /* in one go */
  WRITE_ANYHOW, /* at times in pieces, with or without a pause in the middle: nobody may see it half */
  WRITE_LARGE   /* so that rsync moves it, and always with a pause */
};

static int write_segment(int fd, enum manner manner) {
  char token[TOKEN_SIZE];
  bool large = manner == WRITE_LARGE;
  size_t size = large ? LARGE_SIZE + random_below(64) : random_size();
  size_t half = large || (manner == WRITE_ANYHOW && random_percent(30)) ? size / 2 : size;
  token_next(token);
  char *data = content_make(token, size);
  ssize_t got = write(fd, data, half);
  if (got == (ssize_t)half && half < size) {
    if (large) pause_below(LARGE_HOLD_MS);
    else if (random_percent(30)) pause_below(user.hold_ms);
    got = write(fd, data + half, size - half);
    half = size - half;
  }
  free(data);
  if (got != (ssize_t)half) return -1;
  if (size > 1) log_written(token);
  return 0;
}

static int close_as(int fd, int result) {
  int error = errno;
  close(fd);
  errno = error;
  return result;
}

int write_new(const char *path) {
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, MODES[random_below(4)]);
  return fd < 0 ? -1 : close_as(fd, write_segment(fd, WRITE_ANYHOW));
}

static int rewrite(const char *path, bool truncates, enum manner manner) {
  int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return -1;
  if (content_check_file(fd, log_retired, NULL) == 0) log_torn(path);
  if (truncates && ftruncate(fd, 0) < 0) return close_as(fd, -1);
  int result = write_segment(fd, manner);
  off_t end = lseek(fd, 0, SEEK_CUR);
  if (ftruncate(fd, end) < 0) result = -1;
  return close_as(fd, result);
}

int write_in_place(const char *path, bool truncates) { return rewrite(path, truncates, WRITE_ANYHOW); }

int write_large(const char *path) { return rewrite(path, false, WRITE_LARGE); }

int write_append(const char *path) {
  int fd = open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK);
  /* WHY whole: a file to which all only append is shown as it grows, once that has gone on for long. */
  return fd < 0 ? -1 : close_as(fd, write_segment(fd, WRITE_WHOLE));
}

int link_new(const char *path) {
  char token[TOKEN_SIZE], target[TOKEN_SIZE + 8];
  token_next(token);
  snprintf(target, sizeof target, LINK_PREFIX "%s", token);
  if (symlink(target, path) < 0) return -1;
  log_written(token);
  return 0;
}

static void ignore_token(void *context, const char *token) { (void)context, (void)token; }

int read_file(const char *path) {
  int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return -1;
  int whole = content_check_file(fd, ignore_token, NULL);
  if (whole == 0) log_torn(path);
  return close_as(fd, whole < 0 ? -1 : 0);
}
