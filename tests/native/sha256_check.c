/*
 * Prints the digest of stdin by both paths of native/sha256.c, fed in pieces of argv[1] bytes:
 * "<portable> <fast> <whether the CPU has the fast path>". Built and run by apply_test.ts.
 */
#include <stdio.h>
#include <stdlib.h>
#include "../../native/sha256.h"

static void show(struct sha256 *s) {
  uint8_t out[SHA256_SIZE];
  sha256_end(s, out);
  for (unsigned i = 0; i < SHA256_SIZE; i++) printf("%02x", out[i]);
}

int main(int argc, char **argv) {
  size_t piece = argc > 1 ? strtoul(argv[1], NULL, 10) : 4096;
  uint8_t *data = malloc(piece);
  if (!data) return 1;
  struct sha256 portable, fast;
  sha256_begin_portable(&portable);
  sha256_begin(&fast);
  for (size_t n; (n = fread(data, 1, piece, stdin)) > 0;) {
    sha256_add(&portable, data, n);
    sha256_add(&fast, data, n);
  }
  free(data);
  show(&portable);
  putchar(' ');
  show(&fast);
  printf(" %d\n", sha256_has_fast());
  return 0;
}
