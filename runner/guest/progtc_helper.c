/* _progtc: the part of the guest that Python cannot do. Imported by the template; stable ABI, so one build serves every
 * interpreter from 3.9 on.
 *
 * Theory of operation. serve() runs in the template, a single-threaded interpreter that has seen no user data. For each
 * SPAWN of the host it clones "init" into fresh namespaces. Init (pid 1 there) mounts what is fresh for one run, forks the
 * "worker", and from then on only reaps; it never runs Python again. The worker confines itself step by step, tells the host
 * over the status socket which controls it verified, hands over the seccomp listener, and only then returns from serve()
 * into Python, which waits on the channel for its job. Whatever fails ends the sandbox with a FAILED report: there is no
 * path from a failed step to user code.
 *
 * Order of the worker's steps: resource limits while capabilities could still raise nothing; the bounding set before the
 * other capability sets, as PR_CAPBSET_DROP needs CAP_SETPCAP; no_new_privs before Landlock and seccomp, which answer EPERM
 * and EACCES without it; the filter last, because it forbids the calls that the other steps need. */
#define _GNU_SOURCE
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x03090000
#include <Python.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runner/guest/control.h"

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13) /* ABI 2, Linux 5.19 */
#endif
#define LANDLOCK_FS_TRUNCATE (1ULL << 14)  /* ABI 3, Linux 6.2 */
#define LANDLOCK_FS_IOCTL_DEV (1ULL << 15) /* ABI 5, Linux 6.10 */
#define LANDLOCK_NET_TCP 3ULL              /* bind and connect: ABI 4, Linux 6.7 */
#define LANDLOCK_SCOPES 3ULL               /* abstract sockets and signals: ABI 6, Linux 6.12 */

struct landlock_ruleset { /* struct landlock_ruleset_attr as of ABI 6; an older kernel takes a shorter size */
  uint64_t handled_access_fs;
  uint64_t handled_access_net;
  uint64_t scoped;
};

struct request {
  union {
    struct progtc_spawn head;
    unsigned char bytes[PROGTC_SPAWN_MAX_BYTES];
  } u;
  int fds[PROGTC_SPAWN_MAX_FDS];
  int fd_count;
};
enum { FD_STATUS, FD_CHANNEL, FD_STDIN, FD_STDOUT, FD_STDERR, FD_FIRST_CGROUP };

/* ---- messages ---- */

static int send_record(int fd, const void* record, size_t size, const int* fds, int fd_count) {
  struct iovec part = {.iov_base = (void*)record, .iov_len = size};
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(2 * sizeof(int))];
  } control;
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
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
static void fail(int status_fd, uint32_t step, uint32_t item) {
  const struct progtc_report report = {.message = PROGTC_FAILED, .step = step, .item = item, .error = errno};
  (void)send_record(status_fd, &report, sizeof report, NULL, 0); /* if the host is gone, nobody is left to tell */
  _exit(125);
}

static void close_all(struct request* request) {
  for (int i = 0; i < request->fd_count; ++i) close(request->fds[i]);
  request->fd_count = 0;
}

/* Returns the size of one well-formed SPAWN, 0 at end of file, -1 with errno. */
static ssize_t receive_spawn(struct request* request) {
  struct iovec part = {.iov_base = request->u.bytes, .iov_len = sizeof request->u.bytes};
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(PROGTC_SPAWN_MAX_FDS * sizeof(int))];
  } control;
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  request->fd_count = 0;
  ssize_t size;
  do {
    size = recvmsg(PROGTC_CONTROL_FD, &message, MSG_CMSG_CLOEXEC);
  } while (size == -1 && errno == EINTR);
  if (size <= 0) return size;
  for (struct cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(request->fds, CMSG_DATA(header), count * sizeof(int));
    request->fd_count = (int)count;
  }
  const struct progtc_spawn* head = &request->u.head;
  const size_t fixed = sizeof *head;
  const int has_v2 = (size_t)size >= fixed && (head->flags & PROGTC_SPAWN_CGROUP_V2) ? 1 : 0;
  if ((size_t)size < fixed || head->message != PROGTC_SPAWN || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
      head->filter_count == 0 || head->filter_count > BPF_MAXINSNS ||
      (size_t)size != fixed + head->filter_count * sizeof(struct sock_filter) + head->paths_bytes ||
      request->fd_count != FD_FIRST_CGROUP + has_v2 + (int)head->procs_count) {
    close_all(request);
    errno = EPROTO;
    return -1;
  }
  return size;
}

