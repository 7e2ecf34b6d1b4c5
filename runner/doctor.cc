#include "runner/doctor.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <sstream>

#include "policy/model.h"
#include "policy/units.h"
#include "runner/cgroup.h"
#include "runner/guest/control.h"
#include "runner/identity.h"
#include "runner/interpreter.h"
#include "runner/sys/file.h"
#include "runner/sys/kernel_abi.h"

namespace progtc::runner {
namespace {

constexpr unsigned kLongestProbe = 10;  // seconds; then the child's alarm ends it, and the probe has failed

// What a probe's child found. `step` points at a literal, which parent and child have at the same address.
struct Finding {
  int error = 0;
  const char* step = "";
  long number = 0;
};
using Body = std::function<Finding()>;

Finding failed_at(const char* step) { return Finding{.error = errno, .step = step}; }

struct ChildEnd {
  Finding finding;
  int wait_status = 0;
  bool is_reported = false;  // else the child died first
};

struct ChildOptions {
  std::uint64_t flags = 0;             // CLONE_NEW…
  const Identity* identity = nullptr;  // maps the ids, and the body runs as the sandbox's user
  int cgroup_fd = -1;
};

// Runs `body` in a child of its own and waits for its end. Errors: the step before the body.
ChildEnd in_child(const ChildOptions& options, const Body& body) {
  std::array<int, 2> go{};
  std::array<int, 2> back{};
  ChildEnd end;
  if (::pipe2(go.data(), O_CLOEXEC) == -1 || ::pipe2(back.data(), O_CLOEXEC) == -1) {
    end.finding = failed_at("make a pipe");
    end.is_reported = true;
    return end;
  }
  sys::UniqueFd go_out(go[0]);
  sys::UniqueFd go_in(go[1]);
  sys::UniqueFd back_out(back[0]);
  sys::UniqueFd back_in(back[1]);
  clone_args args{};
  args.flags = options.flags | CLONE_CLEAR_SIGHAND;
  args.exit_signal = SIGCHLD;
  if (options.cgroup_fd >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<std::uint64_t>(options.cgroup_fd);
  }
  const long pid = sys::raw_clone3(&args);
  if (pid == 0) {
    ::alarm(kLongestProbe);
    Finding finding;
    char told = 0;
    go_in.reset();
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == -1 || ::read(go_out.get(), &told, 1) != 1) ::_exit(1);
    // Raw calls: glibc's would look for other threads.
    if (options.identity && ((options.identity->is_root_run && ::syscall(SYS_setgroups, 0, nullptr) == -1) ||
                             ::syscall(SYS_setresgid, PROGTC_SANDBOX_ID, PROGTC_SANDBOX_ID, PROGTC_SANDBOX_ID) == -1 ||
                             ::syscall(SYS_setresuid, PROGTC_SANDBOX_ID, PROGTC_SANDBOX_ID, PROGTC_SANDBOX_ID) == -1)) {
      finding = failed_at("take the sandbox's user");
    } else {
      finding = body();
    }
    (void)!::write(back_in.get(), &finding, sizeof finding);
    ::_exit(0);
  }
  if (pid == -1) {
    end.finding = failed_at("clone");
    end.is_reported = true;
    return end;
  }
  back_in.reset();
  auto mapped = options.identity ? write_id_maps(static_cast<pid_t>(pid), *options.identity) : Result<void>{};
  if (mapped) {
    (void)!::write(go_in.get(), "g", 1);
    end.is_reported =
        ::read(back_out.get(), &end.finding, sizeof end.finding) == static_cast<ssize_t>(sizeof end.finding);
  } else {
    end.finding = Finding{.error = mapped.error().code.value(), .step = "map the sandbox's user"};
    end.is_reported = true;
  }
  go_in.reset();  // a child that was not told to go ends here
  while (::waitpid(static_cast<pid_t>(pid), &end.wait_status, 0) == -1 && errno == EINTR) {
  }
  return end;
}

std::string text_of(int error) { return boost::system::error_code(error, boost::system::system_category()).message(); }

std::string describe(const ChildEnd& end) {
  if (!end.is_reported) {
    if (WIFSIGNALED(end.wait_status) && WTERMSIG(end.wait_status) == SIGALRM) return "no answer in time";
    const char* name = WIFSIGNALED(end.wait_status) ? ::sigabbrev_np(WTERMSIG(end.wait_status)) : nullptr;
    return name ? std::string("killed by SIG") + name : "ended without a word";
  }
  return std::string(end.finding.step) + ": " + text_of(end.finding.error);
}

// ---- Bodies: they run in the child and return what they found -------------------------------------------------------

Finding make_mounts_private() {
  mount_attr is_private{};
  is_private.propagation = MS_PRIVATE;
  if (::mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &is_private, sizeof is_private) == -1)
    return failed_at("mount_setattr private");
  return {};
}

