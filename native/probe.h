/* `psync-native probe`; see probe.c. */
#ifndef PSYNC_PROBE_H
#define PSYNC_PROBE_H

/* Reads the path of a directory from stdin to its end, and prints what that directory bears. Returns
 * the exit status: 0, or 2 where there is no such directory. */
int probe_main(void);

#endif
