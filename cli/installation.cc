#include "cli/installation.h"

#include <filesystem>

namespace progtc::cli {

std::string guest_directory() {
  std::error_code failed;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", failed);
  if (failed) return "";
  const auto prefix = program.parent_path().parent_path();
  for (const char* below : {"lib/progtc/guest", "guest"}) {
    const auto directory = prefix / below;
    if (std::filesystem::exists(directory / "progtc_guest" / "runtime.py", failed)) return directory.string();
  }
  return "";
}

}  // namespace progtc::cli