Finding bring_loopback_up() {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd == -1) return failed_at("socket");
  ifreq request{};
  std::memcpy(request.ifr_name, "lo", 3);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(fd, SIOCSIFFLAGS, &request) == -1) return failed_at("bring lo up");
  return {};
}

// The whole way of a root view: a fresh file system, a clone of a mount in it, read-only, pivoted into.
Finding use_mount_api() {
  if (auto found = make_mounts_private(); found.error != 0) return found;
  const int fs = ::fsopen("tmpfs", FSOPEN_CLOEXEC);
  if (fs == -1) return failed_at("fsopen tmpfs");
  if (::fsconfig(fs, FSCONFIG_SET_STRING, "size", "65536", 0) == -1 ||
      ::fsconfig(fs, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == -1)
    return failed_at("fsconfig tmpfs");
  const int root = ::fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  if (root == -1) return failed_at("fsmount tmpfs");
  if (::move_mount(root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) == -1) return failed_at("move_mount");
  const int tree = ::open_tree(AT_FDCWD, "/usr", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
  if (tree == -1) return failed_at("open_tree /usr");
  mount_attr read_only{};
  read_only.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID;
  if (::mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &read_only, sizeof read_only) == -1)
    return failed_at("mount_setattr read-only");
  if (::mkdirat(root, "usr", 0755) == -1) return failed_at("mkdirat");
  if (::move_mount(tree, "", root, "usr", MOVE_MOUNT_F_EMPTY_PATH) == -1) return failed_at("move_mount a bind");
  if (::fchdir(root) == -1 || sys::raw_pivot_root(".", ".") == -1) return failed_at("pivot_root");
  if (::umount2(".", MNT_DETACH) == -1) return failed_at("umount2");
  if (::access("/usr", F_OK) == -1 || ::access("/etc", F_OK) == 0)
    return Finding{.error = EPROTO, .step = "look around"};
  return {};
}

Finding mount_proc() {
  const int fs = ::fsopen("proc", FSOPEN_CLOEXEC);
  if (fs == -1) return failed_at("fsopen proc");
  if (::fsconfig(fs, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == -1) return failed_at("fsconfig proc");
  if (::fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID) == -1) return failed_at("fsmount proc");
  return {};
}

// A call of a child's under the filter is seen here and answered with an error.
Finding use_seccomp_listener() {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog program{.len = std::size(code), .filter = code};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1) return failed_at("no_new_privs");
  const int listener =
      static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
  if (listener == -1) return failed_at("install a filter with a listener");
  const pid_t caller = ::fork();
  if (caller == -1) return failed_at("fork");
  if (caller == 0) ::_exit(::syscall(SYS_getppid) == -1 && errno == EXDEV ? 0 : 1);
  Finding finding;
  pollfd waiting{listener, POLLIN, 0};
  seccomp_notif request{};
  if (::poll(&waiting, 1, 5000) != 1) {
    finding = Finding{.error = ETIMEDOUT, .step = "wait for a notification"};
  } else if (::ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) == -1) {
    finding = failed_at("receive a notification");
  } else {
    seccomp_notif_resp answer{};
    answer.id = request.id;
    answer.error = -EXDEV;  // nothing getppid could ever answer by itself
    if (::ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) == -1) finding = failed_at("answer a notification");
  }
  if (finding.error != 0) ::kill(caller, SIGKILL);
  int status = 0;
  while (::waitpid(caller, &status, 0) == -1 && errno == EINTR) {
  }
  if (finding.error == 0 && status != 0) return Finding{.error = EPROTO, .step = "see the answer arrive"};
  return finding;
}

