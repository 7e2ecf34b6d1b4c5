#pragma once
// Which files of the host a sandbox sees, and what is made up for it: the policy's binds resolved into concrete
// sources, the directories they hang in, and the few generated files of /etc.
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "policy/model.h"
#include "policy/result.h"
#include "runner/child/template_child.h"
#include "runner/interpreter.h"
#include "runner/sys/unique_fd.h"

namespace progtc::runner {

// A file or directory of the host that the caller runs: the script. Shown read-only where it is.
struct ShownProgram {
  std::string source;  // on the host
  std::string target;  // its absolute name inside
};

struct RootPlanInputs {
  std::string project_dir;  // what "@project" means: the caller's working directory
  std::string guest_dir;    // host directory of the guest runtime; appears as kGuestPath
  bool is_root = false;     // explicit binds become id-mapped mounts
  // Skipped where the policy shows that place already, or where the sandbox has something of its own.
  std::vector<ShownProgram> program = {};
};
inline constexpr const char* kGuestPath = "/.progtc";

struct PlannedBind {
  std::string source;  // real path on the host, no symbolic links
  std::string target;  // absolute inside
  std::string origin;  // what asked for it: a bind as the policy writes it ("@python"), "python.site", "python.venv",
                       // "the script", or "the runner"
  bool is_writable = false;
  bool is_directory = false;
  bool is_explicit = false;  // named by path in the policy or on the command line, not by an "@" set
  bool is_device = false;
  bool is_executable = true;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  uid_t owner = 0;
  gid_t group = 0;
};

struct PlannedEntry {
  child::EntryKind kind;
  mode_t mode;
  std::string path;  // relative to the root
  std::string content;
};

struct RootPlan {
  std::vector<PlannedEntry> entries;       // parents first
  std::vector<PlannedBind> binds;          // outer targets first
  std::vector<std::string> writable;       // absolute paths inside that code may write below
  std::string late_binds;                  // NUL-terminated targets below the private file systems, outer ones first
  std::string program;                     // the interpreter to execute, inside
  std::string executable;                  // sys.executable inside
  std::string prefix;                      // sys.prefix inside; empty: the interpreter's own
  std::string work_dir;                    // the private working directory; "/" where the policy leaves it out
  std::vector<std::string> site_packages;  // to append to sys.path

  // Whether a name inside is shown by a bind, or is a place of the sandbox's own. From the plan alone: nothing is
  // looked up, so links below a bind are not followed.
  [[nodiscard]] bool shows(const std::string& path) const;
  // Where a host path is visible inside; empty when it is not.
  std::string inside(const std::string& host_path) const;
};

// Looks at the host's files and plans. Opens nothing for keeps: each bind carries the inode it saw, and the child
// refuses another. Errors: RunErrc::kBindSource, kBindTarget naming the bind.
Result<RootPlan> plan_root(const policy::Policy& policy, const Interpreter& interpreter, const RootPlanInputs& inputs);

}  // namespace progtc::runner
