/*
 * Who brings a carrier its stream; see carry.h.
 */
#include "carry.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec.h"

#define STATUS_USAGE 2
#define STATUS_ALONE 3
#define PIPE_BYTES (1 << 20)
#define LINES_SIZE 16384 /* a name and a line for the command */

static int fail(const char *action, int status) {
  fprintf(stderr, "psync-native: Cannot %s: %s\n", action, strerror(errno));
  return status;
}

bool carry_is_same_user(int fd) {
  struct ucred who;
  socklen_t size = sizeof who;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 && who.uid == geteuid();
}

/* Connects to an `apply`; one of this user, as anybody may take a name that is free again. Returns the
 * connection, or -1 with errno. */
static int find_apply(const char *name) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t len = strlen(name);
  if (len + 1 >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(address.sun_path + 1, name, len);
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len);
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  int err = connect(fd, (struct sockaddr *)&address, size) < 0 ? errno : carry_is_same_user(fd) ? 0 : EACCES;
  if (!err) return fd;
  close(fd);
  errno = err;
  return -1;
}

/* Hands over what `apply` reads from and writes to. */
static int hand_over(int apply, int in, int out, bool holds) {
  int ends[] = {in, out};
  char byte = holds ? CARRY_HOLDS : 0;
  union {
    struct cmsghdr align;
    char space[CMSG_SPACE(sizeof ends)];
  } control = {0};
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof ends);
  memcpy(CMSG_DATA(rights), ends, sizeof ends);
  return sendmsg(apply, &message, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

/* Waits until one of them has no need of the stream any more; a second one may be missing. */
static void await_end(int apply, int other) {
  struct pollfd fds[] = {{.fd = apply, .events = POLLIN}, {.fd = other, .events = POLLIN}};
  while (poll(fds, 2, -1) < 0 && errno == EINTR) {
  }
}

/* Takes much at once. WHY: sshd takes 256 KiB off the network for each time that it writes, and copies all that
 * waits to be written with each packet. Measured: through a pipe of 64 KiB 8 MB took 240 ms of its processor
 * time. May be refused: it is then slower. */
static void widen(int pipe) {
  fcntl(pipe, F_SETPIPE_SZ, PIPE_BYTES);
}

/* Lives as long as the stream does: sshd would close it with its command. */
static int carry_own(int apply) {
  widen(STDIN_FILENO);
  widen(STDOUT_FILENO);
  if (hand_over(apply, STDIN_FILENO, STDOUT_FILENO, true) < 0) return fail("hand over a stream", STATUS_ALONE);
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
    return fail("let go of a stream", STATUS_ALONE);
  await_end(apply, -1);
  return 0;
}

static int carry_command(int apply, int count, char **hex) {
  int down[2], up[2];
  if (pipe2(down, O_CLOEXEC) < 0 || pipe2(up, O_CLOEXEC) < 0) return fail("make a pipe", STATUS_ALONE);
  widen(down[0]);
  widen(up[0]);
  if (hand_over(apply, up[0], down[1], false) < 0) return fail("hand over a stream", STATUS_ALONE);
  if (dup2(down[0], STDIN_FILENO) < 0 || dup2(up[1], STDOUT_FILENO) < 0) return fail("take a pipe", STATUS_ALONE);
  return exec_main(count, hex);
}

/* Reads two lines. Returns how long they are, or -1 where they do not come, or the command has ended before. */
static ssize_t read_lines(int command, char *lines, size_t size) {
  size_t len = 0;
  unsigned count = 0;
  while (count < 2 && len < size) {
    struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = command}};
    if (poll(fds, 2, -1) < 0 && errno != EINTR) return -1;
    if (fds[1].revents & (POLLHUP | POLLERR)) break;
    if (!fds[0].revents) continue;
    ssize_t n = read(STDIN_FILENO, lines + len, size - len);
    if (n <= 0) break;
    for (ssize_t i = 0; i < n; i++) count += lines[len + (size_t)i] == '\n';
    len += (size_t)n;
  }
  errno = ECANCELED;
  return count == 2 ? (ssize_t)len : -1;
}

/* The ends of a command that runs already. Its first line is short: a pipe takes it at once. */
static int hand_over_later(int in, int out) {
  char lines[LINES_SIZE];
  ssize_t len = read_lines(in, lines, sizeof lines);
  if (len < 0) return fail("hear who wants a stream", STATUS_ALONE);
  char *rest = memchr(lines, '\n', (size_t)len);
  *rest++ = 0;
  size_t size = (size_t)(lines + len - rest);
  int apply = find_apply(lines);
  if (apply < 0) return fail("find the apply that wants a stream", STATUS_ALONE);
  if (write(out, rest, size) != (ssize_t)size || hand_over(apply, in, out, false) < 0)
    return fail("hand over a stream", STATUS_ALONE);
  close(apply);
  return 0;
}

static int carry_ahead(int count, char **hex) {
  int down[2], up[2], status = 0;
  if (pipe2(down, O_CLOEXEC) < 0 || pipe2(up, O_CLOEXEC) < 0) return fail("make a pipe", STATUS_ALONE);
  widen(down[0]);
  widen(up[0]);
  pid_t command = fork();
  if (command < 0) return fail("start a command", STATUS_ALONE);
  if (command == 0) {
    if (dup2(down[0], STDIN_FILENO) < 0 || dup2(up[1], STDOUT_FILENO) < 0) _exit(STATUS_ALONE);
    _exit(exec_main(count, hex));
  }
  close(down[0]);
  close(up[1]);
  int failed = hand_over_later(up[0], down[1]);
  close(up[0]);
  close(down[1]);
  if (failed) kill(command, SIGTERM);
  while (waitpid(command, &status, 0) < 0 && errno == EINTR) {
  }
  return failed ? failed : WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_ALONE;
}

static int carry_to(int apply, const char *name) {
  int ends[2], other = find_apply(name);
  if (other < 0) return fail("find the other apply", STATUS_ALONE);
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) return fail("make a stream", STATUS_ALONE);
  if (hand_over(apply, ends[0], ends[0], true) < 0 || hand_over(other, ends[1], ends[1], true) < 0)
    return fail("hand over a stream", STATUS_ALONE);
  close(ends[0]);
  close(ends[1]);
  await_end(apply, other);
  return 0;
}

int carry_main(int count, char **words) {
  const char *how = count > 1 ? words[1] : "";
  if (count > 1 && !strcmp(words[0], "ahead")) return carry_ahead(count - 1, words + 1);
  bool is_known = count == 1 || (count > 2 && !strcmp(how, "exec")) || (count == 3 && !strcmp(how, "join"));
  if (!is_known) {
    fprintf(stderr, "Usage: psync-native carry NAME [exec HEX... | join NAME] | carry ahead HEX...\n");
    return STATUS_USAGE;
  }
  int apply = find_apply(words[0]);
  if (apply < 0) return fail("find the apply that wants a stream", STATUS_ALONE);
  if (count == 1) return carry_own(apply);
  return *how == 'e' ? carry_command(apply, count - 2, words + 2) : carry_to(apply, words[2]);
}