// Reading directories is forbidden, and then has to fail.
Finding use_landlock() {
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 1) return failed_at("ask for the ABI");
  landlock_ruleset_attr ruleset{};
  ruleset.handled_access_fs = LANDLOCK_ACCESS_FS_READ_DIR;
  const int rules = static_cast<int>(::syscall(SYS_landlock_create_ruleset, &ruleset, sizeof ruleset, 0));
  if (rules == -1) return failed_at("create a ruleset");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1) return failed_at("no_new_privs");
  if (::syscall(SYS_landlock_restrict_self, rules, 0) == -1) return failed_at("restrict itself");
  if (::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC) != -1) return Finding{.error = EPROTO, .step = "be restricted"};
  return Finding{.number = abi};
}

// Takes more memory than the group has. Does not come back from it.
Finding eat_memory(std::size_t bytes) {
  void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return failed_at("mmap");
  auto* const bytes_of = static_cast<volatile char*>(memory);
  for (std::size_t i = 0; i < bytes; i += 4096) bytes_of[i] = 1;
  return {};
}

// Forks until the group refuses, at most `most` times; the number says how often it went well.
Finding fork_until_refused(int most) {
  std::vector<pid_t> children;
  Finding finding;
  for (int i = 0; i < most; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
      ::alarm(kLongestProbe);
      for (;;) ::pause();
    }
    if (child == -1) {
      if (errno != EAGAIN) finding = failed_at("fork");
      break;
    }
    children.push_back(child);
  }
  for (const pid_t child : children) ::kill(child, SIGKILL);
  for (const pid_t child : children)
    while (::waitpid(child, nullptr, 0) == -1 && errno == EINTR) {
    }
  finding.number = static_cast<long>(children.size());
  return finding;
}

// ---- Probes --------------------------------------------------------------------------------------------------------

class Doctor {
 public:
  Doctor(const HostFacts& facts, const DoctorInputs& inputs) : facts_(facts), inputs_(inputs) {}

  std::vector<Probe> examine() {
    auto identity = Identity::acquire();
    if (identity) {
      identity_ = std::move(*identity);
      ok("sandbox ids", identity_.is_root_run
                            ? "leased uid and gid " + std::to_string(identity_.uid) + ", used by nobody else"
                            : "your own, uid " + std::to_string(identity_.uid));
    } else {
      failed("sandbox ids", identity.error().context, {"make /run/progtc writable for root"});
    }
    probe_namespaces();
    probe_mounts();
    probe_confinement();
    probe_cgroup();
    probe_interpreter();
    return std::move(probes_);
  }

 private:
  void ok(std::string name, std::string detail) {
    probes_.push_back({std::move(name), ProbeStatus::kOk, std::move(detail), {}});
  }
  void missing(std::string name, std::string detail, std::vector<std::string> advice) {
    probes_.push_back({std::move(name), ProbeStatus::kMissing, std::move(detail), std::move(advice)});
  }
  void failed(std::string name, std::string detail, std::vector<std::string> advice) {
    probes_.push_back({std::move(name), ProbeStatus::kFailed, std::move(detail), std::move(advice)});
  }

  // In a fresh user namespace together with `flags`. What was advised once is not repeated for the next namespace.
  bool probe_namespace(const std::string& name, std::uint64_t flags, const std::string& detail, const Body& body) {
    const ChildEnd end = in_child({.flags = CLONE_NEWUSER | flags, .identity = &identity_}, body);
    if (end.is_reported && end.finding.error == 0) {
      ok(name, detail);
      return true;
    }
    std::vector<std::string> advice = namespace_advice(facts_, end.finding.error);
    if (advice == advised_) advice.clear();
    if (!advice.empty()) advised_ = advice;
    failed(name, describe(end), std::move(advice));
    return false;
  }

