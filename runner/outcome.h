#pragma once
// How a sandboxed program ended. This is a value, not an error: every run that was set up has one, and so has one that
// was not.
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace progtc::runner {

enum class OutcomeKind : std::uint8_t {
  kExited,             // the code ended by itself; exit_code holds its status
  kSignaled,           // killed by a signal that no limit of ours explains
  kTimeout,            // limits.wall
  kCpuLimit,           // limits.cpu
  kMemoryLimit,        // limits.memory, as counted by the kernel
  kOutputLimit,        // limits.output
  kProtocolViolation,  // the code broke the channel's framing
  kSetupFailed,        // no user line ever ran
  kCancelled,          // the host ended it
};
const char* to_string(OutcomeKind kind) noexcept;  // "exited", "memory_limit", …

struct Denial {
  std::string call;
  std::string rule;
  std::string fix;
  std::uint64_t count = 1;  // identical ones are counted, not repeated
};

struct Captured {
  std::string bytes;        // the first part, up to the capture cap; raw bytes, perhaps not UTF-8
  std::uint64_t total = 0;  // all bytes the code wrote
  std::string tail;         // the last part, where the whole is more than the cap; else empty
  bool truncated = false;   // total > bytes.size()
};

// What the code itself said at the end. Never evidence.
struct GuestClaim {
  bool ok = false;
  std::optional<std::string> value_json;  // last expression's value, as JSON text
  std::string error_type;                 // "ValueError"; empty when ok
  std::string error_message;
  std::string traceback;
  int error_errno = 0;         // OSError.errno, 0 if none
  std::string error_filename;  // OSError.filename, for hints
};

struct Usage {
  std::chrono::microseconds wall{0};
  std::chrono::microseconds cpu{0};
  std::uint64_t memory_peak_bytes = 0;
  std::uint64_t processes_peak = 0;  // 0 where nothing counts them
  std::uint64_t tool_calls = 0;
};

struct Timing {
  std::chrono::microseconds setup{0};
  std::chrono::microseconds run{0};
  std::chrono::microseconds teardown{0};
};

struct CollectedFile {
  std::string path;  // relative to the output directory
  std::uint64_t size = 0;
};

struct RunOutcome {
  std::string run_id;  // 32 hex digits, minted by the host
  OutcomeKind kind = OutcomeKind::kSetupFailed;
  int exit_code = 0;  // kExited
  int signal = 0;     // kSignaled and the limits that end in a kill
  std::string cause;  // one line: "wall time reached 30s (limits.wall)"
  Captured out;
  Captured err;
  std::optional<GuestClaim> claim;
  Usage usage;
  Timing timing;
  std::vector<Denial> denials;
  std::string policy_name;
  std::string policy_digest;
  std::map<std::string, std::string>
      enforced_by;                    // control → mechanism: "memory" → "cgroup v1", "processes" → "rlimit"
  std::vector<std::string> degraded;  // controls given up by --allow-degraded
  std::vector<std::string> notes;     // "no /proc: the kernel refused a fresh one"
  std::vector<CollectedFile> files;
};

// The exit status progtc-run ends with: the code's own; 124 timeout; 128+N signal; 137 memory; 125 setup failed.
int process_exit_code(const RunOutcome& outcome) noexcept;

}  // namespace progtc::runner
