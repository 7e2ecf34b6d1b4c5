#pragma once
// System calls by what a program wants with them. A group names calls and, where the number alone says too little,
// which arguments are meant: `prctl` belongs to "process-info" only for options that read or name.
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace progtc::policy {

// (argument & mask) == value, over 64 bits.
struct ArgumentCheck {
  unsigned argument = 0;
  std::uint64_t mask = ~0ULL;
  std::uint64_t value = 0;
  bool operator==(const ArgumentCheck&) const = default;
};

// Holds when all its checks hold. At most one check an argument, which is what libseccomp can express in one rule.
struct ArgumentFit {
  std::array<ArgumentCheck, 3> checks{};
  unsigned count = 0;
  std::span<const ArgumentCheck> all() const { return std::span(checks).first(count); }
  bool operator==(const ArgumentFit&) const = default;
};

struct GroupCall {
  std::string_view name;
  std::span<const ArgumentFit> fits;  // alternatives; empty: any arguments
};

struct SyscallGroup {
  std::string_view name;
  std::string_view description;  // one line, for `explain` and docs/policy.md
  std::span<const GroupCall> calls;
};

std::span<const SyscallGroup> syscall_groups();
const SyscallGroup* find_syscall_group(std::string_view name);  // null: no such group

// Always allowed, as the runner's own code makes them between installing the filter and the first user line, and after
// the last. Denying one is an error.
std::span<const std::string_view> runner_calls();
// With which arguments; empty: any.
std::span<const ArgumentFit> runner_fits(std::string_view call);
// Answered as if the kernel had no such call, silently, because libraries fall back: on EPERM they would give up. Or,
// with error 0, as if the call had been made.
struct AbsentCall {
  std::string_view name;
  ArgumentFit fit;  // no checks: any arguments
  int error;        // what a kernel without it answers; 0: success
};
std::span<const AbsentCall> absent_calls();

// Whether no shipped policy allows it and none should: a way out of the sandbox or into the kernel's less tested parts.
bool is_dangerous_syscall(std::string_view name);

// TIOCSTI and TIOCLINUX type into the terminal of whoever started the sandbox. The kernel looks at 32 bits, and so does
// this.
bool is_never_allowed_ioctl(std::uint64_t request);

// The native table of libseccomp.
bool is_known_syscall(std::string_view name);  // also names of other architectures' tables, which then have no effect
std::optional<int> syscall_number(std::string_view name);  // nothing where the native table has none
std::string syscall_name(int number);                      // empty: unknown
std::span<const std::string> known_syscall_names();
// Numbers from 0 to the highest known one that the table knows nothing about, as closed ranges.
struct NumberRange {
  int first;
  int last;
};
struct KnownNumbers {
  int highest;
  std::span<const NumberRange> gaps;
};
KnownNumbers known_syscall_numbers();

}  // namespace progtc::policy