  void probe_namespaces() {
    probe_namespace("user namespace", 0, "made, one user and one group mapped", [] {
      return ::getuid() == PROGTC_SANDBOX_ID ? Finding{} : Finding{.error = EPROTO, .step = "be the sandbox's user"};
    });
    probe_namespace("nested user namespace", 0, "made inside the first, as each run has its own", [] {
      const ChildEnd inner = in_child({.flags = CLONE_NEWUSER}, [] { return Finding{}; });
      if (!inner.is_reported) return Finding{.error = ECHILD, .step = "clone"};
      return inner.finding;
    });
    probe_namespace("mount namespace", CLONE_NEWNS, "made, mounts private", make_mounts_private);
    probe_namespace("pid namespace", CLONE_NEWPID, "made, its first process is 1", [] {
      return ::syscall(SYS_getpid) == 1 ? Finding{} : Finding{.error = EPROTO, .step = "be process 1"};
    });
    probe_namespace("network namespace", CLONE_NEWNET, "made, its own lo is up", bring_loopback_up);
    probe_namespace("ipc namespace", CLONE_NEWIPC, "made", [] { return Finding{}; });
    probe_namespace("uts namespace", CLONE_NEWUTS, "made, host name set",
                    [] { return ::sethostname("sandbox", 7) == -1 ? failed_at("sethostname") : Finding{}; });
    probe_namespace("cgroup namespace", 0, "made",
                    [] { return ::unshare(CLONE_NEWCGROUP) == -1 ? failed_at("unshare") : Finding{}; });
  }

  void probe_mounts() {
    probe_namespace("mount API", CLONE_NEWNS, "fsopen, open_tree, mount_setattr, move_mount, pivot_root",
                    use_mount_api);
    const ChildEnd proc =
        in_child({.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID, .identity = &identity_}, mount_proc);
    if (proc.is_reported && proc.finding.error == 0) {
      ok("fresh /proc", "mounted for a namespace of its own");
    } else {
      std::vector<std::string> advice;
      if (facts_.is_proc_masked)
        advice.emplace_back(
            "parts of this /proc are masked, as in a container, and then the kernel refuses a fresh one; runs go on "
            "without "
            "/proc. Podman and Docker unmask it with --security-opt unmask=ALL (systempaths=unconfined)");
      missing("fresh /proc", describe(proc), std::move(advice));
    }
    if (!identity_.is_root_run || inputs_.project_dir.empty()) return;
    const auto directory = sys::openat(AT_FDCWD, inputs_.project_dir.c_str(), O_PATH | O_DIRECTORY);
    struct stat info {};
    if (!directory || ::fstat(directory->get(), &info) == -1) return;
    const auto tree = clone_mount_idmapped(directory->get(), info.st_uid, info.st_gid, identity_);
    if (tree) {
      ok("id-mapped mounts", "'" + inputs_.project_dir + "' can be shown as the sandbox's own");
    } else {
      missing("id-mapped mounts", tree.error().context,
              {"--rw of '" + inputs_.project_dir +
               "' needs them when run by root: its file system has none; run as the owner "
               "instead, or from a directory on ext4, xfs, btrfs or tmpfs"});
    }
  }

  void probe_confinement() {
    const ChildEnd filter = in_child({}, use_seccomp_listener);
    if (filter.is_reported && filter.finding.error == 0) {
      ok("seccomp filter", "installed with a listener, a denied call reported and answered");
    } else {
      std::vector<std::string> advice;
      if (facts_.has_seccomp_filter)
        advice.emplace_back(
            "a filter of the container is on this process already; only one listener is possible in a chain of "
            "filters, and "
            "seccomp(2) itself may be denied: try --security-opt seccomp=unconfined");
      failed("seccomp filter", describe(filter), std::move(advice));
    }
    const ChildEnd landlock = in_child({}, use_landlock);
    if (landlock.is_reported && landlock.finding.error == 0) {
      ok("landlock", "ABI " + std::to_string(landlock.finding.number) + ", a forbidden act refused");
    } else {
      missing("landlock", describe(landlock),
              {"runs go on with mounts and the filter alone; the kernel has it from 5.13 on, where "
               "CONFIG_SECURITY_LANDLOCK "
               "is set and lsm= names it"});
    }
  }

