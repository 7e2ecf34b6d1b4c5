#pragma once
#include <linux/filter.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "policy/model.h"
#include "policy/result.h"

namespace progtc::policy {

struct SeccompProgram {
  std::vector<sock_filter> code;  // plain cBPF, installed by nobody yet
};

// What a call that the policy denies meets.
enum class DenyAction : std::uint8_t {
  kNotify,  // SECCOMP_RET_USER_NOTIF: the host's listener reports it and answers with an error
  kErrno,   // SECCOMP_RET_ERRNO with EPERM: for a program without a listener
};

// Compiles the system call rules of `policy` (groups, allow, deny, argument rules and what its network mode implies)
// for the native architecture. Pure; needs no privilege.
// - Another syscall table (i386, x32) kills the process: number 59 is execve on x86-64, something else on i386.
// - A call that libseccomp does not know, and the few that must look absent (clone3), answer ENOSYS.
// - A known call that is not allowed meets `action`.
// - The calls the runner itself needs between installing the filter and the first user line are always allowed
//   (read, write, sendmsg, close, exit, exit_group, rt_sigreturn, ...).
// Errors: PolicyErrc::kUnknownSyscall, kUnknownGroup with the name; kTooLarge above BPF_MAXINSNS.
// A policy whose calls and network mode are those of a shipped one gets the filter that was compiled with the program.
Result<SeccompProgram> compile_seccomp(const Policy& policy, DenyAction action = DenyAction::kNotify);
// The same without looking at what is compiled already; 1 to 3 ms.
Result<SeccompProgram> compile_seccomp_anew(const Policy& policy, DenyAction action = DenyAction::kNotify);

// One denied call put into words.
struct DenialText {
  std::string call;  // "socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, 0)"
  std::string rule;  // "network: none" or "syscalls: execve is in no allowed group"
  std::string fix;  // the policy line that would allow it: "\"network\": {\"mode\": \"loopback\", \"reason\": \"…\"}"
};

// Explains why `policy` denies the call numbered `nr` with these arguments. Total: an unknown number gets a text too.
DenialText describe_denial(const Policy& policy, int nr, const std::array<std::uint64_t, 6>& arguments);

}  // namespace progtc::policy
