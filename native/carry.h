/*
 * `psync-native carry`: hands the ends of a stream to an `apply` of this host (carrier.h).
 *
 *     carry NAME               its own stdin and stdout; runs as long as they are needed
 *     carry NAME exec HEX...   those of a command, which it becomes (exec.h)
 *     carry ahead HEX...       those of a command that it starts at once; who wants them comes later, on
 *                              stdin: a line with NAME, and one for the command to read first
 *     carry NAME join NAME     those of a new stream, to two of this host; runs as long as both need it
 */
#ifndef PSYNC_CARRY_H
#define PSYNC_CARRY_H

#include <stdbool.h>

/* The byte that comes with the ends: 1 where the stream is to end with whoever brought it, else 0. */
#define CARRY_HOLDS 1

/* Whether the other end of a unix socket is of this user: nobody else is to get a stream, or to bring one. */
bool carry_is_same_user(int fd);

/* `words` are what follows `carry`. Returns the exit status: 0, 2 (usage), 3 (nobody takes it). */
int carry_main(int count, char **words);

#endif
