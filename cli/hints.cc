#include "cli/hints.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string_view>

#include "policy/units.h"

namespace progtc::cli {
namespace {

std::string quoted(const std::string& text) { return "\"" + text + "\""; }

// Whether `path` is `above` or lies below it.
bool lies_below(const std::string& path, const std::string& above) {
  return path.starts_with(above) && (path.size() == above.size() || path[above.size()] == '/' || above == "/");
}

// For a shell: as it is, or in quotes.
std::string word(const std::string& text) {
  const bool is_plain = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_./+-=@%,").find(c) != std::string_view::npos;
  });
  if (is_plain) return text;
  std::string shell = "'";
  for (const char c : text) shell += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return shell + "'";
}

std::string lexically_normal(const std::string& path) {
  std::vector<std::string> parts;
  for (std::size_t from = 0; from < path.size();) {
    const std::size_t slash = std::min(path.find('/', from), path.size());
    const std::string part = path.substr(from, slash - from);
    if (part == ".." && !parts.empty())
      parts.pop_back();
    else if (!part.empty() && part != "." && part != "..")
      parts.push_back(part);
    from = slash + 1;
  }
  std::string normal;
  for (const std::string& part : parts) normal += "/" + part;
  return normal.empty() ? "/" : normal;
}

// Python's message has the name in quotes, or (-m) at its end.
std::string missing_module(const std::string& message) {
  constexpr std::string_view kWords = "No module named ";
  const auto at = message.find(kWords);
  if (at == std::string::npos) return "";
  std::string name = message.substr(at + kWords.size());
  if (name.starts_with('\'')) name.erase(0, 1);
  return name.substr(0, name.find_first_of("'.; "));
}

bool left_the_standard_library(const std::string& module) {
  for (const char* gone : {"aifc",  "asynchat",  "asyncore",    "audioop", "binhex", "cgi",     "cgitb",   "chunk",
                           "crypt", "distutils", "formatter",   "imghdr",  "imp",    "lib2to3", "mailcap", "msilib",
                           "nis",   "nntplib",   "ossaudiodev", "parser",  "pipes",  "smtpd",   "sndhdr",  "spwd",
                           "sunau", "symbol",    "telnetlib",   "uu",      "xdrlib"})
    if (module == gone) return true;
  return false;
}

class Adviser {
 public:
  Adviser(const runner::RunOutcome& outcome, const policy::Policy& policy, const CallersView& view)
      : outcome_(outcome), policy_(policy), view_(view) {}

  std::vector<Hint> all() {
    if (outcome_.kind != runner::OutcomeKind::kExited) return {};
    if (outcome_.claim && !outcome_.claim->ok) {
      about_files(*outcome_.claim);
      about_errors(*outcome_.claim);
    }
    if (hints_.empty() && outcome_.exit_code != 0) about_arguments();
    return std::move(hints_);
  }

 private:
  void add(std::string headline, std::string rule, std::string fix) {
    hints_.push_back({std::move(headline), std::move(rule), std::move(fix)});
  }
  std::string rule() const { return "filesystem (policy " + policy_.name + ")"; }

  // ---- Files the caller has pointed to

  // How the caller would write it.
  std::string as_typed(const std::string& path) const {
    if (path == view_.working.path) return ".";
    if (lies_below(path, view_.working.path) && view_.working.path != "/")
      return word(path.substr(view_.working.path.size() + 1));
    return word(path);
  }
  // The sandbox's own places cannot be covered by a bind (runner/root_plan.cc).
  static bool can_be_shown(const std::string& path) {
    for (const char* own : {"/", "/tmp", "/dev/shm", policy::kWorkPath, policy::kOutPath})
      if (path == own) return false;
    for (const char* own : {"/proc", "/dev", "/sys", "/run", runner::kGuestPath})
      if (lies_below(path, own)) return false;
    return path.find(':') == std::string::npos;
  }
  static void offer(std::string& fix, const std::string& option) { fix += (fix.empty() ? "" : ", or ") + option; }
  // --file puts a file into the working directory under its own name.
  std::string ways_into_the_working_directory(const ListedDirectory& directory, const std::string& name) const {
    std::string fix;
    if (can_be_shown(directory.path)) offer(fix, "--ro " + as_typed(directory.path));
    if (name.find(':') == std::string::npos && policy_.filesystem.work.is_mounted())
      offer(fix, "--file " + as_typed((directory.path == "/" ? "" : directory.path) + "/" + name));
    return fix;
  }
  bool is_hidden(const ListedDirectory& directory, const std::string& name) const {
    return directory.has(name) && !view_.shows_host_file((directory.real == "/" ? "" : directory.real) + "/" + name);
  }

