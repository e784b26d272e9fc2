/*
 * SIGUSR1, which asks psync for its state, is kept from the runtime.
 *
 * DESIGN: at SIGUSR1 Deno opens a debugger on a port of localhost, to which every local user may
 * connect, and no switch turns that off. A signal that is blocked in all threads never reaches it:
 * each thread takes over the mask of the one that made it, and so does what exec runs. psync reads
 * the signals from a signalfd, and that must be stdin: no other inherited descriptor of this kind can
 * be opened from within Deno. Children take the mask over, too; `psync-native exec` clears it.
 */
#ifndef PSYNC_SIGNALS_H
#define PSYNC_SIGNALS_H

/* Blocks SIGUSR1 in this thread and all that come from it. Returns 0, or -1 with errno. */
int signals_block(void);

/* Makes stdin a signalfd of SIGUSR1: each read gives whole struct signalfd_siginfo, or waits.
 * Returns 0, or -1 with errno. */
int signals_to_stdin(void);

/* Opens /dev/null where stdin, stdout or stderr is closed. Returns 0, or -1 with errno. */
int open_standard(void);

#endif
