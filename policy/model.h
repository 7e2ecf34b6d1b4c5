#pragma once
// The policy as the rest of the program sees it: plain values, checked once by the decoder (policy/decode.h).
// Every default below is the closed position; silence in a file means denied.
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace progtc::policy {

// One thing of the host that the sandbox may see.
struct Bind {
  // An absolute host path, or one of the names the runner resolves: "@python" (the interpreter and its standard
  // library),
  // "@libraries" (the dynamic loader and the system's shared libraries), "@certificates", "@timezones", "@packages"
  // (system-wide packages of the interpreter), "@user-packages" (the calling user's), "@programs" (/usr/bin, /bin),
  // "@project" (the caller's current directory; the only one that may be writable or have a target).
  std::string source;
  std::string target;  // absolute path inside; empty: the same as `source`
  bool is_writable = false;
  bool operator==(const Bind&) const = default;
};

// A private in-memory file system. Both are 0, and then the place does not exist, or neither is: tmpfs takes 0 for "no
// limit".
struct Tmpfs {
  std::uint64_t size_bytes = 0;
  std::uint64_t inodes = 0;
  [[nodiscard]] bool is_mounted() const noexcept { return size_bytes > 0 && inodes > 0; }
  bool operator==(const Tmpfs&) const = default;
};

struct Filesystem {
  std::vector<Bind> binds;
  Tmpfs tmp;   // /tmp
  Tmpfs shm;   // /dev/shm
  Tmpfs work;  // the private working directory, kWorkPath
  Tmpfs out;   // kOutPath, mounted only when somebody collects it
  bool operator==(const Filesystem&) const = default;
};
inline constexpr const char* kWorkPath = "/sandbox";
inline constexpr const char* kOutPath = "/out";

struct PrivatePlace {
  const char* path;
  Tmpfs tmpfs;
};
// The private file systems that exist, by where they are mounted.
inline std::vector<PrivatePlace> private_places(const Filesystem& has) {
  std::vector<PrivatePlace> places = {
      {"/tmp", has.tmp}, {"/dev/shm", has.shm}, {kWorkPath, has.work}, {kOutPath, has.out}};
  std::erase_if(places, [](const PrivatePlace& place) { return !place.tmpfs.is_mounted(); });
  return places;
}

enum class NetworkMode : std::uint8_t {
  kNone,      // no socket can be made, only socketpair(AF_UNIX)
  kLoopback,  // AF_UNIX, AF_INET, AF_INET6 inside a network namespace that has only its own loopback
  kHost,      // the host's network namespace
};

// One call allowed only where an argument fits. Rules for one call are alternatives; without a fit the call is denied.
struct ArgumentRule {
  std::string call;
  unsigned argument = 0;       // 0..5
  std::uint64_t mask = ~0ULL;  // applied before comparing; all 64 bits unless said otherwise
  std::vector<std::uint64_t> values;
  bool operator==(const ArgumentRule&) const = default;
};

struct Syscalls {
  std::vector<std::string> groups;  // names of policy/syscall_groups.h
  std::vector<std::string> allow;   // single calls beyond the groups
  std::vector<std::string> deny;    // wins over groups, allow and rules
  std::vector<ArgumentRule> rules;
  bool operator==(const Syscalls&) const = default;
};

struct Limits {
  std::chrono::milliseconds wall{10'000};
  std::chrono::milliseconds cpu{10'000};     // processor time, all threads and processes together
  double cpus = 1.0;                         // rate: processors' worth of time per second
  std::uint64_t memory_bytes = 64ULL << 20;  // swap is always 0
  std::uint64_t processes = 1;               // tasks: processes and threads together, without the sandbox's own pid 1
  std::uint64_t open_files = 64;
  std::uint64_t file_size_bytes = 1ULL << 20;
  std::uint64_t output_bytes = 1ULL << 20;  // stdout and stderr together; more ends the run
  std::uint64_t frame_bytes = 1ULL << 20;   // one message of the channel
  bool operator==(const Limits&) const = default;
};

enum class SitePackages : std::uint8_t { kNone, kSystem, kUser };  // kUser includes kSystem

struct Python {
  std::string interpreter = "python3";  // a name looked up on PATH, or an absolute path
  std::string venv;                     // absolute path of a virtual environment; empty: none
  std::vector<std::string> preload;     // modules imported by the trusted template
  SitePackages site = SitePackages::kNone;
  bool is_fresh = false;  // executes the interpreter anew instead of cloning the template
  bool operator==(const Python&) const = default;
};

struct Environment {
  std::vector<std::string> pass;           // names copied from the host's environment where they are set
  std::map<std::string, std::string> set;  // wins over pass
  bool operator==(const Environment&) const = default;
};

struct ToolLimits {
  std::optional<std::uint64_t> calls;
  std::optional<std::chrono::milliseconds> timeout;
  bool operator==(const ToolLimits&) const = default;
};

struct Tools {
  std::vector<std::string> allow;  // glob patterns over tool names: "*", "read_*"
  std::uint64_t calls = 0;         // per run, all tools together
  std::uint64_t pending = 1;       // at one time; beyond it the host stops reading the channel
  std::chrono::milliseconds timeout{10'000};
  std::map<std::string, ToolLimits> per_tool;
  bool operator==(const Tools&) const = default;
};

struct Policy {
  std::string name;         // "strict", or the file it came from
  std::string description;  // one sentence
  Filesystem filesystem;
  NetworkMode network = NetworkMode::kNone;
  Syscalls syscalls;
  Limits limits;
  Python python;
  Environment env;
  Tools tools;
  bool operator==(const Policy&) const = default;
};

}  // namespace progtc::policy
