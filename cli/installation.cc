#include "cli/installation.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
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

std::string program_beside(const std::string& name) { return (prefix() / "bin" / name).string(); }

void fill_standard_descriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) != -1) continue;
    // The lowest free number is this one. Not close-on-exec: it stands for a stream that is inherited.
    if (::open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY) != fd)
      std::abort();  // NOLINT(android-cloexec-open)
  }
}

}  // namespace progtc::cli
