#include "policy/seccomp_program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/close_range.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>

#include "policy/bpf_evaluator.h"
#include "policy/shipped_filters.h"
#include "policy/syscall_groups.h"
#include "tests/policy/support.h"

namespace progtc::policy {
namespace {

using Arguments = std::array<std::uint64_t, 6>;
constexpr std::uint32_t kDenied = SECCOMP_RET_USER_NOTIF;
constexpr std::uint32_t kAllowed = SECCOMP_RET_ALLOW;
constexpr std::uint32_t kAbsent = SECCOMP_RET_ERRNO | ENOSYS;
constexpr std::uint64_t kGarbage = 0xDEADBEEF'00000000;
constexpr std::uint64_t kThreadFlags = 0x3d0f00;  // what glibc's pthread_create passes to clone

class Filter {
 public:
  explicit Filter(const Policy& policy, DenyAction action = DenyAction::kNotify) {
    auto program = compile_seccomp(policy, action);
    if (!program) {
      ADD_FAILURE() << program.error().context;
      return;
    }
    program_ = std::move(*program);
  }
  std::uint32_t operator()(const seccomp_data& data) const {
    const auto answer = evaluate(program_, data);
    if (!answer) ADD_FAILURE() << answer.error().context;
    return answer ? *answer : 0;
  }
  std::uint32_t operator()(long number, const Arguments& arguments = {}) const {
    return (*this)(native_call(static_cast<int>(number), arguments));
  }

