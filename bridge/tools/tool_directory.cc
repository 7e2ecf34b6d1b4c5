#include "bridge/tools/tool_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <memory>
#include <utility>

#include "bridge/tools/yaml.h"

namespace progtc::bridge {
namespace {

Result<std::vector<std::string>> yaml_files(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.c_str()), ::closedir);
  if (!folder) return from_errno(errno, "tools '" + path + "'");
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(folder.get());
    if (!entry && errno != 0) return from_errno(errno, "tools '" + path + "'");
    if (!entry) break;
    const std::string_view name = entry->d_name;
    if (name.ends_with(".yaml")) names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

struct OpenFile {
  int fd;
  ~OpenFile() {
    if (fd >= 0) ::close(fd);
  }
};

Result<std::string> read_file(const std::string& path) {
  // Not blocking: a FIFO without a writer would hold us for ever.
  const OpenFile file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) return from_errno(errno, path);
  struct stat info {};
  if (::fstat(file.fd, &info) != 0) return from_errno(errno, path);
  if (!S_ISREG(info.st_mode)) return from_errno(EINVAL, path + ": not a regular file");
  std::string text(kMaxYamlBytes + 1, '\0');  // one more, so that the parser sees that it is too large
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t count = ::read(file.fd, text.data() + size, text.size() - size);
    if (count == -1 && errno == EINTR) continue;
    if (count == -1) return from_errno(errno, path);
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  text.resize(size);
  return text;
}

bool is_program(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

bool is_found(const ToolSpec& spec) {
  const std::string& program = spec.command.front();
  if (program.find('/') != std::string::npos) {
    const bool is_relative_to_folder = program[0] != '/' && !spec.working_directory.empty();
    return is_program(is_relative_to_folder ? spec.working_directory + "/" + program : program);
  }
  const char* path = std::getenv("PATH");
  std::string_view rest = path ? path : "/bin:/usr/bin";  // what posix_spawnp takes without one (execvp(3))
  for (;;) {
    const std::size_t colon = rest.find(':');
    const std::string folder(rest.substr(0, colon));
    if (is_program((folder.empty() ? "." : folder) + "/" + program)) return true;
    if (colon == std::string_view::npos) return false;
    rest.remove_prefix(colon + 1);
  }
}

}  // namespace

Result<ToolDirectory> load_tool_directory(const std::string& path) {
  PROGTC_TRY(const std::vector<std::string> names, yaml_files(path));
  const std::string folder = path.size() > 1 && path.ends_with('/') ? path.substr(0, path.size() - 1) : path;
  ToolDirectory result;
  std::map<std::string, ToolSpec> tools;
  for (const std::string& name : names) {
    const std::string file = folder == "/" ? folder + name : folder + "/" + name;
    auto text = read_file(file);
    auto spec = text ? decode_tool_file(file, *text) : Result<ToolSpec>(text.error());
    if (!spec) {
      result.problems.push_back(spec.error().context);
      continue;
    }
    if (!spec->working_directory.empty() && spec->working_directory[0] != '/')
      spec->working_directory = folder + "/" + spec->working_directory;
    if (!is_found(*spec)) {
      const std::string& program = spec->command.front();
      result.problems.push_back(
          file + ": program '" + program + "' " +
          (program.find('/') == std::string::npos ? "is not on PATH" : "is not there, or may not be executed"));
      continue;
    }
    if (const auto other = tools.find(spec->name); other != tools.end()) {
      result.problems.push_back(file + ": '" + spec->name + "' is defined in " + other->second.file +
                                " too; the one in " + file + " is used");
    }
    std::string key = spec->name;
    tools.insert_or_assign(std::move(key), std::move(*spec));
  }
  for (auto& [name, spec] : tools) {
    result.warnings.insert(result.warnings.end(), spec.warnings.begin(), spec.warnings.end());
    result.tools.push_back(std::move(spec));
  }
  return result;
}

}  // namespace progtc::bridge
