#pragma once
// What a policy's groups, lists, rules and network mode come to, call by call.
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "policy/model.h"
#include "policy/result.h"
#include "policy/syscall_groups.h"

namespace progtc::policy {

struct Permission {
  bool is_unconditional = false;
  std::vector<ArgumentFit> fits;  // otherwise: allowed when one of them holds
  bool operator==(const Permission&) const = default;
};

// By name; a call that is not in it is denied. Group names imply their calls, loopback and host networks imply both
// socket groups. A rule narrows a call that would be allowed with any arguments to the arguments it names, and adds to
// the arguments that a group allows. What the runner needs is always in it. Errors: kUnknownSyscall, kUnknownGroup;
// kRange for denying what the runner needs.
using Permissions = std::map<std::string, Permission, std::less<>>;
Result<Permissions> permissions(const Syscalls& syscalls, NetworkMode network);

// Whether every call that `narrow` allows is allowed by `wide`, as far as comparing the checks can tell.
bool is_covered(const Permission& narrow, const Permission& wide);

}  // namespace progtc::policy
