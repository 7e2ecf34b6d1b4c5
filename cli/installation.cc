#include "cli/installation.h"

#include <filesystem>

namespace progtc::cli {
namespace {

namespace fs = std::filesystem;

// What the program's own directory lies in: PREFIX of PREFIX/bin/progtc-run.
fs::path prefix() {
  std::error_code failed;
  const auto program = fs::read_symlink("/proc/self/exe", failed);
  return failed ? fs::path() : program.parent_path().parent_path();
}

}  // namespace

std::string guest_directory() {
  const fs::path here = prefix();
  if (here.empty()) return "";
  std::error_code failed;
  for (const char* below : {"lib/progtc/guest", "guest"}) {
    const auto directory = here / below;
    if (fs::exists(directory / "progtc_guest" / "runtime.py", failed)) return directory.string();
  }
  return "";
}

std::string shared_file(const std::string& name) {
  const fs::path here = prefix();
  std::error_code failed;
  const auto file = here / "share/progtc" / name;
  return !here.empty() && fs::exists(file, failed) ? file.string() : "";
}

}  // namespace progtc::cli
