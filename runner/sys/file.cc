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

Result<ResultFile> ResultFile::open(const std::string& path) {
  ResultFile file;
  file.path_ = path;
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    // O_NONBLOCK: a pipe without a reader is an error now, not a wait for ever.
    PROGTC_TRY(file.direct_, openat(AT_FDCWD, path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY));
    const int flags = ::fcntl(file.direct_.get(), F_GETFL);
    (void)::fcntl(file.direct_.get(), F_SETFL, flags & ~O_NONBLOCK);
    return file;
  }
  const auto slash = path.rfind('/');
  file.name_ = path.substr(slash == std::string::npos ? 0 : slash + 1);
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  if (file.name_.empty()) return from_errno(EISDIR, "'" + path + "'");
  auto opened = openat(AT_FDCWD, directory.c_str(), O_RDONLY | O_DIRECTORY);
  if (!opened) return opened.error();
  file.directory_ = std::move(*opened);
  return file;
}

Result<void> ResultFile::write(std::string_view bytes) const {
  if (direct_) {
    auto written = write_all(direct_.get(), bytes);
    if (!written) return with_context("'" + path_ + "'", written.error());
    return {};
  }
  const std::string beside = ".progtc-result-" + std::to_string(::getpid());
  ::unlinkat(directory_.get(), beside.c_str(), 0);
  PROGTC_TRY(const UniqueFd file,
             openat(directory_.get(), beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
  auto written = write_all(file.get(), bytes);
  if (written && ::renameat(directory_.get(), beside.c_str(), directory_.get(), name_.c_str()) == -1)
    written = from_errno(errno, "rename");
  if (!written) {
    ::unlinkat(directory_.get(), beside.c_str(), 0);
    return with_context("'" + path_ + "'", written.error());
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
