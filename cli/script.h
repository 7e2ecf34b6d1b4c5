#pragma once
#include <string>

#include "policy/result.h"

namespace progtc::cli {

// Source text ready to travel in a job.
struct Script {
  std::string code;         // UTF-8
  std::string code_base64;  // instead: bytes whose coding line names another encoding (PEP 263)
};

// Reads a script, or stdin for "-". Errors carry the errno that decides between the exit statuses 126 and 127:
// no_such_file_or_directory, or anything else. Not UTF-8 and no coding line is an error naming line and byte.
Result<Script> read_script(const std::string& path);

// Whether `path` is a directory with a __main__.py or .pyc, or an archive with one in it (zipapp), as python3 runs
// them.
bool is_runnable_package(const std::string& path);

inline constexpr const char* kMainModule = "__main__";

}  // namespace progtc::cli