  void probe_cgroup() {
    constexpr std::uint64_t kMemory = 32ULL << 20;
    constexpr std::uint64_t kTasks = 4;
    const CgroupSite site = find_cgroup_site();
    if (site.mechanism == CgroupMechanism::kNone) {
      missing("cgroup", site.why_none, cgroup_advice());
      return;
    }
    policy::Limits limits;
    limits.memory_bytes = kMemory;
    limits.processes = kTasks;
    auto identity = Identity::acquire();
    if (!identity) {
      failed("cgroup", identity.error().context, cgroup_advice());
      return;
    }
    auto group = Cgroup::create(site, *identity);
    const auto limited = group ? group->set_limits(limits, policy::NetworkMode::kNone) : Result<void>(group.error());
    if (!limited) {
      failed("cgroup", limited.error().context, cgroup_advice());
      return;
    }
    std::string controllers;
    for (const std::string& name : site.controllers) controllers += (controllers.empty() ? "" : ", ") + name;
    const std::string mechanism = std::string(to_string(site.mechanism)) + " with " + controllers;
    if (!group->bounds("cpus")) {
      ok("cgroup", mechanism + "; without cpu, limits.cpus is kept by whole processors");
    } else {
      ok("cgroup", mechanism);
    }

    const ChildEnd tasks = in_group(*group, [] { return fork_until_refused(2 * static_cast<int>(kTasks)); });
    // Init's place and the body's own: of the group's kTasks + 1 places the body leaves kTasks.
    if (!tasks.is_reported || tasks.finding.error != 0) {
      failed("task limit", describe(tasks), {});
    } else if (tasks.finding.number > static_cast<long>(kTasks)) {
      failed("task limit",
             std::to_string(tasks.finding.number) + " processes where " + std::to_string(kTasks) + " are allowed",
             {"the pids controller does not act: something else manages this group"});
    } else {
      ok("task limit", "a fork beyond the limit was refused");
    }
    const ChildEnd memory = in_group(*group, [] { return eat_memory(2 * kMemory); });
    const bool is_killed = WIFSIGNALED(memory.wait_status) && WTERMSIG(memory.wait_status) == SIGKILL;
    if (is_killed && group->oom_kills().value_or(0) > 0) {
      ok("memory limit", "a process over " + policy::format_size(kMemory) + " was killed and counted");
    } else {
      failed("memory limit", is_killed ? "the kill was not counted" : describe(memory),
             {"the memory controller does not act: something else manages this group"});
    }
  }

  static ChildEnd in_group(const Cgroup& group, const Body& body) {
    if (group.mechanism() == CgroupMechanism::kV2) {
      const auto directory = group.directory();
      if (!directory) return {{directory.error().code.value(), "open the group", 0}, 0, true};
      return in_child({.cgroup_fd = directory->get()}, body);
    }
    const auto files = group.join_files();
    if (!files) return {{files.error().code.value(), "open the group", 0}, 0, true};
    return in_child({}, [&]() -> Finding {
      for (const auto& file : *files)
        if (::write(file.get(), "0", 1) != 1) return failed_at("enter the group");
      return body();
    });
  }

  std::vector<std::string> cgroup_advice() const {
    std::vector<std::string> advice;
    if (facts_.is_root) {
      advice.emplace_back(
          "in a container, mount /sys/fs/cgroup writable (podman and docker: --cgroupns=private with "
          "-v /sys/fs/cgroup:/sys/fs/cgroup:rw, or --privileged in CI)");
    } else {
      advice.emplace_back("start it in a delegated scope: systemd-run --user --scope -p Delegate=yes progtc-run …");
      advice.emplace_back(
          "or log in with a user session of systemd (loginctl enable-linger), so that one can be asked for");
    }
    advice.emplace_back(
        "without one, limits are per process: policies of one process (strict, ci) run, others need "
        "--allow-degraded=cgroup");
    return advice;
  }

  void probe_interpreter() {
    const auto found = find_interpreter(inputs_.interpreter, inputs_.path, inputs_.cache_dir);
    if (found) {
      ok("interpreter",
         found->called + ", Python " + std::to_string(found->major) + "." + std::to_string(found->minor));
    } else {
      failed("interpreter", found.error().context,
             {"install Python 3.9 or later, or name one: --python /path/to/python3"});
    }
  }

