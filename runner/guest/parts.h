#pragma once
/* What the processes of a sandbox do outside Python, in the common subset of C and C++: the guest's helper (C) and the
 * child half of a clone (C++, runner/child) include the same text, so that a warm and a cold sandbox are made by the
 * same lines. Nothing here allocates. Every function reports failure through errno. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner/guest/control.h"

static inline int progtc_send_record(int fd, const void* record, size_t size, const int* fds, int fd_count) {
  struct iovec part;
  part.iov_base = (void*)record;
  part.iov_len = size;
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(2 * sizeof(int))];
  } control;
  struct msghdr message;
  memset(&message, 0, sizeof message);
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (fd_count > 0) {
    memset(&control, 0, sizeof control);
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE((size_t)fd_count * sizeof(int));
    struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN((size_t)fd_count * sizeof(int));
    memcpy(CMSG_DATA(header), fds, (size_t)fd_count * sizeof(int));
  }
  ssize_t sent;
  do {
    sent = sendmsg(fd, &message, MSG_NOSIGNAL);
  } while (sent == -1 && errno == EINTR);
  return sent == (ssize_t)size ? 0 : -1;
}

/* Reports the step that failed, with errno, and ends this process. Ending init or the worker ends the sandbox. */
static inline void progtc_fail(int status_fd, uint32_t step, uint32_t item) {
  struct progtc_report report;
  memset(&report, 0, sizeof report);
  report.message = PROGTC_FAILED;
  report.step = step;
  report.item = item;
  report.error = errno;
  (void)progtc_send_record(status_fd, &report, sizeof report, NULL,
                           0); /* if the host is gone, nobody is left to tell */
  _exit(125);
}

static inline int progtc_write_text(int dir, const char* path, const char* text) {
  const int fd = openat(dir, path, O_WRONLY | O_CLOEXEC);
  if (fd == -1) return -1;
  const ssize_t written = write(fd, text, strlen(text));
  const int saved = errno;
  close(fd);
  errno = saved;
  return written == (ssize_t)strlen(text) ? 0 : -1;
}

/* Mounts a fresh file system at `target`. `keep`, where given, receives a descriptor of its root. */
static inline int progtc_mount_fresh(const char* type, const char* const (*options)[2], const char* target,
                                     unsigned attributes, int* keep) {
  const int fs = fsopen(type, FSOPEN_CLOEXEC);
  if (fs == -1) return -1;
  int failed = 0;
  for (int i = 0; options[i][0] && !failed; ++i)
    failed = fsconfig(fs, FSCONFIG_SET_STRING, options[i][0], options[i][1], 0);
  if (!failed) failed = fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
  const int mounted = failed ? -1 : fsmount(fs, FSMOUNT_CLOEXEC, attributes);
  int saved = errno;
  close(fs);
  errno = saved;
  if (mounted == -1) return -1;
  failed = move_mount(mounted, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH);
  saved = errno;
  if (keep && !failed) {
    *keep = mounted;
  } else {
    close(mounted);
  }
  errno = saved;
  return failed;
}

/* Decimal digits of `number`, into a buffer of at least 21 bytes; returns where they start. */
static inline const char* progtc_digits(uint64_t number, char* buffer) {
  char* at = buffer + 20;
  *at = '\0';
  do {
    *--at = (char)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  return at;
}

/* A limit of 0 is EINVAL: tmpfs takes it for "no limit" (tmpfs(5)). The limits are read back from what is mounted. */
static inline int progtc_mount_tmpfs(const struct progtc_tmpfs* spec, const char* target, const char* mode, int* keep) {
  if (spec->size_bytes == 0 || spec->inodes == 0) {
    errno = EINVAL;
    return -1;
  }
  char size[21], inodes[21];
  const char* const options[][2] = {{"source", "tmpfs"},
                                    {"size", progtc_digits(spec->size_bytes, size)},
                                    {"nr_inodes", progtc_digits(spec->inodes, inodes)},
                                    {"mode", mode},
                                    {NULL, NULL}};
  int root = -1;
  if (progtc_mount_fresh("tmpfs", options, target, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, &root) == -1) return -1;
  struct statfs now;
  int failed = fstatfs(root, &now);
  /* The size is rounded up to whole pages. */
  if (!failed && ((uint64_t)now.f_blocks == 0 || (uint64_t)now.f_files == 0 || (uint64_t)now.f_files > spec->inodes ||
                  ((uint64_t)now.f_blocks - 1) * (uint64_t)now.f_bsize >= spec->size_bytes)) {
    errno = ERANGE;
    failed = -1;
  }
  const int saved = errno;
  if (keep && !failed) {
    *keep = root;
  } else {
    close(root);
  }
  errno = saved;
  return failed;
}

static inline int progtc_bring_loopback_up(void) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd == -1) return -1;
  struct ifreq request;
  memset(&request, 0, sizeof request);
  memcpy(request.ifr_name, "lo", 3);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  const int failed = ioctl(fd, SIOCSIFFLAGS, &request);
  const int saved = errno;
  close(fd);
  errno = saved;
  return failed;
}

