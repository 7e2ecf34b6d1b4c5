#include "runner/child/template_child.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <sched.h>
#include <cerrno>

#include <csignal>

#include "runner/guest/parts.h"
#include "runner/sys/kernel_abi.h"

namespace progtc::child {
namespace {

constexpr std::uint32_t kMaxItem = 0xffff;

[[noreturn]] void fail(const TemplatePlan& plan, std::uint32_t step, std::uint32_t item = 0) noexcept {
  const TemplateReport report{step, item, errno, 0};
  (void)!::write(plan.report_fd, &report, sizeof report);  // if the host is gone, nobody is left to tell
  ::_exit(125);                                            // exit() would run the host's handlers
}

// Step 1, as the identity the host has: what root may read, a root run may show. Clones every source into a detached
// mount. `O_PATH` with RESOLVE_NO_SYMLINKS and the inode check: a source swapped for a symlink or for another file
// since the host looked at it is refused.
void open_sources(const TemplatePlan& plan) noexcept {
  std::uint32_t item = 0;
  for (const RootBind& bind : plan.binds) {
    if (bind.tree_fd >= 0) {
      plan.tree_fds[item] = bind.tree_fd;
    } else {
      open_how how{};
      how.flags = O_PATH | O_CLOEXEC;
      how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
      const int source = sys::raw_openat2(AT_FDCWD, bind.source, &how);
      if (source == -1) fail(plan, PROGTC_STEP_BIND_SOURCE, item);
      struct stat info {};
      if (::fstat(source, &info) == -1) fail(plan, PROGTC_STEP_BIND_SOURCE, item);
      if (info.st_dev != bind.device || info.st_ino != bind.inode) {
        errno = ESTALE;
        fail(plan, PROGTC_STEP_BIND_SOURCE, item);
      }
      plan.tree_fds[item] = ::open_tree(source, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
      if (plan.tree_fds[item] == -1) fail(plan, PROGTC_STEP_BIND_SOURCE, item);
      ::close(source);
    }
    ++item;
  }
}

// Step 2: the sandbox's identity. The capabilities of the new user namespace stay until execve, since no id of ours was
// or becomes 0 there.
void take_identity(const TemplatePlan& plan) noexcept {
  if (plan.is_root_run && ::syscall(SYS_setgroups, 0, nullptr) == -1) fail(plan, PROGTC_STEP_IDENTITY, 0);
  // Raw calls: glibc's own would ask every thread of the host it thinks it still has.
  if (::syscall(SYS_setresgid, PROGTC_SANDBOX_ID, PROGTC_SANDBOX_ID, PROGTC_SANDBOX_ID) == -1)
    fail(plan, PROGTC_STEP_IDENTITY, 1);
  if (::syscall(SYS_setresuid, PROGTC_SANDBOX_ID, PROGTC_SANDBOX_ID, PROGTC_SANDBOX_ID) == -1)
    fail(plan, PROGTC_STEP_IDENTITY, 2);
}

int mount_root(const TemplatePlan& plan) noexcept {
  const int fs = ::fsopen("tmpfs", FSOPEN_CLOEXEC);
  if (fs == -1) fail(plan, PROGTC_STEP_ROOT, 0);
  if (::fsconfig(fs, FSCONFIG_SET_STRING, "source", "sandbox", 0) == -1 ||
      ::fsconfig(fs, FSCONFIG_SET_STRING, "size", "1048576", 0) == -1 ||
      ::fsconfig(fs, FSCONFIG_SET_STRING, "nr_inodes", "4096", 0) == -1 ||
      ::fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0755", 0) == -1 ||
      ::fsconfig(fs, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == -1)
    fail(plan, PROGTC_STEP_ROOT, 1);
  const int root = ::fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  if (root == -1) fail(plan, PROGTC_STEP_ROOT, 2);
  ::close(fs);
  // Anywhere will do: the old tree is gone after the pivot. "/" always exists.
  if (::move_mount(root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) == -1) fail(plan, PROGTC_STEP_ROOT, 3);
  return root;
}

void make_entries(const TemplatePlan& plan, int root) noexcept {
  std::uint32_t item = 0;
  for (const RootEntry& entry : plan.entries) {
    switch (entry.kind) {
      case EntryKind::kDirectory:
        if (::mkdirat(root, entry.path, entry.mode) == -1) fail(plan, PROGTC_STEP_ROOT_ENTRY, item);
        break;
      case EntryKind::kSymlink:
        if (::symlinkat(entry.content, root, entry.path) == -1) fail(plan, PROGTC_STEP_ROOT_ENTRY, item);
        break;
      case EntryKind::kFile: {
        const int file = ::openat(root, entry.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, entry.mode);
        if (file == -1) fail(plan, PROGTC_STEP_ROOT_ENTRY, item);
        if (entry.content_size > 0 &&
            ::write(file, entry.content, entry.content_size) != static_cast<ssize_t>(entry.content_size))
          fail(plan, PROGTC_STEP_ROOT_ENTRY, item);
        ::close(file);
        break;
      }
    }
    if (item < kMaxItem) ++item;
  }
}

void attach_binds(const TemplatePlan& plan, int root) noexcept {
  std::uint32_t item = 0;
  for (const RootBind& bind : plan.binds) {
    const int tree = plan.tree_fds[item];
    mount_attr attributes{};
    attributes.attr_set = bind.set_attributes;
    if (::mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes) == -1)
      fail(plan, PROGTC_STEP_BIND_ATTRIBUTES, item);
    // RESOLVE_IN_ROOT with no symlinks: an earlier bind may hold links its owner could aim anywhere.
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    const int target = sys::raw_openat2(root, bind.target, &how);
    if (target == -1) fail(plan, PROGTC_STEP_BIND_TARGET, item);
    if (::move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == -1)
      fail(plan, PROGTC_STEP_BIND_TARGET, item);
    ::close(target);
    ::close(tree);
    ++item;
  }
}

// A full proc of the template's own pid namespace. The kernel lets a sandbox mount its fresh, narrower one only while a
// fully visible one exists in its mount namespace (mount_too_revealing in fs/namespace.c). Refused where the host's own
// /proc is masked, as in many containers: then there is none.
bool mount_proc(const TemplatePlan& plan) noexcept {
  const char* const options[][2] = {{nullptr, nullptr}};
  const int failed = plan.cold ? progtc_mount_narrow_proc()
                               : progtc_mount_fresh("proc", options, "/proc",
                                                    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, nullptr);
  if (failed && errno != EPERM) fail(plan, PROGTC_STEP_PROC, 1);
  return !failed;
}

void enter_root(const TemplatePlan& plan, int root) noexcept {
  mount_attr read_only{};
  read_only.attr_set = MOUNT_ATTR_RDONLY;
  if (::mount_setattr(root, "", AT_EMPTY_PATH, &read_only, sizeof read_only) == -1) fail(plan, PROGTC_STEP_PIVOT, 0);
  if (::fchdir(root) == -1) fail(plan, PROGTC_STEP_PIVOT, 1);
  // pivot_root(2), "pivot_root(".", ".")": the old root ends up on top of the new one.
  if (sys::raw_pivot_root(".", ".") == -1) fail(plan, PROGTC_STEP_PIVOT, 2);
}

// Waits for the kernel's readers of the mount table (about half a millisecond): in a cold run init does it while the
// worker starts the interpreter, whose absolute paths begin at the new root already.
void leave_old_root(const TemplatePlan& plan) noexcept {
  if (::umount2(".", MNT_DETACH) == -1) fail(plan, PROGTC_STEP_PIVOT, 3);
  if (::chdir("/") == -1) fail(plan, PROGTC_STEP_PIVOT, 4);
}

// A source number may be one of the numbers to fill, so everything moves up first.
void arrange_descriptors(const TemplatePlan& plan, int proc_dir, int* report_fd) noexcept {
  constexpr int kAbove = 16;
  const int report = ::fcntl(*report_fd, F_DUPFD_CLOEXEC, kAbove);
  const int control = ::fcntl(plan.control_fd, F_DUPFD_CLOEXEC, kAbove);
  const int log = ::fcntl(plan.log_fd, F_DUPFD_CLOEXEC, kAbove);
  const int null = ::fcntl(plan.null_fd, F_DUPFD_CLOEXEC, kAbove);
  // A template maps the users of its sandboxes through the host's /proc. The worker of a cold run never sees it.
  const int fourth = ::fcntl(plan.cold ? plan.cold->status_fd : proc_dir, F_DUPFD_CLOEXEC, kAbove);
  if (report == -1 || control == -1 || log == -1 || null == -1 || fourth == -1) fail(plan, PROGTC_STEP_DESCRIPTORS, 0);
  if (::dup2(null, 0) == -1 || ::dup2(null, 1) == -1 || ::dup2(log, 2) == -1 ||
      ::dup2(control, PROGTC_CONTROL_FD) == -1)
    fail(plan, PROGTC_STEP_DESCRIPTORS, 1);
  static_assert(int{PROGTC_PROC_FD} == int{PROGTC_STATUS_FD});
  if (::dup2(fourth, PROGTC_PROC_FD) == -1) fail(plan, PROGTC_STEP_DESCRIPTORS, 4);
  constexpr int kReport = PROGTC_PROC_FD + 1;
  if (::dup3(report, kReport, O_CLOEXEC) == -1) fail(plan, PROGTC_STEP_DESCRIPTORS, 2);
  *report_fd = kReport;
  if (::close_range(kReport + 1, ~0U, 0) == -1) fail(plan, PROGTC_STEP_DESCRIPTORS, 3);
}

[[noreturn]] void execute(TemplatePlan& plan, int proc_dir, bool has_proc) noexcept {
  arrange_descriptors(plan, proc_dir, &plan.report_fd);
  // After the last change of ids, which would clear it (prctl(2)). The host's death before this line shows as end of
  // file on the control socket.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == -1) fail(plan, PROGTC_STEP_PARENT_DEATH);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1) fail(plan, PROGTC_STEP_NO_NEW_PRIVS);
  const TemplateReport ready{0, 0, 0, has_proc ? 1U : 0U};
  if (::write(plan.report_fd, &ready, sizeof ready) != static_cast<ssize_t>(sizeof ready)) ::_exit(125);
  ::execve(plan.program, plan.argv, plan.envp);
  fail(plan, PROGTC_STEP_EXEC);
}

// Forks the worker and stays as init. The worker must not come to user code before the fresh parts are there: the host
// hands it its request only after init's PREPARED.
[[noreturn]] void split_cold_run(TemplatePlan& plan, int proc_dir) noexcept {
  const ColdPlan& cold = *plan.cold;
  sigset_t before{};
  const int signal_fd = progtc_watch_children(&before);
  if (signal_fd == -1) fail(plan, PROGTC_STEP_FORK, 0);
  // A raw clone: glibc's fork would run the handlers of the host's libraries. What glibc caches is renewed by execve.
  const long worker = ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (worker == -1) fail(plan, PROGTC_STEP_FORK, 1);
  if (worker == 0) {
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    // With the capabilities that execve is about to take away: the bounding set needs CAP_SETPCAP.
    if (progtc_limit_capabilities() == -1) fail(plan, PROGTC_STEP_CAPABILITIES, 2);
    // What the kernel should kill first when the run's memory is used up; init has to tell about it. With this process
    // visible to itself again for as long as that takes: an undumpable one may not write its own files.
    if (::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == -1 || progtc_write_text(proc_dir, "self/oom_score_adj", "1000") == -1 ||
        ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
      fail(plan, PROGTC_STEP_STDIO, 3);
    execute(plan, proc_dir, false);
  }
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == -1) fail(plan, PROGTC_STEP_PARENT_DEATH);
  // The old root is still there, and with it the visible proc that mounting a new one takes.
  const bool has_proc = mount_proc(plan);
  leave_old_root(plan);
  progtc_make_fresh_parts(cold.flags, cold.tmpfs, cold.late_paths, cold.late_bytes,
                          has_proc ? std::uint32_t{PROGTC_CONTROL_PROC} : 0U, cold.status_fd);
  ::close(plan.report_fd);
  progtc_run_init(static_cast<pid_t>(worker), cold.status_fd, signal_fd);
  ::_exit(125);
}

}  // namespace

void run_template_child(const TemplatePlan& original) noexcept {
  TemplatePlan plan = original;
  ::setsid();  // a signal from the terminal is for the host, which decides what it means
  // Until the ids change, which clears it, and end of file below, which shows a host that died before this line.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == -1) fail(plan, PROGTC_STEP_PARENT_DEATH, 1);
  ::close(plan.map_write_fd);
  // While the host writes the id maps: nothing here depends on them.
  if (plan.cold) {
    std::uint32_t item = 0;
    for (const int file : plan.cold->join_fds) {
      if (::write(file, "0", 1) != 1) fail(plan, PROGTC_STEP_CGROUP, item);
      ++item;
    }
  }
  // Kept for the template's helper, which has to write the id maps of each sandbox; never visible in one.
  const int proc_dir = ::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (proc_dir == -1) fail(plan, PROGTC_STEP_PROC, 4);
  mount_attr is_private{};
  is_private.propagation = MS_PRIVATE;
  if (::mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &is_private, sizeof is_private) == -1)
    fail(plan, PROGTC_STEP_PRIVATE_MOUNTS);
  open_sources(plan);

  char go = 0;
  ssize_t got = 0;
  do {
    got = ::read(plan.map_fd, &go, 1);
  } while (got == -1 && errno == EINTR);
  if (got != 1) ::_exit(125);  // the host could not write the maps, and says so itself
  // From here on nobody else of this identity may look in: not until execve, and the helper repeats it after that.
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1) fail(plan, PROGTC_STEP_USER_MAP, 1);

  take_identity(plan);
  const int root = mount_root(plan);
  ::umask(0);
  make_entries(plan, root);
  attach_binds(plan, root);
  enter_root(plan, root);
  ::umask(022);
  if (plan.cold) {
    // Inside the run's cgroup, so that this is the namespace's root.
    if (::unshare(CLONE_NEWCGROUP) == -1) fail(plan, PROGTC_STEP_CGROUP, 255);
    split_cold_run(plan, proc_dir);
  }
  const bool has_proc = mount_proc(plan);
  leave_old_root(plan);
  execute(plan, proc_dir, has_proc);
}

}  // namespace progtc::child
