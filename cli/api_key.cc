#include "cli/api_key.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "cli/text.h"
#include "runner/sys/file.h"
#include "runner/sys/random.h"
#include "runner/sys/unique_fd.h"

namespace progtc::cli {
namespace {

namespace fs = std::filesystem;

Error invalid(const std::string& what) { return Error{make_error_code(boost::system::errc::invalid_argument), what}; }

std::string key_file() {
  if (const char* xdg = std::getenv("XDG_STATE_HOME"); xdg && xdg[0] == '/')
    return std::string(xdg) + "/progtc/api-key";
  if (const char* home = std::getenv("HOME"); home && home[0] == '/')
    return std::string(home) + "/.local/state/progtc/api-key";
  return "";
}

}  // namespace

Result<std::string> stored_key(bool may_make_one) {
  const std::string path = key_file();
  if (path.empty()) return invalid("no API key, and no HOME to keep one in: set PROGTC_API_KEY");
  const sys::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file) {
    struct stat info {};
    if (::fstat(file.get(), &info) == -1) return from_errno(errno, "stat '" + path + "'");
    if (info.st_uid != ::geteuid() || (info.st_mode & 077) != 0)
      return invalid("the key in '" + path + "' could be read by others: remove the file, and a new key is made");
    PROGTC_TRY(std::string key, sys::read_all(file.get(), 4096));
    while (!key.empty() && (key.back() == '\n' || key.back() == ' ')) key.pop_back();
    if (key.empty()) return invalid("the key in '" + path + "' is empty: remove the file, and a new key is made");
    return key;
  }
  if (errno != ENOENT || !may_make_one) return from_errno(errno, "open '" + path + "'");
  const std::string key = sys::random_hex(24);
  PROGTC_CHECK(sys::make_directories(fs::path(path).parent_path().string(), 0700));
  PROGTC_CHECK(sys::write_file_atomically(path, key + "\n", 0600));
  (void)std::fprintf(stderr, "progtc serve: made an API key, kept in %s: %s\n", to_line(path).c_str(), key.c_str());
  return key;
}

}  // namespace progtc::cli
