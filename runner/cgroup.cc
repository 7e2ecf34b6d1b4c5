#include "runner/cgroup.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "runner/sys/file.h"
#include "runner/systemd_scope.h"

namespace progtc::runner {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrefix = "progtc-";
constexpr std::size_t kSmallFile = 1 << 20;
// Version 1: the part of limits.memory that TCP and UDP sockets get under a policy with a network.
constexpr std::uint64_t kSocketShare = 16;
constexpr const char* kSocketLimit = "/memory.kmem.tcp.limit_in_bytes";

// A value file of the kernel's: written with one write, no truncation.
Result<void> write_value(const std::string& path, const std::string& value) {
  PROGTC_TRY(const sys::UniqueFd file, sys::openat(AT_FDCWD, path.c_str(), O_WRONLY));
  if (::write(file.get(), value.data(), value.size()) == static_cast<ssize_t>(value.size())) return {};
  const int err = errno;
  return from_errno(err, "write '" + value + "' to '" + path + "'");
}

std::optional<std::uint64_t> read_number(const std::string& path) {
  const auto text = sys::read_file(path, kSmallFile);
  if (!text) return std::nullopt;
  char* end = nullptr;
  const std::uint64_t number = std::strtoull(text->c_str(), &end, 10);
  if (end == text->c_str()) return std::nullopt;
  return number;
}

// The number behind `key` in a file of "key number" lines.
std::optional<std::uint64_t> read_keyed(const std::string& path, const std::string& key) {
  const auto text = sys::read_file(path, kSmallFile);
  if (!text) return std::nullopt;
  std::istringstream lines(*text);
  std::string name;
  std::uint64_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    if (words >> name >> number && name == key) return number;
  }
  return std::nullopt;
}

bool has_word(const std::string& text, const std::string& wanted) {
  std::istringstream words(text);
  for (std::string word; words >> word;)
    if (word == wanted) return true;
  return false;
}

// Field 22 of /proc/PID/stat, clock ticks after boot; 0 when there is no such process (proc(5)).
std::uint64_t start_time(long pid) {
  const auto text = sys::read_file("/proc/" + std::to_string(pid) + "/stat", kSmallFile);
  if (!text) return 0;
  const auto after_name = text->rfind(')');
  if (after_name == std::string::npos) return 0;
  std::istringstream fields(text->substr(after_name + 1));
  std::string field;
  for (int i = 3; i <= 22 && fields >> field; ++i) {
  }
  return std::strtoull(field.c_str(), nullptr, 10);
}

std::uint64_t pid_namespace() {
  struct stat info {};
  return ::stat("/proc/self/ns/pid", &info) == 0 ? info.st_ino : 0;
}

// progtc-NAMESPACE-PID-STARTTIME-SERIAL or progtc-LEASE-SERIAL: who owns the group, in a form a later process can
// check.
std::string new_group_name(CgroupMechanism mechanism, const Identity& identity) {
  static std::atomic<unsigned> serial{0};
  if (mechanism == CgroupMechanism::kV1 && identity.is_root_run)
    return kPrefix + std::to_string(identity.slot) + "-" + std::to_string(serial++);
  return kPrefix + std::to_string(pid_namespace()) + "-" + std::to_string(::getpid()) + "-" +
         std::to_string(start_time(::getpid())) + "-" + std::to_string(serial++);
}

struct Mount {
  std::string type;
  std::string root;
  std::string point;
  std::string options;
};

std::vector<Mount> cgroup_mounts() {
  std::vector<Mount> mounts;
  std::ifstream file("/proc/self/mountinfo");  // proc(5): id parent dev root point options… - type source super-options
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string word;
    Mount mount;
    words >> word >> word >> word >> mount.root >> mount.point;
    while (words >> word && word != "-") {
    }
    words >> mount.type >> word >> mount.options;
    if (mount.type == "cgroup" || mount.type == "cgroup2") mounts.push_back(mount);
  }
  return mounts;
}

