/*
 * What users write in the proof of the two users: content that says by itself what it is.
 *
 * A file is a row of segments, one for each write. A segment of SIZE bytes is made of blocks of 32
 * bytes, each "TOKEN SIZE BLOCK CHECK\n" in hex, and of dots up to its size; or it is one 'x', which
 * holds no token. A token names its writer and is never used twice. So a file that misses a part,
 * or mixes two versions, is seen without knowing its history. The target of a link is "to/" TOKEN.
 */
#ifndef PROOF_CONTENT_H
#define PROOF_CONTENT_H

#include <stdbool.h>
#include <stddef.h>

#define TOKEN_SIZE 13 /* 'L' or 'R', 5 digits of the seed, 1 of the phase, 5 of a counter, NUL */
#define LINK_PREFIX "to/"

/* Called for each token that is found, in order. */
typedef void token_fn(void *context, const char *token);

/* Returns a segment of this size, to be freed. */
char *content_make(const char *token, size_t size);
/* Calls `found` for each token at the beginning of a segment. Returns whether the content is whole. */
bool content_check(const char *data, size_t size, token_fn *found, void *context);
/* The same for a file that is open, from its beginning. -1 with errno, 0: torn, 1: whole. */
int content_check_file(int fd, token_fn *found, void *context);

#endif
