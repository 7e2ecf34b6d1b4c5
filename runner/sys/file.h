#pragma once
#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "policy/result.h"
#include "runner/sys/unique_fd.h"

namespace progtc::sys {

// Opens close-on-exec, retried on EINTR. Errors: errno, naming the path.
Result<UniqueFd> openat(int dir_fd, const char* path, int flags, mode_t mode = 0);

// Everything up to end of file. Errors: errno; EFBIG when there is more than `limit`.
Result<std::string> read_all(int fd, std::size_t limit);
Result<std::string> read_file(const std::string& path, std::size_t limit);

// Writes all of `bytes`, however often it takes.
Result<void> write_all(int fd, std::string_view bytes);

// Writes a new file beside `path` and renames it over: a reader sees the old content or the new, and a full disk leaves
// the old.
Result<void> write_file_atomically(const std::string& path, std::string_view bytes, mode_t mode);

// mkdir -p.
Result<void> make_directories(const std::string& path, mode_t mode);

}  // namespace progtc::sys