// Controllers ("" for v2) → path of our own group, from /proc/self/cgroup (cgroups(7)).
std::map<std::string, std::string> own_groups() {
  std::map<std::string, std::string> groups;
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    std::istringstream names(line.substr(first + 1, second - first - 1));
    const std::string path = line.substr(second + 1);
    std::string name;
    bool is_named = false;
    while (std::getline(names, name, ',')) {
      groups[name] = path;
      is_named = true;
    }
    if (!is_named) groups[""] = path;
  }
  return groups;
}

std::string directory_of(const Mount& mount, const std::string& group) {
  std::string below = group;
  if (mount.root != "/" && below.compare(0, mount.root.size(), mount.root) == 0)
    below = below.substr(mount.root.size());
  if (below == "/") below.clear();
  const std::string path = mount.point + below;
  std::error_code ignored;
  return fs::is_directory(path, ignored) ? path : mount.point;
}

bool may_make_groups_in(const std::string& directory) {
  return ::access(directory.c_str(), W_OK) == 0 && ::access((directory + "/cgroup.procs").c_str(), W_OK) == 0;
}

std::vector<long> processes_in(const std::string& directory) {
  std::vector<long> pids;
  std::ifstream file(directory + "/cgroup.procs");
  for (long pid = 0; file >> pid;) pids.push_back(pid);
  return pids;
}

// Turns on what the parent offers for children. Errors are seen by reading back.
std::vector<std::string> enable_controllers(const std::string& parent) {
  std::vector<std::string> enabled;
  const auto offered = sys::read_file(parent + "/cgroup.controllers", kSmallFile);
  for (const char* name : {"memory", "pids", "cpu"}) {
    if (!offered || !has_word(*offered, name)) continue;
    (void)write_value(parent + "/cgroup.subtree_control", std::string("+") + name).has_value();
    const auto now = sys::read_file(parent + "/cgroup.subtree_control", kSmallFile);
    if (now && has_word(*now, name)) enabled.emplace_back(name);
  }
  return enabled;
}

bool has_memory_and_pids(const std::vector<std::string>& controllers) {
  return std::count(controllers.begin(), controllers.end(), "memory") == 1 &&
         std::count(controllers.begin(), controllers.end(), "pids") == 1;
}

// A v2 group with inner processes cannot hand controllers to children ("no internal processes"), so we go into a leaf
// first, which is only ours to decide when nobody else lives in the group.
bool use_own_v2_group(const std::string& own, CgroupSite& site) {
  if (!may_make_groups_in(own)) {
    site.why_none = "'" + own + "' is not delegated to this user";
    return false;
  }
  const auto pids = processes_in(own);
  const bool is_root_group =
      ::access((own + "/cgroup.type").c_str(), F_OK) != 0;  // the root may hold processes and children
  if (!is_root_group && !(pids.size() == 1 && pids[0] == ::getpid())) {
    site.why_none = "other processes share the cgroup '" + own + "'";
    return false;
  }
  if (!is_root_group) {
    const std::string leaf = own + "/" + kPrefix + "host";
    if (::mkdir(leaf.c_str(), 0755) == -1 && errno != EEXIST) return false;
    if (!write_value(leaf + "/cgroup.procs", "0")) return false;
  }
  site.controllers = enable_controllers(own);
  if (!has_memory_and_pids(site.controllers)) {
    site.why_none = "'" + own + "' offers no memory and pids controllers";
    return false;
  }
  site.mechanism = CgroupMechanism::kV2;
  site.v2_parent = own;
  return true;
}

// Root beside other processes in a group: a sibling of our own group, where the parent already hands out controllers.
bool use_v2_parent(const std::string& own, const std::string& mount_point, CgroupSite& site) {
  if (own == mount_point) return false;
  const std::string parent = fs::path(own).parent_path().string();
  if (!may_make_groups_in(parent)) return false;
  site.controllers = enable_controllers(parent);
  if (!has_memory_and_pids(site.controllers)) return false;
  site.mechanism = CgroupMechanism::kV2;
  site.v2_parent = parent;
  return true;
}

