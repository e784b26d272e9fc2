/*
 * Says what a root holds, as the oracle of the proof of the two users wants it:
 *
 *     survey ROOT          everything but .psync
 *     survey ROOT own      everything below .psync
 *
 * One line for each object, tab-separated, bytes that are no plain text as \xNN:
 *     PATH KIND MODE SIZE MTIME INODE CTIME WHAT TOKENS
 * KIND is f, d, l or ?; times in ns; of a directory SIZE and MTIME are 0, as they are not compared.
 * WHAT is "whole" or "torn" for a file (with a checksum), the target for a link. What vanishes while it is
 * looked at is left out, and the exit status is 3: look again.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "content.h"
#include "text.h"

static bool is_moving; /* something vanished */

struct tokens {
  char *text;
  size_t size;
};

static void take_token(void *context, const char *token) {
  struct tokens *tokens = context;
  tokens->text = realloc(tokens->text, tokens->size + TOKEN_SIZE);
  if (!tokens->text) err(1, "realloc");
  memcpy(tokens->text + tokens->size, token, TOKEN_SIZE - 1);
  tokens->text[tokens->size + TOKEN_SIZE - 1] = ' ';
  tokens->size += TOKEN_SIZE;
}

/* A sum over the bytes, so that contents without a token are compared as well. */
static uint64_t sum_of(int fd) {
  static unsigned char data[1 << 16];
  uint64_t sum = 1469598103934665603u;
  ssize_t got;
  for (off_t at = 0; (got = pread(fd, data, sizeof data, at)) > 0; at += got)
    for (ssize_t i = 0; i < got; i++) sum = (sum ^ data[i]) * 1099511628211u;
  return sum;
}

static void print_file(int dir, const char *name) {
  struct tokens tokens = {0};
  int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOATIME);
  int whole = fd < 0 ? -1 : content_check_file(fd, take_token, &tokens);
  if (whole < 0) is_moving = true;
  printf("%s %016llx\t%.*s", whole == 1 ? "whole" : "torn", fd < 0 ? 0 : (unsigned long long)sum_of(fd),
         (int)tokens.size, tokens.text ? tokens.text : "");
  if (fd >= 0) close(fd);
  free(tokens.text);
}

static void print_link(int dir, const char *name) {
  char target[4096] = {0};
  ssize_t size = readlinkat(dir, name, target, sizeof target - 1);
  if (size < 0) is_moving = true;
  text_print(stdout, target);
  printf("\t%s", !strncmp(target, LINK_PREFIX, strlen(LINK_PREFIX)) ? target + strlen(LINK_PREFIX) : "");
}

static void survey_dir(int dir, const char *path, bool is_root, bool is_own);

static void survey_entry(int dir, const char *name, const char *path, bool is_own) {
  struct stat st;
  if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
    is_moving = true;
    return;
  }
  bool is_dir = S_ISDIR(st.st_mode);
  text_print(stdout, path);
  printf("\t%c\t%o\t%lld\t%lld.%09ld\t%llu\t%lld.%09ld\t",
         is_dir ? 'd' : S_ISREG(st.st_mode) ? 'f' : S_ISLNK(st.st_mode) ? 'l' : '?', st.st_mode & 07777,
         is_dir ? 0 : (long long)st.st_size, is_dir ? 0 : (long long)st.st_mtim.tv_sec, is_dir ? 0 : st.st_mtim.tv_nsec,
         (unsigned long long)st.st_ino, is_dir ? 0 : (long long)st.st_ctim.tv_sec, is_dir ? 0 : st.st_ctim.tv_nsec);
  if (S_ISREG(st.st_mode)) print_file(dir, name);
  else if (S_ISLNK(st.st_mode)) print_link(dir, name);
  else printf("\t");
  printf("\n");
  if (!is_dir) return;
  int below = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (below < 0) is_moving = true;
  else survey_dir(below, path, false, is_own);
}

/* Closes `dir`. */
static void survey_dir(int dir, const char *path, bool is_root, bool is_own) {
  DIR *list = fdopendir(dir);
  if (!list) err(1, "fdopendir");
  for (struct dirent *e; (e = readdir(list));) {
    if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
    if (is_root && !strcmp(e->d_name, ".psync") && !is_own) continue;
    char *below;
    if (asprintf(&below, "%s%s%s", path, *path ? "/" : "", e->d_name) < 0) err(1, "asprintf");
    survey_entry(dir, e->d_name, below, is_own);
    free(below);
  }
  closedir(list);
}

int main(int argc, char **argv) {
  if (argc < 2) errx(2, "survey ROOT [own]");
  bool is_own = argc > 2;
  char *root;
  if (asprintf(&root, "%s%s", argv[1], is_own ? "/.psync" : "") < 0) err(1, "asprintf");
  int dir = open(root, O_RDONLY | O_DIRECTORY);
  if (dir < 0 && !is_own) err(1, "%s", root);
  if (dir >= 0) survey_dir(dir, is_own ? ".psync" : "", true, is_own);
  free(root);
  return is_moving ? 3 : 0;
}