  const HostFacts& facts_;
  const DoctorInputs& inputs_;
  Identity identity_;
  std::vector<Probe> probes_;
  std::vector<std::string> advised_;
};

std::optional<long> read_setting(const char* path) {
  const auto text = sys::read_file(path, 64);
  if (!text) return std::nullopt;
  char* end = nullptr;
  const long number = std::strtol(text->c_str(), &end, 10);
  if (end == text->c_str()) return std::nullopt;
  return number;
}

bool is_under_filter() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("Seccomp:")) return line.find('2') != std::string::npos;
  return false;
}

bool is_proc_covered() {
  std::ifstream file("/proc/self/mountinfo");  // proc(5): id parent dev root point …
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string word;
    std::string point;
    words >> word >> word >> word >> word >> point;
    // Kernel interfaces of their own, which cover no file that was visible (mount_too_revealing of fs/namespace.c).
    if (point.starts_with("/proc/") && point != "/proc/sys/fs/binfmt_misc" && point != "/proc/fs/nfsd") return true;
  }
  return false;
}

}  // namespace

const char* to_string(ProbeStatus status) noexcept {
  switch (status) {
    case ProbeStatus::kOk:
      return "ok";
    case ProbeStatus::kMissing:
      return "missing";
    case ProbeStatus::kFailed:
      return "FAILED";
  }
  return "unknown";
}

HostFacts read_host_facts(const std::string& apparmor_profile) {
  HostFacts facts;
  facts.is_root = ::geteuid() == 0;
  facts.apparmor_restrict = read_setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns");
  facts.userns_clone = read_setting("/proc/sys/kernel/unprivileged_userns_clone");
  facts.max_user_namespaces = read_setting("/proc/sys/user/max_user_namespaces");
  facts.has_seccomp_filter = is_under_filter();
  facts.is_proc_masked = is_proc_covered();
  facts.apparmor_profile = apparmor_profile;
  return facts;
}

std::vector<std::string> namespace_advice(const HostFacts& facts, int error) {
  std::vector<std::string> advice;
  const bool is_refused = error == EPERM || error == EACCES;
  if (facts.max_user_namespaces == 0 || error == ENOSPC || error == EUSERS)
    advice.emplace_back(
        "the limit on user namespaces is reached: sudo sysctl user.max_user_namespaces=15000 (now " +
        (facts.max_user_namespaces ? std::to_string(*facts.max_user_namespaces) : std::string("unknown")) + ")");
  if (is_refused && !facts.is_root && facts.userns_clone == 0)
    advice.emplace_back("ordinary users may not make user namespaces: sudo sysctl kernel.unprivileged_userns_clone=1");
  if (is_refused && !facts.is_root && facts.apparmor_restrict.value_or(0) != 0) {
    const std::string setting = "AppArmor restricts user namespaces (kernel.apparmor_restrict_unprivileged_userns=1)";
    if (!facts.apparmor_profile.empty())
      advice.emplace_back(setting + ": sudo cp " + facts.apparmor_profile +
                          " /etc/apparmor.d/progtc-run && sudo apparmor_parser -r /etc/apparmor.d/progtc-run");
    else
      advice.emplace_back(setting +
                          "; the profile that lifts this for progtc-run alone is share/progtc/apparmor/progtc-run of "
                          "an installation");
    advice.emplace_back("or for every program: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0");
  }
  if ((is_refused || error == ENOSYS) && facts.has_seccomp_filter)
    advice.emplace_back(
        "this process runs under a seccomp filter, as containers set it: allow clone3, unshare, mount_setattr, fsopen, "
        "fsmount, "
        "move_mount, open_tree and pivot_root there, or start the container with --security-opt seccomp=unconfined");
  if (error == ENOSYS && !facts.has_seccomp_filter)
    advice.emplace_back("the kernel is older than 5.14, or built without it");
  if (advice.empty() && is_refused)
    advice.emplace_back(
        "no setting known to us explains it: a security module or the container may forbid it (dmesg may say)");
  return advice;
}

std::vector<Probe> probe_host(const HostFacts& facts, const DoctorInputs& inputs) {
  return Doctor(facts, inputs).examine();
}

}  // namespace progtc::runner
