#include "runner/bounds.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "policy/units.h"
#include "runner/run_errc.h"

namespace progtc::runner {
namespace {

bool allows_processes(const policy::Policy& policy) {
  const auto& groups = policy.syscalls.groups;
  return std::find(groups.begin(), groups.end(), "processes") != groups.end();
}

// What the kernel holds for one of each, rounded up; measured on Linux 6.18, x86-64. Who changes one of these changes
// docs/decisions/0013-memory-without-a-cgroup.md.
constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kPage = 4 * kKiB;
constexpr std::uint64_t kSocket = 277 * kKiB;    // net.core.wmem_default, and one message beyond it
constexpr std::uint64_t kInode = 1280;           // with its name
constexpr std::uint64_t kTask = 28 * kKiB;       // with its stack
constexpr std::uint64_t kMapping = 656;          // with an open file and a lock of its own
constexpr std::uint64_t kMostMappings = 65'530;  // vm.max_map_count

constexpr std::uint64_t kWatch = 272;  // of epoll, on a pipe, which has two queues

// One descriptor for so much of limits.memory, up to a number whose third power is still little.
constexpr std::uint64_t kMemoryOfDescriptor = 6 * kKiB * kKiB;
constexpr std::uint64_t kLeastDescriptors = 32;
constexpr std::uint64_t kMostDescriptors = 64;

std::array<policy::Tmpfs*, 4> private_files(policy::Filesystem& has) {
  return {&has.tmp, &has.shm, &has.work, &has.out};
}

// To half of limits.memory together, each by the same part. None vanishes.
void shrink_private_files(policy::Policy& policy) {
  std::uint64_t total = 0;
  for (const policy::Tmpfs* one : private_files(policy.filesystem)) total += one->size_bytes;
  const std::uint64_t most = policy.limits.memory_bytes / 2;
  if (total <= most) return;
  const double part = static_cast<double>(most) / static_cast<double>(total);
  const auto shrunk = [part](std::uint64_t number, std::uint64_t least) {
    return std::min(number, std::max(least, static_cast<std::uint64_t>(static_cast<double>(number) * part)));
  };
  constexpr std::uint64_t kLeastInodes = 64;
  for (policy::Tmpfs* one : private_files(policy.filesystem)) {
    one->size_bytes = shrunk(one->size_bytes, kPage);
    one->inodes = shrunk(one->inodes, kLeastInodes);
  }
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
      const std::uint64_t most = most_memory_without_cgroup(as_enforceable(policy, site, given_up));
      bounds.notes.push_back("no cgroup (" + site.why_none + "): limits are per process; the run may hold " +
                             policy::format_size(most >> 20 << 20) + " of memory with what the kernel keeps for it");
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
    shrink_private_files(policy);
    const std::uint64_t descriptors =
        std::clamp(policy.limits.memory_bytes / kMemoryOfDescriptor, kLeastDescriptors, kMostDescriptors);
    policy.limits.open_files = std::min(policy.limits.open_files, descriptors);
  }
  const bool has_cpu = std::count(site.controllers.begin(), site.controllers.end(), "cpu") > 0;
  if (site.mechanism == CgroupMechanism::kNone || given_up.contains("cgroup") || !has_cpu)
    policy.syscalls.deny.emplace_back("sched_setaffinity");
  return policy;
}

std::uint64_t most_page_tables(const policy::Limits& limits) { return limits.memory_bytes / 8; }

std::uint64_t most_memory_without_cgroup(const policy::Policy& policy) {
  const policy::Limits& limits = policy.limits;
  std::uint64_t most = limits.memory_bytes + most_page_tables(limits);
  most += std::min(limits.memory_bytes / kPage, kMostMappings) * kMapping;
  // As many files are in flight as in the table. Either all are sockets, or half of them watch the others with epoll,
  // once for each number that a descriptor can have (epoll(7)).
  const std::uint64_t files = limits.open_files;
  most += files * kSocket + std::max(files * kSocket, files * files * files * kWatch);
  most += (limits.processes + 1) * kTask;
  for (const policy::PrivatePlace& place : policy::private_places(policy.filesystem))
    most += place.tmpfs.size_bytes + place.tmpfs.inodes * kInode;
  return most;
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
