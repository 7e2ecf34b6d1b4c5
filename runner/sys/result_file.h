#pragma once
#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "policy/result.h"
#include "runner/sys/unique_fd.h"

namespace progtc::sys {

// A file or directory, whatever its name.
struct FileId {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const FileId&) const = default;
};

// A file that receives a result after untrusted code has run. It is opened before: a directory that cannot be written
// is an error then, and nothing that happens to names in between changes where the result goes. Until it is published
// the file has no name that could be guessed; where the file system allows (O_TMPFILE), it has none at all.
class ResultFile {
 public:
  // A path that names a device, a pipe, or what our stdout or stderr is, is written in place. Errors: errno, naming the
  // path.
  static Result<ResultFile> open(const std::string& path);
  ResultFile(ResultFile&&) noexcept;
  ResultFile& operator=(ResultFile&&) noexcept;
  ResultFile(const ResultFile&) = delete;
  ResultFile& operator=(const ResultFile&) = delete;
  ~ResultFile();  // what is not published is removed

  // Whether the result is one of these, or lies below one of them: who may write there may replace or withhold it.
  [[nodiscard]] bool lies_within(const std::vector<FileId>& places) const;
  // Removes what an earlier run has left under the name, so that nobody takes it for this run's result.
  [[nodiscard]] Result<void> remove_stale() const;
  // Replaces whatever lies under the name, a link included, with a file of these bytes. A full disk leaves what is
  // there. To be called once.
  Result<void> publish(std::string_view bytes);
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  ResultFile() = default;
  void find_way(const std::string& directory);
  Result<void> create();
  Result<void> write_and_rename(std::string_view bytes);

  std::string path_;    // for messages
  std::string name_;    // below `directory_`; empty where it is written in place
  std::string beside_;  // its random name below `directory_`, while it has one
  UniqueFd directory_;
  UniqueFd file_;
  std::vector<FileId> way_;  // the file itself where it exists, its directory, and so on up to the root
};

}  // namespace progtc::sys