/* ---- init ---- */

static int write_text(int dir, const char* path, const char* text) {
  const int fd = openat(dir, path, O_WRONLY | O_CLOEXEC);
  if (fd == -1) return -1;
  const ssize_t written = write(fd, text, strlen(text));
  const int saved = errno;
  close(fd);
  errno = saved;
  return written == (ssize_t)strlen(text) ? 0 : -1;
}

/* Mounts a fresh file system at `target`. `keep`, where given, receives a descriptor of its root. */
static int mount_fresh(const char* type, const char* const (*options)[2], const char* target, unsigned attributes, int* keep) {
  const int fs = fsopen(type, FSOPEN_CLOEXEC);
  if (fs == -1) return -1;
  int failed = 0;
  for (int i = 0; options[i][0] && !failed; ++i) failed = fsconfig(fs, FSCONFIG_SET_STRING, options[i][0], options[i][1], 0);
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

static int mount_tmpfs(const struct progtc_tmpfs* spec, const char* target, const char* mode, int* keep) {
  char size[32], inodes[32];
  snprintf(size, sizeof size, "%llu", (unsigned long long)spec->size_bytes);
  snprintf(inodes, sizeof inodes, "%llu", (unsigned long long)spec->inodes);
  const char* const options[][2] = {{"source", "tmpfs"}, {"size", size}, {"nr_inodes", inodes}, {"mode", mode}, {NULL, NULL}};
  return mount_fresh("tmpfs", options, target, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, keep);
}

static int bring_loopback_up(void) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd == -1) return -1;
  struct ifreq request;
  memset(&request, 0, sizeof request);
  strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  const int failed = ioctl(fd, SIOCSIFFLAGS, &request);
  const int saved = errno;
  close(fd);
  errno = saved;
  return failed;
}

/* Empties the bounding, ambient, permitted, effective and inheritable sets and verifies that they are empty. The raw calls
 * of libcap's cap_drop_bound, cap_reset_ambient and cap_set_proc: this object is loaded by interpreters that libcap is not
 * visible to (capabilities(7)). */
static int drop_capabilities(void) {
  for (int cap = 0; cap <= 63; ++cap) {
    const int is_held = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
    if (is_held == -1) break; /* EINVAL: past the kernel's last capability */
    if (is_held == 1 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == -1) return -1;
  }
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == -1) return -1;
  if (prctl(PR_SET_SECUREBITS,
            SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED |
                SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED,
            0, 0, 0) == -1)
    return -1;
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  struct __user_cap_data_struct data[2];
  memset(data, 0, sizeof data);
  if (syscall(SYS_capset, &header, data) == -1) return -1;
  memset(data, 0xff, sizeof data);
  if (syscall(SYS_capget, &header, data) == -1) return -1;
  uint32_t left = 0;
  for (int i = 0; i < 2; ++i) left |= data[i].effective | data[i].permitted | data[i].inheritable;
  for (int cap = 0; cap <= 63; ++cap)
    if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1) left = 1;
  if (left) {
    errno = EPERM;
    return -1;
  }
  return 0;
}

/* Reaps until the worker ends, then reports and ends, which kills everything left in the pid namespace. A record from the
 * host asks for that end, so that what was used is known after a kill too; its end of file means the host is gone. */
