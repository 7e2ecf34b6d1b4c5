#include "runner/interpreter.h"

#include <fcntl.h>
#include <pwd.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "runner/run_errc.h"
#include "runner/sys/file.h"
#include "runner/sys/unique_fd.h"
#include "runner/virtual_environment.h"

namespace progtc::runner {
namespace {

// Asked of the interpreter itself; one line an answer. Neither json nor sysconfig: they cost more than the start.
constexpr const char* kQuestion =
    "import sys, os\n"
    "import site\n"
    "print(os.path.realpath(getattr(sys, '_base_executable', None) or sys.executable))\n"
    "print('%d.%d' % sys.version_info[:2])\n"
    "print(sys.base_prefix)\n"
    "print(os.path.dirname(os.__file__))\n"
    "print(':'.join(site.getsitepackages([sys.base_prefix])))\n"
    "home = os.path.expanduser('~')\n"
    "user = site.getusersitepackages()\n"
    "print('~' + user[len(home):] if user.startswith(home + '/') else user)\n";

struct Answer {
  std::string text;
  int status = 0;
};

// Runs `program` with the question; it is the user's own interpreter, trusted like their shell.
Result<Answer> ask(const std::string& program) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) == -1) return from_errno(errno, "pipe2");
  sys::UniqueFd read_end(ends[0]);
  sys::UniqueFd write_end(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, write_end.get(), 1);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  const char* argv[] = {program.c_str(), "-I", "-S", "-c", kQuestion, nullptr};
  pid_t pid = -1;
  const int failed = ::posix_spawn(&pid, program.c_str(), &actions, nullptr, const_cast<char* const*>(argv), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return from_errno(failed, "start '" + program + "'");
  write_end.reset();
  Answer answer;
  PROGTC_TRY(answer.text, sys::read_all(read_end.get(), 64 << 10));
  while (::waitpid(pid, &answer.status, 0) == -1 && errno == EINTR) {
  }
  return answer;
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::size_t from = 0;
  for (;;) {
    const std::size_t to = text.find(separator, from);
    parts.push_back(text.substr(from, to == std::string::npos ? to : to - from));
    if (to == std::string::npos) return parts;
    from = to + 1;
  }
}

bool is_directory(const std::string& path) {
  std::error_code failed;
  return std::filesystem::is_directory(path, failed);
}

// As os.path.expanduser does for "~".
std::string expand_home(const std::string& path) {
  if (!path.starts_with("~/")) return path;
  if (const char* home = std::getenv("HOME"); home && home[0] == '/') return home + path.substr(1);
  const struct passwd* entry = ::getpwuid(::getuid());
  return entry && entry->pw_dir ? entry->pw_dir + path.substr(1) : "";
}

// `text` holds nothing that changes while the interpreter's file stays: what exists is looked up each time.
std::optional<Interpreter> parse_answer(const std::string& text, const std::string& called) {
  const auto lines = split(text, '\n');
  if (lines.size() < 6) return std::nullopt;
  Interpreter found;
  found.executable = lines[0];
  if (std::sscanf(lines[1].c_str(), "%d.%d", &found.major, &found.minor) != 2) return std::nullopt;
  found.base_prefix = lines[2];
  found.standard_library = lines[3];
  for (auto& part : split(lines[4], ':'))
    if (is_directory(part)) found.system_packages.push_back(part);
  found.user_packages = expand_home(lines[5]);
  if (!is_directory(found.user_packages)) found.user_packages.clear();
  for (const std::string& path : {found.executable, found.base_prefix, found.standard_library})
    if (path.empty() || path[0] != '/') return std::nullopt;
  // A script's own path means nothing inside; an interpreter is called by the name the user knows.
  found.called = called;
  return found;
}

bool is_script(const std::string& path) {
  sys::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char magic[2] = {};
  return file && ::read(file.get(), magic, 2) == 2 && magic[0] == '#' && magic[1] == '!';
}

// Remembering is a help, never a need: any failure here means asking again next time.
std::string cache_key(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == -1) return "";
  return std::to_string(info.st_dev) + "-" + std::to_string(info.st_ino) + "-" + std::to_string(info.st_size) + "-" +
         std::to_string(info.st_mtim.tv_sec) + "-" + std::to_string(info.st_ctim.tv_sec);
}

