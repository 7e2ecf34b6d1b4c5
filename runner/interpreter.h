#pragma once
#include <string>
#include <vector>

#include "policy/model.h"
#include "policy/result.h"

namespace progtc::runner {

// A Python of the host: where its parts are, so that a root view can be built for it.
struct Interpreter {
  std::string executable;  // absolute, without symbolic links
  std::string called;      // absolute path as found; what sys.executable says
  int major = 0;
  int minor = 0;
  std::string base_prefix;                   // "/usr"
  std::string standard_library;              // "/usr/lib/python3.11"
  std::vector<std::string> system_packages;  // where the system's packages live: "/usr/lib/python3/dist-packages"
  std::string user_packages;                 // "~/.local/lib/python3.11/site-packages"; empty when there is none
  std::string venv;                          // absolute path of the virtual environment it is used by; empty: none
  bool venv_includes_system = false;  // the environment's packages come before the system's, and do not hide them
};

// Finds the interpreter that `wanted` names: a name looked up on `path` (the PATH variable), or an absolute path. A
// candidate that is a script, such as a version manager's shim, is asked what it stands for. What an interpreter says
// about itself is remembered in `cache_dir` (empty: nowhere) under its inode and time, as asking costs a start of it.
// Asking means executing, as the caller and unconfined; so a name never finds a file that lies below `distrusted` (the
// project, which a sandbox may have written), only a path that was spelled out does. Errors: RunErrc::kNoInterpreter
// with what was tried; older than 3.9 is refused.
Result<Interpreter> find_interpreter(const std::string& wanted, const std::string& path, const std::string& cache_dir,
                                     const std::string& distrusted = "");

// The interpreter that a policy asks for. One that names a virtual environment means the environment's own
// (bin/python), unless it names another interpreter too; then both must be of one version. A path into a virtual
// environment means that environment. A bin/python whose file lies below `distrusted` is not executed. Errors: as
// find_interpreter.
Result<Interpreter> find_interpreter_of(const policy::Python& python, const std::string& path,
                                        const std::string& cache_dir, const std::string& distrusted = "");

// $XDG_CACHE_HOME/progtc or ~/.cache/progtc; empty when neither variable is set.
std::string default_cache_dir();

}  // namespace progtc::runner
