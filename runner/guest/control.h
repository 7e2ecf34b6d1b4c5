#pragma once
/* What the host and the processes it clones say to each other while a sandbox is set up. Read by the host (C++) and by
 * the guest helper (C): fixed-size records of fixed-width integers, native byte order, as both ends are one machine.
 *
 * Two sockets, both SOCK_SEQPACKET, so one message is one record:
 *   control  host <-> template, for the template's life: READY, then any number of SPAWN -> SPAWNED; host -> worker of
 * a cold run: one SPAWN status   host <-> init of one sandbox: PREPARED, CONFINED (sent by the worker) or FAILED, at
 * the end EXITED Only descriptors travel, never paths of the host. */
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Descriptors the template starts with, beside 0, 1 (/dev/null) and 2 (a pipe the host reads if the start fails). */
enum { PROGTC_CONTROL_FD = 3, PROGTC_PROC_FD = 4 };
/* Instead of the latter, in the worker of a cold run. */
enum { PROGTC_STATUS_FD = 4 };
/* The channel, in the worker. */
enum { PROGTC_CHANNEL_FD = 3 };
/* Who the sandboxed code is, inside. */
enum { PROGTC_SANDBOX_ID = 1000 };

enum progtc_message {
  PROGTC_READY = 1,    /* template -> host */
  PROGTC_SPAWN = 2,    /* host -> template: struct progtc_spawn, filter, writable paths; descriptors, see below */
  PROGTC_SPAWNED = 3,  /* template -> host: struct progtc_report; the pidfd of init when error is 0 */
  PROGTC_PREPARED = 4, /* init -> host: struct progtc_report; descriptors of the working and the output directory,
                           as far as the run has them, in this order */
  PROGTC_CONFINED = 5, /* worker -> host: struct progtc_report with `controls`; the seccomp listener */
  PROGTC_FAILED = 6,   /* init or worker -> host: struct progtc_report with step, item, error */
  PROGTC_EXITED = 7,   /* init -> host: struct progtc_exit */
};

/* Steps of the set-up, for failures. Names are in runner/setup_step.cc. */
enum progtc_step {
  PROGTC_STEP_NONE = 0,
  /* template */
  PROGTC_STEP_USER_MAP = 1,
  PROGTC_STEP_BIND_SOURCE,
  PROGTC_STEP_IDENTITY,
  PROGTC_STEP_PRIVATE_MOUNTS,
  PROGTC_STEP_ROOT,
  PROGTC_STEP_ROOT_ENTRY,
  PROGTC_STEP_BIND_ATTRIBUTES,
  PROGTC_STEP_BIND_TARGET,
  PROGTC_STEP_PROC,
  PROGTC_STEP_PIVOT,
  PROGTC_STEP_DESCRIPTORS,
  PROGTC_STEP_PARENT_DEATH,
  PROGTC_STEP_EXEC,
  /* init and worker */
  PROGTC_STEP_REQUEST = 32,
  PROGTC_STEP_CLONE,
  PROGTC_STEP_CGROUP,
  PROGTC_STEP_NESTED_USER_MAP,
  PROGTC_STEP_FRESH_PROC,
  PROGTC_STEP_TMPFS,
  PROGTC_STEP_LATE_BIND,
  PROGTC_STEP_HOST_NAME,
  PROGTC_STEP_LOOPBACK,
  PROGTC_STEP_FORK,
  PROGTC_STEP_STDIO,
  PROGTC_STEP_RLIMITS,
  PROGTC_STEP_AFFINITY,
  PROGTC_STEP_CAPABILITIES,
  PROGTC_STEP_NO_NEW_PRIVS,
  PROGTC_STEP_LANDLOCK,
  PROGTC_STEP_SECCOMP,
  PROGTC_STEP_OUTPUT_MEMORY,
};

