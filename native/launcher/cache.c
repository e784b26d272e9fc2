/*
 * Finds the place to run from, and unpacks there what is missing. See cache.h.
 *
 * DESIGN: bases are tried one after another; whatever fails at one is a reason, and the next is
 * tried. Only a runtime that cannot run on this system ends the search, since it will not run
 * anywhere. OWNERSHIP: each function closes the descriptors that it opens, but for those of the
 * sections' directories, which end with the launcher.
 */
#include "cache.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "files.h"
#include "probe.h"
#include "purge.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

static const struct {
  const char *name;
  mode_t mode;
} FILES[SECTIONS] = {
  [SECTION_RUNTIME] = {"psync", 0700},
  [SECTION_PROGRAM] = {"psync.js", 0600},
  [SECTION_NATIVE] = {"psync-native", 0700},
};

__attribute__((format(printf, 2, 3)))
static void add_reason(struct reasons *reasons, const char *format, ...) {
  va_list args;
  size_t room = sizeof reasons->text - reasons->len;
  va_start(args, format);
  int len = vsnprintf(reasons->text + reasons->len, room, format, args);
  va_end(args);
  if (len > 0 && (size_t)len < room) reasons->len += (size_t)len;
  else reasons->text[reasons->len] = '\0';
}

static _Noreturn void cannot_run(const char *why) {
  fprintf(stderr, "psync: Cannot run here: %s\n", why);
  exit(3);
}

