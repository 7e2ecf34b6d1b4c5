#include "runner/root_plan.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <set>
#include <string_view>

#include "policy/fields.h"
#include "runner/guest/control.h"
#include "runner/run_errc.h"
#include "runner/sys/file.h"

namespace progtc::runner {
namespace {

constexpr int kMostLinks = 40;  // as the kernel follows

std::optional<std::string> real_path(const std::string& path) {
  char resolved[PATH_MAX];
  if (!::realpath(path.c_str(), resolved)) return std::nullopt;
  return std::string(resolved);
}

// Whether the kernel makes the files there, wherever they are mounted: they tell of the host, or change it. devtmpfs
// answers as tmpfs does, so it is known by its name (check_source).
Result<bool> is_kernel_file_system(const std::string& path) {
  constexpr unsigned kMqueueMagic = 0x19800202;    // ipc/mqueue.c
  constexpr unsigned kConfigfsMagic = 0x62656570;  // fs/configfs/mount.c
  constexpr unsigned kFusectlMagic = 0x65735543;   // fs/fuse/control.c
  struct statfs info {};
  if (::statfs(path.c_str(), &info) == -1) return from_errno(errno, "statfs '" + path + "'");
  switch (static_cast<unsigned>(info.f_type)) {
    case PROC_SUPER_MAGIC:
    case SYSFS_MAGIC:
    case DEVPTS_SUPER_MAGIC:
    case CGROUP_SUPER_MAGIC:
    case CGROUP2_SUPER_MAGIC:
    case DEBUGFS_MAGIC:
    case TRACEFS_MAGIC:
    case SECURITYFS_MAGIC:
    case SELINUX_MAGIC:
    case SMACK_MAGIC:
    case BPF_FS_MAGIC:
    case PSTOREFS_MAGIC:
    case EFIVARFS_MAGIC:
    case BINFMTFS_MAGIC:
    case NSFS_MAGIC:
    case kMqueueMagic:
    case kConfigfsMagic:
    case kFusectlMagic:
      return true;
    default:
      return false;
  }
}

// Whether `path` is `above` or lies below it.
bool lies_below(const std::string& path, const std::string& above) {
  if (above == "/") return true;
  return path.compare(0, above.size(), above) == 0 && (path.size() == above.size() || path[above.size()] == '/');
}

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

class Planner {
 public:
  Planner(const policy::Policy& policy, const Interpreter& interpreter, const RootPlanInputs& inputs)
      : policy_(policy), interpreter_(interpreter), inputs_(inputs) {}

  Result<RootPlan> plan() {
    for (const policy::Bind& bind : policy_.filesystem.binds) {
      origin_ = policy::format_bind(bind);
      PROGTC_CHECK(add_policy_bind(bind));
    }
    origin_ = "python.site";
    if (policy_.python.site != policy::SitePackages::kNone) PROGTC_CHECK(add_packages());
    if (policy_.python.site == policy::SitePackages::kUser && !interpreter_.user_packages.empty())
      PROGTC_CHECK(add_optional({interpreter_.user_packages}));
    origin_ = "python.venv";
    if (!interpreter_.venv.empty()) PROGTC_CHECK(add_virtual_environment());
    for (const ShownProgram& program : inputs_.program) PROGTC_CHECK(add_program(program));
    origin_ = "the runner";
    PROGTC_CHECK(add(inputs_.guest_dir, kGuestPath, {}));
    for (const char* device : {"null", "zero", "full", "random", "urandom"})
      PROGTC_CHECK(add(std::string("/dev/") + device, "", {.is_device = true}));
    PROGTC_CHECK(show_linked_files());
    drop_covered_binds();
    PROGTC_CHECK(hang_binds());
    generate_etc();
    for (const auto& place : policy::private_places(policy_.filesystem)) make_directory(place.path);
    make_directory("/proc");
    plan_.work_dir = policy_.filesystem.work.is_mounted() ? policy::kWorkPath : "/";
    name_interpreter();
    list_writable();
    list_site_packages();
    return std::move(plan_);
  }

