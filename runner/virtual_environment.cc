#include "runner/virtual_environment.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <map>
#include <sstream>

#include "runner/run_errc.h"
#include "runner/sys/file.h"

namespace progtc::runner {
namespace {

constexpr const char* kSettings = "/pyvenv.cfg";
constexpr std::size_t kMostBytes = 64 << 10;

std::string trimmed(const std::string& text) {
  const auto is_space = [](unsigned char byte) { return std::isspace(byte) != 0; };
  const auto from = std::find_if_not(text.begin(), text.end(), is_space);
  const auto to = std::find_if_not(text.rbegin(), std::make_reverse_iterator(from), is_space).base();
  return {from, to};
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char byte) { return std::tolower(byte); });
  return text;
}

// Lines of "key = value", as site.py reads them: keys in any case.
std::map<std::string, std::string> parse_settings(const std::string& text) {
  std::map<std::string, std::string> settings;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (const auto equals = line.find('='); equals != std::string::npos)
      settings[lower(trimmed(line.substr(0, equals)))] = trimmed(line.substr(equals + 1));
  return settings;
}

}  // namespace

Result<VirtualEnvironment> read_virtual_environment(const std::string& directory) {
  const auto text = sys::read_file(directory + kSettings, kMostBytes);
  if (!text)
    return run_error(RunErrc::kNoInterpreter,
                     "'" + directory + "' is not a virtual environment (" + text.error().context + ")");
  auto settings = parse_settings(*text);
  VirtualEnvironment found{.directory = directory, .python = directory + "/bin/python"};
  // `venv` writes "version", `virtualenv` and `uv` "version_info".
  const std::string& version = settings["version"].empty() ? settings["version_info"] : settings["version"];
  if (std::sscanf(version.c_str(), "%d.%d", &found.major, &found.minor) != 2)
    return run_error(RunErrc::kNoInterpreter, "'" + directory + kSettings + "' does not tell the version of Python");
  found.includes_system_packages = lower(settings["include-system-site-packages"]) == "true";
  return found;
}

std::optional<std::string> virtual_environment_around(const std::string& program) {
  const auto name = program.rfind("/bin/");
  if (name == std::string::npos || name == 0 || program.find('/', name + 5) != std::string::npos) return std::nullopt;
  std::string directory = program.substr(0, name);
  if (::access((directory + kSettings).c_str(), F_OK) == -1) return std::nullopt;
  return directory;
}

}  // namespace progtc::runner
