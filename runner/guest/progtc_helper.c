/* _progtc: the part of the guest that Python cannot do. Imported by the template; stable ABI, so one build serves every
 * interpreter from 3.9 on.
 *
 * Theory of operation. serve() runs in the template, a single-threaded interpreter that has seen no user data. For each
 * SPAWN of the host it clones "init" into fresh namespaces. Init (pid 1 there) mounts what is fresh for one run, forks
 * the "worker", and from then on only reaps; it never runs Python again. The worker confines itself step by step, tells
 * the host over the status socket which controls it verified, hands over the seccomp listener, and only then returns
 * from serve() into Python, which waits on the channel for its job. A cold run has no template: runner/child has made
 * the namespaces, forked init and executed this interpreter as the worker, and confine() does the worker's part of the
 * same. Whatever fails ends the sandbox with a FAILED report: there is no path from a failed step to user code.
 *
 * Order of the worker's steps: resource limits while capabilities could still raise nothing; the bounding set before
 * the other capability sets, as PR_CAPBSET_DROP needs CAP_SETPCAP; no_new_privs before Landlock and seccomp, which
 * answer EPERM and EACCES without it; the filter last, because it forbids the calls that the other steps need. */
#define _GNU_SOURCE
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x03090000
#include <Python.h>

#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "runner/guest/output_memory.h"
#include "runner/guest/parts.h"

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
enum { FD_CHANNEL, FD_STDIN, FD_STDOUT, FD_STDERR, FD_OUTPUT, FD_STATUS, FD_FIRST_CGROUP };

/* ---- messages ---- */

static void close_all(struct request* request) {
  for (int i = 0; i < request->fd_count; ++i) close(request->fds[i]);
  request->fd_count = 0;
}

/* Returns the size of one well-formed SPAWN, 0 at end of file, -1 with errno. `own_status` is the status socket where
 * it does not come with the request, else -1. */
static ssize_t receive_spawn(struct request* request, int own_status) {
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
  if (own_status != -1) {
    if (request->fd_count != FD_STATUS) {
      errno = EPROTO;
      return -1;
    }
    request->fds[request->fd_count++] = own_status;
  }
  const struct progtc_spawn* head = &request->u.head;
  const size_t fixed = sizeof *head;
  const int has_v2 = (size_t)size >= fixed && (head->flags & PROGTC_SPAWN_CGROUP_V2) ? 1 : 0;
  if ((size_t)size < fixed || head->message != PROGTC_SPAWN || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
      head->filter_count == 0 || head->filter_count > BPF_MAXINSNS ||
      (size_t)size != fixed + head->filter_count * sizeof(struct sock_filter) + head->paths_bytes + head->late_bytes ||
      request->fd_count != FD_FIRST_CGROUP + has_v2 + (int)head->join_count) {
    close_all(request);
    errno = EPROTO;
    return -1;
  }
  return size;
}

/* ---- worker ---- */

