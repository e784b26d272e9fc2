/*
 * Who has a file open for writing, as /proc tells it: whether each of them can do no more than append.
 */
#ifndef PSYNC_WRITERS_H
#define PSYNC_WRITERS_H

#include <stdbool.h>

/* Whether every writer of the open file `fd` that can be seen has it open with O_APPEND. Where none
 * can be seen that is true if there is none (a lease says so), and false if there is: a mapping, or
 * a process that is not ours to look at. Where there are processes that may not be looked at, it is
 * false also for a file that others than its owner, whom we are, may write to: root's are trusted. */
bool writers_append(int fd);

#endif
