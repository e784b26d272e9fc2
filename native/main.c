/*
 * psync-native: what psync does below Deno. One executable with seven modes:
 *
 *     psync-native watch        the inotify reader (watch.h)
 *     psync-native apply        looks, stages, commits (apply.h)
 *     psync-native exec HEX...  runs a command with arguments that are bytes (exec.h)
 *     psync-native carry ...    hands a stream to an apply (carry.h)
 *     psync-native notify       tells a service manager (notify.h)
 *     psync-native probe        tries what a file system bears (probe.h)
 *     psync-native version      prints the version of its record format
 *
 * watch and apply speak format.h on stdin and stdout; the root comes in a record, never in argv.
 * SIGUSR1 does not end them: it asks psync for its state, and `pkill -USR1 -f psync` hits all of its
 * processes.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "exec.h"
#include "format.h"
#include "notify.h"
#include "watch.h"

/* Declared here and weak, so that the tests of one mode can be built without the other. */
__attribute__((weak)) int apply_main(void);
__attribute__((weak)) int probe_main(void);
__attribute__((weak)) int carry_main(int count, char **words);

#define STATUS_USAGE 2
#define PIPE_BYTES (1 << 20) /* the most that any user may ask for, by default; a batch of content fits */

/* Larger pipes for apply: a batch need not wait for its reader sixteen times. What is no pipe, or may
 * not grow, stays as it is. watch keeps its own small: what waits in a pipe is not coalesced any more. */
static void widen_pipes(void) {
  fcntl(STDIN_FILENO, F_SETPIPE_SZ, PIPE_BYTES);
  fcntl(STDOUT_FILENO, F_SETPIPE_SZ, PIPE_BYTES);
}

static int print_version(void) { return printf("%d\n", FORMAT_VERSION) < 0 || fflush(stdout) != 0; }

int main(int argc, char **argv) {
  const char *mode = argc > 1 ? argv[1] : "";
  if (!strcmp(mode, "exec")) return exec_main(argc - 2, argv + 2);
  if (!strcmp(mode, "carry") && carry_main) return carry_main(argc - 2, argv + 2);
  signal(SIGUSR1, SIG_IGN);
  if (!strcmp(mode, "apply")) widen_pipes();
  if (!strcmp(mode, "watch") && argc == 2) return watch_main();
  if (!strcmp(mode, "apply") && argc == 2 && apply_main) return apply_main();
  if (!strcmp(mode, "notify") && argc == 2) return notify_main();
  if (!strcmp(mode, "probe") && argc == 2 && probe_main) return probe_main();
  if (!strcmp(mode, "version") && argc == 2) return print_version();
  fprintf(stderr, "Usage: psync-native watch | apply | exec HEX... | carry ... | notify | probe | version\n");
  return STATUS_USAGE;
}
