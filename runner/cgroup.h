#pragma once
// The control group of one run: what bounds memory, tasks and processor time of everything in a sandbox together, and
// what the kernel says afterwards about their use (Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/).
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "policy/model.h"
#include "policy/result.h"
#include "runner/identity.h"
#include "runner/sys/unique_fd.h"

namespace progtc::runner {

enum class CgroupMechanism : std::uint8_t { kNone, kV1, kV2 };
const char* to_string(CgroupMechanism mechanism) noexcept;  // "none", "cgroup v1", "cgroup v2"

// Where run cgroups can be made. Found once per host process.
struct CgroupSite {
  CgroupMechanism mechanism = CgroupMechanism::kNone;
  std::string v2_parent;                          // directory below which a run's cgroup is made
  std::map<std::string, std::string> v1_parents;  // controller ("memory", "pids", "cpu", "cpuacct") → directory
  std::vector<std::string> controllers;           // those available
  std::string why_none;                           // what was tried, for doctor and for messages
};

// Looks, in this order, for: a delegated v2 group of our own, v1 hierarchies we may write, a transient scope asked of
// systemd over D-Bus, and as a last resort v2 groups that we may write although systemd has not delegated them (it may
// take their controllers away). Moves this process into a leaf of its own group where v2 demands that.
CgroupSite find_cgroup_site(bool may_ask_systemd = true);

// Removes groups whose owner is gone, killing what is in them. A v2 group names its owner by pid namespace, pid and
// start time; the sandbox does not see the name, as its cgroup namespace begins there. A v1 group, which the code can
// see, is named by the lease of the run's sandbox id, which lives as long as the host process holds it.
void sweep_cgroups(const CgroupSite& site);

class Cgroup {
 public:
  // Makes one group, without limits yet. Errors: errno, naming the directory. On error nothing is left behind.
  static Result<Cgroup> create(const CgroupSite& site, const Identity& identity);
  // Bounds memory (swap off), tasks (plus one for init) and processors' rate. To be called before any of the code runs.
  // Version 1 counts what TCP and UDP sockets hold apart from memory: with a network that gets a share of the limit,
  // and the sum of both is the policy's. Errors: errno of the write that failed, naming the file.
  Result<void> set_limits(const policy::Limits& limits, policy::NetworkMode network) const;
  Cgroup() = default;
  Cgroup(Cgroup&&) noexcept = default;
  Cgroup& operator=(Cgroup&& other) noexcept;
  // Kills what is left inside and removes the directories. They are empty by then in every orderly end.
  ~Cgroup();

  [[nodiscard]] CgroupMechanism mechanism() const noexcept { return mechanism_; }
  // Which of "memory", "processes", "cpus", "cpu" this group bounds.
  [[nodiscard]] bool bounds(const std::string& control) const;
  // v2: the directory, for CLONE_INTO_CGROUP.
  Result<sys::UniqueFd> directory() const;
  // Files into which a process of one thread writes "0" to move itself, whoever it is by then: the kernel asks what the
  // opener may. v1: `tasks` of each hierarchy; v2: `cgroup.procs`.
  Result<std::vector<sys::UniqueFd>> join_files() const;

  [[nodiscard]] std::optional<std::uint64_t> memory_peak_bytes() const;
  // What is used now, sockets included, where those are counted apart and the kernel lets a socket exceed its limit;
  // else nothing.
  [[nodiscard]] std::optional<std::uint64_t> memory_with_sockets_bytes() const;
  [[nodiscard]] std::optional<std::uint64_t> oom_kills() const;
  [[nodiscard]] std::optional<std::chrono::microseconds> cpu_time() const;
  [[nodiscard]] std::optional<std::uint64_t> tasks_peak() const;
  // A descriptor that polls as POLLPRI when memory events happen (v2), or readable when the group is out of memory (v1
  // eventfd). Empty where there is none.
  Result<sys::UniqueFd> oom_event() const;
  // Makes that descriptor wait for the next event.
  void acknowledge_oom_event(int event_fd) const;
  void kill() const;

 private:
  CgroupMechanism mechanism_ = CgroupMechanism::kNone;
  std::string v2_;
  std::map<std::string, std::string> v1_;
  std::vector<std::string> controllers_;
};

}  // namespace progtc::runner
