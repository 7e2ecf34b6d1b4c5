// describe_denial(): a denied call in words. Nothing here decides anything; the filter has.
#include <asm/ioctls.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <span>
#include <string_view>

#include "policy/fields.h"
#include "policy/permissions.h"
#include "policy/seccomp_program.h"
#include "policy/syscall_groups.h"

namespace progtc::policy {
namespace {

using Arguments = std::array<std::uint64_t, 6>;

// ---- Constants -----------------------------------------------------------------------------------------------------

struct Constant {
  std::uint64_t value;
  std::string_view name;
};
#define PROGTC_CONSTANT(name) \
  Constant { static_cast<std::uint64_t>(name), #name }

constexpr Constant kFamilies[] = {
    PROGTC_CONSTANT(AF_UNSPEC),  PROGTC_CONSTANT(AF_UNIX),   PROGTC_CONSTANT(AF_INET),      PROGTC_CONSTANT(AF_INET6),
    PROGTC_CONSTANT(AF_NETLINK), PROGTC_CONSTANT(AF_PACKET), PROGTC_CONSTANT(AF_ALG),       PROGTC_CONSTANT(AF_VSOCK),
    PROGTC_CONSTANT(AF_TIPC),    PROGTC_CONSTANT(AF_CAN),    PROGTC_CONSTANT(AF_BLUETOOTH), PROGTC_CONSTANT(AF_KEY),
    PROGTC_CONSTANT(AF_RDS),     PROGTC_CONSTANT(AF_XDP),    PROGTC_CONSTANT(AF_QIPCRTR)};
constexpr Constant kSocketTypes[] = {PROGTC_CONSTANT(SOCK_STREAM),    PROGTC_CONSTANT(SOCK_DGRAM),
                                     PROGTC_CONSTANT(SOCK_RAW),       PROGTC_CONSTANT(SOCK_RDM),
                                     PROGTC_CONSTANT(SOCK_SEQPACKET), PROGTC_CONSTANT(SOCK_DCCP),
                                     PROGTC_CONSTANT(SOCK_PACKET)};
constexpr Constant kSocketFlags[] = {PROGTC_CONSTANT(SOCK_CLOEXEC), PROGTC_CONSTANT(SOCK_NONBLOCK)};
constexpr Constant kProtocols[] = {PROGTC_CONSTANT(IPPROTO_TCP),  PROGTC_CONSTANT(IPPROTO_UDP),
                                   PROGTC_CONSTANT(IPPROTO_ICMP), PROGTC_CONSTANT(IPPROTO_SCTP),
                                   PROGTC_CONSTANT(IPPROTO_RAW),  PROGTC_CONSTANT(IPPROTO_MPTCP)};
constexpr Constant kCloneFlags[] = {PROGTC_CONSTANT(CLONE_NEWUSER),      PROGTC_CONSTANT(CLONE_NEWNS),
                                    PROGTC_CONSTANT(CLONE_NEWPID),       PROGTC_CONSTANT(CLONE_NEWNET),
                                    PROGTC_CONSTANT(CLONE_NEWIPC),       PROGTC_CONSTANT(CLONE_NEWUTS),
                                    PROGTC_CONSTANT(CLONE_NEWCGROUP),    PROGTC_CONSTANT(CLONE_VM),
                                    PROGTC_CONSTANT(CLONE_FS),           PROGTC_CONSTANT(CLONE_FILES),
                                    PROGTC_CONSTANT(CLONE_SIGHAND),      PROGTC_CONSTANT(CLONE_THREAD),
                                    PROGTC_CONSTANT(CLONE_VFORK),        PROGTC_CONSTANT(CLONE_PARENT),
                                    PROGTC_CONSTANT(CLONE_PTRACE),       PROGTC_CONSTANT(CLONE_SYSVSEM),
                                    PROGTC_CONSTANT(CLONE_SETTLS),       PROGTC_CONSTANT(CLONE_PARENT_SETTID),
                                    PROGTC_CONSTANT(CLONE_CHILD_SETTID), PROGTC_CONSTANT(CLONE_CHILD_CLEARTID),
                                    PROGTC_CONSTANT(CLONE_PIDFD),        PROGTC_CONSTANT(CLONE_IO),
                                    PROGTC_CONSTANT(CLONE_UNTRACED)};
constexpr Constant kUnshareFlags[] = {
    PROGTC_CONSTANT(CLONE_NEWUSER),   PROGTC_CONSTANT(CLONE_NEWNS),  PROGTC_CONSTANT(CLONE_NEWPID),
    PROGTC_CONSTANT(CLONE_NEWNET),    PROGTC_CONSTANT(CLONE_NEWIPC), PROGTC_CONSTANT(CLONE_NEWUTS),
    PROGTC_CONSTANT(CLONE_NEWCGROUP), {0x80, "CLONE_NEWTIME"},       PROGTC_CONSTANT(CLONE_FS),
    PROGTC_CONSTANT(CLONE_FILES),     PROGTC_CONSTANT(CLONE_SYSVSEM)};
constexpr Constant kAccessModes[] = {PROGTC_CONSTANT(O_RDONLY), PROGTC_CONSTANT(O_WRONLY), PROGTC_CONSTANT(O_RDWR)};
constexpr Constant kOpenFlags[] = {
    PROGTC_CONSTANT(O_TMPFILE), PROGTC_CONSTANT(O_CREAT),    PROGTC_CONSTANT(O_EXCL),      PROGTC_CONSTANT(O_TRUNC),
    PROGTC_CONSTANT(O_APPEND),  PROGTC_CONSTANT(O_NONBLOCK), PROGTC_CONSTANT(O_DIRECTORY), PROGTC_CONSTANT(O_NOFOLLOW),
    PROGTC_CONSTANT(O_PATH),    PROGTC_CONSTANT(O_CLOEXEC),  PROGTC_CONSTANT(O_NOCTTY),    PROGTC_CONSTANT(O_SYNC),
    PROGTC_CONSTANT(O_DIRECT),  PROGTC_CONSTANT(O_NOATIME)};
constexpr Constant kPrctlOptions[] = {PROGTC_CONSTANT(PR_SET_DUMPABLE),
                                      PROGTC_CONSTANT(PR_SET_SECCOMP),
                                      PROGTC_CONSTANT(PR_SET_SECUREBITS),
                                      PROGTC_CONSTANT(PR_SET_KEEPCAPS),
                                      PROGTC_CONSTANT(PR_CAPBSET_DROP),
                                      PROGTC_CONSTANT(PR_CAP_AMBIENT),
                                      PROGTC_CONSTANT(PR_SET_MM),
                                      PROGTC_CONSTANT(PR_SET_PTRACER),
                                      PROGTC_CONSTANT(PR_SET_TSC),
                                      PROGTC_CONSTANT(PR_SET_UNALIGN),
                                      PROGTC_CONSTANT(PR_SET_FPEMU),
                                      PROGTC_CONSTANT(PR_MCE_KILL),
                                      PROGTC_CONSTANT(PR_SET_TIMING),
                                      PROGTC_CONSTANT(PR_SET_IO_FLUSHER),
                                      PROGTC_CONSTANT(PR_SET_SPECULATION_CTRL),
                                      PROGTC_CONSTANT(PR_SET_SYSCALL_USER_DISPATCH),
                                      PROGTC_CONSTANT(PR_SCHED_CORE)};
constexpr Constant kIoctlRequests[] = {
    PROGTC_CONSTANT(TIOCSTI),      PROGTC_CONSTANT(TIOCLINUX),    PROGTC_CONSTANT(TCSETS),
    PROGTC_CONSTANT(TCSETSW),      PROGTC_CONSTANT(TCSETSF),      PROGTC_CONSTANT(TCSBRK),
    PROGTC_CONSTANT(TCXONC),       PROGTC_CONSTANT(TCFLSH),       PROGTC_CONSTANT(TIOCSWINSZ),
    PROGTC_CONSTANT(TIOCSPGRP),    PROGTC_CONSTANT(TIOCSCTTY),    PROGTC_CONSTANT(TIOCNOTTY),
    PROGTC_CONSTANT(TIOCCONS),     PROGTC_CONSTANT(TIOCSPTLCK),   PROGTC_CONSTANT(TIOCGPTN),
    PROGTC_CONSTANT(TIOCGPTPEER),  PROGTC_CONSTANT(SIOCGIFCONF),  PROGTC_CONSTANT(SIOCGIFNAME),
    PROGTC_CONSTANT(SIOCGIFINDEX), PROGTC_CONSTANT(SIOCGIFFLAGS), PROGTC_CONSTANT(SIOCSIFFLAGS),
    PROGTC_CONSTANT(SIOCGIFADDR),  PROGTC_CONSTANT(SIOCGIFHWADDR)};
constexpr Constant kFcntlCommands[] = {PROGTC_CONSTANT(F_NOTIFY), PROGTC_CONSTANT(F_SETLEASE),
                                       PROGTC_CONSTANT(F_SETPIPE_SZ), PROGTC_CONSTANT(F_OFD_SETLK),
                                       PROGTC_CONSTANT(F_OFD_SETLKW)};
constexpr Constant kSocketLevels[] = {PROGTC_CONSTANT(SOL_SOCKET), PROGTC_CONSTANT(IPPROTO_IP),
                                      PROGTC_CONSTANT(IPPROTO_IPV6), PROGTC_CONSTANT(IPPROTO_TCP),
                                      PROGTC_CONSTANT(IPPROTO_UDP)};
constexpr Constant kSocketOptions[] = {PROGTC_CONSTANT(SO_SNDBUF),
                                       PROGTC_CONSTANT(SO_RCVBUF),
                                       PROGTC_CONSTANT(SO_SNDBUFFORCE),
                                       PROGTC_CONSTANT(SO_RCVBUFFORCE),
                                       PROGTC_CONSTANT(SO_RCVLOWAT),
                                       PROGTC_CONSTANT(SO_BINDTODEVICE),
                                       PROGTC_CONSTANT(SO_ATTACH_FILTER),
                                       PROGTC_CONSTANT(SO_ATTACH_BPF),
                                       PROGTC_CONSTANT(SO_ATTACH_REUSEPORT_CBPF),
                                       PROGTC_CONSTANT(SO_ATTACH_REUSEPORT_EBPF),
                                       PROGTC_CONSTANT(SO_ZEROCOPY),
                                       PROGTC_CONSTANT(SO_MARK)};
constexpr Constant kSignals[] = {PROGTC_CONSTANT(SIGHUP),  PROGTC_CONSTANT(SIGINT),  PROGTC_CONSTANT(SIGKILL),
                                 PROGTC_CONSTANT(SIGTERM), PROGTC_CONSTANT(SIGSTOP), PROGTC_CONSTANT(SIGCONT),
                                 PROGTC_CONSTANT(SIGCHLD), PROGTC_CONSTANT(SIGUSR1), PROGTC_CONSTANT(SIGUSR2)};
#undef PROGTC_CONSTANT

std::string hexadecimal(std::uint64_t value) {
  std::array<char, 24> text{};
  (void)std::snprintf(text.data(), text.size(), "0x%llx", static_cast<unsigned long long>(value));
  return text.data();
}

std::string named(std::span<const Constant> names, std::uint64_t value) {
  for (const Constant& constant : names) {
    if (constant.value == value) return std::string(constant.name);
  }
  return value < 4096 ? std::to_string(value) : hexadecimal(value);
}

// "A|B|0x40": the names of the bits that have one. Names of several bits come before names of one of them.
void append_flags(std::string& text, std::span<const Constant> names, std::uint64_t value) {
  const auto append = [&](std::string_view name) {
    if (!text.empty()) text += '|';
    text += name;
  };
  for (const Constant& constant : names) {
    if (constant.value == 0 || (value & constant.value) != constant.value) continue;
    append(constant.name);
    value &= ~constant.value;
  }
  if (value != 0) append(hexadecimal(value));
}

// ---- Calls ---------------------------------------------------------------------------------------------------------

enum class Kind : std::uint8_t {
  kNumber,   // as the kernel reads an int: signed, 32 bits
  kWord,     // 64 bits, hexadecimal when large
  kPointer,  // the filter cannot see what it points to
  kMode,
  kFamily,
  kSocketType,
  kProtocol,
  kClone,
  kUnshare,
  kOpen,
  kPrctl,
  kIoctl,
  kFcntl,
  kSignal,
  kSocketLevel,
  kSocketOption,  // of level SOL_SOCKET
};

struct Signature {
  std::string_view call;
  std::array<Kind, 6> kinds;
  std::size_t count;
};

template <typename... Kinds>
constexpr Signature signature(std::string_view call, Kinds... kinds) {
  return {call, {kinds...}, sizeof...(kinds)};
}
constexpr Signature kSignatures[] = {
    signature("socket", Kind::kFamily, Kind::kSocketType, Kind::kProtocol),
    signature("socketpair", Kind::kFamily, Kind::kSocketType, Kind::kProtocol),
    signature("setsockopt", Kind::kNumber, Kind::kSocketLevel, Kind::kSocketOption, Kind::kPointer, Kind::kNumber),
    signature("getsockopt", Kind::kNumber, Kind::kSocketLevel, Kind::kSocketOption, Kind::kPointer, Kind::kPointer),
    signature("connect", Kind::kNumber, Kind::kPointer, Kind::kNumber),
    signature("bind", Kind::kNumber, Kind::kPointer, Kind::kNumber),
    signature("listen", Kind::kNumber, Kind::kNumber),
    signature("accept", Kind::kNumber, Kind::kPointer, Kind::kPointer),
    signature("accept4", Kind::kNumber, Kind::kPointer, Kind::kPointer, Kind::kWord),
    signature("clone", Kind::kClone),
    signature("close_range", Kind::kNumber, Kind::kNumber, Kind::kWord),
    signature("clone3", Kind::kPointer, Kind::kNumber),
    signature("fork"),
    signature("vfork"),
    signature("unshare", Kind::kUnshare),
    signature("setns", Kind::kNumber, Kind::kUnshare),
    signature("execve", Kind::kPointer, Kind::kPointer, Kind::kPointer),
    signature("execveat", Kind::kNumber, Kind::kPointer, Kind::kPointer, Kind::kPointer, Kind::kWord),
    signature("open", Kind::kPointer, Kind::kOpen, Kind::kMode),
    signature("openat", Kind::kNumber, Kind::kPointer, Kind::kOpen, Kind::kMode),
    signature("creat", Kind::kPointer, Kind::kMode),
    signature("mkdir", Kind::kPointer, Kind::kMode),
    signature("mkdirat", Kind::kNumber, Kind::kPointer, Kind::kMode),
    signature("mknod", Kind::kPointer, Kind::kMode, Kind::kWord),
    signature("mknodat", Kind::kNumber, Kind::kPointer, Kind::kMode, Kind::kWord),
    signature("chmod", Kind::kPointer, Kind::kMode),
    signature("fchmod", Kind::kNumber, Kind::kMode),
    signature("fchmodat", Kind::kNumber, Kind::kPointer, Kind::kMode),
    signature("prctl", Kind::kPrctl, Kind::kWord),
    signature("ioctl", Kind::kNumber, Kind::kIoctl, Kind::kWord),
    signature("fcntl", Kind::kNumber, Kind::kFcntl, Kind::kWord),
    signature("kill", Kind::kNumber, Kind::kSignal),
    signature("tkill", Kind::kNumber, Kind::kSignal),
    signature("tgkill", Kind::kNumber, Kind::kNumber, Kind::kSignal),
    signature("personality", Kind::kWord),
    signature("prlimit64", Kind::kNumber, Kind::kNumber, Kind::kPointer, Kind::kPointer),
    signature("ptrace", Kind::kNumber, Kind::kNumber, Kind::kPointer, Kind::kPointer),
    signature("process_vm_readv", Kind::kNumber),
    signature("process_vm_writev", Kind::kNumber),
    signature("mount", Kind::kPointer, Kind::kPointer, Kind::kPointer, Kind::kWord, Kind::kPointer),
    signature("umount2", Kind::kPointer, Kind::kWord),
    signature("chroot", Kind::kPointer),
    signature("pivot_root", Kind::kPointer, Kind::kPointer),
    signature("setuid", Kind::kNumber),
    signature("setgid", Kind::kNumber),
    signature("setgroups", Kind::kNumber, Kind::kPointer),
    signature("inotify_add_watch", Kind::kNumber, Kind::kPointer, Kind::kWord),
    signature("bpf", Kind::kNumber, Kind::kPointer, Kind::kNumber),
    signature("perf_event_open", Kind::kPointer, Kind::kNumber, Kind::kNumber, Kind::kNumber, Kind::kWord),
    signature("userfaultfd", Kind::kWord),
    signature("io_uring_setup", Kind::kNumber, Kind::kPointer),
    signature("keyctl", Kind::kNumber, Kind::kWord),
    signature("seccomp", Kind::kNumber, Kind::kWord, Kind::kPointer),
    signature("sync"),
};

std::string format_argument(Kind kind, std::uint64_t value) {
  const std::uint64_t low = value & 0xFFFFFFFFULL;
  switch (kind) {
    case Kind::kNumber: {
      const auto number = static_cast<std::int32_t>(low);
      return number == AT_FDCWD ? "AT_FDCWD" : std::to_string(number);
    }
    case Kind::kWord:
      return named({}, value);
    case Kind::kPointer:
      return value == 0 ? "null" : "…";
    case Kind::kMode: {
      std::array<char, 24> text{};
      (void)std::snprintf(text.data(), text.size(), "0%o", static_cast<unsigned>(low));
      return text.data();
    }
    case Kind::kFamily:
      return named(kFamilies, low);
    case Kind::kSocketType: {
      std::string text = named(kSocketTypes, low & 15U);
      append_flags(text, kSocketFlags, low & ~15ULL);
      return text;
    }
    case Kind::kProtocol:
      return low == 0 ? "0" : named(kProtocols, low);
    case Kind::kClone: {
      std::string text;
      append_flags(text, kCloneFlags, low & ~0xFFULL);
      if ((low & 0xFFU) != 0 || text.empty()) {
        if (!text.empty()) text += '|';
        text += named(kSignals, low & 0xFFU);
      }
      return text;
    }
    case Kind::kUnshare: {
      std::string text;
      append_flags(text, kUnshareFlags, low);
      return text.empty() ? "0" : text;
    }
    case Kind::kOpen: {
      std::string text = named(kAccessModes, low & O_ACCMODE);
      append_flags(text, kOpenFlags, low & ~static_cast<std::uint64_t>(O_ACCMODE));
      return text;
    }
    case Kind::kPrctl:
      return named(kPrctlOptions, low);
    case Kind::kIoctl:
      return named(kIoctlRequests, low);
    case Kind::kFcntl:
      return named(kFcntlCommands, low);
    case Kind::kSignal:
      return named(kSignals, low);
    case Kind::kSocketLevel:
      return named(kSocketLevels, low);
    case Kind::kSocketOption:
      return named(kSocketOptions, low);
  }
  return hexadecimal(value);
}

std::string format_call(std::string_view name, const Arguments& arguments) {
  std::string text = std::string(name) + "(";
  const auto* const known = std::find_if(std::begin(kSignatures), std::end(kSignatures),
                                         [&](const Signature& candidate) { return candidate.call == name; });
  if (known == std::end(kSignatures)) {
    // Unknown meaning: the bare words, without the zeros at the end.
    std::size_t count = arguments.size();
    while (count > 0 && arguments[count - 1] == 0) --count;
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0) text += ", ";
      text += named({}, arguments[i]);
    }
    return text + ")";
  }
  for (std::size_t i = 0; i < known->count; ++i) {
    if (i > 0) text += ", ";
    Kind kind = known->kinds[i];
    // The numbers of options are each level's own.
    if (kind == Kind::kSocketOption && static_cast<std::int32_t>(arguments[i - 1]) != SOL_SOCKET) kind = Kind::kNumber;
    text += format_argument(kind, arguments[i]);
  }
  return text + ")";
}

// ---- Rules and what would change them ------------------------------------------------------------------------------

bool fits(const ArgumentFit& fit, const Arguments& arguments) {
  return std::all_of(fit.all().begin(), fit.all().end(), [&](const ArgumentCheck& check) {
    return (arguments[check.argument] & check.mask) == check.value;
  });
}

// The first group that allows this very call, if there is one.
const SyscallGroup* group_for(std::string_view name, const Arguments& arguments) {
  for (const SyscallGroup& group : syscall_groups()) {
    for (const GroupCall& call : group.calls) {
      if (call.name != name) continue;
      if (call.fits.empty()) return &group;
      for (const ArgumentFit& fit : call.fits) {
        if (fits(fit, arguments)) return &group;
      }
    }
  }
  return nullptr;
}

bool is_network_group(std::string_view name) { return name == "sockets-inet" || name == "sockets-unix"; }

std::string syscalls_line(const std::string& inner) { return "\"syscalls\": {" + inner + ", \"reason\": \"…\"}"; }

std::string allow_line(std::string_view name, bool is_risky) {
  std::string line = syscalls_line("\"allow\": [\"+" + std::string(name) + "\"]");
  if (is_risky) line += "  // WARNING: a way out of the sandbox or deep into the kernel";
  return line;
}

// The argument that chooses what the call does, where one rule for it is the natural way to allow more.
std::optional<unsigned> choosing_argument(std::string_view name) {
  if (name == "ioctl" || name == "fcntl") return 1;
  if (name == "close_range" || name == "setsockopt" || name == "getsockopt") return 2;
  if (name == "prctl" || name == "socket" || name == "socketpair" || name == "personality" || name == "arch_prctl")
    return 0;
  return std::nullopt;
}

std::string rule_line(std::string_view name, unsigned argument, std::uint64_t value) {
  return syscalls_line("\"rules\": [{\"call\": \"" + std::string(name) +
                       "\", \"argument\": " + std::to_string(argument) + ", \"mask\": \"0xffffffff\", \"values\": [\"" +
                       hexadecimal(value & 0xFFFFFFFFULL) + "\"]}]");
}

void explain_checked_call(const Policy& policy, std::string_view name, const Arguments& arguments, DenialText& text) {
  if (name == "clone") {
    const bool is_thread = (arguments[0] & CLONE_THREAD) != 0;
    text.rule = is_thread ? "syscalls: clone makes threads that share descriptors, directories and semaphores only"
                          : "syscalls: clone may not make namespaces";
    text.fix = allow_line(name, true);
    return;
  }
  if (name == "socket") {
    text.rule = policy.network == NetworkMode::kNone ? "network: none"
                                                     : "network: " + std::string(format_network_mode(policy.network)) +
                                                           " means AF_UNIX, and TCP and UDP over AF_INET and AF_INET6";
  } else {
    text.rule = "syscalls: " + std::string(name) + " is allowed, but not with these arguments";
  }
  if (const auto argument = choosing_argument(name)) {
    text.fix = rule_line(name, *argument, arguments[*argument]);
    return;
  }
  const bool is_mode = name.find("chmod") != std::string_view::npos || name.starts_with("open") ||
                       name.starts_with("mk") || name == "creat";
  if (is_mode) text.rule = "syscalls: setuid and setgid bits are never set, devices and sockets never made";
  if (name == "prlimit64") text.rule = "syscalls: prlimit64 is for one's own limits only";
  text.fix = allow_line(name, is_mode);
}

}  // namespace