 private:
  struct Kind {
    bool is_writable = false;
    bool is_explicit = false;
    bool is_device = false;
    bool is_optional = false;  // skipped where the host has no such path
  };

  Result<void> add_policy_bind(const policy::Bind& bind) {
    if (bind.source == "@python") return add_interpreter();
    if (bind.source == "@libraries") return add_libraries();
    if (bind.source == "@certificates")
      return add_optional({"/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/usr/lib/ssl", "/usr/share/ca-certificates",
                           "/etc/pki/tls/certs", "/etc/pki/ca-trust/extracted"});
    if (bind.source == "@timezones") return add_optional({"/usr/share/zoneinfo"});
    if (bind.source == "@packages") return add_packages();
    if (bind.source == "@user-packages")
      return interpreter_.user_packages.empty() ? Result<void>{} : add_optional({interpreter_.user_packages});
    if (bind.source == "@programs") return add_programs();
    if (bind.source == "@project")
      return add(inputs_.project_dir, bind.target, {.is_writable = bind.is_writable, .is_explicit = true});
    if (!bind.source.empty() && bind.source[0] == '@')
      return run_error(RunErrc::kBindSource, "no set of files is called '" + bind.source + "'");
    return add(bind.source, bind.target, {.is_writable = bind.is_writable, .is_explicit = true});
  }

  Result<void> add(const std::string& wanted, const std::string& target, Kind kind) {
    const auto source = real_path(wanted);
    struct stat info {};
    if (!source || ::stat(source->c_str(), &info) == -1) {
      const int err = errno;
      if (kind.is_optional) return {};
      return run_error(RunErrc::kBindSource, from_errno(err, "bind '" + wanted + "'").context);
    }
    PlannedBind bind;
    bind.source = *source;
    // The name the user gave is the name inside, whatever links lead there on the host.
    bind.target = target.empty() ? wanted : target;
    while (bind.target.size() > 1 && bind.target.back() == '/') bind.target.pop_back();
    bind.origin = origin_;
    bind.is_writable = kind.is_writable;
    bind.is_explicit = kind.is_explicit;
    bind.is_device = kind.is_device;
    bind.is_directory = S_ISDIR(info.st_mode);
    bind.device = info.st_dev;
    bind.inode = info.st_ino;
    bind.owner = info.st_uid;
    bind.group = info.st_gid;
    if (bind.source == "/" || bind.target == "/")
      return run_error(RunErrc::kBindTarget,
                       "bind '" + wanted + "': the whole root cannot be bound; name the directories needed");
    if (!kind.is_device && !S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode))
      return run_error(RunErrc::kBindSource,
                       "bind '" + wanted +
                           "': only directories and regular files can be shown (a socket, pipe or device is a "
                           "way out of the sandbox)");
    if (!kind.is_device) PROGTC_CHECK(check_bind_source(wanted, bind.source));
    plan_.binds.push_back(std::move(bind));
    return {};
  }

  // The policy's decoder has checked the name; a link, or a mount elsewhere, can still lead to the same files.
  static Result<void> check_bind_source(const std::string& wanted, const std::string& source) {
    if (auto named = policy::check_source(source); !named)
      return run_error(RunErrc::kBindSource, "bind '" + wanted + "': " + named.error().context);
    PROGTC_TRY(const bool is_kernels, is_kernel_file_system(source));
    if (!is_kernels) return {};
    return run_error(RunErrc::kBindSource, "bind '" + wanted + "': a file system of the kernel cannot be shown");
  }

  Result<void> add_optional(const std::vector<std::string>& paths) {
    for (const std::string& path : paths) PROGTC_CHECK(add(path, "", {.is_optional = true}));
    return {};
  }