bool has_systemd() { return ::access("/run/systemd/system", F_OK) == 0; }  // sd_booted(3)

// Whether systemd keeps out of this group. It takes every group of a unit for its own, whoever may write there, and
// turns controllers off below it as its other units come and go: limits set there vanish without a word. The system's
// instance marks what it has delegated with an extended attribute; the user's (of 252) does not, so that is asked.
bool is_delegated(const std::string& directory, const std::string& mount_point) {
  if (!has_systemd()) return true;
  bool is_in_user_unit = false;
  for (fs::path group = directory; group.string().size() > mount_point.size(); group = group.parent_path()) {
    for (const char* mark : {"user.delegate", "trusted.delegate"}) {
      char value = 0;
      if (::getxattr(group.c_str(), mark, &value, 1) != 1 || value != '1') continue;
      if (!is_in_user_unit) return true;
      const auto answer = is_unit_delegated();
      return answer && *answer;
    }
    const std::string kind = group.extension().string();
    is_in_user_unit = is_in_user_unit || kind == ".service" || kind == ".scope" || kind == ".slice";
  }
  return false;
}

enum class Claim : std::uint8_t { kDelegatedToUs, kJustGivenToUs, kWhateverIsWritable };

// What the kernel says of this process, read once: both files take it a while.
struct Surroundings {
  std::vector<Mount> mounts = cgroup_mounts();
  std::map<std::string, std::string> groups = own_groups();
};

bool try_v2(const Surroundings& here, CgroupSite& site, Claim claim) {
  const auto own = here.groups.find("");
  if (own == here.groups.end()) return false;
  for (const Mount& mount : here.mounts) {
    if (mount.type != "cgroup2") continue;
    const auto offered = sys::read_file(mount.point + "/cgroup.controllers", kSmallFile);
    if (!offered || !has_word(*offered, "memory")) continue;  // bound to v1: an empty v2 hierarchy
    const std::string directory = directory_of(mount, own->second);
    if (claim == Claim::kDelegatedToUs && !(may_make_groups_in(directory) && is_delegated(directory, mount.point))) {
      site.why_none = "'" + directory + "' is not delegated to this user";
      continue;
    }
    if (use_own_v2_group(directory, site)) return true;
    if ((claim == Claim::kWhateverIsWritable || !has_systemd()) && use_v2_parent(directory, mount.point, site))
      return true;
  }
  return false;
}

bool try_v1(const Surroundings& here, CgroupSite& site) {
  std::map<std::string, std::string> parents;
  for (const Mount& mount : here.mounts) {
    if (mount.type != "cgroup") continue;
    std::istringstream options(mount.options);
    for (std::string option; std::getline(options, option, ',');) {
      const auto own = here.groups.find(option);
      if (own == here.groups.end() ||
          (option != "memory" && option != "pids" && option != "cpu" && option != "cpuacct"))
        continue;
      const std::string directory = directory_of(mount, own->second);
      if (may_make_groups_in(directory)) parents[option] = directory;
    }
  }
  if (!parents.contains("memory") || !parents.contains("pids")) return false;
  site.mechanism = CgroupMechanism::kV1;
  site.v1_parents = std::move(parents);
  for (const auto& [name, directory] : site.v1_parents) site.controllers.push_back(name);
  return true;
}

void kill_all_in(const std::string& directory) {
  if (write_value(directory + "/cgroup.kill", "1")) return;  // v2 since Linux 5.14
  for (const long pid : processes_in(directory)) ::kill(static_cast<pid_t>(pid), SIGKILL);
}

// rmdir of a group answers EBUSY until its last process is reaped, which the kernel does at its own time after a kill.
void remove_group(const std::string& directory) {
  for (int tries = 0; tries < 200; ++tries) {
    if (::rmdir(directory.c_str()) == 0 || errno != EBUSY) return;
    kill_all_in(directory);
    const timespec pause{0, 1'000'000};
    ::nanosleep(&pause, nullptr);
  }
}