DenialText describe_denial(const Policy& policy, int nr, const std::array<std::uint64_t, 6>& arguments) {
  DenialText text;
  const std::string name = nr < 0 ? std::string() : syscall_name(nr);
  if (name.empty()) {
    text.call = format_call("syscall_" + std::to_string(nr), arguments);
    text.rule = "syscalls: no such call is known";
    text.fix = "none: it answers ENOSYS whatever a policy says";
    return text;
  }
  text.call = format_call(name, arguments);
  if (name == "ioctl" && is_never_allowed_ioctl(arguments[1])) {
    text.rule = "syscalls: TIOCSTI and TIOCLINUX are never allowed";
    text.fix = "none: they type into the terminal of whoever started the sandbox";
    return text;
  }
  const auto& denied = policy.syscalls.deny;
  if (std::find(denied.begin(), denied.end(), name) != denied.end()) {
    text.rule = "syscalls: " + name + " is in \"deny\"";
    text.fix = syscalls_line("\"deny\": [\"-" + name + "\"]");
    return text;
  }
  const SyscallGroup* const group = group_for(name, arguments);
  if (group != nullptr && is_network_group(group->name) && policy.network == NetworkMode::kNone) {
    text.rule = "network: none";
    text.fix = "\"network\": {\"mode\": \"loopback\", \"reason\": \"…\"}";
    return text;
  }
  const auto has_group = [&](std::string_view wanted) {
    return std::find(policy.syscalls.groups.begin(), policy.syscalls.groups.end(), wanted) !=
           policy.syscalls.groups.end();
  };
  if (group != nullptr && !has_group(group->name)) {
    text.rule = "syscalls: " + name + " is in no allowed group";
    text.fix = syscalls_line("\"groups\": [\"+" + std::string(group->name) + "\"]");
    return text;
  }
  const auto all = permissions(policy.syscalls, policy.network);
  const bool is_checked = name == "socket" || (all && all->contains(name));
  if (is_checked) {
    explain_checked_call(policy, name, arguments, text);
    return text;
  }
  text.rule = "syscalls: " + name + " is in no allowed group";
  text.fix = allow_line(name, is_dangerous_syscall(name));
  return text;
}

}  // namespace progtc::policy