/* Controls, as bits. The worker reports what it applied and verified; the host compares with what it asked for. */
enum progtc_control {
  PROGTC_CONTROL_NAMESPACES = 1 << 0,
  PROGTC_CONTROL_PROC = 1 << 1,
  PROGTC_CONTROL_TMPFS = 1 << 2,
  PROGTC_CONTROL_RLIMITS = 1 << 3,
  PROGTC_CONTROL_CAPABILITIES = 1 << 4,
  PROGTC_CONTROL_NO_NEW_PRIVS = 1 << 5,
  PROGTC_CONTROL_LANDLOCK = 1 << 6,
  PROGTC_CONTROL_SECCOMP = 1 << 7,
};

enum progtc_spawn_flag {
  PROGTC_SPAWN_LOOPBACK = 1 << 0,     /* bring lo up in the fresh network namespace */
  PROGTC_SPAWN_HOST_NETWORK = 1 << 1, /* no network namespace of its own */
  PROGTC_SPAWN_PROC = 1 << 2,         /* mount a fresh /proc; without it the sandbox has none */
  PROGTC_SPAWN_OUT = 1 << 3,          /* mount the output directory */
  PROGTC_SPAWN_CGROUP_V2 = 1 << 4,    /* clone into the cgroup whose directory is passed */
  PROGTC_SPAWN_NO_LANDLOCK = 1 << 5,  /* the policy learner's run: what is refused has to show in the filter */
};

enum { PROGTC_TMP, PROGTC_SHM, PROGTC_WORK, PROGTC_OUT, PROGTC_TMPFS_COUNT };
/* Both 0: not mounted. */
struct progtc_tmpfs {
  uint64_t size_bytes;
  uint64_t inodes;
};

enum { PROGTC_RLIMIT_COUNT = 16 };
struct progtc_rlimit {
  uint32_t resource; /* RLIMIT_… */
  uint32_t is_set;
  uint64_t soft;
  uint64_t hard;
};

/* PROGTC_SPAWN. Behind it follow filter_count struct sock_filter, paths_bytes of NUL-terminated absolute paths the
 * worker may write below (Landlock), and late_bytes of such paths of binds that lie below a private file system and
 * have to be carried over onto it. Descriptors, in this order: channel, stdin, stdout, stderr, output, [template:
 * status], [v2: cgroup directory], then join_count files into which init writes "0" to move itself into its cgroups. */
struct progtc_spawn {
  uint32_t message;
  uint32_t flags;
  uint32_t filter_count;
  uint32_t paths_bytes;
  uint32_t join_count;
  uint32_t processors; /* 0: as many as the host has; else the worker may run on so many only */
  uint32_t late_bytes;
  uint32_t padding;
  struct progtc_tmpfs tmpfs[PROGTC_TMPFS_COUNT];
  struct progtc_rlimit rlimits[PROGTC_RLIMIT_COUNT];
};
enum { PROGTC_SPAWN_MAX_FDS = 16, PROGTC_SPAWN_MAX_BYTES = 96 * 1024 };

struct progtc_report {
  uint32_t message;
  uint32_t step;
  uint32_t item; /* which of several: index of the bind, the tmpfs, the rlimit */
  int32_t error; /* errno */
  uint32_t controls;
  uint32_t landlock_abi;
  int32_t pid; /* PROGTC_SPAWNED: init as the template sees it */
};

/* What the code's sys.stdout has taken and not yet written: bytes[start..end). A file of this size (memfd_create(2))
 * that the worker has mapped and the host reads when the worker has ended. The code can write anything there: to the
 * host it is output like any other, once start <= end <= PROGTC_OUTPUT_BYTES is checked. */
enum { PROGTC_OUTPUT_BYTES = 16 * 1024 - 8 };
struct progtc_output {
  uint32_t start;
  uint32_t end;
  char bytes[PROGTC_OUTPUT_BYTES];
};

struct progtc_exit {
  uint32_t message;
  int32_t wait_status; /* of the worker, as wait(2) gives it */
  uint64_t cpu_us;     /* user and system time of every process init has reaped */
  uint64_t max_rss_bytes;
};

#ifdef __cplusplus
}
#endif