static int set_rlimits(const struct progtc_spawn* head, uint32_t* item) {
  for (uint32_t i = 0; i < PROGTC_RLIMIT_COUNT; ++i) {
    if (!head->rlimits[i].is_set) continue;
    *item = i;
    const struct rlimit limit = {.rlim_cur = head->rlimits[i].soft, .rlim_max = head->rlimits[i].hard};
    struct rlimit now;
    if (setrlimit((__rlimit_resource_t)head->rlimits[i].resource, &limit) == -1) {
      /* Only lowering is possible without privilege; a lower hard limit of the host is stricter and stays. */
      if (errno != EPERM || getrlimit((__rlimit_resource_t)head->rlimits[i].resource, &now) == -1) return -1;
      if (now.rlim_max > limit.rlim_max) return -1;
      now.rlim_cur = now.rlim_max < limit.rlim_cur ? now.rlim_max : limit.rlim_cur;
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
  const uint64_t reading = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
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
    if (!(head->flags & (PROGTC_SPAWN_LOOPBACK | PROGTC_SPAWN_HOST_NETWORK)))
      ruleset.handled_access_net = LANDLOCK_NET_TCP;
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

/* Moves this process into the run's cgroup through the files the host has opened, where it was not cloned into it. */
static void enter_cgroups(const struct request* request) {
  int next_fd = FD_FIRST_CGROUP + (request->u.head.flags & PROGTC_SPAWN_CGROUP_V2 ? 1 : 0);
  for (uint32_t i = 0; i < request->u.head.join_count; ++i, ++next_fd)
    if (write(request->fds[next_fd], "0", 1) != 1) progtc_fail(request->fds[FD_STATUS], PROGTC_STEP_CGROUP, i);
}

/* Confines this process for good and reports. Comes back only when every step is applied and verified. */
static void confine_worker(struct request* request, int has_host_proc) {
  uint32_t controls = 0;
  const struct progtc_spawn* head = &request->u.head;
  const struct sock_filter* filter = (const struct sock_filter*)(request->u.bytes + sizeof *head);
  const char* paths = (const char*)(filter + head->filter_count);
  int status = request->fds[FD_STATUS];

  setsid(); /* no controlling terminal; cannot fail in a process just forked */
  /* The code's own process is an ordinary one to itself: /proc/self is readable. Changing ids had cleared this. */
  if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == -1) progtc_fail(status, PROGTC_STEP_STDIO, 2);
  /* The worker is what the kernel should kill first when the run's memory is used up; init has to tell about it. In a
   * cold run that was done before this interpreter was executed, and there is no /proc of the host's here. */
  if (has_host_proc && progtc_write_text(PROGTC_PROC_FD, "self/oom_score_adj", "1000") == -1)
    progtc_fail(status, PROGTC_STEP_STDIO, 3);
  if (progtc_map_output_memory(request->fds[FD_OUTPUT]) == -1) progtc_fail(status, PROGTC_STEP_OUTPUT_MEMORY, 0);
  /* Move everything above the numbers we are about to fill, so that no dup2 closes a source. */
  int moved[FD_STATUS + 1];
  for (int i = FD_CHANNEL; i <= FD_STATUS; ++i) {
    moved[i] = fcntl(request->fds[i], F_DUPFD_CLOEXEC, 16);
    if (moved[i] == -1) progtc_fail(status, PROGTC_STEP_STDIO, (uint32_t)i);
  }
  status = moved[FD_STATUS];
  if (dup2(moved[FD_STDIN], 0) == -1 || dup2(moved[FD_STDOUT], 1) == -1 || dup2(moved[FD_STDERR], 2) == -1 ||
      dup3(moved[FD_CHANNEL], PROGTC_CHANNEL_FD, O_CLOEXEC) == -1 || dup3(status, 4, O_CLOEXEC) == -1)
    progtc_fail(status, PROGTC_STEP_STDIO, 0);
  status = 4;
  if (close_range(5, ~0U, 0) == -1) progtc_fail(status, PROGTC_STEP_STDIO, 1);

  uint32_t item = 0;
  if (set_rlimits(head, &item) == -1) progtc_fail(status, PROGTC_STEP_RLIMITS, item);
  controls |= PROGTC_CONTROL_RLIMITS;
  if (head->processors && choose_processors(head->processors) == -1) progtc_fail(status, PROGTC_STEP_AFFINITY, 0);
  if (progtc_drop_capabilities() == -1) progtc_fail(status, PROGTC_STEP_CAPABILITIES, 0);
  controls |= PROGTC_CONTROL_CAPABILITIES;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
    progtc_fail(status, PROGTC_STEP_NO_NEW_PRIVS, 0);
  controls |= PROGTC_CONTROL_NO_NEW_PRIVS;
  struct progtc_report report = {.message = PROGTC_CONFINED};
  if (!(head->flags & PROGTC_SPAWN_NO_LANDLOCK) && apply_landlock(head, paths, &report.landlock_abi) == -1)
    progtc_fail(status, PROGTC_STEP_LANDLOCK, 0);
  if (report.landlock_abi > 0) controls |= PROGTC_CONTROL_LANDLOCK;

  struct sock_fprog program = {.len = (unsigned short)head->filter_count, .filter = (struct sock_filter*)filter};
  const int listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
  if (listener == -1) progtc_fail(status, PROGTC_STEP_SECCOMP, 0);
  /* No verifying prctl here: the call above has succeeded, and PR_GET_SECCOMP may be one the filter denies. */
  controls |= PROGTC_CONTROL_SECCOMP;
  report.controls = controls;
  if (progtc_send_record(status, &report, sizeof report, &listener, 1) == -1) _exit(125);
  close(listener);
  close(status);
}

/* The child of clone3: prepares the fresh parts, forks the worker and stays as init. Returns in the worker only. */
static void become_sandbox(struct request* request) {
  const struct progtc_spawn* head = &request->u.head;
  const int status = request->fds[FD_STATUS];

  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == -1) progtc_fail(status, PROGTC_STEP_PARENT_DEATH, 0);
  enter_cgroups(request);
  /* After the move, so that the namespace's root is this run's cgroup: clone3 would take the template's. */
  if (unshare(CLONE_NEWCGROUP) == -1) progtc_fail(status, PROGTC_STEP_CGROUP, 255);

  const char map[] = "1000 1000 1\n"; /* PROGTC_SANDBOX_ID */
  if (progtc_write_text(PROGTC_PROC_FD, "self/setgroups", "deny") == -1 ||
      progtc_write_text(PROGTC_PROC_FD, "self/gid_map", map) == -1 ||
      progtc_write_text(PROGTC_PROC_FD, "self/uid_map", map) == -1)
    progtc_fail(status, PROGTC_STEP_NESTED_USER_MAP, 0);
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1) progtc_fail(status, PROGTC_STEP_NESTED_USER_MAP, 1);
  uint32_t controls = 0;
  if (head->flags & PROGTC_SPAWN_PROC) {
    if (progtc_mount_narrow_proc() == -1) progtc_fail(status, PROGTC_STEP_FRESH_PROC, 0);
    controls = PROGTC_CONTROL_PROC;
  }
  const char* paths = (const char*)(request->u.bytes + sizeof *head + head->filter_count * sizeof(struct sock_filter));
  progtc_make_fresh_parts(head->flags, head->tmpfs, paths + head->paths_bytes, head->late_bytes, controls, status);

  sigset_t before;
  const int signal_fd = progtc_watch_children(&before);
  if (signal_fd == -1) progtc_fail(status, PROGTC_STEP_FORK, 0);
  const pid_t worker = fork(); /* libc's own: it keeps the thread id it caches right in the process that runs Python */
  if (worker == -1) progtc_fail(status, PROGTC_STEP_FORK, 1);
  if (worker != 0) progtc_run_init(worker, status, signal_fd);
  close(signal_fd);
  sigprocmask(SIG_SETMASK, &before, NULL);
  confine_worker(request, 1);
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
             "serve()\n\nIn the template: answers the host's requests on descriptor 3 until it closes the socket, then "
             "ends the\n"
             "process. Returns only in a worker, confined, with the channel as descriptor 3.");