 private:
  SeccompProgram program_;
};

Filter filter(const std::string& name) { return Filter(shipped(name)); }

TEST(SeccompProgramTest, DeniesPtraceAndReportsIt) {
  const Policy strict = shipped("strict");
  EXPECT_EQ(Filter(strict)(__NR_ptrace), kDenied);
  EXPECT_EQ(Filter(strict, DenyAction::kErrno)(__NR_ptrace), SECCOMP_RET_ERRNO | EPERM);
  EXPECT_EQ(Filter(strict)(__NR_getpid), kAllowed);
}

TEST(SeccompProgramTest, KillsForeignTables) {
  for (const char* name : {"strict", "data", "ci", "standard", "permissive"}) {
    const Filter run = filter(name);
    seccomp_data i386 = native_call(4);  // write there, stat here
    i386.arch = AUDIT_ARCH_I386;
    EXPECT_EQ(run(i386), SECCOMP_RET_KILL_PROCESS);
    EXPECT_EQ(run(0x40000000 + __NR_write), SECCOMP_RET_KILL_PROCESS);  // x32
    EXPECT_EQ(run(0x40000000 + 520), SECCOMP_RET_KILL_PROCESS);         // execve of x32
    EXPECT_EQ(run(-1), SECCOMP_RET_KILL_PROCESS);
    EXPECT_EQ(run(__NR_write), kAllowed);
  }
}

TEST(SeccompProgramTest, AnswersUnknownNumbersWithEnosys) {
  const Filter run = filter("permissive");
  const KnownNumbers known = known_syscall_numbers();
  EXPECT_EQ(run(known.highest + 1), kAbsent);
  EXPECT_EQ(run(100'000), kAbsent);
  for (const NumberRange gap : known.gaps) {
    EXPECT_EQ(run(gap.first), kAbsent);
    EXPECT_EQ(run(gap.last), kAbsent);
    EXPECT_NE(run(gap.first - 1), kAbsent);
  }
  EXPECT_EQ(run(__NR_clone3), kAbsent);
  EXPECT_EQ(run(__NR_openat2), kAbsent);
}

TEST(SeccompProgramTest, ReportsIoUring) {
  for (const char* name : {"strict", "permissive"}) {
    EXPECT_EQ(filter(name)(__NR_io_uring_setup), kDenied);
    EXPECT_EQ(filter(name)(__NR_io_uring_enter), kDenied);
  }
}

TEST(SeccompProgramTest, ThreadsMayStartInEveryPolicy) {
  EXPECT_EQ(filter("strict")(__NR_clone, {kThreadFlags}), kAllowed);
  EXPECT_EQ(filter("permissive")(__NR_clone, {kThreadFlags}), kAllowed);
}

TEST(SeccompProgramTest, ThreadsShareTheTableOfDescriptors) {
  constexpr std::uint64_t kMuslThread = 0x7d0f00;  // glibc's and CLONE_DETACHED
  for (const char* name : {"strict", "data", "ci", "standard", "permissive"}) {
    const Filter run = filter(name);
    EXPECT_EQ(run(__NR_clone, {kMuslThread}), kAllowed) << name;
    for (const std::uint64_t shared : {CLONE_VM, CLONE_FS, CLONE_FILES, CLONE_SIGHAND, CLONE_SYSVSEM}) {
      for (const std::uint64_t high : {std::uint64_t{0}, kGarbage, shared << 32}) {
        EXPECT_EQ(run(__NR_clone, {(kThreadFlags & ~shared) | high}), kDenied) << name << " " << std::hex << shared;
      }
    }
    for (const std::uint64_t beyond : {CLONE_PARENT, CLONE_PTRACE, CLONE_PIDFD, CLONE_VFORK}) {
      EXPECT_EQ(run(__NR_clone, {kThreadFlags | beyond}), kDenied) << name << " " << std::hex << beyond;
    }
    EXPECT_EQ(run(__NR_close_range, {3, ~0U, 0}), kAllowed) << name;
    EXPECT_EQ(run(__NR_close_range, {3, ~0U, CLOSE_RANGE_CLOEXEC}), kAllowed) << name;
    EXPECT_EQ(run(__NR_close_range, {3, ~0U, CLOSE_RANGE_UNSHARE}), kDenied) << name;
    EXPECT_EQ(run(__NR_close_range, {3, ~0U, CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC}), kDenied) << name;
    EXPECT_EQ(run(__NR_close_range, {3, ~0U, kGarbage | CLOSE_RANGE_UNSHARE}), kDenied) << name;
  }
}

TEST(SeccompProgramTest, OnlyProcessesMayFork) {
  constexpr std::uint64_t kFork = CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | 17;
  EXPECT_EQ(filter("strict")(__NR_clone, {kFork}), kDenied);
  EXPECT_EQ(filter("standard")(__NR_clone, {kFork}), kAllowed);
  EXPECT_EQ(filter("strict")(__NR_vfork), kDenied);
  EXPECT_EQ(filter("standard")(__NR_vfork), kAllowed);
  EXPECT_EQ(filter("standard")(__NR_clone, {CLONE_VM | CLONE_VFORK | 17}), kAllowed);  // posix_spawn
}

TEST(SeccompProgramTest, NoNamespaceIsEverMade) {
  for (const char* name : {"strict", "data", "ci", "standard", "permissive"}) {
    const Filter run = filter(name);
    for (const std::uint64_t flag :
         {CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET}) {
      for (const std::uint64_t high : {std::uint64_t{0}, kGarbage}) {
        EXPECT_EQ(run(__NR_clone, {flag | 17 | high}), kDenied) << name << " " << std::hex << flag;
        EXPECT_EQ(run(__NR_clone, {flag | kThreadFlags | high}), kDenied) << name << " " << std::hex << flag;
      }
    }
    EXPECT_EQ(run(__NR_unshare, {CLONE_NEWUSER}), kDenied);
    EXPECT_EQ(run(__NR_setns), kDenied);
  }
}

TEST(SeccompProgramTest, TerminalInjectionIsDeniedBehindHighBits) {
  Policy open = shipped("permissive");
  open.syscalls.allow.push_back("ioctl");
  Policy masked = shipped("strict");
  masked.syscalls.rules.push_back({.call = "ioctl", .argument = 1, .mask = 0xFF00, .values = {0x5400}});
  for (const Policy& policy : {shipped("strict"), shipped("permissive"), open, masked}) {
    const Filter run(policy);
    for (const std::uint64_t request : {TIOCSTI, TIOCLINUX}) {
      EXPECT_EQ(run(__NR_ioctl, {0, request}), kDenied);
      EXPECT_EQ(run(__NR_ioctl, {0, request + (std::uint64_t{1} << 32)}), kDenied);
      EXPECT_EQ(run(__NR_ioctl, {0, request | kGarbage}), kDenied);
    }
    EXPECT_EQ(run(__NR_ioctl, {0, TCGETS}), kAllowed);
    EXPECT_EQ(run(__NR_ioctl, {0, FIONREAD}), kAllowed);
  }
  EXPECT_EQ(Filter(open)(__NR_ioctl, {0, 0x12345678}), kAllowed);
  EXPECT_EQ(filter("strict")(__NR_ioctl, {0, 0x12345678}), kDenied);
}

TEST(SeccompProgramTest, SocketsFollowTheNetworkMode) {
  const Filter none = filter("strict");
  const Filter loopback = filter("standard");
  constexpr std::uint64_t kStream = SOCK_STREAM | SOCK_CLOEXEC;
  for (const std::uint64_t family : {AF_UNIX, AF_INET, AF_INET6}) {
    EXPECT_EQ(none(__NR_socket, {family, kStream, 0}), kDenied);
    EXPECT_EQ(loopback(__NR_socket, {family, kStream, 0}), kAllowed);
    EXPECT_EQ(loopback(__NR_socket, {family, SOCK_DGRAM | SOCK_NONBLOCK, 0}), kAllowed);
    EXPECT_EQ(loopback(__NR_socket, {family, SOCK_RAW, 0}), kDenied);
    EXPECT_EQ(loopback(__NR_socket, {family, SOCK_PACKET, 0}), kDenied);
  }
  EXPECT_EQ(loopback(__NR_socket, {AF_INET, kStream, 6}), kAllowed);
  EXPECT_EQ(loopback(__NR_socket, {AF_INET, kStream, 262}), kDenied);  // IPPROTO_MPTCP
  EXPECT_EQ(loopback(__NR_socket, {AF_INET, kStream, 132}), kDenied);  // IPPROTO_SCTP
  for (const std::uint64_t family : {AF_PACKET, AF_ALG, AF_VSOCK, AF_CAN, AF_TIPC, AF_BLUETOOTH}) {
    EXPECT_EQ(loopback(__NR_socket, {family, SOCK_DGRAM, 0}), kDenied) << family;
    EXPECT_EQ(filter("permissive")(__NR_socket, {family, SOCK_DGRAM, 0}), kDenied) << family;
  }
  // glibc asks these and goes on without.
  constexpr std::uint32_t kNoFamily = SECCOMP_RET_ERRNO | EAFNOSUPPORT;
  EXPECT_EQ(none(__NR_socket, {AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0}), kNoFamily);
  EXPECT_EQ(loopback(__NR_socket, {AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0}), kNoFamily);
  EXPECT_EQ(none(__NR_socket, {AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0}), kNoFamily);
  EXPECT_EQ(loopback(__NR_socket, {AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0}), kAllowed);
  EXPECT_EQ(none(__NR_connect), kDenied);
  EXPECT_EQ(none(__NR_socketpair, {AF_UNIX, SOCK_STREAM, 0}), kAllowed);
  EXPECT_EQ(loopback(__NR_socketpair, {AF_TIPC, SOCK_STREAM, 0}), kDenied);
}

TEST(SeccompProgramTest, SocketOptionsAreListedByLevel) {
  for (const char* name : {"strict", "data", "ci", "standard", "permissive"}) {
    const Filter run = filter(name);
    for (const std::uint64_t option : {SO_ATTACH_FILTER, SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_CBPF,
                                       SO_ATTACH_REUSEPORT_EBPF, SO_SNDBUFFORCE, SO_RCVBUFFORCE, SO_ZEROCOPY}) {
      for (const std::uint64_t high : {std::uint64_t{0}, kGarbage}) {
        EXPECT_EQ(run(__NR_setsockopt, {3, SOL_SOCKET | high, option | high}), kDenied) << name << " " << option;
      }
    }
    EXPECT_EQ(run(__NR_setsockopt, {3, SOL_SOCKET, SO_REUSEADDR}), kAllowed) << name;
    EXPECT_EQ(run(__NR_getsockopt, {3, SOL_SOCKET, SO_ERROR}), kAllowed) << name;
    EXPECT_EQ(run(__NR_getsockopt, {3, SOL_SOCKET, SO_SNDBUF}), kAllowed) << name;
    EXPECT_EQ(run(__NR_setsockopt, {3, SOL_SOCKET, SO_ERROR}), kDenied) << name;
    EXPECT_EQ(run(__NR_getsockopt, {3, SOL_SOCKET, SO_ATTACH_FILTER}), kDenied) << name;  // SO_GET_FILTER
    EXPECT_EQ(run(__NR_setsockopt, {3, 270, 1}), kDenied) << name;                        // SOL_NETLINK
  }
  const Filter strict = filter("strict");
  const Filter standard = filter("standard");
  for (const std::uint64_t option : {SO_SNDBUF, SO_RCVBUF, SO_RCVLOWAT}) {
    EXPECT_EQ(strict(__NR_setsockopt, {3, SOL_SOCKET, option}), kDenied) << option;
    EXPECT_EQ(filter("ci")(__NR_setsockopt, {3, SOL_SOCKET, option}), kDenied) << option;
    EXPECT_EQ(standard(__NR_setsockopt, {3, SOL_SOCKET, option}), kAllowed) << option;
  }
  EXPECT_EQ(strict(__NR_setsockopt, {3, IPPROTO_TCP, TCP_NODELAY}), kDenied);
  EXPECT_EQ(standard(__NR_setsockopt, {3, IPPROTO_TCP, TCP_NODELAY}), kAllowed);
  // Answered as if it had been set.
  EXPECT_EQ(standard(__NR_setsockopt, {3, IPPROTO_IP, IP_RECVERR}), static_cast<std::uint32_t>(SECCOMP_RET_ERRNO));
  EXPECT_EQ(standard(__NR_setsockopt, {3, IPPROTO_IPV6, IPV6_RECVERR}), static_cast<std::uint32_t>(SECCOMP_RET_ERRNO));
  EXPECT_EQ(standard(__NR_setsockopt, {3, IPPROTO_IPV6, IPV6_V6ONLY}), kAllowed);
  EXPECT_EQ(standard(__NR_setsockopt, {3, IPPROTO_TCP, TCP_ULP}), kDenied);
  EXPECT_EQ(standard(__NR_setsockopt, {3, IPPROTO_UDP, 100}), kDenied);  // UDP_ENCAP
  EXPECT_EQ(standard(__NR_setsockopt, {3, IPPROTO_IP, 64}), kDenied);    // IPT_SO_SET_REPLACE
}

TEST(SeccompProgramTest, LocksThatOnlyTheCodeItselfCouldMeetAreAnsweredAsTaken) {
  const auto taken = static_cast<std::uint32_t>(SECCOMP_RET_ERRNO);
  const Policy strict = shipped("strict");
  Policy writable = strict;
  writable.filesystem.binds.push_back({.source = "/a", .target = "", .is_writable = true});
  Policy forks = strict;
  forks.syscalls.allow.emplace_back("fork");
  Policy clones = strict;
  clones.syscalls.rules.push_back({.call = "clone", .argument = 0, .mask = 1, .values = {0}});
  for (const std::uint64_t command : {F_SETLK, F_SETLKW}) {
    EXPECT_EQ(Filter(strict)(__NR_fcntl, {3, command}), taken);
    EXPECT_EQ(Filter(strict)(__NR_fcntl, {3, command | kGarbage}), taken);
    for (const Policy& shares : {writable, forks, clones, shipped("ci"), shipped("standard"), shipped("permissive")})
      EXPECT_EQ(Filter(shares)(__NR_fcntl, {3, command}), kAllowed);
  }
  Policy denied = strict;
  denied.syscalls.deny.emplace_back("fcntl");
  EXPECT_EQ(Filter(denied)(__NR_fcntl, {3, F_SETLK}), kDenied);
}

TEST(SeccompProgramTest, LocksOfOpenFileDescriptionsAreNotTaken) {
  for (const char* name : {"strict", "data", "ci", "standard", "permissive"}) {
    EXPECT_EQ(filter(name)(__NR_fcntl, {3, F_OFD_SETLK}), kDenied) << name;
    EXPECT_EQ(filter(name)(__NR_fcntl, {3, F_OFD_SETLKW}), kDenied) << name;
    EXPECT_EQ(filter(name)(__NR_fcntl, {3, F_OFD_GETLK}), kAllowed) << name;
  }
}

TEST(SeccompProgramTest, SetIdBitsAreNeverSet) {
  for (const char* name : {"strict", "data", "ci", "standard", "permissive"}) {
    const Filter run = filter(name);
    for (const std::uint64_t bits : {S_ISUID, S_ISGID, S_ISUID | S_ISGID}) {
      EXPECT_EQ(run(__NR_chmod, {1, bits | 0755}), kDenied);
      EXPECT_EQ(run(__NR_fchmod, {1, bits | 0755}), kDenied);
      EXPECT_EQ(run(__NR_fchmodat, {1, 1, bits | 0755}), kDenied);
      EXPECT_EQ(run(__NR_creat, {1, bits | 0755}), kDenied);
      EXPECT_EQ(run(__NR_mkdir, {1, bits | 0755}), kDenied);
      EXPECT_EQ(run(__NR_mknod, {1, S_IFREG | bits | 0755}), kDenied);
      EXPECT_EQ(run(__NR_open, {1, O_CREAT | O_WRONLY, bits | 0755}), kDenied);
      EXPECT_EQ(run(__NR_openat, {1, 1, O_CREAT | O_WRONLY, bits | 0755}), kDenied);
      EXPECT_EQ(run(__NR_openat, {1, 1, O_TMPFILE | O_WRONLY, bits | 0755}), kDenied);
      // Without O_CREAT the mode is whatever the register held.
      EXPECT_EQ(run(__NR_openat, {1, 1, O_RDONLY | O_DIRECTORY, kGarbage | bits | 0755}), kAllowed);
      EXPECT_EQ(run(__NR_openat, {1, 1, O_RDWR, kGarbage | bits}), kAllowed);
    }
    EXPECT_EQ(run(__NR_chmod, {1, 01777}), kAllowed);
    EXPECT_EQ(run(__NR_openat, {1, 1, O_CREAT | O_WRONLY, 0644}), kAllowed);
    EXPECT_EQ(run(__NR_openat, {1, 1, O_TMPFILE | O_RDWR, 0600}), kAllowed);
  }
}

TEST(SeccompProgramTest, OnlyFilesAndFifosAreMade) {
  const Filter run = filter("permissive");
  EXPECT_EQ(run(__NR_mknod, {1, S_IFREG | 0644}), kAllowed);
  EXPECT_EQ(run(__NR_mknodat, {1, 1, S_IFIFO | 0644}), kAllowed);
  EXPECT_EQ(run(__NR_mknod, {1, 0644}), kAllowed);
  EXPECT_EQ(run(__NR_mknod, {1, S_IFCHR | 0644}), kDenied);
  EXPECT_EQ(run(__NR_mknodat, {1, 1, S_IFBLK | 0644}), kDenied);
}

TEST(SeccompProgramTest, ReadingGroupOpensForReadingOnly) {
  Policy policy;
  policy.syscalls.groups = {"files-read"};
  const Filter run(policy);
  EXPECT_EQ(run(__NR_openat, {1, 1, O_RDONLY | O_CLOEXEC}), kAllowed);
  for (const std::uint64_t flags : {O_WRONLY, O_RDWR, O_RDONLY | O_CREAT, O_RDONLY | O_TRUNC, O_TMPFILE}) {
    EXPECT_EQ(run(__NR_openat, {1, 1, flags, 0644}), kDenied) << flags;
  }
}

TEST(SeccompProgramTest, OptionsOfPrctlAndFcntlAreLists) {
  const Filter run = filter("strict");
  EXPECT_EQ(run(__NR_prctl, {PR_SET_NAME}), kAllowed);
  EXPECT_EQ(run(__NR_prctl, {PR_SET_NO_NEW_PRIVS}), kAllowed);
  EXPECT_EQ(run(__NR_prctl, {PR_SET_SECCOMP}), kDenied);
  EXPECT_EQ(run(__NR_prctl, {PR_SET_DUMPABLE}), kDenied);
  EXPECT_EQ(run(__NR_prctl, {PR_SET_MM}), kDenied);
  EXPECT_EQ(run(__NR_fcntl, {1, F_GETLK}), kAllowed);
  EXPECT_EQ(run(__NR_fcntl, {1, F_NOTIFY}), kDenied);
  EXPECT_EQ(run(__NR_fcntl, {1, F_SETLEASE}), kDenied);
  EXPECT_EQ(run(__NR_fcntl, {1, F_GETPIPE_SZ}), kAllowed);
  for (const std::uint64_t bytes : {0, 4096, 65535, 65536}) {
    EXPECT_EQ(run(__NR_fcntl, {1, F_SETPIPE_SZ, bytes}), kAllowed) << bytes;
    EXPECT_EQ(run(__NR_fcntl, {1, F_SETPIPE_SZ | kGarbage, bytes}), kAllowed) << bytes;
    EXPECT_EQ(run(__NR_fcntl, {1, F_SETPIPE_SZ, bytes | kGarbage}), kDenied) << bytes;
  }
  for (const std::uint64_t bytes : {65537, 131072, 1 << 20}) {
    EXPECT_EQ(run(__NR_fcntl, {1, F_SETPIPE_SZ, bytes}), kDenied) << bytes;
  }
  EXPECT_EQ(run(__NR_personality, {0xFFFFFFFF}), kAllowed);
  EXPECT_EQ(run(__NR_personality, {0x0040000}), kDenied);  // ADDR_NO_RANDOMIZE
  EXPECT_EQ(run(__NR_prlimit64, {0}), kAllowed);
  EXPECT_EQ(run(__NR_prlimit64, {1}), kDenied);
}

TEST(SeccompProgramTest, NobodyGetsHugePages) {
  for (const char* name : {"strict", "data", "ci", "standard", "permissive"}) {
    const Filter run = filter(name);
    EXPECT_EQ(run(__NR_mmap, {0, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS}), kAllowed) << name;
    EXPECT_EQ(run(__NR_mmap, {0, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB}), kDenied) << name;
    EXPECT_EQ(run(__NR_memfd_create, {0, MFD_CLOEXEC}), kAllowed) << name;
    EXPECT_EQ(run(__NR_memfd_create, {0, MFD_CLOEXEC | MFD_HUGETLB}), kDenied) << name;
    EXPECT_EQ(run(__NR_shmget, {0, 4096, SHM_HUGETLB}), kDenied) << name;
  }
}

TEST(SeccompProgramTest, TheRunnersCallsAreAllowedInTheClosedPolicy) {
  const Filter run{Policy{}};
  for (const std::string_view call : runner_calls()) EXPECT_EQ(run(*syscall_number(call)), kAllowed) << call;
  EXPECT_EQ(run(__NR_openat), kDenied);
}

TEST(SeccompProgramTest, DenyWinsOverEverything) {
  Policy policy = shipped("standard");
  policy.syscalls.allow = {"execve", "ptrace"};
  policy.syscalls.deny = {"execve", "socket", "clone3"};
  const Filter run(policy);
  EXPECT_EQ(run(__NR_execve), kDenied);
  EXPECT_EQ(run(__NR_socket, {AF_INET, SOCK_STREAM, 0}), kDenied);
  EXPECT_EQ(run(__NR_socket, {AF_NETLINK, SOCK_RAW, 0}), kDenied);
  EXPECT_EQ(run(__NR_clone3), kDenied);
  EXPECT_EQ(run(__NR_ptrace), kAllowed);
  EXPECT_EQ(run(__NR_execveat), kAllowed);
}

TEST(SeccompProgramTest, RulesAddToCheckedCallsAndNarrowOthers) {
  Policy policy = shipped("strict");
  policy.syscalls.rules = {{.call = "ioctl", .argument = 1, .mask = 0xFFFFFFFF, .values = {0x1234, 0x1235}},
                           {.call = "kill", .argument = 1, .values = {15}},
                           {.call = "kill", .argument = 1, .values = {9}},
                           {.call = "socket", .argument = 0, .values = {AF_NETLINK}}};
  const Filter run(policy);
  EXPECT_EQ(run(__NR_ioctl, {0, 0x1235}), kAllowed);
  EXPECT_EQ(run(__NR_ioctl, {0, TCGETS}), kAllowed);
  EXPECT_EQ(run(__NR_kill, {1, 15}), kAllowed);
  EXPECT_EQ(run(__NR_kill, {1, 9}), kAllowed);
  EXPECT_EQ(run(__NR_kill, {1, 11}), kDenied);
  EXPECT_EQ(run(__NR_kill, {1, 15 | kGarbage}), kDenied);  // 64 bits unless a mask says otherwise
  EXPECT_EQ(run(__NR_socket, {AF_NETLINK, SOCK_RAW, 0}), kAllowed);
}

TEST(SeccompProgramTest, RefusesWhatItDoesNotKnow) {
  Policy policy;
  policy.syscalls.allow = {"opennat"};
  EXPECT_EQ(compile_seccomp(policy).error().context,
            "unknown system call \"opennat\"; did you mean \"openat\" or \"openat2\"?");
  EXPECT_EQ(compile_seccomp(policy).error().code, make_error_code(PolicyErrc::kUnknownSyscall));
  policy.syscalls.allow = {};
  policy.syscalls.groups = {"thread"};
  EXPECT_EQ(compile_seccomp(policy).error().context, "unknown group \"thread\"; did you mean \"threads\"?");
  EXPECT_EQ(compile_seccomp(policy).error().code, make_error_code(PolicyErrc::kUnknownGroup));
  policy.syscalls.groups = {};
  policy.syscalls.deny = {"exit_group"};
  EXPECT_EQ(compile_seccomp(policy).error().context, "\"exit_group\" is needed by the runner and cannot be denied");
}

TEST(SeccompProgramTest, FitsTheKernelsLimitAndReportsWhenNot) {
  Policy policy = shipped("permissive");
  ArgumentRule rule{.call = "ioctl", .argument = 1, .values = {}};
  for (std::uint64_t value = 0; value < 4000; ++value) rule.values.push_back(0x100000 + value);
  policy.syscalls.rules = {rule};
  const auto program = compile_seccomp(policy);
  ASSERT_FALSE(program);
  EXPECT_EQ(program.error().code, make_error_code(PolicyErrc::kTooLarge));
}

TEST(ShippedFiltersTest, AreWhatCompilingAnewGives) {
  for (const char* name : {"strict", "data", "ci", "standard", "permissive"}) {
    Policy policy = shipped(name);
    for (const NetworkMode mode : {NetworkMode::kNone, NetworkMode::kLoopback, NetworkMode::kHost}) {
      policy.network = mode;
      const std::string key = filter_key(policy);
      const auto filters = shipped_filters();
      EXPECT_TRUE(std::any_of(filters.begin(), filters.end(), [&](const ShippedFilter& one) { return one.key == key; }))
          << name;
      for (const DenyAction action : {DenyAction::kNotify, DenyAction::kErrno}) {
        const auto stored = compile_seccomp(policy, action);
        const auto anew = compile_seccomp_anew(policy, action);
        ASSERT_TRUE(stored && anew);
        ASSERT_EQ(stored->code.size(), anew->code.size()) << name;
        const auto is_equal = [](const sock_filter& a, const sock_filter& b) {
          return a.code == b.code && a.jt == b.jt && a.jf == b.jf && a.k == b.k;
        };
        EXPECT_TRUE(std::equal(stored->code.begin(), stored->code.end(), anew->code.begin(), is_equal)) << name;
      }
    }
  }
}

TEST(ShippedFiltersTest, AKeyTellsEverythingApartThatAFilterDependsOn) {
  const Policy base = shipped("strict");
  Policy other = base;
  other.network = NetworkMode::kHost;
  std::vector<std::string> keys = {filter_key(base), filter_key(other)};
  other = base;
  other.filesystem.binds.push_back({.source = "/a", .target = "", .is_writable = true});
  keys.push_back(filter_key(other));
  const auto add = [&](auto change) {
    Policy changed = base;
    change(changed.syscalls);
    keys.push_back(filter_key(changed));
  };
  add([](Syscalls& calls) { calls.groups.push_back("ipc"); });
  add([](Syscalls& calls) { calls.allow.push_back("kcmp"); });
  add([](Syscalls& calls) { calls.deny.push_back("kcmp"); });
  add([](Syscalls& calls) { calls.rules = {{"kill", 0, 1, {1}}}; });
  add([](Syscalls& calls) { calls.rules = {{"kill", 1, 1, {1}}}; });
  add([](Syscalls& calls) { calls.rules = {{"kill", 1, 3, {1}}}; });
  add([](Syscalls& calls) { calls.rules = {{"kill", 1, 3, {1, 2}}}; });
  std::sort(keys.begin(), keys.end());
  EXPECT_EQ(std::unique(keys.begin(), keys.end()), keys.end());
}

TEST(SyscallGroupsTest, NameOnlyKnownCallsAndNothingDangerous) {
  for (const SyscallGroup& group : syscall_groups()) {
    EXPECT_FALSE(group.description.empty());
    for (const GroupCall& call : group.calls) {
      EXPECT_TRUE(is_known_syscall(call.name)) << group.name << ": " << call.name;
      EXPECT_FALSE(is_dangerous_syscall(call.name)) << group.name << ": " << call.name;
    }
  }
}

}  // namespace
}  // namespace progtc::policy