  // The file or directory of a module that lies where Python looks first, and that the code cannot see.
  std::string hidden_module(const std::string& module) const {
    const ListedDirectory& directory = view_.imports();
    if (module.empty()) return "";
    for (const std::string& name : directory.names) {
      const bool is_extension = name.starts_with(module + ".") && name.ends_with(".so");
      if ((name == module || name == module + ".py" || is_extension) && is_hidden(directory, name)) return name;
    }
    return "";
  }
  bool add_module(const std::string& module) {
    const std::string name = hidden_module(module);
    if (name.empty()) return false;
    const ListedDirectory& directory = view_.imports();
    add("'" + name + "' lies " + (view_.script ? "beside the script" : "in the working directory") +
            ", but the sandbox does not show it",
        rule(), ways_into_the_working_directory(directory, name));
    return true;
  }

  bool add_relative(const std::string& name) {
    const std::string first = name.substr(0, name.find('/'));
    if (!is_hidden(view_.working, first)) return false;
    add("'" + name + "': the working directory on this machine has '" + first + "', but the sandbox does not show it",
        rule(), ways_into_the_working_directory(view_.working, first));
    return true;
  }

  bool add_below(const ListedDirectory& directory, const std::string& path) {
    for (const std::string& known : {directory.path, directory.real}) {
      if (known == "/" || !lies_below(path, known)) continue;
      if (view_.shows_host_file(directory.real)) return false;
      if (path == known) {
        if (!can_be_shown(known)) return false;
        add("'" + path + "' is a directory of this machine that the sandbox does not show", rule(),
            "--ro " + as_typed(known));
        return true;
      }
      const std::string rest = path.substr(known.size() + 1);
      const std::string first = rest.substr(0, rest.find('/'));
      if (is_hidden(directory, first)) {
        std::string fix = "--ro " + as_typed(known + "/" + first);
        if (can_be_shown(known)) offer(fix, "--ro " + as_typed(known));
        add("'" + path + "': this machine has '" + first + "' there, but the sandbox does not show it", rule(),
            fix + " (--rw where the code writes it)");
        return true;
      }
      if (first != rest || directory.has(first) || !can_be_shown(known)) return false;
      add("'" + path + "': the sandbox does not show '" + known + "', so nothing can be written there", rule(),
          "--rw " + as_typed(known));
      return true;
    }
    return false;
  }

  bool add_named(const std::string& path) {
    for (const std::string& known : view_.existing)
      if (lies_below(path, known) && can_be_shown(known) && !view_.shows_host_file(known) && !view_.plan.shows(known)) {
        add("'" + path + "' is named by an argument, but the sandbox does not show it", rule(),
            "--ro " + word(known) + " (--rw where the code writes it)");
        return true;
      }
    return false;
  }

  // Nothing that the code claimed: an argument of the caller's that the code cannot see.
  void about_arguments() {
    const std::string module = view_.module.substr(0, view_.module.find('.'));
    if (add_module(module)) return;
    if (!module.empty() && outcome_.claim && missing_module(outcome_.claim->error_message) == module) {
      about_module(*outcome_.claim);
      return;
    }
    for (const std::string& argument : view_.words)
      if (!argument.empty() && argument[0] != '-' && argument[0] != '/' && add_relative(argument)) return;
    for (const std::string& known : view_.existing)
      if (add_named(known)) return;
    constexpr int kNoTests = 5;  // pytest's exit status for "no tests were collected"
    if (view_.module == "pytest" && outcome_.exit_code == kNoTests && !view_.shows_host_file(view_.working.real) &&
        can_be_shown(view_.working.path))
      add("the sandbox does not show the working directory, so there are no tests", rule(), "--ro .");
  }

  // ---- What the code says

