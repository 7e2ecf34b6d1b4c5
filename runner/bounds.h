#pragma once
// What bounds one run: its cgroup where there is one, and the statement of which mechanism enforces each limit.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "policy/model.h"
#include "policy/result.h"
#include "runner/cgroup.h"
#include "runner/identity.h"
#include "runner/root_plan.h"
#include "runner/sys/unique_fd.h"
#include "runner/template.h"

namespace progtc::runner {

// The controls a caller may give up by name, as --allow-degraded=CONTROL.
inline constexpr const char* kDegradable[] = {"cgroup", "cpus", "landlock"};
using GivenUp = std::set<std::string>;

struct Bounds {
  Cgroup cgroup;  // made, its limits not set yet
  std::map<std::string, std::string> enforced_by;
  std::vector<std::string> degraded;
  std::vector<std::string> notes;
};

// Errors: RunErrc::kControlMissing where nothing can enforce a limit that was not given up; errno of making the group.
Result<Bounds> make_bounds(const CgroupSite& site, const policy::Policy& policy, const Identity& identity,
                           const GivenUp& given_up);

// The policy without the calls that would undo what stands in for a cgroup here. Where memory is what is mapped, a file
// in memory that is only written, or what a socket holds, would escape the count. Where affinity limits the processors,
// the code may not choose its own.
policy::Policy as_enforceable(policy::Policy policy, const CgroupSite& site, const GivenUp& given_up);

// Points into `bounds`, which has to outlive it. The filter is for the caller to add.
SandboxSpec make_spec(const policy::Policy& policy, const RootPlan& plan, const Bounds& bounds,
                      const GivenUp& given_up);

}  // namespace progtc::runner
