/*
 * The read lease; see lease.h and fcntl(2), "Leases".
 */
#include "lease.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>

static enum lease take_once(int fd) {
  if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0) return LEASE_HELD;
  return errno == EAGAIN ? LEASE_BUSY : LEASE_NONE;
}

enum lease lease_take(int fd) {
  static const long pauses_ns[] = {100000, 1000000, 5000000};
  enum lease lease = take_once(fd);
  for (unsigned i = 0; lease == LEASE_BUSY && i < sizeof pauses_ns / sizeof *pauses_ns; i++) {
    nanosleep(&(struct timespec){.tv_nsec = pauses_ns[i]}, NULL);
    lease = take_once(fd);
  }
  return lease;
}

bool lease_holds(int fd) { return fcntl(fd, F_GETLEASE) == F_RDLCK; }

void lease_drop(int fd) {
  int err = errno;
  fcntl(fd, F_SETLEASE, F_UNLCK);
  errno = err;
}