static void run_init(pid_t worker, int status_fd, int signal_fd) {
  struct pollfd watched[2] = {{.fd = status_fd, .events = POLLIN}, {.fd = signal_fd, .events = POLLIN}};
  for (;;) {
    if (poll(watched, 2, -1) == -1 && errno != EINTR) _exit(125);
    if (watched[0].revents) {
      char asked;
      if (recv(status_fd, &asked, 1, 0) != 1 || kill(worker, SIGKILL) == -1) _exit(125);
    }
    if (!watched[1].revents) continue;
    struct signalfd_siginfo info;
    (void)!read(signal_fd, &info, sizeof info);
    for (;;) {
      int wait_status;
      struct rusage own;
      const pid_t ended = wait4(-1, &wait_status, WNOHANG, &own);
      if (ended <= 0) break;
      if (ended != worker) continue;
      struct rusage all;
      getrusage(RUSAGE_CHILDREN, &all);
      const struct progtc_exit record = {
          .message = PROGTC_EXITED,
          .wait_status = wait_status,
          .cpu_us = (uint64_t)(all.ru_utime.tv_sec + all.ru_stime.tv_sec) * 1000000u +
                    (uint64_t)(all.ru_utime.tv_usec + all.ru_stime.tv_usec),
          .max_rss_bytes = (uint64_t)own.ru_maxrss * 1024u,
      };
      (void)send_record(status_fd, &record, sizeof record, NULL, 0);
      _exit(0);
    }
  }
}

/* ---- worker ---- */

static int set_rlimits(const struct progtc_spawn* head, uint32_t* item) {
  for (uint32_t i = 0; i < PROGTC_RLIMIT_COUNT; ++i) {
    if (!head->rlimits[i].is_set) continue;
    *item = i;
    const struct rlimit limit = {.rlim_cur = head->rlimits[i].value, .rlim_max = head->rlimits[i].value};
    struct rlimit now;
    if (setrlimit((__rlimit_resource_t)head->rlimits[i].resource, &limit) == -1) {
      /* Only lowering is possible without privilege; a lower hard limit of the host is stricter and stays. */
      if (errno != EPERM || getrlimit((__rlimit_resource_t)head->rlimits[i].resource, &now) == -1) return -1;
      if (now.rlim_max > limit.rlim_max) return -1;
      now.rlim_cur = now.rlim_max;
      if (setrlimit((__rlimit_resource_t)head->rlimits[i].resource, &now) == -1) return -1;
    }
    if (getrlimit((__rlimit_resource_t)head->rlimits[i].resource, &now) == -1) return -1;
    if (now.rlim_max > limit.rlim_max) {
      errno = EPERM;
      return -1;
    }
  }
  return 0;
}

/* Keeps `wanted` of the processors this process may run on, starting at one that differs from run to run. */
static int choose_processors(uint32_t wanted) {
  cpu_set_t had, kept;
  if (sched_getaffinity(0, sizeof had, &had) == -1) return -1;
  const int count = CPU_COUNT(&had);
  if (count <= (int)wanted) return 0;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  const int first = (int)((now.tv_nsec / 1000) % count);
  CPU_ZERO(&kept);
  for (int cpu = 0, seen = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &had)) continue;
    if ((seen - first + count) % count < (int)wanted) CPU_SET(cpu, &kept);
    ++seen;
  }
  return sched_setaffinity(0, sizeof kept, &kept);
}

/* Reading and executing below /, writing below `paths` only; no TCP when there is no network; no signals or abstract
 * sockets out of the sandbox. Sets *abi to 0 where the kernel has no Landlock. */
static int apply_landlock(const struct progtc_spawn* head, const char* paths, uint32_t* abi) {
  const long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 1) {
    *abi = 0;
    return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -1;
  }
  const uint64_t reading =
      LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
  uint64_t writing = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                     LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
                     LANDLOCK_ACCESS_FS_MAKE_SYM;
  if (version >= 2) writing |= LANDLOCK_ACCESS_FS_REFER;
  if (version >= 3) writing |= LANDLOCK_FS_TRUNCATE;
  struct landlock_ruleset ruleset = {.handled_access_fs = reading | writing};
  if (version >= 5) ruleset.handled_access_fs |= LANDLOCK_FS_IOCTL_DEV;
  size_t size = sizeof ruleset.handled_access_fs;
  if (version >= 4) {
    size = 2 * sizeof(uint64_t);
    if (!(head->flags & (PROGTC_SPAWN_LOOPBACK | PROGTC_SPAWN_HOST_NETWORK))) ruleset.handled_access_net = LANDLOCK_NET_TCP;
  }
  if (version >= 6) {
    size = sizeof ruleset;
    ruleset.scoped = LANDLOCK_SCOPES;
  }
  const int rules = (int)syscall(SYS_landlock_create_ruleset, &ruleset, size, 0);
  if (rules == -1) return -1;
  const uint64_t on_files = reading | LANDLOCK_ACCESS_FS_WRITE_FILE | (version >= 3 ? LANDLOCK_FS_TRUNCATE : 0) |
                            (version >= 5 ? LANDLOCK_FS_IOCTL_DEV : 0);
  int failed = 0;
  const char* path = "/";
  const char* const end = paths + head->paths_bytes;
  for (uint64_t allowed = reading; !failed; allowed = reading | writing) {
    struct landlock_path_beneath_attr rule = {.allowed_access = allowed};
    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    failed = rule.parent_fd == -1;
    struct stat info;
    if (!failed && fstat(rule.parent_fd, &info) == 0 && !S_ISDIR(info.st_mode)) rule.allowed_access &= on_files;
    if (!failed) failed = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == -1;
    const int saved = errno;
    if (rule.parent_fd != -1) close(rule.parent_fd);
    errno = saved;
    path = allowed == reading ? paths : path + strlen(path) + 1;
    if (path >= end) break;
  }
  if (!failed) failed = syscall(SYS_landlock_restrict_self, rules, 0) == -1;
  const int saved = errno;
  close(rules);
  errno = saved;
  *abi = (uint32_t)version;
  return failed ? -1 : 0;
}

