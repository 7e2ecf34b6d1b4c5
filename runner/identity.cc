#include "runner/identity.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>

#include "runner/guest/control.h"
#include "runner/run_errc.h"
#include "runner/sys/file.h"
#include "runner/sys/kernel_abi.h"
#include "runner/sys/random.h"

namespace progtc::runner {
namespace {

constexpr const char* kLeaseDirectory = "/run/progtc/ids";

// The first of a run of `kSandboxIdCount` unprivileged ids that this user namespace maps; 0 when there is none.
// In the initial namespace that is kFirstSandboxId; inside a container, the top of the largest mapped range.
uid_t first_mapped_id(const char* map) {
  std::ifstream file(map);
  std::uint64_t best = 0;
  std::uint64_t inside = 0;
  std::uint64_t outside = 0;
  std::uint64_t count = 0;
  while (file >> inside >> outside >> count) {
    if (inside <= kFirstSandboxId && inside + count >= std::uint64_t{kFirstSandboxId} + kSandboxIdCount)
      return kFirstSandboxId;
    if (count > 2 * std::uint64_t{kSandboxIdCount} && inside + count > best) best = inside + count;
  }
  return best == 0 ? 0 : static_cast<uid_t>(best - kSandboxIdCount);
}

Result<void> write_proc(const std::string& path, const std::string& text) {
  PROGTC_TRY(const auto file, sys::openat(AT_FDCWD, path.c_str(), O_WRONLY));
  return sys::write_all(file.get(), text);
}

// A process that does nothing in a user namespace of its own, so that the namespace can be mapped and opened.
[[noreturn]] void idle_forever() {
  (void)::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  (void)::close_range(0, ~0U, 0);
  for (;;) ::pause();
}

}  // namespace

Result<Identity> Identity::acquire() {
  Identity identity;
  const uid_t first = ::geteuid() == 0 ? first_mapped_id("/proc/self/uid_map") : 0;
  if (first == 0 || first_mapped_id("/proc/self/gid_map") != first) {
    identity.uid = ::geteuid();
    identity.gid = ::getegid();
    return identity;
  }
  identity.is_root_run = true;
  if (auto made = sys::make_directories(kLeaseDirectory, 0700); !made)
    return run_error(RunErrc::kNoIdentity, "leases of sandbox ids: " + made.error().context);
  // The code can read its id on the host (/proc/self/uid_map): it is random and tells nothing about our process.
  const auto start = static_cast<uid_t>(std::stoul(sys::random_hex(4), nullptr, 16) % kSandboxIdCount);
  for (uid_t i = 0; i < kSandboxIdCount; ++i) {
    const uid_t slot = (start + i) % kSandboxIdCount;
    const std::string path = std::string(kLeaseDirectory) + "/" + std::to_string(slot);
    auto file = sys::openat(AT_FDCWD, path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (!file) return run_error(RunErrc::kNoIdentity, file.error().context);
    if (::flock(file->get(), LOCK_EX | LOCK_NB) == -1) continue;
    identity.uid = first + slot;
    identity.gid = first + slot;
    identity.slot = slot;
    identity.lease = std::move(*file);
    return identity;
  }
  return run_error(RunErrc::kNoIdentity, "all " + std::to_string(kSandboxIdCount) + " sandbox ids are in use");
}

// Run as an ordinary user the kernel lets the parent map exactly its own id, and only with setgroups denied
// (user_namespaces(7)); root needs no such promise, and the child drops the groups itself.
Result<void> write_id_maps(pid_t pid, const Identity& identity) {
  const std::string proc = "/proc/" + std::to_string(pid);
  const auto line = [](std::uint64_t outside) {
    return std::to_string(static_cast<int>(PROGTC_SANDBOX_ID)) + " " + std::to_string(outside) + " 1\n";
  };
  if (!identity.is_root_run) PROGTC_CHECK(write_proc(proc + "/setgroups", "deny"));
  PROGTC_CHECK(write_proc(proc + "/gid_map", line(identity.gid)));
  return write_proc(proc + "/uid_map", line(identity.uid));
}

bool is_sandbox_id_leased(unsigned slot) {
  const auto file = sys::openat(AT_FDCWD, (std::string(kLeaseDirectory) + "/" + std::to_string(slot)).c_str(), O_RDWR);
  // No file: another /run than ours knows about it. Closing lets go of a lock that was free.
  return !file || ::flock(file->get(), LOCK_EX | LOCK_NB) == -1;
}

Result<sys::UniqueFd> clone_mount_idmapped(int source_fd, uid_t owner, gid_t group, const Identity& identity) {
  clone_args args{};
  args.flags = CLONE_NEWUSER;
  args.exit_signal = SIGCHLD;
  const long pid = sys::raw_clone3(&args);
  if (pid == 0) idle_forever();
  if (pid == -1) return from_errno(errno, "clone a user namespace for an id map");
  const auto finish = [pid] {
    ::kill(static_cast<pid_t>(pid), SIGKILL);
    while (::waitpid(static_cast<pid_t>(pid), nullptr, 0) == -1 && errno == EINTR) {
    }
  };
  const auto map = [&]() -> Result<sys::UniqueFd> {
    const std::string proc = "/proc/" + std::to_string(pid);
    for (const auto& [name, from, to] :
         {std::tuple{"/uid_map", owner, identity.uid}, std::tuple{"/gid_map", group, identity.gid}}) {
      PROGTC_TRY(const auto file, sys::openat(AT_FDCWD, (proc + name).c_str(), O_WRONLY));
      PROGTC_CHECK(sys::write_all(file.get(), std::to_string(from) + " " + std::to_string(to) + " 1\n"));
    }
    return sys::openat(AT_FDCWD, (proc + "/ns/user").c_str(), O_RDONLY);
  };
  auto user_namespace = map();
  finish();
  if (!user_namespace) return user_namespace.error();
  sys::UniqueFd tree(::open_tree(source_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE));
  if (!tree) return from_errno(errno, "open_tree");
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_IDMAP;
  attributes.userns_fd = static_cast<std::uint64_t>(user_namespace->get());
  if (::mount_setattr(tree.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes) == -1)
    return from_errno(errno, "id-map the mount");
  return tree;
}

}  // namespace progtc::runner