void sweep_directory(const std::string& parent) {
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(parent, failed)) {
    unsigned long long in_namespace = 0;
    unsigned long long started = 0;
    long pid = 0;
    unsigned serial = 0;
    const std::string name = entry.path().filename().string();
    unsigned slot = 0;
    int end = 0;
    if (std::sscanf(name.c_str(), "progtc-%llu-%ld-%llu-%u", &in_namespace, &pid, &started, &serial) == 4) {
      if (in_namespace != pid_namespace() || start_time(pid) == started) continue;
    } else if (std::sscanf(name.c_str(), "progtc-%u-%u%n", &slot, &serial, &end) == 2 &&
               static_cast<std::size_t>(end) == name.size()) {
      if (is_sandbox_id_leased(slot)) continue;
    } else {
      continue;
    }
    kill_all_in(entry.path().string());
    remove_group(entry.path().string());
  }
}

}  // namespace

const char* to_string(CgroupMechanism mechanism) noexcept {
  switch (mechanism) {
    case CgroupMechanism::kNone:
      return "none";
    case CgroupMechanism::kV1:
      return "cgroup v1";
    case CgroupMechanism::kV2:
      return "cgroup v2";
  }
  return "unknown";
}

void sweep_cgroups(const CgroupSite& site) {
  if (!site.v2_parent.empty()) sweep_directory(site.v2_parent);
  for (const auto& [controller, directory] : site.v1_parents) sweep_directory(directory);
}

CgroupSite find_cgroup_site(bool may_ask_systemd) {
  CgroupSite site;
  const Surroundings here;
  bool is_found = try_v2(here, site, Claim::kDelegatedToUs) || try_v1(here, site);
  if (!is_found && may_ask_systemd) {
    if (auto scope = enter_systemd_scope(); !scope) {
      site.why_none += (site.why_none.empty() ? "" : "; ") + scope.error().context;
    } else {
      is_found = try_v2(Surroundings(), site, Claim::kJustGivenToUs);
    }
  }
  if (!is_found) {
    CgroupSite undelegated;
    if (try_v2(Surroundings(), undelegated, Claim::kWhateverIsWritable)) site = undelegated;
  }
  if (site.mechanism == CgroupMechanism::kNone && site.why_none.empty()) site.why_none = "no writable cgroup hierarchy";
  return site;
}

Cgroup& Cgroup::operator=(Cgroup&& other) noexcept {
  std::swap(mechanism_, other.mechanism_);
  std::swap(v2_, other.v2_);
  std::swap(v1_, other.v1_);
  std::swap(controllers_, other.controllers_);
  return *this;
}

Cgroup::~Cgroup() {
  if (!v2_.empty()) remove_group(v2_);
  for (const auto& [controller, directory] : v1_) remove_group(directory);
}

Result<Cgroup> Cgroup::create(const CgroupSite& site, const Identity& identity) {
  Cgroup group;
  group.mechanism_ = site.mechanism;
  group.controllers_ = site.controllers;
  const std::string name = new_group_name(site.mechanism, identity);
  if (site.mechanism == CgroupMechanism::kV2) {
    group.v2_ = site.v2_parent + "/" + name;
    if (::mkdir(group.v2_.c_str(), 0755) == -1) {
      const int err = errno;
      const std::string path = std::exchange(group.v2_, "");
      return from_errno(err, "mkdir '" + path + "'");
    }
    return group;
  }
  for (const auto& [controller, parent] : site.v1_parents) {
    const std::string directory = parent + "/" + name;
    // cpu and cpuacct are often one hierarchy under two names.
    if (::mkdir(directory.c_str(), 0755) == -1 && errno != EEXIST) {
      const int err = errno;
      return from_errno(err, "mkdir '" + directory + "'");
    }
    group.v1_[controller] = directory;
  }
  return group;
}