/* Confines this process for good and reports. Comes back only when every step is applied and verified. */
static void confine_worker(struct request* request, uint32_t controls) {
  const struct progtc_spawn* head = &request->u.head;
  const struct sock_filter* filter = (const struct sock_filter*)(request->u.bytes + sizeof *head);
  const char* paths = (const char*)(filter + head->filter_count);
  int status = request->fds[FD_STATUS];

  setsid(); /* no controlling terminal; cannot fail in a process just forked */
  /* The code's own process is an ordinary one to itself: /proc/self is readable. Changing ids had cleared this. */
  if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == -1) fail(status, PROGTC_STEP_STDIO, 2);
  /* The worker is what the kernel should kill first when the run's memory is used up; init has to tell about it. */
  if (write_text(PROGTC_PROC_FD, "self/oom_score_adj", "1000") == -1) fail(status, PROGTC_STEP_STDIO, 3);
  /* Move everything above the numbers we are about to fill, so that no dup2 closes a source. */
  int moved[5];
  for (int i = FD_STATUS; i <= FD_STDERR; ++i) {
    moved[i] = fcntl(request->fds[i], F_DUPFD_CLOEXEC, 16);
    if (moved[i] == -1) fail(status, PROGTC_STEP_STDIO, (uint32_t)i);
  }
  status = moved[FD_STATUS];
  if (dup2(moved[FD_STDIN], 0) == -1 || dup2(moved[FD_STDOUT], 1) == -1 || dup2(moved[FD_STDERR], 2) == -1 ||
      dup3(moved[FD_CHANNEL], PROGTC_CHANNEL_FD, O_CLOEXEC) == -1 || dup3(status, 4, O_CLOEXEC) == -1)
    fail(status, PROGTC_STEP_STDIO, 0);
  status = 4;
  if (close_range(5, ~0U, 0) == -1) fail(status, PROGTC_STEP_STDIO, 1);

  uint32_t item = 0;
  if (set_rlimits(head, &item) == -1) fail(status, PROGTC_STEP_RLIMITS, item);
  controls |= PROGTC_CONTROL_RLIMITS;
  if (head->processors && choose_processors(head->processors) == -1) fail(status, PROGTC_STEP_AFFINITY, 0);
  if (drop_capabilities() == -1) fail(status, PROGTC_STEP_CAPABILITIES, 0);
  controls |= PROGTC_CONTROL_CAPABILITIES;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
    fail(status, PROGTC_STEP_NO_NEW_PRIVS, 0);
  controls |= PROGTC_CONTROL_NO_NEW_PRIVS;
  struct progtc_report report = {.message = PROGTC_CONFINED};
  if (!(head->flags & PROGTC_SPAWN_NO_LANDLOCK) && apply_landlock(head, paths, &report.landlock_abi) == -1)
    fail(status, PROGTC_STEP_LANDLOCK, 0);
  if (report.landlock_abi > 0) controls |= PROGTC_CONTROL_LANDLOCK;

  struct sock_fprog program = {.len = (unsigned short)head->filter_count, .filter = (struct sock_filter*)filter};
  const int listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
  if (listener == -1) fail(status, PROGTC_STEP_SECCOMP, 0);
  /* No verifying prctl here: the call above has succeeded, and PR_GET_SECCOMP may be one the filter denies. */
  controls |= PROGTC_CONTROL_SECCOMP;
  report.controls = controls;
  if (send_record(status, &report, sizeof report, &listener, 1) == -1) _exit(125);
  close(listener);
  close(status);
}