PyDoc_STRVAR(confine_doc,
             "confine()\n\nIn a sandbox that was cloned for one run: waits for the host's request on descriptor 3 and "
             "confines this\n"
             "process. Returns with the channel as descriptor 3.");

PyDoc_STRVAR(compile_doc,
             "compile(source, filename)\n\nCompiles UTF-8 bytes as a file would be: without top-level await, and "
             "with\n"
             "attention to a coding line. The built-in function makes the types of every syntax tree node first.");

static PyObject* compile(PyObject* module, PyObject* args) {
  (void)module;
  const char *source, *filename;
  if (!PyArg_ParseTuple(args, "yy", &source, &filename)) return NULL;
  return Py_CompileString(source, filename, Py_file_input);
}

static struct request request_buffer; /* one at a time; a clone has its own copy */

static PyObject* confine(PyObject* module, PyObject* unused) {
  (void)module;
  (void)unused;
  if (receive_spawn(&request_buffer, PROGTC_STATUS_FD) <= 0) _exit(125); /* the host has given up */
  confine_worker(&request_buffer, 0);
  Py_RETURN_NONE;
}

/* The template's generators of rand(3), random(3) and drand48(3) may have been used already. */
static void reseed_libc(void) {
  struct {
    unsigned int random;
    unsigned short drand48[3];
  } seeds;
  if (getrandom(&seeds, sizeof seeds, 0) != (ssize_t)sizeof seeds) _exit(125);
  srandom(seeds.random);
  (void)seed48(seeds.drand48);
}

