/* `psync-native exec HEX...`; see exec.c. */
#ifndef PSYNC_EXEC_H
#define PSYNC_EXEC_H

/* Runs the command whose arguments are given as hexadecimal digits, two a byte, searched in PATH.
 * Does not return where that works; else returns the exit status: 127 (not found), 126 (cannot be
 * run), or 2 (no command, or no hexadecimal), with a line on stderr. */
int exec_main(int count, char **hex);

#endif
