/*
 * The launcher: what dist/psync is when it carries its own Deno runtime.
 *
 * DESIGN: finds the image in its own file (image.h), a place to run it from (cache.h), gives the
 * program a clean environment, and becomes the runtime by exec: same process id, same descriptors.
 * By PSYNC_SELF, PSYNC_HASH, PSYNC_SIZE, PSYNC_CWD, PSYNC_NATIVE and PSYNC_STDIN it tells the program
 * what that cannot find out itself. It goes to "/", because a deleted directory stops the runtime and
 * a kept one stops an umount. It keeps SIGUSR1 from the runtime (signals.h). Of the arguments it reads
 * the first one, which may be "filter". Exit status 3 when psync cannot be started.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache.h"
#include "files.h"
#include "image.h"
#include "probe.h"
#include "signals.h"

extern char **environ;

/* What changes how Deno, its loader or its libraries behave; somebody set it for something else. */
static const char *const FOREIGN[] = {"DENO_", "NODE_", "OTEL_", "RUST_", "LD_", "PSYNC_SELF=", "PSYNC_HASH=",
                                      "PSYNC_CWD=", "PSYNC_NATIVE=", "PSYNC_SIZE=",
                                      "PSYNC_HOME=", "PSYNC_STDIN="};

static const char *const FLAGS[] = {
  "psync", "run", "-A", "-q", "--no-config", "--no-lock", "--no-remote", "--no-npm", "--cached-only", "--no-prompt",
  /* Measured: keeps a walk of a million archive rows at 60 MB instead of 190 MB. gc() is for base/memory.ts. */
  "--v8-flags=--max-semi-space-size=8,--expose-gc",
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static _Noreturn void fail(const char *action, const char *why) {
  fprintf(stderr, "psync: %s: %s\n", action, why);
  exit(3);
}

static bool is_foreign(const char *variable) {
  for (size_t i = 0; i < COUNT(FOREIGN); i++) {
    if (strncmp(variable, FOREIGN[i], strlen(FOREIGN[i])) == 0) return true;
  }
  return false;
}

static void drop_foreign(void) {
  char **to = environ;
  for (char **from = environ; from != NULL && *from != NULL; from++) {
    if (!is_foreign(*from)) *to++ = *from;
  }
  if (to != NULL) *to = NULL;
}

static void set(const char *name, const char *value) {
  if (setenv(name, value, 1) < 0) fail("Cannot set the environment", strerror(errno));
}

/* Whether bytes can pass through Deno.env, which knows UTF-8 only; others are left alone. */
static bool is_plain(const char *text) {
  for (; *text != '\0'; text++) {
    if ((unsigned char)*text >= 0x80) return false;
  }
  return true;
}

/* Makes stdin the descriptor of the signals, and tells what it was before. A filter reads its stdin. */
static void hand_over_signals(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "filter") == 0) return;
  set("PSYNC_STDIN", isatty(STDIN_FILENO) ? "terminal" : "other");
  if (signals_to_stdin() < 0) fail("Cannot make a descriptor for signals", strerror(errno));
}

/* Deno reads ~/.npmrc, whatever its options say, and a wrong line in it, or a HOME that is no
 * directory, ends it. Where there is such a file it is sent to a home that can have none; the
 * program takes the right one back from PSYNC_HOME (empty: there was no HOME). */
static void hide_npmrc(void) {
  char path[PATH_MAX];
  const char *told = getenv("HOME"), *home = home_dir();
  if (home == NULL || !is_plain(home) || path_join(path, home, "/", ".npmrc") < 0) return;
  if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT) return;
  set("PSYNC_HOME", told != NULL ? told : "");
  set("HOME", "/proc");
}

/* Measured: 50,000 files synced leave 184 MB instead of 243 MB where all threads share one arena that
 * is trimmed. What the user has set stays. */
static void save_memory(void) {
  if (setenv("MALLOC_ARENA_MAX", "1", 0) < 0 || setenv("MALLOC_TRIM_THRESHOLD_", "131072", 0) < 0)
    fail("Cannot set the environment", strerror(errno));
}

/* Tells the program what it cannot find out itself. A working directory that is gone is not told. */
static void describe_start(const char *self, const struct image *image, const struct place *place) {
  char cwd[PATH_MAX], size[32];
  set("PSYNC_SELF", self);
  snprintf(size, sizeof size, "%" PRIu64, image->size);
  set("PSYNC_HASH", image->hash);
  set("PSYNC_SIZE", size);
  set("PSYNC_NATIVE", place->file[SECTION_NATIVE]);
  if (getcwd(cwd, sizeof cwd) != NULL && cwd[0] == '/') set("PSYNC_CWD", cwd);
  set("DENO_DIR", place->deno_dir[0] != '\0' ? place->deno_dir : "/dev/null/psync");
  save_memory();
  set("DENO_NO_UPDATE_CHECK", "1");
  set("DENO_NO_PROMPT", "1");
  /* Where there is no node, Deno would put itself in front of PATH under that name. */
  set("DENO_DISABLE_NODE_SHIM", "1");
  set("DENO_NO_PACKAGE_JSON", "1");
}

static _Noreturn void become_runtime(const struct place *place, int argc, char **argv) {
  const char **words = calloc(COUNT(FLAGS) + (size_t)argc + 4, sizeof *words);
  size_t count = 0;
  if (words == NULL) fail("Cannot start", strerror(errno));
  for (size_t i = 0; i < COUNT(FLAGS); i++) words[count++] = FLAGS[i];
  if (place->deno_dir[0] == '\0') {
    words[count++] = "--no-code-cache";
    words[count++] = "--ext=js"; /* the name in /proc says nothing */
  }
  words[count++] = place->file[SECTION_PROGRAM];
  for (int i = 1; i < argc; i++) words[count++] = argv[i];
  execv(place->file[SECTION_RUNTIME], (char *const *)words);
  fail("Cannot run here", explain_exec(errno));
}

static void find_place(const struct image *image, struct place *place) {
  struct reasons reasons = {0};
  if (cache_place(image, place, &reasons) == 0) return;
  fprintf(stderr, "%spsync: No usable cache: unpacks into memory at each start; name a directory of your own, "
          "writable and not noexec, in XDG_CACHE_HOME\n", reasons.text);
  if (memory_place(image, place) < 0) fail("Cannot unpack into memory", strerror(errno));
}

int main(int argc, char **argv) {
  static struct image image;
  static struct place place;
  char self[PATH_MAX];
  /* First: nothing that is opened below may take the place of stdin, stdout or stderr. */
  if (signals_block() < 0 || open_standard() < 0) fail("Cannot start", strerror(errno));
  ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
  if (len < 0) fail("Cannot find itself as /proc must be mounted", strerror(errno));
  self[len] = '\0';
  if (image_open(&image, "/proc/self/exe") < 0) {
    fail("Cannot read its own file", errno == ENOEXEC ? "it is damaged or cut short: copy or build it again"
                                                      : strerror(errno));
  }
  drop_foreign();
  find_place(&image, &place);
  describe_start(self, &image, &place);
  hide_npmrc();
  hand_over_signals(argc, argv);
  if (chdir("/") < 0) fail("Cannot go to \"/\"", strerror(errno));
  become_runtime(&place, argc, argv);
}
