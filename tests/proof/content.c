/*
 * Self-describing content; the form is told in content.h.
 */
#include "content.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 32
#define CHECKED 27 /* of a block: all before its checksum */

static void block_make(char *out, const char *token, size_t size, size_t index) {
  char text[BLOCK + 1];
  unsigned check = 0;
  snprintf(text, sizeof text, "%.12s %07zx %06zx", token, size, index);
  for (int i = 0; i < CHECKED; i++) check = check * 31 + (unsigned char)text[i];
  snprintf(text + CHECKED, sizeof text - CHECKED, "%04x\n", check & 0xffff);
  memcpy(out, text, BLOCK);
}

char *content_make(const char *token, size_t size) {
  char *data = malloc(size + 1);
  if (!data) err(1, "malloc");
  memset(data, size == 1 ? 'x' : '.', size + 1);
  if (size > 1)
    for (size_t i = 0; i < size / BLOCK; i++) block_make(data + i * BLOCK, token, size, i);
  return data;
}

/* Returns the size of the segment that begins here, or 0: it is not whole. */
static size_t segment_check(const char *data, size_t left, token_fn *found, void *context) {
  char token[TOKEN_SIZE] = {0}, first[BLOCK + 1] = {0};
  size_t size = 0;
  if (*data == 'x') return 1;
  memcpy(first, data, left < BLOCK ? left : BLOCK);
  if (left < BLOCK || sscanf(first + 12, " %7zx ", &size) != 1 || size < BLOCK || size > left) return 0;
  memcpy(token, data, TOKEN_SIZE - 1);
  char *wanted = content_make(token, size);
  bool same = memcmp(wanted, data, size) == 0;
  free(wanted);
  if (same) found(context, token);
  return same ? size : 0;
}

bool content_check(const char *data, size_t size, token_fn *found, void *context) {
  for (size_t at = 0; at < size;) {
    size_t segment = segment_check(data + at, size - at, found, context);
    if (segment == 0) return false;
    at += segment;
  }
  return true;
}

int content_check_file(int fd, token_fn *found, void *context) {
  size_t room = 1 << 16, size = 0;
  char *data = malloc(room);
  ssize_t got;
  if (!data) err(1, "malloc");
  while ((got = pread(fd, data + size, room - size, (off_t)size)) > 0) {
    size += (size_t)got;
    if (size == room && !(data = realloc(data, room *= 2))) err(1, "realloc");
  }
  int result = got < 0 ? -1 : content_check(data, size, found, context);
  free(data);
  return result;
}