  // Files the policy keeps out of sight fail as "No such file", which says nothing of the policy.
  void about_missing(const std::string& name) {
    if (name.empty() || name.find('\0') != std::string::npos) return;
    if (name[0] != '/') {
      add_relative(name);
      return;
    }
    const std::string path = lexically_normal(name);
    if (lies_below(path, "/proc") && path != "/proc") {
      const char first = path[6];
      if (first < '0' || first > '9')
        add("'" + path + "': the sandbox's /proc shows its own processes and nothing of the machine", rule(), "");
      return;
    }
    if (view_.script && add_below(*view_.script, path)) return;
    if (add_below(view_.working, path) || add_named(path)) return;
    // The code's working directory is this one where the caller's is not shown.
    if (const std::string work = policy::kWorkPath; path != work && lies_below(path, work)) {
      add_relative(path.substr(work.size() + 1));
      return;
    }
    if (view_.plan.shows(path)) return;
    add("'" + path + "' is outside of what the sandbox shows, whether or not this machine has it", rule(), "");
  }

  void about_full(const std::string& name) {
    const std::string path = name.starts_with('/') ? lexically_normal(name) : policy::kWorkPath;
    for (const auto& [key, place] : {std::pair{"tmp", "/tmp"}, std::pair{"shm", "/dev/shm"},
                                     std::pair{"work", policy::kWorkPath}, std::pair{"out", policy::kOutPath}})
      if (!name.empty() && lies_below(path, place)) {
        add("the sandbox's own " + std::string(place) + " is full",
            "filesystem." + std::string(key) + " (policy " + policy_.name + ")",
            "\"filesystem\": {\"" + std::string(key) +
                "\": {\"size\": \"1GiB\", \"inodes\": 65536}, \"reason\": \"…\"}");
        return;
      }
    add("a private file system of the sandbox is full",
        "filesystem.tmp, .shm, .work, .out (policy " + policy_.name + ")",
        "\"filesystem\": {\"work\": {\"size\": \"1GiB\", \"inodes\": 65536}, \"reason\": \"…\"}");
  }

  void about_files(const runner::GuestClaim& claim) {
    const policy::Limits& limits = policy_.limits;
    // A denied call has its own paragraph.
    if (claim.error_errno == EPERM && !outcome_.denials.empty()) return;
    switch (claim.error_errno) {
      case ENOENT:
      case EACCES:
      case EPERM:
        about_missing(claim.error_filename);
        break;
      case EROFS:
        add("'" + claim.error_filename + "' cannot be written: what the sandbox shows of this machine is read-only",
            rule(),
            "--rw SRC, or write below /tmp or " + std::string(policy::kWorkPath) + "; with --out, " + policy::kOutPath);
        break;
      case ENOSPC:
        about_full(claim.error_filename);
        break;
      case EMFILE:
        add("too many open files", "limits.open_files",
            "\"limits\": {\"open_files\": " + std::to_string(limits.open_files * 4) + ", \"reason\": \"…\"}");
        break;
      case EFBIG:
        add("a file grew too large", "limits.file_size",
            "\"limits\": {\"file_size\": " + quoted(policy::format_size(limits.file_size_bytes * 4)) +
                ", \"reason\": \"…\"}");
        break;
      default:
        break;
    }
  }

  void about_module(const runner::GuestClaim& claim) {
    const std::string module = missing_module(claim.error_message);
    if (add_module(module) || left_the_standard_library(module)) return;
    if (policy_.python.site != policy::SitePackages::kNone || !policy_.python.venv.empty()) return;
    add(claim.error_message + ": only the standard library is visible",
        "python.site: none (policy " + policy_.name + ")",
        "--venv " + (view_.active_environment.empty() ? "DIR" : view_.active_environment) +
            ", --policy data, or \"python\": {\"site\": \"system\", \"reason\": \"…\"}");
  }

  void about_errors(const runner::GuestClaim& claim) {
    const policy::Limits& limits = policy_.limits;
    if (claim.error_type == "MemoryError")
      add("the code ran out of memory", "limits.memory (" + policy::format_size(limits.memory_bytes) + ")",
          "--memory " + policy::format_size(limits.memory_bytes * 2));
    if (claim.error_type == "RuntimeError" && claim.error_message.find("can't start new thread") != std::string::npos)
      add("no more threads", "limits.processes (" + std::to_string(limits.processes) + ")",
          "--pids " + std::to_string(limits.processes * 2));
    if (claim.error_type == "ModuleNotFoundError") about_module(claim);
  }

  const runner::RunOutcome& outcome_;
  const policy::Policy& policy_;
  const CallersView& view_;
  std::vector<Hint> hints_;
};

}  // namespace

std::vector<Hint> hints_for(const runner::RunOutcome& outcome, const policy::Policy& policy, const CallersView& view) {
  return Adviser(outcome, policy, view).all();
}

}  // namespace progtc::cli
