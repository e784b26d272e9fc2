/*
 * `psync-native apply`: the one process that changes a user's tree. Reads requests (format.h, A_*)
 * from stdin and writes answers to stdout until stdin ends.
 *
 * DESIGN
 * The main thread reads and parses; what is malformed ends the process (status 2, R_FATAL) after
 * what was begun. Requests run on up to 8 worker threads, so that a look never waits behind another
 * batch's flush; the caller never overlaps requests that touch the same paths. A_OPEN and A_ADOPT
 * run alone, in their order. Idle threads wait without a timeout.
 */
#ifndef PSYNC_APPLY_H
#define PSYNC_APPLY_H

/* Runs until stdin ends. Returns the exit status: 0, 2 (malformed request), 4 (stdout is gone). */
int apply_main(void);

#endif