Result<void> Cgroup::set_limits(const policy::Limits& limits, policy::NetworkMode network) const {
  const bool is_apart = mechanism_ == CgroupMechanism::kV1 && network != policy::NetworkMode::kNone;
  const std::uint64_t sockets = is_apart ? limits.memory_bytes / kSocketShare : 0;
  const std::string memory = std::to_string(limits.memory_bytes - sockets);
  const std::string tasks = std::to_string(limits.processes + 1);  // init
  constexpr std::uint64_t kPeriodUs = 100'000;                     // the kernel's default
  const std::string quota_us = std::to_string(static_cast<std::uint64_t>(std::llround(limits.cpus * kPeriodUs)));

  if (mechanism_ == CgroupMechanism::kV2) {
    PROGTC_CHECK(write_value(v2_ + "/memory.max", memory));
    // A kernel without swap accounting has no such file, and then no swap to bound.
    if (::access((v2_ + "/memory.swap.max").c_str(), F_OK) == 0)
      PROGTC_CHECK(write_value(v2_ + "/memory.swap.max", "0"));
    PROGTC_CHECK(write_value(v2_ + "/pids.max", tasks));
    if (bounds("cpus")) PROGTC_CHECK(write_value(v2_ + "/cpu.max", quota_us + " " + std::to_string(kPeriodUs)));
  }
  for (const auto& [controller, directory] : v1_) {
    if (controller == "memory") {
      if (sockets > 0) PROGTC_CHECK(write_value(directory + kSocketLimit, std::to_string(sockets)));
      PROGTC_CHECK(write_value(directory + "/memory.limit_in_bytes", memory));
      if (::access((directory + "/memory.memsw.limit_in_bytes").c_str(), F_OK) == 0) {
        PROGTC_CHECK(write_value(directory + "/memory.memsw.limit_in_bytes", memory));
      } else {
        PROGTC_CHECK(write_value(directory + "/memory.swappiness", "0"));
      }
    } else if (controller == "pids") {
      PROGTC_CHECK(write_value(directory + "/pids.max", tasks));
    } else if (controller == "cpu") {
      PROGTC_CHECK(write_value(directory + "/cpu.cfs_period_us", std::to_string(kPeriodUs)));
      PROGTC_CHECK(write_value(directory + "/cpu.cfs_quota_us", quota_us));
    }
  }
  return {};
}

bool Cgroup::bounds(const std::string& control) const {
  const auto has = [&](const char* controller) {
    return std::count(controllers_.begin(), controllers_.end(), controller) > 0;
  };
  if (control == "memory") return has("memory");
  if (control == "processes") return has("pids");
  if (control == "cpus") return has("cpu");
  if (control == "cpu") return mechanism_ == CgroupMechanism::kV2 || has("cpuacct");
  return false;
}

Result<sys::UniqueFd> Cgroup::directory() const { return sys::openat(AT_FDCWD, v2_.c_str(), O_RDONLY | O_DIRECTORY); }

// Not v1's cgroup.procs: moving a whole process waits for a grace period of the kernel's, some ten milliseconds, where
// a single thread that moves itself does not (cgroup_procs_write_start in kernel/cgroup/cgroup.c, since Linux 5.5).
Result<std::vector<sys::UniqueFd>> Cgroup::join_files() const {
  std::vector<sys::UniqueFd> files;
  std::vector<std::string> seen;
  if (mechanism_ == CgroupMechanism::kV2) {
    PROGTC_TRY(auto file, sys::openat(AT_FDCWD, (v2_ + "/cgroup.procs").c_str(), O_WRONLY));
    files.push_back(std::move(file));
  }
  for (const auto& [controller, directory] : v1_) {
    struct stat info {};
    if (::stat(directory.c_str(), &info) == -1) return from_errno(errno, "stat '" + directory + "'");
    const std::string identity = std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino);
    if (std::count(seen.begin(), seen.end(), identity) > 0) continue;
    seen.push_back(identity);
    PROGTC_TRY(auto file, sys::openat(AT_FDCWD, (directory + "/tasks").c_str(), O_WRONLY));
    files.push_back(std::move(file));
  }
  return files;
}