std::optional<std::string> read_cache(const std::string& dir, const std::string& key) {
  sys::UniqueFd file(::open((dir + "/python-" + key).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat info {};
  // Only what this user wrote and nobody else could.
  if (!file || ::fstat(file.get(), &info) == -1 || info.st_uid != ::geteuid() || (info.st_mode & 022) != 0)
    return std::nullopt;
  auto text = sys::read_all(file.get(), 64 << 10);
  if (!text) return std::nullopt;
  return *text;
}

void write_cache(const std::string& dir, const std::string& key, const std::string& text) {
  if (sys::make_directories(dir, 0700))
    (void)sys::write_file_atomically(dir + "/python-" + key, text, 0600).has_value();
}

Result<Interpreter> examine(const std::string& candidate, const std::string& cache_dir) {
  const bool script = is_script(candidate);
  // A shim answers by its surroundings (a file in the working directory, a variable), so its answer is not kept.
  const std::string key = cache_dir.empty() || script ? "" : cache_key(candidate);
  if (!key.empty()) {
    if (const auto text = read_cache(cache_dir, key))
      if (auto found = parse_answer(*text, candidate)) return *found;
  }
  PROGTC_TRY(const Answer answer, ask(candidate));
  auto found = parse_answer(answer.text, candidate);
  if (!found || answer.status != 0)
    return run_error(RunErrc::kNoInterpreter, "'" + candidate + "' does not answer like a Python interpreter");
  if (script) found->called = found->executable;
  if (found->major != 3 || found->minor < 9)
    return run_error(RunErrc::kNoInterpreter, "'" + candidate + "' is Python " + std::to_string(found->major) + "." +
                                                  std::to_string(found->minor) + "; 3.9 or later is needed");
  if (!key.empty()) write_cache(cache_dir, key, answer.text);
  return *found;
}

}  // namespace

Result<Interpreter> find_interpreter(const std::string& wanted, const std::string& path, const std::string& cache_dir,
                                     const std::string& distrusted) {
  if (wanted.find('/') != std::string::npos) {
    if (wanted[0] != '/')
      return run_error(RunErrc::kNoInterpreter, "interpreter '" + wanted + "': a path must be absolute");
    if (::access(wanted.c_str(), X_OK) == -1) {
      const int err = errno;
      return run_error(RunErrc::kNoInterpreter, from_errno(err, "interpreter '" + wanted + "'").context);
    }
    return examine(wanted, cache_dir);
  }
  std::string tried;
  for (const std::string& dir : split(path, ':')) {
    if (dir.empty() || dir[0] != '/') continue;  // a relative entry of PATH is never searched
    const std::string candidate = dir + "/" + wanted;
    if (::access(candidate.c_str(), X_OK) == -1) continue;
    std::error_code failed;
    // A virtual environment's interpreter is a link to one outside, which is the file that counts.
    const std::string real = std::filesystem::canonical(candidate, failed).string();
    if (!distrusted.empty() && distrusted != "/" && real.starts_with(distrusted + "/")) {
      tried += (tried.empty() ? "'" : "; '") + candidate +
               "' lies in the project and is not executed; name it with --python to trust it";
      continue;
    }
    auto found = examine(candidate, cache_dir);
    if (found) return found;
    tried += (tried.empty() ? "" : "; ") + found.error().context;
  }
  if (tried.empty()) tried = "'" + wanted + "' is in no directory of PATH (" + path + ")";
  return run_error(RunErrc::kNoInterpreter, tried);
}

namespace {

std::string version_of(int major, int minor) { return std::to_string(major) + "." + std::to_string(minor); }

Result<Interpreter> find_venv_interpreter(const VirtualEnvironment& venv, const std::string& cache_dir,
                                          const std::string& distrusted) {
  std::error_code failed;
  const std::string real = std::filesystem::canonical(venv.python, failed).string();
  if (failed) {
    return run_error(RunErrc::kNoInterpreter, "virtual environment '" + venv.directory + "': '" + venv.python +
                                                  "': " + failed.message() + "; was the Python that made it removed?");
  }
  if (!distrusted.empty() && distrusted != "/" && real.starts_with(distrusted + "/"))
    return run_error(RunErrc::kNoInterpreter, "virtual environment '" + venv.directory + "': '" + real +
                                                  "' lies in the project and is not executed; name it with --python to "
                                                  "trust it");
  return find_interpreter(venv.python, "", cache_dir);
}

}  // namespace

Result<Interpreter> find_interpreter_of(const policy::Python& python, const std::string& path,
                                        const std::string& cache_dir, const std::string& distrusted) {
  std::string directory = python.venv;
  if (directory.empty()) directory = virtual_environment_around(python.interpreter).value_or("");
  if (directory.empty()) return find_interpreter(python.interpreter, path, cache_dir, distrusted);
  PROGTC_TRY(const VirtualEnvironment venv, read_virtual_environment(directory));
  const bool is_its_own = python.interpreter == policy::Python{}.interpreter;
  auto found = is_its_own ? find_venv_interpreter(venv, cache_dir, distrusted)
                          : find_interpreter(python.interpreter, path, cache_dir, distrusted);
  if (!found) return found;
  if (found->major != venv.major || found->minor != venv.minor)
    return run_error(RunErrc::kNoInterpreter, "virtual environment '" + directory + "': made by Python " +
                                                  version_of(venv.major, venv.minor) + ", the interpreter '" +
                                                  found->called + "' is " + version_of(found->major, found->minor));
  found->called = venv.python;
  found->venv = directory;
  found->venv_includes_system = venv.includes_system_packages;
  return found;
}

std::string default_cache_dir() {
  if (const char* xdg = std::getenv("XDG_CACHE_HOME"); xdg && xdg[0] == '/') return std::string(xdg) + "/progtc";
  if (const char* home = std::getenv("HOME"); home && home[0] == '/') return std::string(home) + "/.cache/progtc";
  return "";
}

}  // namespace progtc::runner