/* The child of clone3: prepares the fresh parts, forks the worker and stays as init. Returns in the worker only. */
static void become_sandbox(struct request* request) {
  const struct progtc_spawn* head = &request->u.head;
  const int status = request->fds[FD_STATUS];
  uint32_t controls = PROGTC_CONTROL_NAMESPACES;

  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == -1) fail(status, PROGTC_STEP_PARENT_DEATH, 0);
  int next_fd = FD_FIRST_CGROUP + (head->flags & PROGTC_SPAWN_CGROUP_V2 ? 1 : 0);
  for (uint32_t i = 0; i < head->procs_count; ++i, ++next_fd)
    if (write(request->fds[next_fd], "0", 1) != 1) fail(status, PROGTC_STEP_CGROUP, i);
  /* After the move, so that the namespace's root is this run's cgroup: clone3 would take the template's. */
  if (unshare(CLONE_NEWCGROUP) == -1) fail(status, PROGTC_STEP_CGROUP, 255);

  char map[64];
  snprintf(map, sizeof map, "%d %d 1\n", PROGTC_SANDBOX_ID, PROGTC_SANDBOX_ID);
  if (write_text(PROGTC_PROC_FD, "self/setgroups", "deny") == -1 || write_text(PROGTC_PROC_FD, "self/gid_map", map) == -1 ||
      write_text(PROGTC_PROC_FD, "self/uid_map", map) == -1)
    fail(status, PROGTC_STEP_NESTED_USER_MAP, 0);
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1) fail(status, PROGTC_STEP_NESTED_USER_MAP, 1);

  if (head->flags & PROGTC_SPAWN_PROC) {
    static const char* const options[][2] = {{"source", "proc"}, {"hidepid", "invisible"}, {"subset", "pid"}, {NULL, NULL}};
    if (mount_fresh("proc", options, "/proc", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, NULL) == -1)
      fail(status, PROGTC_STEP_FRESH_PROC, 0);
    controls |= PROGTC_CONTROL_PROC;
  }
  int kept[2] = {-1, -1};
  if (mount_tmpfs(&head->tmpfs[PROGTC_TMP], "/tmp", "1777", NULL) == -1) fail(status, PROGTC_STEP_TMPFS, PROGTC_TMP);
  if (mount_tmpfs(&head->tmpfs[PROGTC_SHM], "/dev/shm", "1777", NULL) == -1) fail(status, PROGTC_STEP_TMPFS, PROGTC_SHM);
  if (mount_tmpfs(&head->tmpfs[PROGTC_WORK], "/sandbox", "0755", &kept[0]) == -1)
    fail(status, PROGTC_STEP_TMPFS, PROGTC_WORK);
  if (head->flags & PROGTC_SPAWN_OUT && mount_tmpfs(&head->tmpfs[PROGTC_OUT], "/out", "0755", &kept[1]) == -1)
    fail(status, PROGTC_STEP_TMPFS, PROGTC_OUT);
  controls |= PROGTC_CONTROL_TMPFS;
  if (sethostname("sandbox", 7) == -1) fail(status, PROGTC_STEP_HOST_NAME, 0);
  if (head->flags & PROGTC_SPAWN_LOOPBACK && bring_loopback_up() == -1) fail(status, PROGTC_STEP_LOOPBACK, 0);
  const struct progtc_report prepared = {.message = PROGTC_PREPARED};
  if (send_record(status, &prepared, sizeof prepared, kept, kept[1] == -1 ? 1 : 2) == -1) _exit(125);
  close(kept[0]);
  if (kept[1] != -1) close(kept[1]);

  sigset_t children, before;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  signal(SIGCHLD, SIG_DFL); /* the template ignores it, so that ended inits leave no zombie */
  sigprocmask(SIG_BLOCK, &children, &before);
  const int signal_fd = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signal_fd == -1) fail(status, PROGTC_STEP_FORK, 0);
  const pid_t worker = fork(); /* libc's own: it keeps the thread id it caches right in the process that runs Python */
  if (worker == -1) fail(status, PROGTC_STEP_FORK, 1);
  if (worker == 0) {
    close(signal_fd);
    sigprocmask(SIG_SETMASK, &before, NULL);
    confine_worker(request, controls);
    return;
  }
  /* Init holds nothing of the run's but the status socket, or the host would wait for ends of file that never come. */
  const int kept_status = fcntl(status, F_DUPFD_CLOEXEC, 16);
  const int kept_signals = fcntl(signal_fd, F_DUPFD_CLOEXEC, 16);
  if (kept_status == -1 || kept_signals == -1 || dup2(kept_status, 0) == -1 || dup2(kept_signals, 1) == -1 ||
      close_range(2, ~0U, 0) == -1)
    fail(kept_status, PROGTC_STEP_FORK, 2);
  if (drop_capabilities() == -1) fail(0, PROGTC_STEP_CAPABILITIES, 1);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1) fail(0, PROGTC_STEP_NO_NEW_PRIVS, 1);
  run_init(worker, 0, 1);
}

