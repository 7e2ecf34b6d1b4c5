#include "policy/syscall_groups.h"

#include <asm/ioctls.h>
#include <asm/prctl.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/fs.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <vector>

#include "policy/socket_options.h"

namespace progtc::policy {
namespace {

// The kernel takes int parameters from the low half of a register: comparing that half is comparing what the kernel
// sees, and a request hidden behind high bits (TIOCSTI + 2^32) cannot look like something else.
constexpr std::uint64_t kInt = 0xFFFFFFFFULL;

constexpr ArgumentFit fit(ArgumentCheck a) { return {{a, {}, {}}, 1}; }
constexpr ArgumentFit fit(ArgumentCheck a, ArgumentCheck b) { return {{a, b, {}}, 2}; }
constexpr ArgumentFit fit(ArgumentCheck a, ArgumentCheck b, ArgumentCheck c) { return {{a, b, c}, 3}; }

template <typename... Values>
constexpr auto one_of(unsigned argument, Values... values) {
  return std::array{fit({argument, kInt, static_cast<std::uint32_t>(values)})...};
}

template <std::size_t First, std::size_t Second>
constexpr auto joined(const std::array<ArgumentFit, First>& first, const std::array<ArgumentFit, Second>& second) {
  std::array<ArgumentFit, First + Second> all{};
  std::copy(first.begin(), first.end(), all.begin());
  std::copy(second.begin(), second.end(), all.begin() + First);
  return all;
}

// ---- clone: namespaces are never made, neither by a thread nor by a child.
constexpr std::uint64_t kNewNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                                         CLONE_NEWPID | CLONE_NEWNET;  // CLONE_NEWTIME is an exit signal to clone(2)
static_assert(kNewNamespaces == 0x7E020000);
// A thread has its process's descriptors: a table of its own would hold limits.open_files once more. What
// pthread_create of glibc and musl may pass beside that is listed, and every other bit of the 64 is 0; the kernel
// ignores the exit signal and CLONE_DETACHED.
constexpr std::uint64_t kThread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_SIGHAND | CLONE_THREAD;
constexpr std::uint64_t kThreadMay =
    CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_DETACHED | CSIGNAL;
constexpr std::array kCloneThread = {fit({0, ~kThreadMay, kThread})};
constexpr std::array kCloneProcess = {fit({0, kNewNamespaces | CLONE_THREAD, 0})};
// CLOSE_RANGE_UNSHARE would give a thread a table of its own.
constexpr std::array kCloseRange = one_of(2, 0, CLOSE_RANGE_CLOEXEC);

// ---- open: reading is one thing, everything that creates or changes another.
constexpr std::uint64_t kSetIds = S_ISUID | S_ISGID;
constexpr std::uint64_t kTmpfileBit = O_TMPFILE & ~O_DIRECTORY;
constexpr std::uint64_t kMakesFile = O_CREAT | kTmpfileBit;
constexpr std::uint64_t kChangesFile = O_ACCMODE | O_TRUNC | O_APPEND | kMakesFile;
constexpr std::array kOpenRead = {fit({1, kChangesFile, O_RDONLY})};
constexpr std::array kOpenatRead = {fit({2, kChangesFile, O_RDONLY})};
// The mode is garbage unless a file may be made, so it counts only then.
constexpr std::array kOpenWrite = {fit({1, kMakesFile, 0}), fit({2, kSetIds, 0})};
constexpr std::array kOpenatWrite = {fit({2, kMakesFile, 0}), fit({3, kSetIds, 0})};
constexpr std::array kMode1 = {fit({1, kSetIds, 0})};
constexpr std::array kMode2 = {fit({2, kSetIds, 0})};
// Regular files and FIFOs; type 0 means regular (mknod(2)). Devices and sockets are not made.
constexpr std::array kMknod = {fit({1, S_IFMT | kSetIds, S_IFREG}), fit({1, S_IFMT | kSetIds, S_IFIFO}),
                               fit({1, S_IFMT | kSetIds, 0})};
constexpr std::array kMknodat = {fit({2, S_IFMT | kSetIds, S_IFREG}), fit({2, S_IFMT | kSetIds, S_IFIFO}),
                                 fit({2, S_IFMT | kSetIds, 0})};

// F_NOTIFY and F_SETLEASE watch or block others on a file of the host; they are left out. So are F_OFD_SETLK and
// F_OFD_SETLKW, whose locks outlive their descriptor as long as the file is mapped: lock after lock is kernel memory
// that no control group counts. fcntl.h hides some without _GNU_SOURCE, which g++ defines.
constexpr std::uint64_t kDefaultPipe = 65536;  // bytes, 16 pages
constexpr std::uint64_t kAll = ~0ULL;
constexpr auto kFcntl = joined(one_of(1, F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK,
                                      F_SETLKW, F_OFD_GETLK, F_GETOWN, F_SETOWN, F_GETOWN_EX, F_SETOWN_EX, F_GETSIG,
                                      F_SETSIG, F_GETLEASE, F_GETPIPE_SZ, F_ADD_SEALS, F_GET_SEALS),
                               // Pages of pipes are counted per user of the host, for all runs and programs together
                               // (pipe(7)): no pipe has more than it is made with.
                               std::array{fit({1, kInt, F_SETPIPE_SZ}, {2, kAll & ~(kDefaultPipe - 1), 0}),
                                          fit({1, kInt, F_SETPIPE_SZ}, {2, kAll, kDefaultPipe})});
// struct termios2 cannot be included next to the C library's termios, so its requests are spelt out
// (asm-generic/ioctls.h).
constexpr std::uint32_t kTcgets2 = 0x802C542A;  // isatty() of glibc 2.42 and later
constexpr std::uint32_t kTcsets2 = 0x402C542B;
constexpr std::uint32_t kTcsetsw2 = 0x402C542C;
constexpr std::uint32_t kTcsetsf2 = 0x402C542D;
constexpr std::array kIoctlFile =
    one_of(1, TCGETS, kTcgets2, TIOCGWINSZ, TIOCGPGRP, FIONREAD, TIOCOUTQ, FIONBIO, FIOASYNC, FIOCLEX, FIONCLEX);
constexpr std::array kIoctlClone = one_of(1, FICLONE, FICLONERANGE);
constexpr std::array kIoctlTerminal =
    one_of(1, TCSETS, TCSETSW, TCSETSF, kTcsets2, kTcsetsw2, kTcsetsf2, TCSBRK, TCSBRKP, TCXONC, TCFLSH, TIOCSWINSZ,
           TIOCGSID, TIOCSPGRP, TIOCSCTTY, TIOCNOTTY, TIOCGPTN, TIOCSPTLCK, TIOCGPTPEER, TIOCGPTLCK);
constexpr std::array kIoctlNetwork = one_of(1, SIOCGIFCONF, SIOCGIFNAME, SIOCGIFINDEX, SIOCGIFFLAGS, SIOCGIFADDR,
                                            SIOCGIFNETMASK, SIOCGIFBRDADDR, SIOCGIFMTU, SIOCGIFHWADDR, SIOCATMARK);

constexpr int kPrSetVma = 0x53564d41;  // names anonymous memory; newer than the headers of Debian 12
constexpr std::array kPrctl =
    one_of(0, PR_SET_PDEATHSIG, PR_GET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_GET_SECCOMP,
           PR_CAPBSET_READ, PR_GET_TSC, PR_GET_SECUREBITS, PR_GET_KEEPCAPS, PR_SET_TIMERSLACK, PR_GET_TIMERSLACK,
           PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS, PR_GET_TID_ADDRESS,
           PR_SET_THP_DISABLE, PR_GET_THP_DISABLE, PR_GET_SPECULATION_CTRL, kPrSetVma);
constexpr std::array kPersonality = one_of(0, PER_LINUX, 0xFFFFFFFFU);  // reading it, and the value it already has
constexpr std::array kOwnLimits = one_of(0, 0);                         // prlimit64 of oneself
constexpr std::array kArchPrctl = one_of(0, 0x1001 /* SET_GS */, 0x1002 /* SET_FS */, 0x1003 /* GET_FS */,
                                         0x1004 /* GET_GS */, 0x1011 /* GET_CPUID */, 0x1021 /* GET_XCOMP_SUPP */,
                                         0x1022 /* GET_XCOMP_PERM */, 0x1023 /* REQ_XCOMP_PERM: AMX in BLAS */,
                                         0x3001 /* CET_STATUS, asked by the loader */, 0x5005 /* SHSTK_STATUS */);

// ---- sockets: families, types and protocols are all lists of what is allowed; raw and packet sockets, MPTCP (which
// escapes rules about TCP), SCTP and the rest are not on them. 15 is SOCK_TYPE_MASK; the kernel refuses other high bits
// than SOCK_CLOEXEC and SOCK_NONBLOCK itself.
constexpr std::uint64_t kTypeMask = 15;
constexpr ArgumentFit socket_fit(int family, int type) {
  return fit({0, kInt, static_cast<std::uint64_t>(family)}, {1, kTypeMask, static_cast<std::uint64_t>(type)});
}
constexpr ArgumentFit socket_fit(int family, int type, int protocol) {
  return fit({0, kInt, static_cast<std::uint64_t>(family)}, {1, kTypeMask, static_cast<std::uint64_t>(type)},
             {2, kInt, static_cast<std::uint64_t>(protocol)});
}
constexpr std::array kSocketUnix = {socket_fit(AF_UNIX, SOCK_STREAM), socket_fit(AF_UNIX, SOCK_DGRAM),
                                    socket_fit(AF_UNIX, SOCK_SEQPACKET)};
constexpr std::array kSocketInet = {
    socket_fit(AF_INET, SOCK_STREAM, 0),  socket_fit(AF_INET, SOCK_STREAM, IPPROTO_TCP),
    socket_fit(AF_INET, SOCK_DGRAM, 0),   socket_fit(AF_INET, SOCK_DGRAM, IPPROTO_UDP),
    socket_fit(AF_INET6, SOCK_STREAM, 0), socket_fit(AF_INET6, SOCK_STREAM, IPPROTO_TCP),
    socket_fit(AF_INET6, SOCK_DGRAM, 0),  socket_fit(AF_INET6, SOCK_DGRAM, IPPROTO_UDP)};
constexpr std::array kSocketpairUnix = one_of(0, AF_UNIX);
template <std::size_t Count>
constexpr auto options(const SocketOption (&list)[Count]) {
  std::array<ArgumentFit, Count> fits{};
  for (std::size_t i = 0; i < Count; ++i) {
    fits[i] = fit({1, kInt, static_cast<std::uint32_t>(list[i].level)},
                  {2, kInt, static_cast<std::uint32_t>(list[i].option)});
  }
  return fits;
}
constexpr auto kSetOptions = options(kSetSocketOptions);
constexpr auto kGetOptions = joined(options(kSetSocketOptions), options(kGetSocketOptions));
constexpr auto kSetInet = options(kSetInetOptions);
constexpr auto kGetInet = joined(options(kSetInetOptions), options(kGetInetOptions));
constexpr auto kSetBuffers = options(kSetSocketBuffers);

// ---- huge pages come from a pool of the host's that the memory controller does not count.
constexpr std::array kMmap = {fit({3, MAP_HUGETLB, 0})};
constexpr std::array kMemfdCreate = {fit({1, MFD_HUGETLB, 0})};
constexpr std::array kShmget = {fit({2, SHM_HUGETLB, 0})};

constexpr GroupCall any(std::string_view name) { return {name, {}}; }

constexpr GroupCall kMemory[] = {any("brk"),       {"mmap", kMmap}, any("munmap"),  any("mprotect"),
                                 any("mremap"),    any("madvise"),  any("msync"),   {"memfd_create", kMemfdCreate},
                                 any("mlock"),     any("mlock2"),   any("munlock"), any("mlockall"),
                                 any("munlockall")};
constexpr GroupCall kFilesRead[] = {any("read"),         any("pread64"),
                                    any("readv"),        any("preadv"),
                                    any("preadv2"),      any("lseek"),
                                    any("close"),        {"close_range", kCloseRange},
                                    {"open", kOpenRead}, {"openat", kOpenatRead},
                                    any("stat"),         any("fstat"),
                                    any("lstat"),        any("newfstatat"),
                                    any("statx"),        any("access"),
                                    any("faccessat"),    any("faccessat2"),
                                    any("readlink"),     any("readlinkat"),
                                    any("getdents"),     any("getdents64"),
                                    any("getcwd"),       any("chdir"),
                                    any("fchdir"),       any("statfs"),
                                    any("fstatfs"),      any("dup"),
                                    any("dup2"),         any("dup3"),
                                    {"fcntl", kFcntl},   {"ioctl", kIoctlFile},
                                    any("flock"),        any("fadvise64"),
                                    any("readahead"),    any("getxattr"),
                                    any("lgetxattr"),    any("fgetxattr"),
                                    any("listxattr"),    any("llistxattr"),
                                    any("flistxattr")};
constexpr GroupCall kFilesWrite[] = {any("write"),
                                     any("pwrite64"),
                                     any("writev"),
                                     any("pwritev"),
                                     any("pwritev2"),
                                     {"open", kOpenWrite},
                                     {"openat", kOpenatWrite},
                                     {"creat", kMode1},
                                     any("truncate"),
                                     any("ftruncate"),
                                     any("fallocate"),
                                     any("fsync"),
                                     any("fdatasync"),
                                     any("sync_file_range"),
                                     {"mkdir", kMode1},
                                     {"mkdirat", kMode2},
                                     any("rmdir"),
                                     any("unlink"),
                                     any("unlinkat"),
                                     any("rename"),
                                     any("renameat"),
                                     any("renameat2"),
                                     any("link"),
                                     any("linkat"),
                                     any("symlink"),
                                     any("symlinkat"),
                                     {"mknod", kMknod},
                                     {"mknodat", kMknodat},
                                     any("umask"),
                                     any("sendfile"),
                                     any("copy_file_range"),
                                     {"ioctl", kIoctlClone}};
constexpr GroupCall kFileMetadata[] = {
    {"chmod", kMode1},   {"fchmod", kMode1}, {"fchmodat", kMode2}, any("chown"),     any("fchown"),
    any("lchown"),       any("fchownat"),    any("utime"),         any("utimes"),    any("utimensat"),
    any("futimesat"),    any("setxattr"),    any("lsetxattr"),     any("fsetxattr"), any("removexattr"),
    any("lremovexattr"), any("fremovexattr")};
constexpr GroupCall kFileWatching[] = {any("inotify_init"), any("inotify_init1"), any("inotify_add_watch"),
                                       any("inotify_rm_watch")};
constexpr GroupCall kZeroCopy[] = {any("splice"), any("tee")};
constexpr GroupCall kEvents[] = {any("poll"),           any("ppoll"),           any("select"),
                                 any("pselect6"),       any("epoll_create"),    any("epoll_create1"),
                                 any("epoll_ctl"),      any("epoll_wait"),      any("epoll_pwait"),
                                 any("epoll_pwait2"),   any("eventfd"),         any("eventfd2"),
                                 any("timerfd_create"), any("timerfd_settime"), any("timerfd_gettime"),
                                 any("signalfd"),       any("signalfd4"),       any("pipe"),
                                 any("pipe2")};
constexpr GroupCall kTime[] = {
    any("clock_gettime"), any("clock_getres"),  any("clock_nanosleep"),  any("nanosleep"),   any("gettimeofday"),
    any("time"),          any("getitimer"),     any("setitimer"),        any("alarm"),       any("timer_create"),
    any("timer_settime"), any("timer_gettime"), any("timer_getoverrun"), any("timer_delete")};
constexpr GroupCall kSignals[] = {any("rt_sigaction"),
                                  any("rt_sigprocmask"),
                                  any("rt_sigreturn"),
                                  any("rt_sigpending"),
                                  any("rt_sigsuspend"),
                                  any("rt_sigtimedwait"),
                                  any("rt_sigqueueinfo"),
                                  any("rt_tgsigqueueinfo"),
                                  any("sigaltstack"),
                                  any("pause"),
                                  any("kill"),
                                  any("tkill"),
                                  any("tgkill"),
                                  any("restart_syscall")};
constexpr GroupCall kThreads[] = {
    {"clone", kCloneThread}, any("futex"), any("set_robust_list"),    any("get_robust_list"),
    any("set_tid_address"),  any("rseq"),  any("membarrier"),         any("sched_yield"),
    any("gettid"),           any("exit"),  {"arch_prctl", kArchPrctl}};
constexpr GroupCall kProcessInfo[] = {any("getpid"),
                                      any("getppid"),
                                      any("getpgid"),
                                      any("getpgrp"),
                                      any("getsid"),
                                      any("getuid"),
                                      any("geteuid"),
                                      any("getgid"),
                                      any("getegid"),
                                      any("getresuid"),
                                      any("getresgid"),
                                      any("getgroups"),
                                      any("capget"),
                                      any("getrusage"),
                                      any("getrlimit"),
                                      any("setrlimit"),
                                      {"prlimit64", kOwnLimits},
                                      any("times"),
                                      any("uname"),
                                      any("sysinfo"),
                                      any("getrandom"),
                                      any("getcpu"),
                                      any("getpriority"),
                                      any("ioprio_get"),
                                      any("sched_getaffinity"),
                                      any("sched_getattr"),
                                      any("sched_getparam"),
                                      any("sched_getscheduler"),
                                      any("sched_get_priority_max"),
                                      any("sched_get_priority_min"),
                                      any("sched_rr_get_interval"),
                                      {"prctl", kPrctl},
                                      {"personality", kPersonality},
                                      any("exit_group")};
constexpr GroupCall kScheduling[] = {any("sched_setaffinity"),  any("sched_setattr"), any("sched_setparam"),
                                     any("sched_setscheduler"), any("setpriority"),   any("ioprio_set")};
constexpr GroupCall kProcesses[] = {{"clone", kCloneProcess},
                                    any("fork"),
                                    any("vfork"),
                                    any("wait4"),
                                    any("waitid"),
                                    any("setpgid"),
                                    any("setsid"),
                                    any("pidfd_open"),
                                    any("pidfd_send_signal")};
constexpr GroupCall kExec[] = {any("execve"), any("execveat")};
constexpr GroupCall kTerminals[] = {{"ioctl", kIoctlTerminal}};
constexpr GroupCall kIpc[] = {{"shmget", kShmget}, any("shmat"),        any("shmdt"),        any("shmctl"),
                              any("semget"),       any("semop"),        any("semtimedop"),   any("semctl"),
                              any("msgget"),       any("msgsnd"),       any("msgrcv"),       any("msgctl"),
                              any("mq_open"),      any("mq_unlink"),    any("mq_timedsend"), any("mq_timedreceive"),
                              any("mq_notify"),    any("mq_getsetattr")};
constexpr GroupCall kSocketPairs[] = {{"socketpair", kSocketpairUnix},
                                      any("sendto"),
                                      any("recvfrom"),
                                      any("sendmsg"),
                                      any("recvmsg"),
                                      any("shutdown"),
                                      any("getsockname"),
                                      any("getpeername"),
                                      {"getsockopt", kGetOptions},
                                      {"setsockopt", kSetOptions}};
constexpr GroupCall kSocketsUnix[] = {{"socket", kSocketUnix}, any("connect"), any("bind"),     any("listen"),
                                      any("accept"),           any("accept4"), any("sendmmsg"), any("recvmmsg")};
constexpr GroupCall kSocketsInet[] = {{"socket", kSocketInet},
                                      any("connect"),
                                      any("bind"),
                                      any("listen"),
                                      any("accept"),
                                      any("accept4"),
                                      any("sendmmsg"),
                                      any("recvmmsg"),
                                      {"ioctl", kIoctlNetwork},
                                      {"getsockopt", kGetInet},
                                      {"setsockopt", kSetInet}};
constexpr GroupCall kSocketBuffers[] = {{"setsockopt", kSetBuffers}};
constexpr GroupCall kIdentity[] = {any("setuid"),    any("setgid"),    any("setreuid"), any("setregid"),
                                   any("setresuid"), any("setresgid"), any("setfsuid"), any("setfsgid"),
                                   any("setgroups"), any("capset")};
constexpr GroupCall kSync[] = {any("sync"), any("syncfs")};

constexpr SyscallGroup kGroups[] = {
    {"memory", "allocate, map, protect and lock memory; anonymous files", kMemory},
    {"files-read", "open for reading, read, list, stat, lock; duplicate and configure descriptors", kFilesRead},
    {"files-write", "create, write, rename and remove; no device nodes, no setuid or setgid bits", kFilesWrite},
    {"file-metadata", "modes without setuid and setgid bits, owners, times, extended attributes", kFileMetadata},
    {"file-watching", "inotify: learn what others do to a file", kFileWatching},
    {"zero-copy", "splice and tee between pipes and files", kZeroCopy},
    {"events", "poll, select, epoll, pipes, eventfd, timerfd, signalfd", kEvents},
    {"time", "read clocks, sleep, timers; never set a clock", kTime},
    {"signals", "handle, wait for and send signals inside the sandbox", kSignals},
    {"threads", "start threads and synchronise them; never a new namespace", kThreads},
    {"process-info", "ask about oneself and lower one's own limits", kProcessInfo},
    {"scheduling", "change priorities, scheduling policies and processor affinity", kScheduling},
    {"processes", "fork, wait, sessions and process groups; never a new namespace", kProcesses},
    {"exec", "execute programs", kExec},
    {"terminals", "configure terminals and make pseudo terminals; never TIOCSTI or TIOCLINUX", kTerminals},
    {"ipc", "System V shared memory, semaphores and queues; POSIX queues", kIpc},
    {"socket-pairs", "socketpair(AF_UNIX) and talking over sockets one already has", kSocketPairs},
    {"sockets-unix", "AF_UNIX sockets by name; implied by network loopback and host", kSocketsUnix},
    {"sockets-inet", "TCP and UDP over IPv4 and IPv6; implied by network loopback and host", kSocketsInet},
    {"socket-buffers", "choose how much a socket holds (SO_SNDBUF, SO_RCVBUF), where a control group counts it",
     kSocketBuffers},
    {"identity", "change user, groups and capabilities, as far as the kernel lets", kIdentity},
    {"sync", "flush whole file systems, the host's included", kSync},
};

// What the runner's code in the sandbox and the interpreter under it cannot do without, whatever a policy says.
constexpr std::string_view kRunnerCalls[] = {
    "read",          "write",           "readv",  "writev", "sendmsg",   "recvmsg",        "close",
    "poll",          "futex",           "mmap",   "munmap", "mprotect",  "mremap",         "brk",
    "madvise",       "rt_sigaction",    "fstat",  "lseek",  "getpid",    "rt_sigprocmask", "rt_sigreturn",
    "clock_gettime", "restart_syscall", "gettid", "exit",   "exit_group"};

constexpr AbsentCall kAbsentCalls[] = {
    // Its flags are behind a pointer, where no filter can see a namespace flag; glibc goes on with clone.
    {"clone3", {}, ENOSYS},
    // Flags behind a pointer; callers go on with openat.
    {"openat2", {}, ENOSYS},
    // glibc 2.39 and later try it first and go on with fchmodat, whose mode is checked.
    {"fchmodat2", {}, ENOSYS},
    // As on a kernel without NUMA: OpenBLAS and libnuma ask and go on. They tell about the host's memory nodes.
    {"mbind", {}, ENOSYS},
    {"set_mempolicy", {}, ENOSYS},
    {"get_mempolicy", {}, ENOSYS},
    {"set_mempolicy_home_node", {}, ENOSYS},
    // Newer than anything that needs them; whoever tries has an older way.
    {"futex_waitv", {}, ENOSYS},
    {"futex_wait", {}, ENOSYS},
    {"futex_wake", {}, ENOSYS},
    {"futex_requeue", {}, ENOSYS},
    {"map_shadow_stack", {}, ENOSYS},
    {"cachestat", {}, ENOSYS},
    {"process_mrelease", {}, ENOSYS},
    // Programs that confine themselves go on without; the sandbox is around them already.
    {"landlock_create_ruleset", {}, ENOSYS},
    {"landlock_add_rule", {}, ENOSYS},
    {"landlock_restrict_self", {}, ENOSYS},
    // getaddrinfo asks netlink which address families are configured and takes "both" for an answer otherwise.
    {"socket", fit({0, kInt, AF_NETLINK}), EAFNOSUPPORT},
    // Exactly how glibc looks for the name service cache daemon before it reads /etc/passwd itself; os.path.expanduser
    // does it. Python's own sockets are never made with both flags.
    {"socket", fit({0, kInt, AF_UNIX}, {1, kInt, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK}, {2, kInt, 0}),
     EAFNOSUPPORT},
    // Queued errors are kernel memory that nobody counts, up to the receive buffer of every socket. glibc's resolver
    // sets
    // the option, gives up where it cannot, and needs it for nothing: a refused datagram is an error of the next call.
    {"setsockopt", fit({1, kInt, IPPROTO_IP}, {2, kInt, IP_RECVERR}), 0},
    {"setsockopt", fit({1, kInt, IPPROTO_IPV6}, {2, kInt, IPV6_RECVERR}), 0},
};

constexpr std::string_view kDangerous[] = {"acct",
                                           "add_key",
                                           "adjtimex",
                                           "bpf",
                                           "chroot",
                                           "clock_adjtime",
                                           "clock_settime",
                                           "clone3",
                                           "create_module",
                                           "delete_module",
                                           "fanotify_init",
                                           "fanotify_mark",
                                           "finit_module",
                                           "fsconfig",
                                           "fsmount",
                                           "fsopen",
                                           "fspick",
                                           "init_module",
                                           "io_uring_enter",
                                           "io_uring_register",
                                           "io_uring_setup",
                                           "ioperm",
                                           "iopl",
                                           "kcmp",
                                           "kexec_file_load",
                                           "kexec_load",
                                           "keyctl",
                                           "lookup_dcookie",
                                           "memfd_secret",
                                           "migrate_pages",
                                           "modify_ldt",
                                           "mount",
                                           "mount_setattr",
                                           "move_mount",
                                           "move_pages",
                                           "name_to_handle_at",
                                           "nfsservctl",
                                           "open_by_handle_at",
                                           "open_tree",
                                           "perf_event_open",
                                           "pidfd_getfd",
                                           "pivot_root",
                                           "process_madvise",
                                           "process_vm_readv",
                                           "process_vm_writev",
                                           "ptrace",
                                           "query_module",
                                           "quotactl",
                                           "quotactl_fd",
                                           "reboot",
                                           "request_key",
                                           "seccomp",
                                           "setdomainname",
                                           "sethostname",
                                           "setns",
                                           "settimeofday",
                                           "swapoff",
                                           "swapon",
                                           "syslog",
                                           "umount2",
                                           "unshare",
                                           "uselib",
                                           "userfaultfd",
                                           "vhangup",
                                           "vmsplice"};
static_assert(std::is_sorted(std::begin(kDangerous), std::end(kDangerous)));

struct NativeTable {
  int highest = 0;
  std::vector<NumberRange> gaps;
  std::vector<std::string> names;
};

const NativeTable& native_table() {
  static const NativeTable kTable = [] {
    constexpr int kBeyondAnyTable = 1024;
    NativeTable table;
    int next = 0;
    for (int number = 0; number < kBeyondAnyTable; ++number) {
      std::string name = syscall_name(number);
      if (name.empty()) continue;
      if (number > next) table.gaps.push_back({next, number - 1});
      next = number + 1;
      table.highest = number;
      table.names.push_back(std::move(name));
    }
    return table;
  }();
  return kTable;
}

}  // namespace

std::span<const SyscallGroup> syscall_groups() { return kGroups; }

const SyscallGroup* find_syscall_group(std::string_view name) {
  for (const SyscallGroup& group : kGroups) {
    if (group.name == name) return &group;
  }
  return nullptr;
}

std::span<const std::string_view> runner_calls() { return kRunnerCalls; }

std::span<const ArgumentFit> runner_fits(std::string_view call) {
  if (call == "mmap") return kMmap;
  return {};
}
std::span<const AbsentCall> absent_calls() { return kAbsentCalls; }

bool is_dangerous_syscall(std::string_view name) {
  return std::binary_search(std::begin(kDangerous), std::end(kDangerous), name);
}

bool is_never_allowed_ioctl(std::uint64_t request) {
  const std::uint64_t seen = request & kInt;
  return seen == TIOCSTI || seen == TIOCLINUX;
}

bool is_known_syscall(std::string_view name) {
  // libseccomp answers a negative number of its own for a call of another architecture, __NR_SCMP_ERROR for no call at
  // all.
  return seccomp_syscall_resolve_name(std::string(name).c_str()) != __NR_SCMP_ERROR;
}

std::optional<int> syscall_number(std::string_view name) {
  const int number = seccomp_syscall_resolve_name(std::string(name).c_str());
  if (number < 0) return std::nullopt;
  return number;
}

std::string syscall_name(int number) {
  char* const found = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
  if (found == nullptr) return "";
  std::string name(found);
  std::free(found);
  return name;
}

std::span<const std::string> known_syscall_names() { return native_table().names; }
KnownNumbers known_syscall_numbers() { return {native_table().highest, native_table().gaps}; }

}  // namespace progtc::policy