/* The fresh /proc of this pid namespace: the sandbox's own processes and nothing else of the kernel's. */
static inline int progtc_mount_narrow_proc(void) {
  const char* const options[][2] = {{"source", "proc"}, {"hidepid", "invisible"}, {"subset", "pid"}, {NULL, NULL}};
  return progtc_mount_fresh("proc", options, "/proc", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, NULL);
}

/* mkdir -p for an absolute path on a fresh file system; the last part is a file where `is_file`. */
static inline int progtc_make_path(const char* path, int is_file) {
  char part[4096];
  const size_t length = strlen(path);
  if (length >= sizeof part) {
    errno = ENAMETOOLONG;
    return -1;
  }
  for (size_t i = 1; i <= length; ++i) {
    if (path[i] != '/' && path[i] != '\0') continue;
    memcpy(part, path, i);
    part[i] = '\0';
    if (i == length && is_file) {
      const int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
      if (fd == -1) return -1;
      close(fd);
    } else if (mkdir(part, 0755) == -1 && errno != EEXIST) {
      return -1;
    }
  }
  return 0;
}

enum { PROGTC_MAX_LATE_BINDS = 64 };

/* The private file systems, host name and loopback interface of one run. A file system whose limits are both 0 is left
 * out. Ends in a FAILED report where one cannot be
 * had; tells the host, with the descriptors of the working and the output directory, where all can. */
static inline void progtc_make_fresh_parts(uint32_t flags, const struct progtc_tmpfs* tmpfs, const char* late,
                                           uint32_t late_bytes, uint32_t controls, int status) {
  int kept[2] = {-1, -1};
  /* Binds the private file systems are about to cover are held on to, and attached again on top of them. */
  int trees[PROGTC_MAX_LATE_BINDS];
  uint32_t count = 0;
  for (const char* path = late; path < late + late_bytes; path += strlen(path) + 1) {
    if (count == PROGTC_MAX_LATE_BINDS) {
      errno = E2BIG;
      progtc_fail(status, PROGTC_STEP_LATE_BIND, count);
    }
    trees[count] = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (trees[count] == -1) progtc_fail(status, PROGTC_STEP_LATE_BIND, count);
    ++count;
  }
  const char* const places[PROGTC_TMPFS_COUNT] = {"/tmp", "/dev/shm", "/sandbox", "/out"};
  int kept_count = 0;
  for (uint32_t i = 0; i < PROGTC_TMPFS_COUNT; ++i) {
    const int is_left_out = tmpfs[i].size_bytes == 0 && tmpfs[i].inodes == 0;
    if (is_left_out || (i == PROGTC_OUT && !(flags & PROGTC_SPAWN_OUT))) continue;
    const int is_shared = i == PROGTC_TMP || i == PROGTC_SHM;
    if (progtc_mount_tmpfs(&tmpfs[i], places[i], is_shared ? "1777" : "0755", is_shared ? NULL : &kept[kept_count]) ==
        -1)
      progtc_fail(status, PROGTC_STEP_TMPFS, i);
    kept_count += !is_shared;
  }
  count = 0;
  for (const char* path = late; path < late + late_bytes; path += strlen(path) + 1, ++count) {
    struct stat info;
    if (fstat(trees[count], &info) == -1 || progtc_make_path(path, !S_ISDIR(info.st_mode)) == -1 ||
        move_mount(trees[count], "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) == -1)
      progtc_fail(status, PROGTC_STEP_LATE_BIND, count);
    close(trees[count]);
  }
  if (sethostname("sandbox", 7) == -1) progtc_fail(status, PROGTC_STEP_HOST_NAME, 0);
  if ((flags & PROGTC_SPAWN_LOOPBACK) && progtc_bring_loopback_up() == -1) progtc_fail(status, PROGTC_STEP_LOOPBACK, 0);
  struct progtc_report prepared;
  memset(&prepared, 0, sizeof prepared);
  prepared.message = PROGTC_PREPARED;
  prepared.controls = controls | PROGTC_CONTROL_NAMESPACES | PROGTC_CONTROL_TMPFS;
  if (progtc_send_record(status, &prepared, sizeof prepared, kept, kept_count) == -1) _exit(125);
  for (int i = 0; i < kept_count; ++i) close(kept[i]);
}

enum {
  PROGTC_SECUREBITS = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED |
                      SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED
};

/* Empties the bounding and ambient sets and locks the secure bits; what is still held is emptied by
 * progtc_drop_capabilities, or by execve. The raw calls of libcap's cap_drop_bound, cap_reset_ambient and
 * cap_set_secbits: these lines also run in interpreters that libcap is not visible to, and after a clone in which
 * nothing may allocate (capabilities(7)). */
static inline int progtc_limit_capabilities(void) {
  int cap = 0;
  while (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0) ++cap;
  if (cap == 0 || errno != EINVAL) return -1; /* EINVAL: past the kernel's last capability */
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == -1) return -1;
  return prctl(PR_SET_SECUREBITS, PROGTC_SECUREBITS, 0, 0, 0);
}

/* Gives up every capability for good and verifies that each set is empty. */
static inline int progtc_drop_capabilities(void) {
  struct __user_cap_header_struct header;
  header.version = _LINUX_CAPABILITY_VERSION_3;
  header.pid = 0;
  struct __user_cap_data_struct data[2];
  if (syscall(SYS_capget, &header, data) == -1) return -1;
  /* Without CAP_SETPCAP it has been done before, or the look at the sets below says that it has not. */
  if ((data[0].effective & (1u << CAP_SETPCAP)) && progtc_limit_capabilities() == -1) return -1;
  memset(data, 0, sizeof data);
  if (syscall(SYS_capset, &header, data) == -1) return -1;
  memset(data, 0xff, sizeof data);
  if (syscall(SYS_capget, &header, data) == -1) return -1;
  uint32_t left = 0;
  for (int i = 0; i < 2; ++i) left |= data[i].effective | data[i].permitted | data[i].inheritable;
  if (prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) != PROGTC_SECUREBITS) left = 1;
  int is_held = 0;
  for (int cap = 0; is_held != -1; ++cap) {
    is_held = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
    if (is_held == 1) left = 1;
  }
  if (left) {
    errno = EPERM;
    return -1;
  }
  return 0;
}

