/*
 * The read lease on a regular file: whether anybody has it open for writing, and whether anybody
 * came to while it was held (I2, I14).
 *
 * A lease belongs to the fd it was taken on and ends with it. It is held for microseconds, never
 * over a flush or a pause: whoever opens the file for writing waits for us. SIGIO, by which the
 * kernel says that somebody waits, is ignored process-wide; lease_holds asks instead.
 */
#ifndef PSYNC_LEASE_H
#define PSYNC_LEASE_H

#include <stdbool.h>

enum lease {
  LEASE_NONE, /* cannot be had here (another user's file, the file system): compare stats instead */
  LEASE_HELD,
  LEASE_BUSY /* a writer has the file open */
};

/* Takes the lease on a file opened O_RDONLY; a writer is given 0.1, 1 and 5 ms to go away (at
 * IN_CLOSE_WRITE it still counts at times). */
enum lease lease_take(int fd);
/* Whether the lease that was taken is still whole: nobody wants to write, nobody has written. */
bool lease_holds(int fd);
void lease_drop(int fd);

#endif
