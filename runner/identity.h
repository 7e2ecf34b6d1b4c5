#pragma once
// Who a sandbox is on the host, and how host files are made to look like its own.
#include <sys/types.h>

#include "policy/result.h"
#include "runner/sys/unique_fd.h"

namespace progtc::runner {

// The host ids that the sandbox's one user and group map to. Run as root: an unprivileged id out of a range nobody else
// uses, held by a lock file for as long as this object lives, so that two runs never share one. Run as an ordinary user
// (or as a root that has only itself mapped): that user.
struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
  bool is_root_run = false;
  unsigned slot = 0;  // which of the ids, where is_root_run
  sys::UniqueFd lease;

  // Errors: RunErrc::kNoIdentity.
  static Result<Identity> acquire();
};

// Maps the sandbox's user and group in the fresh user namespace of `pid` to `identity`. Errors: errno of the writes;
// EPERM where something (AppArmor, a container) lets the namespace be made and then takes its use away.
Result<void> write_id_maps(pid_t pid, const Identity& identity);

// systemd's table of ids (systemd.io/UIDS-GIDS) leaves 1879048192…2147352575 free; ours lie in there.
inline constexpr uid_t kFirstSandboxId = 1'900'000'000;
inline constexpr uid_t kSandboxIdCount = 4096;

// Whether a process that lives, this one included, holds the id of `slot`. Root only.
bool is_sandbox_id_leased(unsigned slot);

// A detached clone of the mount at `source_fd` (O_PATH) in which files of `owner`:`group` belong to `identity`, and
// what the sandbox makes belongs to `owner`:`group` on disk (mount_setattr(2), MOUNT_ATTR_IDMAP). Needs root. Errors:
// errno; EINVAL where the file system has no id-mapped mounts.
Result<sys::UniqueFd> clone_mount_idmapped(int source_fd, uid_t owner, gid_t group, const Identity& identity);

}  // namespace progtc::runner