  // A top-level name such as /lib64: a link where the host has a link, the directory itself where it has that.
  Result<void> add_top_level(const std::string& path) {
    char link[PATH_MAX];
    const ssize_t length = ::readlink(path.c_str(), link, sizeof link - 1);
    if (length > 0) {
      add_link(path, std::string(link, static_cast<std::size_t>(length)));
      return {};
    }
    return add_optional({path});
  }

  Result<void> add_libraries() {
    for (const char* path : {"/lib", "/lib64"}) PROGTC_CHECK(add_top_level(path));
    bool has_multiarch = false;
    for (const char* triplet : {"x86_64-linux-gnu", "aarch64-linux-gnu"}) {
      const std::string path = std::string("/usr/lib/") + triplet;
      has_multiarch = has_multiarch || ::access((path + "/libc.so.6").c_str(), F_OK) == 0;
      PROGTC_CHECK(add_optional({path}));
    }
    if (!has_multiarch && ::access("/usr/lib/libc.so.6", F_OK) == 0) PROGTC_CHECK(add_optional({"/usr/lib"}));
    return add_optional({"/usr/lib64", "/usr/lib/locale/C.utf8", "/etc/ld.so.cache"});
  }

  // The packages, and what Debian's keep outside their directories: libraries that lie directly in /usr/lib or that the
  // administrator chooses (libblas.so.3), settings, fonts, names of file types.
  Result<void> add_packages() {
    PROGTC_CHECK(add_optional(interpreter_.system_packages));
    const auto is_library = [](std::string_view name) {
      return name.starts_with("lib") && name.find(".so.") != std::string_view::npos;
    };
    for (const char* directory : {"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"})
      note_links(directory, is_library);
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator("/usr/lib", failed)) {
      std::error_code unread;
      if (is_library(name_of(entry.path().native())) && entry.is_regular_file(unread))
        PROGTC_CHECK(add_optional({entry.path().native()}));
    }
    return add_optional({"/etc/matplotlibrc", "/usr/share/matplotlib", "/etc/fonts", "/usr/share/fonts",
                         "/usr/share/fontconfig", "/etc/mime.types", "/usr/share/mime"});
  }

  Result<void> add_programs() {
    for (const char* path : {"/bin", "/sbin"}) PROGTC_CHECK(add_top_level(path));
    return add_optional({"/usr/bin", "/usr/sbin", "/usr/lib", "/usr/libexec", "/usr/share", "/etc/alternatives"});
  }

  Result<void> add_program(const ShownProgram& program) {
    const auto is_there = [&](const std::string& place) { return lies_below(program.target, place); };
    for (const char* own : {"/proc", "/dev", "/sys", kGuestPath})
      if (is_there(own)) return {};
    for (const PlannedBind& bind : plan_.binds)
      if (is_there(bind.target) || lies_below(bind.target, program.target)) return {};
    for (const PlannedEntry& entry : plan_.entries)
      if (is_there("/" + entry.path)) return {};  // behind a link such as /bin
    origin_ = "the script";
    return add(program.source, program.target, {.is_explicit = true});
  }

  Result<void> add_virtual_environment() {
    PROGTC_CHECK(add(interpreter_.venv, "", {.is_explicit = true}));
    if (interpreter_.venv_includes_system) PROGTC_CHECK(add_packages());
    links_.push_back({interpreter_.called, origin_});  // to the interpreter outside
    return {};
  }

  Result<void> add_interpreter() {
    note_links(interpreter_.standard_library, [](std::string_view) { return true; });
    const std::string& prefix = interpreter_.base_prefix;
    if (prefix != "/usr" && prefix != "/usr/local" && prefix != "/") return add(prefix, "", {});
    PROGTC_CHECK(add(interpreter_.executable, "", {}));
    PROGTC_CHECK(add(interpreter_.standard_library, "", {}));
    if (prefix == "/usr/local") {  // libpython of a local build lies beside its standard library
      const std::string version = std::to_string(interpreter_.major) + "." + std::to_string(interpreter_.minor);
      PROGTC_CHECK(add_optional({"/usr/local/lib/libpython" + version + ".so.1.0"}));
    }
    return {};
  }

