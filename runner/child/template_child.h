#pragma once
// The child half of a clone: from clone3 to the interpreter's execve, for a template that will clone sandboxes itself
// or for the one sandbox of a cold run. Built by the host as numbers and pointers only, because the host has threads
// and a raw clone3 may copy a locked heap: nothing here may allocate, throw or call into libraries.
// tests/runner/child_symbols_test holds this object's undefined symbols to a written list.
#include <sys/types.h>

#include <cstdint>
#include <span>

#include "runner/guest/control.h"

namespace progtc::child {

enum class EntryKind : std::uint8_t { kDirectory, kFile, kSymlink };

// One thing made in the fresh root, in order. Paths are relative to the root and never pass through a bind.
struct RootEntry {
  EntryKind kind;
  mode_t mode;
  const char* path;
  const char* content;  // kFile: its bytes; kSymlink: where it points
  std::uint64_t content_size;
};

// One mount of something the host has.
struct RootBind {
  // The source is either a detached mount the host has made (root: `tree_fd` ≥ 0), or a path without symlinks that has
  // to be the inode the host looked at (`device`, `inode`), opened here because a mount can only be cloned inside its
  // own mount namespace.
  int tree_fd;
  const char* source;
  std::uint64_t device;
  std::uint64_t inode;
  const char* target;            // relative to the root; resolved without following symlinks
  std::uint64_t set_attributes;  // MOUNT_ATTR_…
};

// What a cold run's child does beyond a template's: it makes the fresh parts of the run, forks the worker that executes
// the interpreter, and stays as init.
struct ColdPlan {
  std::uint32_t flags;  // enum progtc_spawn_flag: LOOPBACK, OUT
  progtc_tmpfs tmpfs[PROGTC_TMPFS_COUNT];
  std::span<const int> join_fds;  // v1: into which this process writes "0" to move itself
  const char* late_paths;         // as in progtc_spawn
  std::uint32_t late_bytes;
  int status_fd;
};

struct TemplatePlan {
  std::span<const RootEntry> entries;
  std::span<const RootBind> binds;
  int* tree_fds;         // room for one descriptor a bind
  const ColdPlan* cold;  // null: a template
  bool is_root_run;      // drop the supplementary groups; the ids are mapped by the host
  int map_write_fd;      // the host's end of that pipe, to be closed here: it would hide the host's death
  int map_fd;            // readable once the host has written the id maps; end of file: the host gave up
  int control_fd;        // becomes PROGTC_CONTROL_FD
  int log_fd;            // becomes 2
  int null_fd;           // becomes 0 and 1
  int report_fd;         // close-on-exec: end of file at the host means execve succeeded
  const char* program;
  char* const* argv;
  char* const* envp;
};

// What went wrong, or (step 0) that the root is ready and whether it has a /proc. Smaller than PIPE_BUF.
struct TemplateReport {
  std::uint32_t step;  // enum progtc_step
  std::uint32_t item;
  std::int32_t error;
  std::uint32_t has_proc;
};

[[noreturn]] void run_template_child(const TemplatePlan& plan) noexcept;

}  // namespace progtc::child
