#pragma once
#include <string>
#include <vector>

#include "bridge/tools/tool_file.h"
#include "policy/result.h"

namespace progtc::bridge {

struct ToolDirectory {
  std::vector<ToolSpec> tools;        // sorted by name, one of each
  std::vector<std::string> problems;  // files not loaded, and why: "tools/x.yaml:3:5: args: expected a string, …"
  std::vector<std::string> warnings;  // of files that are
};

// Loads every `*.yaml` of a folder, sorted by name, without its subfolders. A file that cannot be used is a problem,
// and the rest loads. Of two files that name one tool the later is used, as in the reference, and the problem names
// both. A program that is not there, or not on PATH, is a problem. `working_dir` is taken relative to the folder.
// Errors: errno of opening the folder (somebody typed its name).
Result<ToolDirectory> load_tool_directory(const std::string& path);

}  // namespace progtc::bridge