  // Remembers the links in `directory`, which is shown, that lead out of it; those whose name `is_wanted` says.
  void note_links(const std::string& directory, bool (*is_wanted)(std::string_view name)) {
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator(directory, failed)) {
      const std::string& path = entry.path().native();
      std::error_code unread;
      if (!entry.is_symlink(unread) || !is_wanted(std::string_view(path).substr(path.rfind('/') + 1))) continue;
      if (std::filesystem::read_symlink(path, unread).native().find('/') != std::string::npos)
        links_.push_back({path, origin_});
    }
  }

  // Distributions keep files of a package's directory elsewhere (sitecustomize.py in /etc) or let the administrator
  // choose one (/etc/alternatives).
  Result<void> show_linked_files() {
    for (const auto& [link, origin] : links_) {
      origin_ = origin;
      PROGTC_CHECK(show_link_target(link));
    }
    return {};
  }

  // Shows the regular file that the visible link `link` leads to, under its own name, and the links in between. A
  // directory is not shown: it would be more than the link's name says.
  Result<void> show_link_target(const std::string& link) {
    const auto last = real_path(link);
    struct stat info {};
    if (!last || ::stat(last->c_str(), &info) == -1 || !S_ISREG(info.st_mode)) return {};
    std::string at = link;
    for (int hops = 0; hops < kMostLinks; ++hops) {
      std::error_code failed;
      const std::string text = std::filesystem::read_symlink(at, failed).native();
      if (failed) return {};
      const std::string next = text[0] == '/' ? text : parent_of(at) + "/" + text;
      const auto directory = real_path(parent_of(next));
      if (!directory) return {};
      at = (*directory == "/" ? "" : *directory) + "/" + name_of(next);
      const bool is_shown = std::any_of(plan_.binds.begin(), plan_.binds.end(),
                                        [&](const PlannedBind& bind) { return lies_below(at, bind.target); });
      if (is_shown) continue;
      if (at == *last) return add(at, "", {});
      add_link(at, std::filesystem::read_symlink(at, failed).native());
    }
    return {};
  }

  // A bind whose file is already visible under the same name through an outer, equally read-only bind.
  void drop_covered_binds() {
    std::stable_sort(plan_.binds.begin(), plan_.binds.end(), [](const PlannedBind& a, const PlannedBind& b) {
      return std::count(a.target.begin(), a.target.end(), '/') < std::count(b.target.begin(), b.target.end(), '/');
    });
    std::vector<PlannedBind> kept;
    for (PlannedBind& bind : plan_.binds) {
      const PlannedBind* same = nullptr;
      for (PlannedBind& outer : kept)
        if (outer.target == bind.target) same = &outer;
      if (same && same->source == bind.source) {  // the wider request wins: it was asked for with a reason
        for (PlannedBind& outer : kept)
          if (&outer == same) {
            outer.is_writable = outer.is_writable || bind.is_writable;
            outer.is_explicit = outer.is_explicit || bind.is_explicit;
          }
        continue;
      }
      const bool is_covered = std::any_of(kept.begin(), kept.end(), [&](const PlannedBind& outer) {
        return outer.target != bind.target && lies_below(bind.target, outer.target) &&
               outer.source + bind.target.substr(outer.target.size()) == bind.source && !bind.is_device &&
               outer.is_writable == bind.is_writable;
      });
      if (!is_covered) kept.push_back(std::move(bind));
    }
    plan_.binds = std::move(kept);
  }

  const PlannedBind* outer_bind(const std::string& path, const PlannedBind* self) const {
    const PlannedBind* found = nullptr;
    for (const PlannedBind& bind : plan_.binds)
      if (&bind != self && bind.target != path && lies_below(path, bind.target)) found = &bind;
    return found;
  }

  // Makes the point each bind hangs at, or checks that the bind around it already has it.
  Result<void> hang_binds() {
    for (const PlannedBind& bind : plan_.binds) {
      if (const PlannedBind* outer = outer_bind(bind.target, &bind)) {
        const std::string there = outer->source + bind.target.substr(outer->target.size());
        struct stat info {};
        if (::lstat(there.c_str(), &info) == -1 || S_ISDIR(info.st_mode) != bind.is_directory || S_ISLNK(info.st_mode))
          return run_error(RunErrc::kBindTarget,
                           "bind '" + bind.source + "' at '" + bind.target + "': that place lies in the bind of '" +
                               outer->source + "', which has no such " + (bind.is_directory ? "directory" : "file") +
                               "; create it there first");
        continue;
      }
      for (const char* fixed : {"/proc", "/dev", kGuestPath})
        if (!bind.is_device && bind.target != kGuestPath && lies_below(bind.target, fixed))
          return run_error(RunErrc::kBindTarget, "bind '" + bind.source + "' at '" + bind.target + "': " + fixed +
                                                     " is the sandbox's own; choose another target");
      for (const char* fresh : {"/tmp", policy::kWorkPath, policy::kOutPath}) {
        if (bind.target == fresh)
          return run_error(RunErrc::kBindTarget,
                           "bind '" + bind.source + "' at '" + bind.target +
                               "': that directory is private to each sandbox; choose one below it or elsewhere");
      }
      for (const auto& place : policy::private_places(policy_.filesystem))
        if (lies_below(bind.target, place.path)) plan_.late_binds += bind.target + '\0';
      if (std::any_of(plan_.binds.begin(), plan_.binds.end(),
                      [&](const PlannedBind& other) { return &other != &bind && other.target == bind.target; }))
        return run_error(RunErrc::kBindTarget, "two binds share the target '" + bind.target + "'");
      if (bind.is_directory) {
        make_directory(bind.target);
      } else {
        make_directory(parent_of(bind.target));
        make(child::EntryKind::kFile, 0644, bind.target, "");
      }
    }
    return {};
  }

  void make_directory(const std::string& path) {
    if (path == "/" || path.empty()) return;
    if (outer_bind(path, nullptr)) return;
    make_directory(parent_of(path));
    make(child::EntryKind::kDirectory, 0755, path, "");
  }

  void make(child::EntryKind kind, mode_t mode, const std::string& path, std::string content) {
    if (!made_.insert(path).second) return;
    plan_.entries.push_back({kind, mode, path.substr(1), std::move(content)});
  }

  void add_link(const std::string& path, const std::string& to) {
    make_directory(parent_of(path));
    make(child::EntryKind::kSymlink, 0777, path, to);
  }

  void add_file(const std::string& path, std::string content) {
    for (const PlannedBind& bind : plan_.binds)
      if (lies_below(path, bind.target)) return;  // the policy shows the host's own
    make_directory(parent_of(path));
    make(child::EntryKind::kFile, 0644, path, std::move(content));
  }

  void generate_etc() {
    const std::string id = std::to_string(PROGTC_SANDBOX_ID);
    add_file("/etc/passwd", "sandbox:x:" + id + ":" + id + ":sandbox:" + policy::kWorkPath +
                                ":/bin/false\nnobody:x:65534:65534:nobody:/:/bin/false\n");
    add_file("/etc/group", "sandbox:x:" + id + ":\nnogroup:x:65534:\n");
    add_file("/etc/hosts", "127.0.0.1 localhost sandbox\n::1 localhost\n");
    add_file("/etc/nsswitch.conf",
             "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n");
    if (policy_.network == policy::NetworkMode::kHost)
      if (auto resolv = sys::read_file("/etc/resolv.conf", 64 << 10)) add_file("/etc/resolv.conf", *resolv);
  }

  void name_interpreter() {
    plan_.program = plan_.executable = interpreter_.executable;
    if (!interpreter_.venv.empty()) {  // its bin/python may lie below /tmp, which the sandbox mounts later
      plan_.executable = interpreter_.called;
      plan_.prefix = interpreter_.venv;
      return;
    }
    const std::string name = parent_of(interpreter_.executable) + "/" + name_of(interpreter_.called);
    if (name == interpreter_.executable) return;
    if (outer_bind(name, nullptr)) {
      if (real_path(name) == interpreter_.executable) plan_.program = plan_.executable = name;
      return;
    }
    add_link(name, name_of(interpreter_.executable));
    plan_.program = plan_.executable = name;
  }

  void list_writable() {
    plan_.writable = {"/dev"};  // the devices, and /dev/shm
    for (const auto& place : policy::private_places(policy_.filesystem))
      if (!lies_below(place.path, "/dev")) plan_.writable.emplace_back(place.path);
    for (const PlannedBind& bind : plan_.binds)
      if (bind.is_writable) plan_.writable.push_back(bind.target);
  }

  void list_site_packages() {
    const auto add_if_visible = [&](const std::string& path) {
      if (auto seen = plan_.inside(path); !seen.empty()) plan_.site_packages.push_back(seen);
    };
    if (!interpreter_.venv.empty()) {
      const std::string version = std::to_string(interpreter_.major) + "." + std::to_string(interpreter_.minor);
      add_if_visible(real_path(interpreter_.venv).value_or("") + "/lib/python" + version + "/site-packages");
      if (!interpreter_.venv_includes_system) return;
    }
    if (policy_.python.site == policy::SitePackages::kUser && !interpreter_.user_packages.empty())
      add_if_visible(interpreter_.user_packages);
    if (policy_.python.site != policy::SitePackages::kNone || !interpreter_.venv.empty())
      for (const std::string& path : interpreter_.system_packages) add_if_visible(path);
  }

  const policy::Policy& policy_;
  const Interpreter& interpreter_;
  const RootPlanInputs& inputs_;
  RootPlan plan_;
  std::string origin_;  // of the binds being added
  struct Link {
    std::string path;
    std::string origin;
  };
  std::vector<Link> links_;  // shown, and may lead to what is not
  std::set<std::string> made_;
};

}  // namespace

