#pragma once
#include <optional>
#include <string>

#include "policy/result.h"

namespace progtc::runner {

// A directory that `python3 -m venv` or a tool like it has made (PEP 405).
struct VirtualEnvironment {
  std::string directory;  // absolute, as it was named
  std::string python;     // DIRECTORY/bin/python, usually a link to the interpreter that made it
  int major = 0;
  int minor = 0;
  bool includes_system_packages = false;
};

// Reads pyvenv.cfg. Errors: RunErrc::kNoInterpreter when the directory is none, or the file does not tell the version.
Result<VirtualEnvironment> read_virtual_environment(const std::string& directory);

// The virtual environment whose bin/ holds `program` (an absolute path); nothing when there is none.
std::optional<std::string> virtual_environment_around(const std::string& program);

}  // namespace progtc::runner