static PyObject* serve(PyObject* module, PyObject* unused) {
  (void)module;
  (void)unused;
  (void)signal(SIGCHLD, SIG_IGN); /* inits are watched by the host through their pidfds, nobody waits for them here */
  const struct progtc_report ready = {.message = PROGTC_READY};
  if (progtc_send_record(PROGTC_CONTROL_FD, &ready, sizeof ready, NULL, 0) == -1) _exit(125);
  for (;;) {
    const ssize_t size = receive_spawn(&request_buffer, -1);
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
        reseed_libc();
        PyOS_AfterFork_Child();
        Py_RETURN_NONE;
      }
      report.error = pid == -1 ? errno : 0;
      if (pid == -1) pidfd = -1; /* the kernel may have filled it in before it failed */
      report.step = pid == -1 ? PROGTC_STEP_CLONE : PROGTC_STEP_NONE;
      report.pid = (int32_t)pid;
      PyOS_AfterFork_Parent();
      close_all(&request_buffer);
    }
    if (progtc_send_record(PROGTC_CONTROL_FD, &report, sizeof report, &pidfd, pidfd == -1 ? 0 : 1) == -1) _exit(125);
    if (pidfd != -1) close(pidfd);
  }
}

PyDoc_STRVAR(make_flags_doc, "make_flags(values)\n\nAn object like sys.flags that holds the tuple `values`.");

static PyObject* make_flags(PyObject* module, PyObject* values) {
  (void)module;
  PyObject* flags = PySys_GetObject("flags");
  const Py_ssize_t size = flags ? PyTuple_Size(flags) : -1;
  if (size == -1 || PyTuple_Size(values) != size) {
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "as many values as sys.flags has");
    return NULL;
  }
  PyObject* made = PyStructSequence_New(Py_TYPE(flags));
  if (!made) return NULL;
  for (Py_ssize_t i = 0; i < size; ++i) {
    PyObject* value = PyTuple_GetItem(values, i);
    Py_INCREF(value);
    PyStructSequence_SetItem(made, i, value);
  }
  return made;
}

static PyMethodDef methods[] = {{"serve", serve, METH_NOARGS, serve_doc},
                                {"confine", confine, METH_NOARGS, confine_doc},
                                {"compile", compile, METH_VARARGS, compile_doc},
                                {"make_flags", make_flags, METH_O, make_flags_doc},
                                {NULL, NULL, 0, NULL}};
static struct PyModuleDef module_definition = {PyModuleDef_HEAD_INIT,
                                               "_progtc",
                                               "Clones and confines the sandbox; see runner/guest/progtc_helper.c.",
                                               -1,
                                               methods,
                                               NULL,
                                               NULL,
                                               NULL,
                                               NULL};

PyMODINIT_FUNC PyInit__progtc(void) {
  PyObject* module = PyModule_Create(&module_definition);
  if (!module || PyModule_AddFunctions(module, progtc_output_methods) == 0) return module;
  Py_DECREF(module);
  return NULL;
}