std::optional<std::uint64_t> Cgroup::memory_peak_bytes() const {
  if (mechanism_ == CgroupMechanism::kV2) return read_number(v2_ + "/memory.peak");
  const auto memory = v1_.find("memory");
  if (memory == v1_.end()) return std::nullopt;
  auto peak = read_number(memory->second + "/memory.max_usage_in_bytes");
  if (peak) *peak += read_number(memory->second + "/memory.kmem.tcp.max_usage_in_bytes").value_or(0);
  return peak;
}

std::optional<std::uint64_t> Cgroup::memory_with_sockets_bytes() const {
  const auto memory = v1_.find("memory");
  if (memory == v1_.end()) return std::nullopt;
  const auto sockets = read_number(memory->second + "/memory.kmem.tcp.usage_in_bytes");
  const auto others = read_number(memory->second + "/memory.usage_in_bytes");
  if (!sockets || !others) return std::nullopt;
  return *sockets + *others;
}

std::optional<std::uint64_t> Cgroup::oom_kills() const {
  if (mechanism_ == CgroupMechanism::kV2) return read_keyed(v2_ + "/memory.events", "oom_kill");
  if (const auto memory = v1_.find("memory"); memory != v1_.end())
    return read_keyed(memory->second + "/memory.oom_control", "oom_kill");
  return std::nullopt;
}

std::optional<std::chrono::microseconds> Cgroup::cpu_time() const {
  std::optional<std::uint64_t> us;
  if (mechanism_ == CgroupMechanism::kV2) {
    us = read_keyed(v2_ + "/cpu.stat", "usage_usec");
  } else if (const auto accounting = v1_.find("cpuacct"); accounting != v1_.end()) {
    us = read_number(accounting->second + "/cpuacct.usage");
    if (us) *us /= 1000;
  }
  if (!us) return std::nullopt;
  return std::chrono::microseconds(*us);
}

std::optional<std::uint64_t> Cgroup::tasks_peak() const {
  if (mechanism_ == CgroupMechanism::kV2) return read_number(v2_ + "/pids.peak");
  if (const auto pids = v1_.find("pids"); pids != v1_.end()) return read_number(pids->second + "/pids.peak");
  return std::nullopt;
}

Result<sys::UniqueFd> Cgroup::oom_event() const {
  if (mechanism_ == CgroupMechanism::kV2) {
    PROGTC_TRY(auto events, sys::openat(AT_FDCWD, (v2_ + "/memory.events").c_str(), O_RDONLY));
    acknowledge_oom_event(events.get());
    return events;
  }
  const auto memory = v1_.find("memory");
  if (memory == v1_.end()) return sys::UniqueFd();
  PROGTC_TRY(const auto control, sys::openat(AT_FDCWD, (memory->second + "/memory.oom_control").c_str(), O_RDONLY));
  sys::UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) return from_errno(errno, "eventfd");
  PROGTC_CHECK(write_value(memory->second + "/cgroup.event_control",
                           std::to_string(event.get()) + " " + std::to_string(control.get())));
  return event;
}

void Cgroup::acknowledge_oom_event(int event_fd) const {
  char ignored[512];
  // A file of the kernel's polls as changed until it has been read from its start (kernfs_generic_poll in
  // fs/kernfs/file.c).
  const ssize_t got = mechanism_ == CgroupMechanism::kV2 ? ::pread(event_fd, ignored, sizeof ignored, 0)
                                                         : ::read(event_fd, ignored, sizeof(std::uint64_t));
  (void)got;  // nothing to read means nothing to acknowledge
}

void Cgroup::kill() const {
  if (!v2_.empty()) kill_all_in(v2_);
  for (const auto& [controller, directory] : v1_) kill_all_in(directory);
}

}  // namespace progtc::runner
