#pragma once
// What this machine lets a sandbox have, found out by doing it: never by version numbers, which say nothing of what an
// administrator, a container or a security module has taken away.
#include <optional>
#include <string>
#include <vector>

namespace progtc::runner {

enum class ProbeStatus : std::uint8_t {
  kOk,
  kMissing,  // a run goes on without it, as its policy allows, and says so
  kFailed,   // no run without it
};
const char* to_string(ProbeStatus status) noexcept;  // "ok", "missing", "FAILED"

struct Probe {
  std::string name;  // "user namespace"
  ProbeStatus status = ProbeStatus::kOk;
  std::string detail;               // one line: what was found, or which step failed and how
  std::vector<std::string> advice;  // what to change, most likely first; empty for what is ok
};

// Settings of the machine that explain why something was refused. Read, never trusted: the probes decide.
struct HostFacts {
  bool is_root = false;
  std::optional<long> apparmor_restrict;    // kernel.apparmor_restrict_unprivileged_userns
  std::optional<long> userns_clone;         // kernel.unprivileged_userns_clone
  std::optional<long> max_user_namespaces;  // user.max_user_namespaces
  bool has_seccomp_filter = false;          // this process itself runs under one
  bool is_proc_masked = false;              // something is mounted over parts of /proc
  std::string apparmor_profile;             // the shipped profile's file; empty: not installed
};
HostFacts read_host_facts(const std::string& apparmor_profile);

// What to change when making or using a namespace fails with `error`. Pure.
std::vector<std::string> namespace_advice(const HostFacts& facts, int error);

struct DoctorInputs {
  std::string interpreter = "python3";
  std::string path;         // the PATH variable
  std::string cache_dir;    // see find_interpreter
  std::string project_dir;  // where --rw would be tried; "" for none
};

// Tries every mechanism a sandbox is made of, each in a process of its own that is gone afterwards, with everything it
// made. Call it while the process has one thread.
std::vector<Probe> probe_host(const HostFacts& facts, const DoctorInputs& inputs);

}  // namespace progtc::runner
