/*
 * One user of the proof of the two users: shared by the files user*.c.
 *
 * DESIGN
 * A user works below ROOT, his working directory, with relative names. Whatever he destroys he
 * destroys knowingly: what a name held goes to his graveyard, a directory outside the root on the
 * same file system, and only there he looks at it and logs its tokens as retired; in place he
 * overwrites what he has just read through the same fd. He makes no two changes at once, so nobody
 * but him writes to a file that he has open.
 *
 * The log has one line for each operation:  SEQ TIME OP PATHS [+TOKEN written] [-TOKEN retired]
 * [!torn PATH] [=ERRNO], flushed at its end. An operation may fail, as the other user and psync
 * change names all the time; a token counts as written only once it is.
 */
#ifndef PROOF_USER_H
#define PROOF_USER_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "content.h"

/* The same for both users of a seed. */
struct style {
  unsigned hot_percent;   /* how often a shared path is chosen */
  unsigned pause_percent; /* how often he thinks between two operations */
  unsigned pause_ms;      /* how long, in the mean */
  unsigned large_weight;  /* how often a file is so large that rsync moves it; of 100 */
};

struct user {
  char side;         /* 'L' or 'R' */
  unsigned seed;     /* as told; `random` is what it has become */
  unsigned phase;    /* 0 to 15: users of one seed that work one after another use other tokens and names */
  uint64_t random;
  struct style style;
  unsigned hold_ms;  /* the longest time for which he keeps a file half; PROOF_HOLD_MS, else 40 */
  unsigned written;  /* tokens so far */
  unsigned seq;      /* operations so far */
  int grave;         /* the graveyard */
  unsigned graves;   /* names used up in it */
  FILE *log;
};

extern struct user user;

/* user_random.c: what to do, and where. */

uint32_t random_below(uint32_t limit);
bool random_percent(unsigned percent);
/* Chooses the style of a seed. */
void random_style(void);
/* One of the weights, at random. */
size_t random_weighted(const unsigned *weights, size_t count);
void random_think(void);
/* Waits a random time below a limit. */
void pause_below(unsigned limit_ms);
size_t random_size(void);

/* A path that may or may not be there; a third of the time one of the shared ones. */
void random_path(char *out);
/* An existing path of a kind: 'f' (file), 'd' (directory), '*' (any). False: none was found. */
bool random_existing(char *out, char kind);
/* A new name in an existing directory. */
void random_new(char *out);
/* Another name beside `path`. */
void random_beside(char *out, const char *path);
/* Makes the parents of a path; another user's file may be in the way. */
void make_parents(const char *path);
/* How many names the root holds, counted at the last random_existing. */
extern unsigned names_counted;

/* user_write.c: contents. All return 0 or -1 with errno. */

/* A fresh token. */
void token_next(char *token);
/* Logs a token as written. */
void log_written(const char *token);
/* For content_check: logs a token as retired. */
void log_retired(void *context, const char *token);
void log_torn(const char *path);

/* Makes a new file at `path`; fails where something is. */
int write_new(const char *path);
/* Overwrites or empties and writes what is there, through one fd. */
int write_in_place(const char *path, bool truncates);
/* Writes enough for rsync to move it, in two pieces with a pause between them. */
int write_large(const char *path);
int write_append(const char *path);
int link_new(const char *path);
/* Reads a file, to see that it is whole. */
int read_file(const char *path);

/* user_destroy.c */

/* Takes `path` out of the root and looks at what it was; 0 or -1 with errno. */
int bury(const char *path);
/* Takes everything below a directory out one by one, then the directory. */
int bury_slowly(const char *path);

#endif