/* Whether what lies there can be the section: a plain file, one's own, with this mode and size. */
static bool is_sound(int dir, enum section_kind kind, const struct section *section) {
  struct stat st;
  return fstatat(dir, FILES[kind].name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
         st.st_uid == geteuid() && (st.st_mode & 07777) == FILES[kind].mode && (uint64_t)st.st_size == section->size;
}

/* Writes a section to a new file and sees it to the disk. Returns 0 or -1 with errno. */
static int write_section(const struct image *image, enum section_kind kind, int dir, const char *name) {
  int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  int result = 0;
  /* A full disk is better known before the work than after it. */
  if (fallocate(fd, 0, 0, (off_t)image->section[kind].size) < 0 && (errno == ENOSPC || errno == EDQUOT)) result = -1;
  if (result == 0) result = image_unpack(image, kind, fd);
  if (result == 0) result = fchmod(fd, FILES[kind].mode);
  if (result == 0) result = fsync(fd);
  int err = errno;
  if (close(fd) < 0 && result == 0) {
    result = -1;
    err = errno;
  }
  errno = err;
  return result;
}

/* Ends the search where the runtime cannot run. Returns 0, or -1 with EACCES. */
static int check_runtime(const char *path) {
  char why[PROBE_TEXT_SIZE];
  switch (probe_runtime(path, why)) {
    case PROBE_RUNS: return 0;
    case PROBE_DENIED: errno = EACCES; return -1;
    case PROBE_FAILED: break;
  }
  unlink(path);
  cannot_run(why);
}

/* Unpacks a section aside and gives it its name. `path` is the directory's. 0 or -1 with errno. */
static int renew_section(const struct image *image, enum section_kind kind, int dir, const char *path) {
  char name[64], whole[PATH_MAX];
  snprintf(name, sizeof name, ".new-%ld", (long)getpid());
  purge_leftovers(dir);
  unlinkat(dir, name, 0);
  int result = path_join(whole, path, "/", name);
  if (result == 0) result = write_section(image, kind, dir, name);
  if (result == 0 && kind == SECTION_RUNTIME) result = check_runtime(whole);
  if (result == 0) result = renameat(dir, name, dir, FILES[kind].name);
  int err = errno;
  if (result < 0) unlinkat(dir, name, 0);
  else fsync(dir);
  errno = err;
  return result;
}

/* Sees to it that a section lies below lib (whose path is `path`). Returns 1 when it had to be
 * unpacked, 0 when it was there, -1 with errno. */
static int place_section(const struct image *image, enum section_kind kind, int lib, const char *path, char *file) {
  char id[SECTION_ID_SIZE + 1], dir_path[PATH_MAX];
  int result = 0;
  section_id(&image->section[kind], id);
  if (path_join(dir_path, path, "/", id) < 0 || path_join(file, dir_path, "/", FILES[kind].name) < 0) return -1;
  int dir = hold_dir(lib, id);
  if (dir < 0) return -1;
  if (!is_sound(dir, kind, &image->section[kind])) {
    result = renew_section(image, kind, dir, dir_path) < 0 ? -1 : 1;
  }
  if (result >= 0) return result; /* held until the runtime runs: CLOEXEC */
  int err = errno;
  close(dir);
  errno = err;
  return -1;
}

/* Makes the directories of this image the newest, then lets old ones go. */
static void keep_newest(const struct image *image, int lib, const char *path) {
  char id[SECTION_ID_SIZE + 1];
  for (int kind = 0; kind < SECTIONS; kind++) {
    section_id(&image->section[kind], id);
    utimensat(lib, id, NULL, AT_SYMLINK_NOFOLLOW);
  }
  purge_cache(lib, path);
}

/* Places every section below `path`, which is BASE/psync/lib. Returns 0 or -1 with errno. */
static int fill_lib(const struct image *image, int lib, const char *path, struct place *place) {
  bool is_new = false;
  for (int kind = 0; kind < SECTIONS; kind++) {
    int result = place_section(image, kind, lib, path, place->file[kind]);
    if (result < 0) return -1;
    is_new |= result > 0;
  }
  char id[SECTION_ID_SIZE + 1];
  char program[PATH_MAX];
  section_id(&image->section[SECTION_PROGRAM], id);
  if (path_join(program, path, "/", id) < 0 || path_join(place->deno_dir, program, "/", "deno") < 0) return -1;
  if (is_new) keep_newest(image, lib, path);
  return 0;
}

/* Whether a base may be used: one's own, closed to others, executable. NULL, or why not. */
static const char *refuse_base(int fd) {
  struct stat st;
  struct statvfs fs;
  if (fstat(fd, &st) < 0 || fstatvfs(fd, &fs) < 0) return strerror(errno);
  if (st.st_uid != geteuid()) return "belongs to another user";
  if ((st.st_mode & S_IWOTH) != 0) return "is writable for all";
  if ((fs.f_flag & ST_NOEXEC) != 0) return "is mounted noexec";
  return NULL;
}

/* Fills the cache below an open base. Returns 0, or -1 with errno. */
static int fill_base(const struct image *image, int base, const char *path, struct place *place) {
  char lib_path[PATH_MAX];
  int result = -1, lib = -1;
  int top = own_dir(base, "psync");
  if (top >= 0) lib = own_dir(top, "lib");
  if (lib >= 0 && path_join(lib_path, path, "/", "psync/lib") == 0) {
    result = fill_lib(image, lib, lib_path, place);
  }
  int err = errno;
  if (lib >= 0) close(lib);
  if (top >= 0) close(top);
  errno = err;
  return result;
}

/* What a failure means; ends the search where it would mean the same at every base. */
static const char *explain(int err) {
  if (err == EBADMSG) cannot_run("its own file is damaged: copy or build it again");
  return strerror(err);
}

/* Tries one base; makes its last name where that is missing. */
static int try_base(const struct image *image, const char *path, struct place *place, struct reasons *reasons) {
  if (mkdir(path, 0700) < 0 && errno != EEXIST) {
    add_reason(reasons, "psync: Cannot use \"%s\": %s\n", path, strerror(errno));
    return -1;
  }
  int base = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const char *refusal = base < 0 ? strerror(errno) : refuse_base(base);
  int result = -1;
  if (refusal == NULL) {
    result = fill_base(image, base, path, place);
    if (result < 0) refusal = explain(errno);
  }
  if (base >= 0) close(base);
  if (result < 0) add_reason(reasons, "psync: Cannot use \"%s\": %s\n", path, refusal);
  return result;
}

/* A directory that a variable names, or NULL: relative ones are ignored, as the XDG rules say. */
static const char *named_dir(const char *variable) {
  const char *value = getenv(variable);
  return value != NULL && value[0] == '/' ? value : NULL;
}

const char *home_dir(void) {
  const struct passwd *user;
  const char *home = named_dir("HOME");
  if (home != NULL) return home;
  user = getpwuid(geteuid());
  return user != NULL && user->pw_dir != NULL && user->pw_dir[0] == '/' ? user->pw_dir : NULL;
}

int cache_place(const struct image *image, struct place *place, struct reasons *reasons) {
  char below_home[PATH_MAX];
  const char *home = home_dir();
  const char *bases[] = {
    named_dir("XDG_CACHE_HOME"),
    home != NULL && path_join(below_home, home, "/", ".cache") == 0 ? below_home : NULL,
    geteuid() == 0 ? "/var/cache" : NULL,
    named_dir("XDG_RUNTIME_DIR"),
  };
  for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
    if (bases[i] != NULL && try_base(image, bases[i], place, reasons) == 0) return 0;
  }
  return -1;
}

/* Unpacks a section into memory. Returns its descriptor or -1 with errno. */
static int memory_section(const struct image *image, enum section_kind kind) {
  unsigned int flags = kind == SECTION_RUNTIME ? MFD_CLOEXEC : 0;
  int fd = memfd_create(FILES[kind].name, flags | MFD_EXEC);
  /* Kernels before 6.3 do not know MFD_EXEC and need no word for it. */
  if (fd < 0 && errno == EINVAL) fd = memfd_create(FILES[kind].name, flags);
  if (fd < 0 || image_unpack(image, kind, fd) == 0) return fd;
  int err = errno;
  close(fd);
  errno = err;
  return -1;
}

int memory_place(const struct image *image, struct place *place) {
  for (int kind = 0; kind < SECTIONS; kind++) {
    int fd = memory_section(image, kind);
    if (fd < 0) {
      explain(errno);
      return -1;
    }
    /* WHY: the native program is started by a child, where "self" is somebody else. */
    if (kind == SECTION_NATIVE) snprintf(place->file[kind], PATH_MAX, "/proc/%ld/fd/%d", (long)getpid(), fd);
    else snprintf(place->file[kind], PATH_MAX, "/proc/self/fd/%d", fd);
  }
  place->deno_dir[0] = '\0';
  return check_runtime(place->file[SECTION_RUNTIME]);
}
