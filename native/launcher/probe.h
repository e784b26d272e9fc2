/*
 * Tries whether the unpacked runtime can run on this system at all.
 */
#ifndef PSYNC_PROBE_H
#define PSYNC_PROBE_H

enum probe {
  PROBE_RUNS,
  PROBE_DENIED, /* exec is not permitted here: another place may do */
  PROBE_FAILED  /* it cannot run on this system; `why` says it in one line */
};

#define PROBE_TEXT_SIZE 512

enum probe probe_runtime(const char *path, char why[PROBE_TEXT_SIZE]);

/* What to say when exec failed with `err`. */
const char *explain_exec(int err);

#endif
