#pragma once
// Files into and out of a sandbox's private directories, from outside, through a descriptor of their file system.
// Nothing here follows a symbolic link or trusts a name the code has chosen.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/result.h"
#include "runner/identity.h"
#include "runner/outcome.h"

namespace progtc::runner {

struct FileToCopy {
  std::string source;                    // host path
  std::string target;                    // relative to the working directory: "data/input.csv"
  std::optional<std::string> content{};  // instead of what is at `source`
};

// Copies into the working directory before any user line runs. Regular files and directories (their regular files).
// Errors: errno naming the file; ENOSPC when the policy's working directory is too
// small; kBindTarget where the policy has none (-1).
Result<void> copy_in(int work_dir, const std::vector<FileToCopy>& files, const Identity& identity);

struct CollectLimits {
  std::uint64_t files = 4096;
  std::uint64_t bytes = 256ULL << 20;  // apparent size, so that a sparse file cannot fill the host
  unsigned depth = 16;
};

struct Collected {
  std::vector<CollectedFile> files;
  std::vector<std::string> skipped;  // "link: a symbolic link", "big: over the cap"
};

// Copies the regular files of `out_dir` into the host directory open as `target_dir`, which has to be opened before the
// code runs. Every step of the way is relative to it and follows no link. Links, pipes, sockets and devices are skipped
// and named; so is what is over a cap. Existing host files are replaced, never followed. The code must have ended.
// Errors: errno of the host's side.
Result<Collected> collect(int out_dir, int target_dir, const CollectLimits& limits);

}  // namespace progtc::runner