/* Before the worker is forked: its end arrives as a signal on the descriptor returned. `before` receives the old mask.
 */
static inline int progtc_watch_children(sigset_t* before) {
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  (void)signal(SIGCHLD, SIG_DFL); /* a template ignores it, so that ended inits leave no zombie */
  sigprocmask(SIG_BLOCK, &children, before);
  return signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* What init is for the rest of the run: holds nothing but the status socket, has no capability, and reaps until the
 * worker ends; then it reports and ends, which kills everything left in the pid namespace. A record from the host asks
 * for that end, so that what was used is known after a kill too; its end of file means the host is gone. */
static inline void progtc_run_init(pid_t worker, int status_fd, int signal_fd) {
  /* Nothing of the run's may stay open here, or the host would wait for ends of file that never come. */
  const int kept_status = fcntl(status_fd, F_DUPFD_CLOEXEC, 16);
  const int kept_signals = fcntl(signal_fd, F_DUPFD_CLOEXEC, 16);
  if (kept_status == -1 || kept_signals == -1) progtc_fail(status_fd, PROGTC_STEP_FORK, 2);
  if (dup2(kept_status, 0) == -1 || dup2(kept_signals, 1) == -1 || close_range(2, ~0U, 0) == -1)
    progtc_fail(kept_status, PROGTC_STEP_FORK, 3);
  if (progtc_drop_capabilities() == -1) progtc_fail(0, PROGTC_STEP_CAPABILITIES, 1);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1) progtc_fail(0, PROGTC_STEP_NO_NEW_PRIVS, 1);
  struct pollfd watched[2];
  memset(watched, 0, sizeof watched);
  watched[1].fd = 1;
  watched[0].events = watched[1].events = POLLIN;
  for (;;) {
    if (poll(watched, 2, -1) == -1 && errno != EINTR) _exit(125);
    if (watched[0].revents) {
      char asked;
      if (recv(0, &asked, 1, 0) != 1 || kill(worker, SIGKILL) == -1) _exit(125);
    }
    if (!watched[1].revents) continue;
    struct signalfd_siginfo info;
    if (read(1, &info, sizeof info) == -1) errno = 0; /* only drained; the truth is in wait4 */
    for (;;) {
      int wait_status;
      struct rusage own, all;
      const pid_t ended = wait4(-1, &wait_status, WNOHANG, &own);
      if (ended <= 0) break;
      if (ended != worker) continue;
      getrusage(RUSAGE_CHILDREN, &all);
      struct progtc_exit record;
      memset(&record, 0, sizeof record);
      record.message = PROGTC_EXITED;
      record.wait_status = wait_status;
      record.cpu_us = (uint64_t)(all.ru_utime.tv_sec + all.ru_stime.tv_sec) * 1000000u +
                      (uint64_t)(all.ru_utime.tv_usec + all.ru_stime.tv_usec);
      record.max_rss_bytes = (uint64_t)own.ru_maxrss * 1024u;
      (void)progtc_send_record(0, &record, sizeof record, NULL, 0);
      _exit(0);
    }
  }
}
