/* `psync-native notify`; see notify.c. */
#ifndef PSYNC_NOTIFY_H
#define PSYNC_NOTIFY_H

/* Sends each line of stdin to the service manager that NOTIFY_SOCKET names, until stdin ends. Returns
 * the exit status: 0, or 2 with a line on stderr where the variable names no socket. */
int notify_main(void);

#endif
