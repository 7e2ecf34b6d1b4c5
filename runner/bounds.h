#pragma once
// What bounds one run: its cgroup where there is one, and the statement of which mechanism enforces each limit.
#include <cstdint>
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

// The policy as it is where there is no cgroup, else unchanged. Memory is then what is mapped, and what is not mapped
// is kept small: no anonymous files, no socket buffers of the code's own size, smaller private file systems, fewer
// descriptors. Where affinity limits the processors, the code may not choose its own.
policy::Policy as_enforceable(policy::Policy policy, const CgroupSite& site, const GivenUp& given_up);

// Without a cgroup: the most that a run of one process can hold of the host's memory under a policy that
// as_enforceable() has returned. docs/decisions/0013-memory-without-a-cgroup.md has the arithmetic.
std::uint64_t most_memory_without_cgroup(const policy::Policy& policy);
// The most of it that may be page tables, which the host looks at.
std::uint64_t most_page_tables(const policy::Limits& limits);

// Points into `bounds`, which has to outlive it. The filter is for the caller to add.
SandboxSpec make_spec(const policy::Policy& policy, const RootPlan& plan, const Bounds& bounds,
                      const GivenUp& given_up);

}  // namespace progtc::runner