bool RootPlan::shows(const std::string& path) const {
  for (const char* own : {"/proc", kGuestPath})
    if (lies_below(path, own)) return true;
  // The private file systems that the policy has, and /dev.
  for (const std::string& own : writable)
    if (lies_below(path, own)) return true;
  for (const PlannedBind& bind : binds)
    if (lies_below(path, bind.target)) return true;
  for (const PlannedEntry& entry : entries) {
    const std::string name = "/" + entry.path;
    if (entry.kind != child::EntryKind::kSymlink) {
      if (name == path) return true;
    } else if (lies_below(path, name)) {  // /lib: "usr/lib"
      const std::string to = entry.content.starts_with('/')
                                 ? entry.content
                                 : (parent_of(name) == "/" ? "" : parent_of(name)) + "/" + entry.content;
      if (!lies_below(to, name) && shows(to + path.substr(name.size()))) return true;
    }
  }
  return false;
}

std::string RootPlan::inside(const std::string& host_path) const {
  const std::string real = real_path(host_path).value_or(host_path);
  const PlannedBind* best = nullptr;
  for (const PlannedBind& bind : binds)
    if (lies_below(real, bind.source) && (!best || bind.source.size() > best->source.size())) best = &bind;
  return best ? best->target + real.substr(best->source.size()) : "";
}

Result<RootPlan> plan_root(const policy::Policy& policy, const Interpreter& interpreter, const RootPlanInputs& inputs) {
  return Planner(policy, interpreter, inputs).plan();
}

}  // namespace progtc::runner
