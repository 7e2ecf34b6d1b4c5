#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <csignal>

#include "policy/seccomp_program.h"
#include "policy/syscall_groups.h"
#include "tests/policy/support.h"

namespace progtc::policy {
namespace {

using Arguments = std::array<std::uint64_t, 6>;

// "call | rule | fix"
std::string describe(const std::string& policy, long number, const Arguments& arguments = {}) {
  const DenialText text = describe_denial(shipped(policy), static_cast<int>(number), arguments);
  return text.call + " | " + text.rule + " | " + text.fix;
}

TEST(DenialTextTest, NamesTheNetworkMode) {
  EXPECT_EQ(describe("strict", __NR_socket, {AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0}),
            "socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, 0) | network: none | "
            "\"network\": {\"mode\": \"loopback\", \"reason\": \"…\"}");
  EXPECT_EQ(describe("strict", __NR_connect, {3, 0x7fff0000, 16}),
            "connect(3, …, 16) | network: none | \"network\": {\"mode\": \"loopback\", \"reason\": \"…\"}");
  EXPECT_EQ(
      describe("standard", __NR_socket, {AF_PACKET, SOCK_RAW, 0x300}),
      "socket(AF_PACKET, SOCK_RAW, 768) | network: loopback means AF_UNIX, and TCP and UDP over AF_INET and AF_INET6 | "
      "\"syscalls\": {\"rules\": [{\"call\": \"socket\", \"argument\": 0, \"mask\": \"0xffffffff\", \"values\": "
      "[\"0x11\"]}], "
      "\"reason\": \"…\"}");
}

TEST(DenialTextTest, NamesTheGroup) {
  EXPECT_EQ(describe("strict", __NR_execve, {1, 2, 3}),
            "execve(…, …, …) | syscalls: execve is in no allowed group | "
            "\"syscalls\": {\"groups\": [\"+exec\"], \"reason\": \"…\"}");
  EXPECT_EQ(describe("strict", __NR_clone, {CLONE_VM | CLONE_VFORK | SIGCHLD}),
            "clone(CLONE_VM|CLONE_VFORK|SIGCHLD) | syscalls: clone is in no allowed group | "
            "\"syscalls\": {\"groups\": [\"+processes\"], \"reason\": \"…\"}");
  EXPECT_EQ(describe("strict", __NR_ioctl, {0, TCSETS, 1}),
            "ioctl(0, TCSETS, 1) | syscalls: ioctl is in no allowed group | "
            "\"syscalls\": {\"groups\": [\"+terminals\"], \"reason\": \"…\"}");
}

TEST(DenialTextTest, WarnsAboutDangerousCalls) {
  constexpr auto kWarning = "  // WARNING: a way out of the sandbox or deep into the kernel";
  EXPECT_EQ(describe("permissive", __NR_ptrace, {16, 1}),
            std::string("ptrace(16, 1, null, null) | syscalls: ptrace is in no allowed group | "
                        "\"syscalls\": {\"allow\": [\"+ptrace\"], \"reason\": \"…\"}") +
                kWarning);
  EXPECT_EQ(describe("standard", __NR_clone, {CLONE_NEWUSER | CLONE_NEWNET | SIGCHLD}),
            std::string("clone(CLONE_NEWUSER|CLONE_NEWNET|SIGCHLD) | syscalls: clone may not make namespaces | "
                        "\"syscalls\": {\"allow\": [\"+clone\"], \"reason\": \"…\"}") +
                kWarning);
  EXPECT_EQ(
      describe("standard", __NR_chmod, {1, 04755}),
      std::string("chmod(…, 04755) | syscalls: setuid and setgid bits are never set, devices and sockets never made | "
                  "\"syscalls\": {\"allow\": [\"+chmod\"], \"reason\": \"…\"}") +
          kWarning);
  EXPECT_EQ(describe("standard", __NR_unshare, {CLONE_NEWUSER | 0x80}),
            std::string("unshare(CLONE_NEWUSER|CLONE_NEWTIME) | syscalls: unshare is in no allowed group | "
                        "\"syscalls\": {\"allow\": [\"+unshare\"], \"reason\": \"…\"}") +
                kWarning);
}

TEST(DenialTextTest, OffersARuleForCallsThatAreChosenByAnArgument) {
  EXPECT_EQ(describe("strict", __NR_prctl, {PR_SET_DUMPABLE, 1}),
            "prctl(PR_SET_DUMPABLE, 1) | syscalls: prctl is allowed, but not with these arguments | "
            "\"syscalls\": {\"rules\": [{\"call\": \"prctl\", \"argument\": 0, \"mask\": \"0xffffffff\", \"values\": "
            "[\"0x4\"]}], "
            "\"reason\": \"…\"}");
}

TEST(DenialTextTest, NamesSocketOptionsOfTheirLevel) {
  EXPECT_EQ(describe("strict", __NR_setsockopt, {3, SOL_SOCKET, SO_SNDBUF, 1, 4}),
            "setsockopt(3, SOL_SOCKET, SO_SNDBUF, …, 4) | syscalls: setsockopt is in no allowed group | "
            "\"syscalls\": {\"groups\": [\"+socket-buffers\"], \"reason\": \"…\"}");
  EXPECT_EQ(describe("standard", __NR_setsockopt, {3, SOL_SOCKET, SO_ATTACH_FILTER, 1, 16}),
            "setsockopt(3, SOL_SOCKET, SO_ATTACH_FILTER, …, 16) | "
            "syscalls: setsockopt is allowed, but not with these arguments | "
            "\"syscalls\": {\"rules\": [{\"call\": \"setsockopt\", \"argument\": 2, \"mask\": \"0xffffffff\", "
            "\"values\": [\"0x1a\"]}], \"reason\": \"…\"}");
  EXPECT_EQ(describe_denial(shipped("standard"), __NR_setsockopt, {3, 6, 31, 1, 4}).call,
            "setsockopt(3, IPPROTO_TCP, 31, …, 4)");
}

TEST(DenialTextTest, NamesThePipeThatGrows) {
  EXPECT_EQ(describe_denial(shipped("strict"), __NR_fcntl, {3, F_SETPIPE_SZ, 1 << 20}).call,
            "fcntl(3, F_SETPIPE_SZ, 0x100000)");
}

TEST(DenialTextTest, SaysWhatAThreadShares) {
  const std::string rule = "syscalls: clone makes threads that share descriptors, directories and semaphores only";
  EXPECT_EQ(describe_denial(shipped("standard"), __NR_clone, {CLONE_VM | CLONE_SIGHAND | CLONE_THREAD}).rule, rule);
  EXPECT_EQ(describe("strict", __NR_close_range, {3, 0xFFFFFFFF, 2}),
            "close_range(3, -1, 2) | syscalls: close_range is allowed, but not with these arguments | "
            "\"syscalls\": {\"rules\": [{\"call\": \"close_range\", \"argument\": 2, \"mask\": \"0xffffffff\", "
            "\"values\": [\"0x2\"]}], \"reason\": \"…\"}");
}

TEST(DenialTextTest, SaysWhenNothingHelps) {
  EXPECT_EQ(describe("permissive", __NR_ioctl, {0, TIOCSTI | (std::uint64_t{1} << 32), 0}),
            "ioctl(0, TIOCSTI, 0) | syscalls: TIOCSTI and TIOCLINUX are never allowed | "
            "none: they type into the terminal of whoever started the sandbox");
  EXPECT_EQ(
      describe("strict", 9999, {1, 0x123456}),
      "syscall_9999(1, 0x123456) | syscalls: no such call is known | none: it answers ENOSYS whatever a policy says");
  EXPECT_EQ(describe("strict", -5),
            "syscall_-5() | syscalls: no such call is known | none: it answers ENOSYS whatever a policy says");
}

TEST(DenialTextTest, NamesTheDenyList) {
  Policy policy = shipped("standard");
  policy.syscalls.deny = {"execve"};
  const DenialText text = describe_denial(policy, __NR_execve, {});
  EXPECT_EQ(text.rule, "syscalls: execve is in \"deny\"");
  EXPECT_EQ(text.fix, "\"syscalls\": {\"deny\": [\"-execve\"], \"reason\": \"…\"}");
}

TEST(DenialTextTest, IsTotal) {
  const Policy policy = shipped("strict");
  for (int number = -2; number < 600; ++number) {
    for (const std::uint64_t word : {std::uint64_t{0}, ~std::uint64_t{0}, std::uint64_t{0x5555'5555'5555'5555}}) {
      const DenialText text = describe_denial(policy, number, {word, word, word, word, word, word});
      EXPECT_FALSE(text.call.empty() || text.rule.empty() || text.fix.empty()) << number;
    }
  }
}

}  // namespace
}  // namespace progtc::policy
