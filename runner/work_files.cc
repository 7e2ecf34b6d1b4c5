#include "runner/work_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>

#include "runner/run_errc.h"
#include "runner/sys/file.h"
#include "runner/sys/kernel_abi.h"
#include "runner/sys/random.h"

namespace progtc::runner {
namespace {

namespace fs = std::filesystem;

Result<void> copy_bytes(int from, int to, std::uint64_t limit) {
  std::string buffer(256 << 10, '\0');
  for (;;) {
    const ssize_t got = ::read(from, buffer.data(), buffer.size());
    if (got == -1) {
      const int err = errno;
      if (err == EINTR) continue;
      return from_errno(err, "read");
    }
    if (got == 0) return {};
    if (static_cast<std::uint64_t>(got) > limit) return from_errno(EFBIG, "read");
    limit -= static_cast<std::uint64_t>(got);
    PROGTC_CHECK(sys::write_all(to, std::string_view(buffer.data(), static_cast<std::size_t>(got))));
  }
}

// While it lives, this thread makes files as the sandbox's user: the private file systems know no other (a file of
// root's would be EOVERFLOW there), and what is made belongs to the code from the start (setfsuid(2); per thread).
class FileIdentity {
 public:
  explicit FileIdentity(const Identity& identity) : is_other_(identity.is_root_run) {
    if (!is_other_) return;
    group_ = static_cast<gid_t>(::setfsgid(identity.gid));
    user_ = static_cast<uid_t>(::setfsuid(identity.uid));
  }
  FileIdentity(const FileIdentity&) = delete;
  FileIdentity& operator=(const FileIdentity&) = delete;
  ~FileIdentity() {
    if (!is_other_) return;
    ::setfsuid(user_);
    ::setfsgid(group_);
  }

