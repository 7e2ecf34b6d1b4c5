#include "runner/sys/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace progtc::sys {

Result<UniqueFd> openat(int dir_fd, const char* path, int flags, mode_t mode) {
  for (;;) {
    UniqueFd fd(::openat(dir_fd, path, flags | O_CLOEXEC, mode));
    if (fd) return fd;
    const int err = errno;  // before anything can allocate
    if (err != EINTR) return from_errno(err, std::string("open '") + path + "'");
  }
}

Result<std::string> read_all(int fd, std::size_t limit) {
  std::string text;
  for (;;) {
    const std::size_t had = text.size();
    text.resize(had + 16384);
    const ssize_t got = ::read(fd, text.data() + had, 16384);
    if (got == -1) {
      const int err = errno;
      text.resize(had);
      if (err == EINTR) continue;
      return from_errno(err, "read");
    }
    text.resize(had + static_cast<std::size_t>(got));
    if (got == 0) return text;
    if (text.size() > limit) return from_errno(EFBIG, "read: more than " + std::to_string(limit) + " bytes");
  }
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  PROGTC_TRY(const UniqueFd file, openat(AT_FDCWD, path.c_str(), O_RDONLY));
  auto text = read_all(file.get(), limit);
  if (!text) return with_context("'" + path + "'", text.error());
  return text;
}

Result<void> write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written == -1) {
      const int err = errno;
      if (err == EINTR) continue;
      return from_errno(err, "write");
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> write_file_atomically(const std::string& path, std::string_view bytes, mode_t mode) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    // A device or a pipe cannot be replaced: written in place.
    PROGTC_TRY(const UniqueFd file, openat(AT_FDCWD, path.c_str(), O_WRONLY));
    if (auto written = write_all(file.get(), bytes); !written) return with_context("'" + path + "'", written.error());
    return {};
  }
  std::string beside = path + ".XXXXXX";
  UniqueFd file(::mkostemp(beside.data(), O_CLOEXEC));
  if (!file) {
    const int err = errno;
    return from_errno(err, "create '" + path + "'");
  }
  auto written = write_all(file.get(), bytes);
  if (written && ::fchmod(file.get(), mode) == -1) written = from_errno(errno, "fchmod");
  if (written && ::rename(beside.c_str(), path.c_str()) == -1) written = from_errno(errno, "rename");
  if (!written) {
    ::unlink(beside.c_str());
    return with_context("'" + path + "'", written.error());
  }
  return {};
}

Result<void> make_directories(const std::string& path, mode_t mode) {
  for (std::size_t at = 1; at <= path.size(); ++at) {
    if (at != path.size() && path[at] != '/') continue;
    const std::string part = path.substr(0, at);
    if (::mkdir(part.c_str(), mode) == -1 && errno != EEXIST) {
      const int err = errno;
      return from_errno(err, "mkdir '" + part + "'");
    }
  }
  return {};
}

}  // namespace progtc::sys
