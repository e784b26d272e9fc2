/*
 * pack: joins the launcher and its sections into one executable. A tool of the build.
 *
 *     pack OUT LAUNCHER RUNTIME RUNTIME.zst PROGRAM PROGRAM.zst NATIVE NATIVE.zst
 *
 * DESIGN: the same inputs give the same bytes. See image.h for the layout. It writes OUT in place;
 * who calls it renames. Exit status 0, or 1 with one line on stderr.
 */
#include "image.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SECTION 3
#define ARGUMENTS (FIRST_SECTION + 2 * SECTIONS)

struct output {
  FILE *file;
  struct sha256 sum;
  uint64_t size;
};

static _Noreturn void fail(const char *what) {
  fprintf(stderr, "pack: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void put(struct output *out, const void *data, size_t len) {
  if (fwrite(data, 1, len, out->file) != len) fail("write");
  sha256_add(&out->sum, data, len);
  out->size += len;
}

/* Hashes a file and, where `out` is given, copies it there. Returns its length. */
static uint64_t take_file(const char *path, struct output *out, uint8_t hash[SHA256_SIZE]) {
  char data[65536];
  struct sha256 sum;
  size_t got;
  FILE *file = fopen(path, "rb");
  if (file == NULL) fail(path);
  sha256_begin(&sum);
  while ((got = fread(data, 1, sizeof data, file)) > 0) {
    if (out != NULL) put(out, data, got);
    sha256_add(&sum, data, got);
  }
  if (ferror(file)) fail(path);
  fclose(file);
  uint64_t len = sum.total;
  sha256_end(&sum, hash);
  return len;
}

static void put_section(struct output *out, struct section *section, char *const names[2]) {
  uint8_t unused[SHA256_SIZE];
  section->size = take_file(names[0], NULL, section->hash);
  section->offset = out->size;
  section->packed = take_file(names[1], out, unused);
}

static void put_trailer(struct output *out, struct image *image) {
  static const uint8_t zeros[BLOCK_SIZE];
  uint8_t trailer[TRAILER_SIZE];
  put(out, zeros, (BLOCK_SIZE - out->size % BLOCK_SIZE) % BLOCK_SIZE);
  digest_state(&out->sum, image->middle);
  image->size = out->size + TRAILER_SIZE;
  trailer_write(image, trailer);
  put(out, trailer, TRAILER_SIZE);
}

int main(int argc, char **argv) {
  struct output out = {0};
  struct image image = {0};
  uint8_t unused[SHA256_SIZE];
  if (argc != ARGUMENTS) {
    fprintf(stderr, "usage: pack OUT LAUNCHER RUNTIME RUNTIME.zst PROGRAM PROGRAM.zst NATIVE NATIVE.zst\n");
    return 1;
  }
  out.file = fopen(argv[1], "wb");
  if (out.file == NULL) fail(argv[1]);
  sha256_begin(&out.sum);
  take_file(argv[2], &out, unused);
  for (int i = 0; i < SECTIONS; i++) put_section(&out, &image.section[i], argv + FIRST_SECTION + 2 * i);
  put_trailer(&out, &image);
  if (fclose(out.file) != 0) fail(argv[1]);
  return 0;
}
