/*
 * Names as text, for logs and for the oracle: what is no plain character becomes \xNN.
 */
#ifndef PROOF_TEXT_H
#define PROOF_TEXT_H

#include <stdio.h>

static inline void text_print(FILE *out, const char *name) {
  for (const unsigned char *at = (const unsigned char *)name; *at; at++) {
    if (*at <= ' ' || *at >= 127 || *at == '\\') fprintf(out, "\\x%02x", *at);
    else fputc(*at, out);
  }
}

#endif
