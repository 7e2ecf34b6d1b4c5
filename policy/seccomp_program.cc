#include "policy/seccomp_program.h"

#include <asm/ioctls.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <type_traits>

#include "policy/decode.h"
#include "policy/fields.h"
#include "policy/near_match.h"
#include "policy/permissions.h"
#include "policy/shipped_filters.h"
#include "policy/syscall_groups.h"

// Theory of operation. libseccomp compiles a list of "allowed" and "answer this errno" rules over a default, which is
// what a denied call meets. Three things are beyond its rules and stand in front of what it makes, as runc does it:
//   - numbers that the table does not know answer ENOSYS, whereas known ones fall to the default;
//   - the x32 table kills like any other foreign one;
//   - TIOCSTI and TIOCLINUX are denied even where everything else of ioctl is allowed ("all but these two" would take
//   two
//     comparisons of one argument in one rule, and libseccomp takes one).
// All jumps of a filter are relative and forward, so putting instructions in front changes nothing behind them.
namespace progtc::policy {
namespace {

constexpr std::uint32_t kX32Bit = 0x40000000;  // __X32_SYSCALL_BIT; also catches the negative numbers

struct ReleaseFilter {
  void operator()(void* context) const { seccomp_release(context); }
};
using Filter = std::unique_ptr<std::remove_pointer_t<scmp_filter_ctx>, ReleaseFilter>;

Error failure(int negative_errno, const std::string& attempted) { return from_errno(-negative_errno, attempted); }

sock_filter load_word(std::size_t offset) {
  return sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(offset)};
}
sock_filter jump(unsigned short test, std::uint32_t k, unsigned char if_true, unsigned char if_false) {
  return sock_filter{static_cast<unsigned short>(BPF_JMP | BPF_K | test), if_true, if_false, k};
}
sock_filter answer(std::uint32_t value) { return sock_filter{BPF_RET | BPF_K, 0, 0, value}; }

std::uint32_t deny_answer(DenyAction action) {
  return action == DenyAction::kNotify ? static_cast<std::uint32_t>(SECCOMP_RET_USER_NOTIF)
                                       : static_cast<std::uint32_t>(SECCOMP_RET_ERRNO | EPERM);
}

// Whether some call with one of the two requests would pass.
bool admits_terminal_injection(const Permissions& all) {
  const auto found = all.find(std::string_view("ioctl"));
  if (found == all.end()) return false;
  if (found->second.is_unconditional) return true;
  const auto fits_request = [](const ArgumentFit& fit, std::uint64_t request) {
    return std::all_of(fit.all().begin(), fit.all().end(), [&](const ArgumentCheck& check) {
      constexpr std::uint64_t kSeen = 0xFFFFFFFFULL;
      return check.argument != 1 || (request & check.mask & kSeen) == (check.value & kSeen);
    });
  };
  return std::any_of(found->second.fits.begin(), found->second.fits.end(), [&](const ArgumentFit& fit) {
    return fits_request(fit, TIOCSTI) || fits_request(fit, TIOCLINUX);
  });
}

std::vector<sock_filter> prologue(const Permissions& all, DenyAction action) {
  constexpr std::size_t kNumber = offsetof(seccomp_data, nr);
  constexpr std::size_t kRequest = offsetof(seccomp_data, args) + sizeof(std::uint64_t);  // low half: little-endian
  static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
  std::vector<sock_filter> code = {load_word(offsetof(seccomp_data, arch)),
                                   jump(BPF_JEQ, seccomp_arch_native(), 1, 0),
                                   answer(SECCOMP_RET_KILL_PROCESS),
                                   load_word(kNumber),
                                   jump(BPF_JGE, kX32Bit, 0, 1),
                                   answer(SECCOMP_RET_KILL_PROCESS)};
  const KnownNumbers known = known_syscall_numbers();
  code.push_back(jump(BPF_JGT, static_cast<std::uint32_t>(known.highest), 0, 1));
  code.push_back(answer(SECCOMP_RET_ERRNO | ENOSYS));
  for (const NumberRange gap : known.gaps) {
    code.push_back(jump(BPF_JGE, static_cast<std::uint32_t>(gap.first), 0, 2));
    code.push_back(jump(BPF_JGT, static_cast<std::uint32_t>(gap.last), 1, 0));
    code.push_back(answer(SECCOMP_RET_ERRNO | ENOSYS));
  }
  if (admits_terminal_injection(all)) {
    code.push_back(jump(BPF_JEQ, static_cast<std::uint32_t>(*syscall_number("ioctl")), 0, 4));
    code.push_back(load_word(kRequest));
    code.push_back(jump(BPF_JEQ, TIOCSTI, 1, 0));
    code.push_back(jump(BPF_JEQ, TIOCLINUX, 0, 1));
    code.push_back(answer(deny_answer(action)));
  }
  return code;  // libseccomp's part loads what it needs anew
}

Result<void> add_rule(const Filter& filter, std::uint32_t verdict, const std::string& name, const ArgumentFit& fit) {
  const std::optional<int> number = syscall_number(name);
  if (!number) return Result<void>{};  // of another architecture's table: nothing to allow here
  std::array<scmp_arg_cmp, 3> comparisons{};
  for (unsigned i = 0; i < fit.count; ++i) {
    const ArgumentCheck& check = fit.checks[i];
    comparisons[i] = scmp_arg_cmp{check.argument, SCMP_CMP_MASKED_EQ, check.mask, check.value};
  }
  const int rc = seccomp_rule_add_exact_array(filter.get(), verdict, *number, fit.count, comparisons.data());
  if (rc != 0 && rc != -EEXIST) return failure(rc, "filter rule for " + name);
  return Result<void>{};
}

bool is_listed(const std::vector<std::string>& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

bool has_writable_bind(const Policy& policy) {
  const auto& binds = policy.filesystem.binds;
  return std::any_of(binds.begin(), binds.end(), [](const Bind& bind) { return bind.is_writable; });
}

// Whether every lock of a byte range that the code could take would be its own process's: such locks never meet another
// (fcntl(2)). On what is read-only a lock could only hold up the host's programs.
bool locks_itself_only(const Policy& policy, const Permissions& all) {
  if (has_writable_bind(policy) || all.contains("fork") || all.contains("vfork") || all.contains("clone3"))
    return false;
  const auto found = all.find("clone");
  if (found == all.end()) return true;
  for (const GroupCall& call : find_syscall_group("threads")->calls)
    if (call.name == "clone") return is_covered(found->second, {.fits = {call.fits.begin(), call.fits.end()}});
  return false;
}

// Takes F_SETLK and F_SETLKW out of what is allowed, to be answered as done, where that is the same to the code: each
// range would be memory of the kernel's that no control group counts (docs/decisions/0012-locks.md).
Result<void> answer_own_locks(const Filter& filter, const Policy& policy, Permissions& all) {
  const auto found = all.find("fcntl");
  if (found == all.end() || found->second.is_unconditional || !locks_itself_only(policy, all)) return Result<void>{};
  for (const std::uint64_t command : {F_SETLK, F_SETLKW}) {
    const ArgumentFit one{{ArgumentCheck{1, 0xFFFFFFFF, command}, {}, {}}, 1};
    if (std::erase(found->second.fits, one) > 0) PROGTC_CHECK(add_rule(filter, SCMP_ACT_ERRNO(0), "fcntl", one));
  }
  return Result<void>{};
}

// Calls answered silently, unless the policy speaks of them itself.
Result<void> add_absent_calls(const Filter& filter, const Policy& policy, const Permissions& all) {
  for (const AbsentCall& absent : absent_calls()) {
    const auto found = all.find(absent.name);
    const bool has_rule = std::any_of(policy.syscalls.rules.begin(), policy.syscalls.rules.end(),
                                      [&](const ArgumentRule& rule) { return rule.call == absent.name; });
    if (is_listed(policy.syscalls.deny, absent.name) || has_rule) continue;
    const Permission needed = absent.fit.count == 0 ? Permission{.is_unconditional = true, .fits = {}}
                                                    : Permission{.is_unconditional = false, .fits = {absent.fit}};
    if (found != all.end() && is_covered(needed, found->second)) continue;
    PROGTC_CHECK(add_rule(filter, SCMP_ACT_ERRNO(static_cast<std::uint32_t>(absent.error)), std::string(absent.name),
                          absent.fit));
  }
  return Result<void>{};
}

// libseccomp 2.5 exports to a descriptor only; an anonymous file is one that needs no file system.
Result<std::vector<sock_filter>> exported(const Filter& filter) {
  const int fd = ::memfd_create("seccomp-program", MFD_CLOEXEC);
  if (fd < 0) return from_errno(errno, "memfd_create");
  std::vector<sock_filter> code;
  const int rc = seccomp_export_bpf(filter.get(), fd);
  const off_t size = ::lseek(fd, 0, SEEK_END);
  ssize_t got = -1;
  if (rc == 0 && size > 0) {
    code.resize(static_cast<std::size_t>(size) / sizeof(sock_filter));
    got = ::pread(fd, code.data(), static_cast<std::size_t>(size), 0);
  }
  const int err = errno;
  ::close(fd);
  if (rc != 0) return failure(rc, "seccomp_export_bpf");
  if (got != size) return from_errno(got < 0 ? err : EIO, "read the exported filter");
  return code;
}

}  // namespace

std::string filter_key(const Policy& policy) {
  const Syscalls& syscalls = policy.syscalls;
  std::string key = "network ";
  key += format_network_mode(policy.network);
  if (has_writable_bind(policy)) key += "\nwritable";
  const auto append = [&key](std::string_view title, const std::vector<std::string>& names) {
    key += '\n';
    key += title;
    for (const std::string& name : names) {
      key += ' ';  // names of groups and calls hold none
      key += name;
    }
  };
  append("groups", syscalls.groups);
  append("allow", syscalls.allow);
  append("deny", syscalls.deny);
  for (const ArgumentRule& rule : syscalls.rules) {
    append("rule", {rule.call, std::to_string(rule.argument), std::to_string(rule.mask)});
    for (const std::uint64_t value : rule.values) {
      key += ' ';
      key += std::to_string(value);
    }
  }
  return key;
}

Result<SeccompProgram> compile_seccomp(const Policy& policy, DenyAction action) {
  const std::string key = filter_key(policy);
  for (const ShippedFilter& shipped : shipped_filters()) {
    if (shipped.key != key) continue;
    SeccompProgram program{.code = {shipped.code.begin(), shipped.code.end()}};
    for (sock_filter& instruction : program.code) {  // the two actions differ in nothing but this answer
      const bool is_denial = instruction.code == (BPF_RET | BPF_K) && instruction.k == deny_answer(DenyAction::kNotify);
      if (is_denial) instruction.k = deny_answer(action);
    }
    return program;
  }
  return compile_seccomp_anew(policy, action);
}

Result<SeccompProgram> compile_seccomp_anew(const Policy& policy, DenyAction action) {
  PROGTC_TRY(Permissions all, permissions(policy.syscalls, policy.network));
  // libseccomp refuses actions that the running kernel lacks; what is made here may run elsewhere, and the kernel that
  // installs it has the last word.
  static const int kLevel = seccomp_api_set(5);
  if (kLevel != 0) return failure(kLevel, "seccomp_api_set");
  const Filter filter(seccomp_init(deny_answer(action)));
  if (!filter) return from_errno(EINVAL, "seccomp_init");
  if (const int rc = seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS); rc != 0) {
    return failure(rc, "seccomp_attr_set BADARCH");
  }
  if (const int rc = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2); rc != 0) {
    return failure(rc, "seccomp_attr_set OPTIMIZE");
  }
  PROGTC_CHECK(answer_own_locks(filter, policy, all));
  for (const auto& [name, permission] : all) {
    if (permission.is_unconditional) PROGTC_CHECK(add_rule(filter, SCMP_ACT_ALLOW, name, {}));
    for (const ArgumentFit& fit : permission.fits) PROGTC_CHECK(add_rule(filter, SCMP_ACT_ALLOW, name, fit));
  }
  PROGTC_CHECK(add_absent_calls(filter, policy, all));
  PROGTC_TRY(const std::vector<sock_filter> body, exported(filter));

  SeccompProgram program{.code = prologue(all, action)};
  program.code.insert(program.code.end(), body.begin(), body.end());
  if (program.code.size() > BPF_MAXINSNS) {
    return Error{make_error_code(PolicyErrc::kTooLarge), "the filter has " + std::to_string(program.code.size()) +
                                                             " instructions, the kernel takes " +
                                                             std::to_string(BPF_MAXINSNS)};
  }
  return program;
}

}  // namespace progtc::policy