 private:
  bool is_other_;
  uid_t user_ = 0;
  gid_t group_ = 0;
};

// Opens the directory that is to hold `target`, making what is missing. The tree is ours alone at this time.
Result<sys::UniqueFd> open_parent(int root, const std::string& target) {
  PROGTC_TRY(sys::UniqueFd at, sys::openat(root, ".", O_RDONLY | O_DIRECTORY));
  std::size_t from = 0;
  for (std::size_t slash = target.find('/'); slash != std::string::npos; slash = target.find('/', from)) {
    const std::string part = target.substr(from, slash - from);
    from = slash + 1;
    if (part.empty() || part == ".") continue;
    if (part == "..") return from_errno(EINVAL, "copy to '" + target + "': that leads out of the working directory");
    if (::mkdirat(at.get(), part.c_str(), 0755) == -1 && errno != EEXIST) {
      const int err = errno;
      return from_errno(err, "mkdir '" + part + "'");
    }
    PROGTC_TRY(at, sys::openat(at.get(), part.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  }
  return at;
}

// Makes the file `target`, as the sandbox's user.
Result<sys::UniqueFd> create(int work_dir, const std::string& target, mode_t mode) {
  PROGTC_TRY(const auto parent, open_parent(work_dir, target));
  const std::string name = target.substr(target.rfind('/') + 1);
  if (name.empty() || name == "." || name == "..") return from_errno(EINVAL, "'" + target + "' names no file");
  return sys::openat(parent.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
}

Result<void> write_file_in(int work_dir, const std::string& content, const std::string& target,
                           const Identity& identity) {
  const FileIdentity as_the_code(identity);
  PROGTC_TRY(const auto to, create(work_dir, target, 0644));
  if (auto written = sys::write_all(to.get(), content); !written)
    return with_context("write '" + target + "' into the sandbox", written.error());
  return {};
}

Result<void> copy_file_in(int work_dir, const std::string& source, const std::string& target,
                          const Identity& identity) {
  PROGTC_TRY(const auto from, sys::openat(AT_FDCWD, source.c_str(), O_RDONLY | O_NONBLOCK));
  struct stat info {};
  if (::fstat(from.get(), &info) == -1) return from_errno(errno, "stat '" + source + "'");
  if (!S_ISREG(info.st_mode)) return from_errno(EINVAL, "copy '" + source + "': not a regular file");
  const FileIdentity as_the_code(identity);
  PROGTC_TRY(const auto to, create(work_dir, target, (info.st_mode & 0111) ? 0755 : 0644));
  if (auto copied = copy_bytes(from.get(), to.get(), ~0ULL); !copied)
    return with_context("copy '" + source + "' into the sandbox", copied.error());
  return {};
}

// A walk over what the code left behind.
class Collector {
 public:
  Collector(const CollectLimits& limits, Collected& found) : limits_(limits), found_(found) {}

  Result<void> walk(int from, int to, const std::string& below, unsigned depth) {
    PROGTC_TRY(auto own, sys::openat(from, ".", O_RDONLY | O_DIRECTORY));
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::fdopendir(own.get()), ::closedir);
    if (!directory) return from_errno(errno, "read the output directory");
    (void)own.release();  // closedir closes it
    while (const dirent* entry = ::readdir(directory.get())) {
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      PROGTC_CHECK(take(from, to, below.empty() ? name : below + "/" + name, name, depth));
    }
    return {};
  }

 private:
  Result<void> take(int from, int to, const std::string& path, const std::string& name, unsigned depth) {
    struct stat info {};
    if (::fstatat(from, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == -1)
      return from_errno(errno, "stat '" + path + "'");
    if (S_ISDIR(info.st_mode)) return take_directory(from, to, path, name, depth);
    if (!S_ISREG(info.st_mode)) {
      skip(path, S_ISLNK(info.st_mode) ? "a symbolic link" : "not a regular file");
      return {};
    }
    if (found_.files.size() >= limits_.files) {
      skip(path, "more files than the cap of " + std::to_string(limits_.files));
      return {};
    }
    const auto size = static_cast<std::uint64_t>(info.st_size);
    if (size > limits_.bytes - total_) {
      skip(path, "over the cap of " + std::to_string(limits_.bytes) + " bytes in all");
      return {};
    }
    auto source = sys::openat(from, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!source) {
      skip(path, "unreadable");  // the code took its own permission away; root does not meet this
      return {};
    }
    if (auto copied = copy_out(source->get(), to, name, size); !copied) {
      skip(path, copied.error().context);  // the others are still collected
      return {};
    }
    total_ += size;
    found_.files.push_back({path, size});
    return {};
  }

  // Written beside and renamed: a link of that name on the host is replaced, not followed.
  static Result<void> copy_out(int source, int to, const std::string& name, std::uint64_t size) {
    const std::string beside = ".progtc-part-" + sys::random_hex(16);  // no name that the code could have taken
    PROGTC_TRY(const auto file, sys::openat(to, beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
    auto copied = copy_bytes(source, file.get(), size);
    if (copied && ::renameat(to, beside.c_str(), to, name.c_str()) == -1) copied = from_errno(errno, "rename");
    if (!copied) ::unlinkat(to, beside.c_str(), 0);
    return copied;
  }

  Result<void> take_directory(int from, int to, const std::string& path, const std::string& name, unsigned depth) {
    if (depth >= limits_.depth) {
      skip(path, "deeper than " + std::to_string(limits_.depth) + " directories");
      return {};
    }
    auto directory = sys::openat(from, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory) {
      skip(path, "unreadable");
      return {};
    }
    // A link in the host's target directory must not lead the copies elsewhere.
    if (::mkdirat(to, name.c_str(), 0755) == -1 && errno != EEXIST) return from_errno(errno, "mkdir '" + path + "'");
    auto target = sys::openat(to, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!target) {
      skip(path, "the host has something else of that name");
      return {};
    }
    return walk(directory->get(), target->get(), path, depth + 1);
  }

  void skip(const std::string& path, const std::string& why) {
    if (found_.skipped.size() < 100) found_.skipped.push_back(path + ": " + why);
  }

  const CollectLimits& limits_;
  Collected& found_;
  std::uint64_t total_ = 0;
};

}  // namespace

Result<void> copy_in(int work_dir, const std::vector<FileToCopy>& files, const Identity& identity) {
  if (work_dir == -1 && !files.empty())
    return run_error(RunErrc::kBindTarget,
                     "copy '" + files.front().target + "' in: the policy has no working directory (filesystem.work)");
  for (const FileToCopy& file : files) {
    if (file.content) {
      PROGTC_CHECK(write_file_in(work_dir, *file.content, file.target, identity));
      continue;
    }
    std::error_code failed;
    if (!fs::is_directory(file.source, failed)) {
      PROGTC_CHECK(copy_file_in(work_dir, file.source, file.target, identity));
      continue;
    }
    for (auto entry = fs::recursive_directory_iterator(file.source, failed);
         !failed && entry != fs::recursive_directory_iterator(); entry.increment(failed)) {
      if (!entry->is_regular_file(failed) || entry->is_symlink(failed)) continue;
      const std::string below = fs::relative(entry->path(), file.source, failed).string();
      PROGTC_CHECK(copy_file_in(work_dir, entry->path().string(), file.target + "/" + below, identity));
    }
    if (failed) return from_errno(failed.value(), "read directory '" + file.source + "'");
  }
  return {};
}

Result<Collected> collect(int out_dir, int target_dir, const CollectLimits& limits) {
  Collected found;
  PROGTC_CHECK(Collector(limits, found).walk(out_dir, target_dir, "", 0));
  std::sort(found.files.begin(), found.files.end(),
            [](const CollectedFile& a, const CollectedFile& b) { return a.path < b.path; });
  return found;
}

}  // namespace progtc::runner