static long clone_sandbox(const struct request* request, int* pidfd) {
  const struct progtc_spawn* head = &request->u.head;
  struct clone_args args;
  memset(&args, 0, sizeof args);
  args.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_PIDFD;
  if (!(head->flags & PROGTC_SPAWN_HOST_NETWORK)) args.flags |= CLONE_NEWNET;
  args.pidfd = (uint64_t)(uintptr_t)pidfd;
  args.exit_signal = SIGCHLD;
  if (head->flags & PROGTC_SPAWN_CGROUP_V2) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = (uint64_t)request->fds[FD_FIRST_CGROUP];
  }
  return syscall(SYS_clone3, &args, sizeof args);
}

/* ---- Python ---- */

PyDoc_STRVAR(serve_doc,
             "serve()\n\nIn the template: answers the host's requests on descriptor 3 until it closes the socket, then ends the\n"
             "process. Returns only in a worker, confined, with the channel as descriptor 3.");

static struct request request_buffer; /* one at a time; the clone has its own copy */

static PyObject* serve(PyObject* module, PyObject* unused) {
  (void)module;
  (void)unused;
  signal(SIGCHLD, SIG_IGN); /* inits are watched by the host through their pidfds, nobody waits for them here */
  const struct progtc_report ready = {.message = PROGTC_READY};
  if (send_record(PROGTC_CONTROL_FD, &ready, sizeof ready, NULL, 0) == -1) _exit(125);
  for (;;) {
    const ssize_t size = receive_spawn(&request_buffer);
    if (size == 0) _exit(0);
    struct progtc_report report = {.message = PROGTC_SPAWNED};
    int pidfd = -1;
    if (size < 0) {
      report.step = PROGTC_STEP_REQUEST;
      report.error = errno;
    } else {
      PyOS_BeforeFork();
      const long pid = clone_sandbox(&request_buffer, &pidfd);
      if (pid == 0) {
        become_sandbox(&request_buffer); /* returns in the worker, a child of a child */
        PyOS_AfterFork_Child();
        Py_RETURN_NONE;
      }
      report.error = pid == -1 ? errno : 0;
      report.step = pid == -1 ? PROGTC_STEP_CLONE : PROGTC_STEP_NONE;
      report.pid = (int32_t)pid;
      PyOS_AfterFork_Parent();
      close_all(&request_buffer);
    }
    if (send_record(PROGTC_CONTROL_FD, &report, sizeof report, &pidfd, pidfd == -1 ? 0 : 1) == -1) _exit(125);
    if (pidfd != -1) close(pidfd);
  }
}

static PyMethodDef methods[] = {{"serve", serve, METH_NOARGS, serve_doc}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT, "_progtc", "Clones and confines the sandbox; see runner/guest/progtc_helper.c.", -1, methods,
    NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__progtc(void) { return PyModule_Create(&module_definition); }
