/*
 * `psync-native notify`: tells a service manager what psync does (sd_notify(3)), for Deno cannot send
 * datagrams to a socket in the file system. One line of stdin is one message. What cannot be sent is
 * dropped: psync works without a manager that listens.
 */
#include "notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define STATUS_USAGE 2
#define LINE_MAX_BYTES 4096

/* Reads the address from the environment. Returns its length, or 0 where there is none. */
static socklen_t read_address(struct sockaddr_un *address) {
  const char *name = getenv("NOTIFY_SOCKET");
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  if (!name || (name[0] != '/' && name[0] != '@') || !name[1]) return 0;
  size_t len = strlen(name);
  if (len >= sizeof address->sun_path) return 0;
  memcpy(address->sun_path, name, len);
  if (name[0] == '@') address->sun_path[0] = 0; /* a socket that has no file */
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

int notify_main(void) {
  struct sockaddr_un address;
  socklen_t len = read_address(&address);
  int fd = len ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
  if (fd < 0) {
    fprintf(stderr, "psync-native: Cannot notify: %s\n", len ? strerror(errno) : "NOTIFY_SOCKET names no socket");
    return STATUS_USAGE;
  }
  char line[LINE_MAX_BYTES];
  while (fgets(line, sizeof line, stdin)) {
    size_t size = strcspn(line, "\n");
    sendto(fd, line, size, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&address, len);
  }
  return 0;
}
