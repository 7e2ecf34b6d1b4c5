#include "policy/permissions.h"

#include <algorithm>

#include "policy/decode.h"
#include "policy/fields.h"
#include "policy/near_match.h"

namespace progtc::policy {
namespace {

// Whether every argument list that satisfies `narrow` satisfies `wide`.
bool implies(const ArgumentFit& narrow, const ArgumentFit& wide) {
  return std::all_of(wide.all().begin(), wide.all().end(), [&](const ArgumentCheck& need) {
    return std::any_of(narrow.all().begin(), narrow.all().end(), [&](const ArgumentCheck& have) {
      return have.argument == need.argument && (have.mask & need.mask) == need.mask &&
             (have.value & need.mask) == need.value;
    });
  });
}

// Adds an alternative and keeps the list free of what another alternative covers: fewer branches in the filter.
void add_fit(std::vector<ArgumentFit>& fits, const ArgumentFit& fit) {
  if (std::any_of(fits.begin(), fits.end(), [&](const ArgumentFit& other) { return implies(fit, other); })) return;
  std::erase_if(fits, [&](const ArgumentFit& other) { return implies(other, fit); });
  fits.push_back(fit);
}

Result<void> add_group(Permissions& all, std::string_view name) {
  PROGTC_CHECK(check_syscall_group(name));
  for (const GroupCall& call : find_syscall_group(name)->calls) {
    auto at = all.find(call.name);
    if (at == all.end()) at = all.emplace(std::string(call.name), Permission{}).first;
    if (call.fits.empty()) at->second.is_unconditional = true;
    for (const ArgumentFit& fit : call.fits) add_fit(at->second.fits, fit);
  }
  return Result<void>{};
}

bool is_runner_call(std::string_view name) {
  const auto needed = runner_calls();
  return std::find(needed.begin(), needed.end(), name) != needed.end();
}

}  // namespace

Result<Permissions> permissions(const Syscalls& syscalls, NetworkMode network) {
  Permissions all;
  for (const std::string& group : syscalls.groups) PROGTC_CHECK(add_group(all, group));
  if (network != NetworkMode::kNone) {
    for (const std::string_view implied : {"socket-pairs", "sockets-unix", "sockets-inet"}) {
      PROGTC_CHECK(add_group(all, implied));
    }
  }
  for (const std::string& call : syscalls.allow) {
    PROGTC_CHECK(check_syscall(call));
    all[call].is_unconditional = true;
  }
  for (const ArgumentRule& rule : syscalls.rules) {
    PROGTC_CHECK(check_syscall(rule.call));
    Permission& permission = all[rule.call];
    if (std::exchange(permission.is_unconditional, false)) permission.fits.clear();
    for (const std::uint64_t value : rule.values) {
      add_fit(permission.fits, ArgumentFit{{ArgumentCheck{rule.argument, rule.mask, value}, {}, {}}, 1});
    }
  }
  for (const std::string& call : syscalls.deny) {
    PROGTC_CHECK(check_syscall(call));
    if (is_runner_call(call)) {
      return Error{make_error_code(PolicyErrc::kRange), quoted(call) + " is needed by the runner and cannot be denied"};
    }
    all.erase(call);
  }
  for (const std::string_view call : runner_calls()) {
    const auto fits = runner_fits(call);
    all[std::string(call)] = Permission{.is_unconditional = fits.empty(), .fits = {fits.begin(), fits.end()}};
  }
  for (auto& [name, permission] : all) {
    if (permission.is_unconditional) permission.fits.clear();
  }
  return all;
}

bool is_covered(const Permission& narrow, const Permission& wide) {
  if (wide.is_unconditional) return true;
  if (narrow.is_unconditional) return false;
  return std::all_of(narrow.fits.begin(), narrow.fits.end(), [&](const ArgumentFit& fit) {
    return std::any_of(wide.fits.begin(), wide.fits.end(),
                       [&](const ArgumentFit& other) { return implies(fit, other); });
  });
}

}  // namespace progtc::policy
