/* SIGUSR1 is kept from the runtime; see signals.h. */
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static sigset_t usr1(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  return set;
}

int signals_block(void) {
  sigset_t set = usr1();
  return sigprocmask(SIG_BLOCK, &set, NULL);
}

int signals_to_stdin(void) {
  sigset_t set = usr1();
  int fd = signalfd(-1, &set, SFD_CLOEXEC);
  if (fd < 0) return -1;
  /* Never stdin itself, which is open; the copy stays open over exec. */
  int result = dup2(fd, STDIN_FILENO) < 0 ? -1 : 0;
  int err = errno;
  close(fd);
  errno = err;
  return result;
}

int open_standard(void) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    /* The lowest free descriptor is this one. */
    if (open("/dev/null", O_RDWR) < 0) return -1;
  }
  return 0;
}
