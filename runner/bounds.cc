#include "runner/bounds.h"

#include <algorithm>
#include <cmath>

#include "runner/run_errc.h"

namespace progtc::runner {
namespace {

bool allows_processes(const policy::Policy& policy) {
  const auto& groups = policy.syscalls.groups;
  return std::find(groups.begin(), groups.end(), "processes") != groups.end();
}

}  // namespace

// Resource limits per process are enough only for a policy that allows one process.
Result<Bounds> make_bounds(const CgroupSite& site, const policy::Policy& policy, const Identity& identity,
                           const GivenUp& given_up) {
  Bounds bounds;
  auto& enforced_by = bounds.enforced_by;
  if (given_up.contains("cgroup")) {
    bounds.degraded.emplace_back("cgroup");
    enforced_by["memory"] = "nothing (--allow-degraded=cgroup)";
  } else {
    if (site.mechanism != CgroupMechanism::kNone) {
      PROGTC_TRY(bounds.cgroup, Cgroup::create(site, identity));
    } else if (allows_processes(policy)) {
      return run_error(RunErrc::kControlMissing,
                       "the policy allows more than one process, and no cgroup can bound them together (" +
                           site.why_none +
                           "); run `progtc doctor`, use a policy without the group \"processes\", or accept limits per "
                           "process with --allow-degraded=cgroup");
    } else {
      bounds.notes.push_back("no cgroup (" + site.why_none + "): limits are per process");
    }
    enforced_by["memory"] =
        bounds.cgroup.bounds("memory") ? to_string(bounds.cgroup.mechanism()) : "rlimit (RLIMIT_AS)";
  }
  const char* group = to_string(bounds.cgroup.mechanism());
  enforced_by["processes"] = bounds.cgroup.bounds("processes") ? group : "rlimit (RLIMIT_NPROC)";
  enforced_by["cpu"] = bounds.cgroup.bounds("cpu") ? group : "rlimit (RLIMIT_CPU)";
  enforced_by["cpus"] = bounds.cgroup.bounds("cpus") ? group : "affinity";
  enforced_by["wall"] = "host timer";
  enforced_by["output"] = "host";
  enforced_by["open_files"] = "rlimit (RLIMIT_NOFILE)";
  enforced_by["file_size"] = "rlimit (RLIMIT_FSIZE)";
  const double fraction = policy.limits.cpus - std::floor(policy.limits.cpus);
  if (!bounds.cgroup.bounds("cpus") && fraction > 0) {
    if (!given_up.contains("cpus"))
      return run_error(
          RunErrc::kControlMissing,
          "limits.cpus is a fraction of a processor, which only a cgroup's cpu controller can enforce; use a whole "
          "number or --allow-degraded=cpus");
    bounds.degraded.emplace_back("cpus");
  }
  return bounds;
}

policy::Policy as_enforceable(policy::Policy policy, const CgroupSite& site, const GivenUp& given_up) {
  if (site.mechanism == CgroupMechanism::kNone && !given_up.contains("cgroup")) {
    policy.syscalls.deny.emplace_back("memfd_create");
    std::erase(policy.syscalls.groups, "socket-buffers");
  }
  const bool has_cpu = std::count(site.controllers.begin(), site.controllers.end(), "cpu") > 0;
  if (site.mechanism == CgroupMechanism::kNone || given_up.contains("cgroup") || !has_cpu)
    policy.syscalls.deny.emplace_back("sched_setaffinity");
  return policy;
}

SandboxSpec make_spec(const policy::Policy& policy, const RootPlan& plan, const Bounds& bounds,
                      const GivenUp& given_up) {
  SandboxSpec spec;
  spec.cgroup = bounds.cgroup.mechanism() == CgroupMechanism::kNone ? nullptr : &bounds.cgroup;
  spec.limits = policy.limits;
  spec.filesystem = policy.filesystem;
  spec.network = policy.network;
  spec.writable = plan.writable;
  spec.late_binds = plan.late_binds;
  spec.address_space_is_memory = !bounds.cgroup.bounds("memory") && !given_up.contains("cgroup");
  spec.limits_processors = !bounds.cgroup.bounds("cpus");
  spec.has_landlock = !given_up.contains("landlock");
  return spec;
}

}  // namespace progtc::runner
