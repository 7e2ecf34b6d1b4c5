#include "runner/sys/result_file.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "runner/sys/file.h"
#include "runner/sys/random.h"

namespace progtc::sys {
namespace {

FileId id_of(const struct stat& info) { return {info.st_dev, info.st_ino}; }

std::string random_name() { return ".progtc-result-" + random_hex(16); }

// `path` split before its last part; the first half ends with a slash, or is ".".
std::pair<std::string, std::string> split(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {path.substr(0, slash + 1), path.substr(slash + 1)};
}

// The standard stream that `path` leads to (/dev/stdout, also where it is a regular file); -1 for none.
int standard_stream(const struct stat& target) {
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
    struct stat info {};
    if (::fstat(fd, &info) == 0 && id_of(info) == id_of(target)) return fd;
  }
  return -1;
}

Result<UniqueFd> open_in_place(const std::string& path, const struct stat& target) {
  if (const int stream = standard_stream(target); stream != -1) {
    UniqueFd copy(::fcntl(stream, F_DUPFD_CLOEXEC, 3));
    if (!copy) return from_errno(errno, "'" + path + "'");
    return copy;
  }
  // O_NONBLOCK: a pipe without a reader is an error now, not a wait for ever.
  PROGTC_TRY(UniqueFd file, openat(AT_FDCWD, path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY));
  const int flags = ::fcntl(file.get(), F_GETFL);
  (void)::fcntl(file.get(), F_SETFL, flags & ~O_NONBLOCK);
  return file;
}

}  // namespace

ResultFile::ResultFile(ResultFile&& other) noexcept
    : path_(std::move(other.path_)),
      name_(std::move(other.name_)),
      beside_(std::exchange(other.beside_, {})),
      directory_(std::move(other.directory_)),
      file_(std::move(other.file_)),
      way_(std::move(other.way_)) {}

ResultFile& ResultFile::operator=(ResultFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(name_, other.name_);
  std::swap(beside_, other.beside_);
  std::swap(directory_, other.directory_);
  std::swap(file_, other.file_);
  std::swap(way_, other.way_);
  return *this;
}

ResultFile::~ResultFile() {
  if (!beside_.empty()) ::unlinkat(directory_.get(), beside_.c_str(), 0);
}

Result<ResultFile> ResultFile::open(const std::string& path) {
  ResultFile result;
  result.path_ = path;
  struct stat info {};
  const bool exists = ::stat(path.c_str(), &info) == 0;
  if (exists && S_ISDIR(info.st_mode)) return from_errno(EISDIR, "'" + path + "'");
  if (exists) result.way_.push_back(id_of(info));
  if (exists && (!S_ISREG(info.st_mode) || standard_stream(info) != -1)) {
    PROGTC_TRY(result.file_, open_in_place(path, info));
    char real[PATH_MAX];  // a pipe without a name has none
    if (::realpath(path.c_str(), real)) result.find_way(split(real).first);
    return result;
  }
  const auto [directory, name] = split(path);
  if (name.empty() || name == "." || name == "..") return from_errno(EISDIR, "'" + path + "'");
  auto opened = openat(AT_FDCWD, directory.c_str(), O_RDONLY | O_DIRECTORY);
  if (!opened) return with_context("'" + path + "'", opened.error());
  result.directory_ = std::move(*opened);
  result.name_ = name;
  result.find_way(directory);
  if (auto created = result.create(); !created) return with_context("'" + path + "'", created.error());
  return result;
}

void ResultFile::find_way(const std::string& directory) {
  auto at = openat(AT_FDCWD, directory.c_str(), O_PATH | O_DIRECTORY);
  while (at) {
    struct stat info {};
    if (::fstat(at->get(), &info) == -1) return;
    if (!way_.empty() && way_.back() == id_of(info)) return;  // the root is its own parent
    way_.push_back(id_of(info));
    at = openat(at->get(), "..", O_PATH | O_DIRECTORY);
  }
}

Result<void> ResultFile::create() {
  file_ = UniqueFd(::openat(directory_.get(), ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0644));
  if (file_) return {};
  // open(2): EOPNOTSUPP from a file system without it, EISDIR or ENOENT from a kernel without it.
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT) return from_errno(errno, "create a file");
  std::string name = random_name();
  PROGTC_TRY(file_, openat(directory_.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
  beside_ = std::move(name);
  return {};
}

bool ResultFile::lies_within(const std::vector<FileId>& places) const {
  return std::find_first_of(way_.begin(), way_.end(), places.begin(), places.end()) != way_.end();
}

Result<void> ResultFile::remove_stale() const {
  if (name_.empty()) return {};
  if (::unlinkat(directory_.get(), name_.c_str(), 0) == -1 && errno != ENOENT)
    return from_errno(errno, "remove the old '" + path_ + "'");
  return {};
}

Result<void> ResultFile::write_and_rename(std::string_view bytes) {
  PROGTC_CHECK(write_all(file_.get(), bytes));
  if (beside_.empty()) {
    std::string name = random_name();
    const std::string own = "/proc/self/fd/" + std::to_string(file_.get());  // linkat(2), AT_SYMLINK_FOLLOW
    if (::linkat(AT_FDCWD, own.c_str(), directory_.get(), name.c_str(), AT_SYMLINK_FOLLOW) == -1)
      return from_errno(errno, "link");
    beside_ = std::move(name);
  }
  if (::renameat(directory_.get(), beside_.c_str(), directory_.get(), name_.c_str()) == -1)
    return from_errno(errno, "rename");
  beside_.clear();
  return {};
}

Result<void> ResultFile::publish(std::string_view bytes) {
  auto published = name_.empty() ? write_all(file_.get(), bytes) : write_and_rename(bytes);
  if (!published) return with_context("'" + path_ + "'", published.error());
  return {};
}

}  // namespace progtc::sys
