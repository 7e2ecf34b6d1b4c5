#include "policy/fields.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <optional>

#include "policy/decode.h"
#include "policy/near_match.h"
#include "policy/syscall_groups.h"
#include "policy/units.h"

namespace progtc::policy {
namespace {

constexpr std::size_t kLongestPath = 4095;  // PATH_MAX without the final zero byte

Error failure(PolicyErrc code, std::string what) { return Error{make_error_code(code), std::move(what)}; }
Error expected(std::string_view what, std::string_view got) {
  return failure(PolicyErrc::kType, "expected " + std::string(what) + ", got " + quoted(got));
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_at_or_below(std::string_view path, std::string_view directory) {
  return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
}

std::string format_number(double value) {
  std::array<char, 32> buffer{};
  const auto [end, ec] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);  // shortest exact form
  return std::string(buffer.data(), ec == std::errc() ? end : buffer.data());
}

std::string format_in_kind(LimitKind kind, double value) {
  switch (kind) {
    case LimitKind::kSize:
      return format_size(static_cast<std::uint64_t>(value));
    case LimitKind::kDuration:
      return format_duration(std::chrono::milliseconds(static_cast<std::int64_t>(value)));
    case LimitKind::kCount:
    case LimitKind::kRate:
      break;
  }
  return format_number(value);
}

Result<void> check_target(const std::string& target) {
  if (target == "/") return failure(PolicyErrc::kRange, "\"/\" cannot be a target: the root is the sandbox's own");
  for (const std::string_view own : {"/proc", "/dev"}) {
    if (is_at_or_below(target, own)) {
      return failure(PolicyErrc::kRange,
                     quoted(target) + " cannot be a target: " + std::string(own) + " is the sandbox's own");
    }
  }
  for (const std::string_view own : {"/tmp", kWorkPath, kOutPath}) {
    if (target == own) {
      return failure(PolicyErrc::kRange,
                     quoted(target) +
                         " cannot be a target: it is the sandbox's own file system; name another, as in \"SRC:" +
                         std::string(own) + "/data\"");
    }
  }
  return Result<void>{};
}

}  // namespace

Result<void> check_source(std::string_view source) {
  const auto refused = [&](std::string_view why) {
    return failure(PolicyErrc::kRange, quoted(source) + " cannot be shown: " + std::string(why));
  };
  if (is_at_or_below(source, "/proc"))
    return refused("the host's /proc tells of all its processes; the sandbox has its own");
  if (is_at_or_below(source, "/sys")) return refused("/sys is the kernel's own interface to the host's devices");
  if (is_at_or_below(source, "/dev") && !is_at_or_below(source, "/dev/shm"))
    return refused("the host's /dev holds its devices; the sandbox has its own");
  if (source == "/run" || source == "/var/run")
    return refused("it holds the sockets of the host's services; name the file or directory below it");
  return Result<void>{};
}

std::span<const std::string> symbolic_sources() {
  static const std::vector<std::string> kNames = {"@python",   "@libraries",     "@certificates", "@timezones",
                                                  "@packages", "@user-packages", "@programs",     "@project"};
  return kNames;
}

Result<std::string> check_absolute_path(std::string_view path) {
  if (!path.starts_with('/')) return expected("an absolute path", path);
  if (path.find('\0') != std::string_view::npos)
    return failure(PolicyErrc::kRange, quoted(path) + " holds a zero byte");
  if (path.size() > kLongestPath)
    return failure(PolicyErrc::kRange, "the path " + quoted(path) + " is longer than 4095 bytes");
  std::string clean;
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(part.size());
    if (part.empty()) continue;
    if (part == "." || part == "..") {
      return failure(PolicyErrc::kRange, "the path may not contain \"" + std::string(part) + "\"");
    }
    clean += '/';
    clean += part;
  }
  return clean.empty() ? std::string("/") : clean;
}

Result<Bind> parse_bind(std::string_view text, bool is_writable) {
  Bind bind{.source = {}, .target = {}, .is_writable = is_writable};
  const std::size_t colon = text.find(':');
  const std::string_view source = text.substr(0, colon);
  if (source.starts_with('@')) {
    const auto names = symbolic_sources();
    if (std::find(names.begin(), names.end(), source) == names.end()) {
      std::string near = did_you_mean(source, names);
      if (near.empty()) {
        near = "; known are";
        for (const std::string& name : names) near += (name == names.front() ? " " : ", ") + name;
      }
      return failure(PolicyErrc::kRange, "unknown source " + quoted(source) + near);
    }
    bind.source = std::string(source);
    if (is_writable && bind.source != "@project") {
      return failure(PolicyErrc::kRange,
                     quoted(source) + " cannot be writable: of the named sources only \"@project\" can");
    }
    if (colon != std::string_view::npos && bind.source != "@project") {
      return failure(PolicyErrc::kRange, quoted(source) + " has places of its own and takes no target");
    }
  } else {
    if (!source.starts_with('/')) return expected("an absolute path, \"SRC:DST\" or a name such as \"@python\"", text);
    PROGTC_TRY(bind.source, check_absolute_path(source));
    if (is_writable && bind.source == "/") {
      return failure(PolicyErrc::kRange, "the host's \"/\" cannot be writable; name the directory that has to be");
    }
  }
  if (colon != std::string_view::npos) {
    const std::string_view target = text.substr(colon + 1);
    if (target.find(':') != std::string_view::npos) return expected("\"SRC\" or \"SRC:DST\"", text);
    PROGTC_TRY(bind.target, check_absolute_path(target));
    if (bind.target == bind.source) bind.target.clear();
  }
  if (!bind.target.empty() || bind.source.front() == '/') {
    PROGTC_CHECK(check_target(bind.target.empty() ? bind.source : bind.target));
  }
  if (bind.source.front() == '/') PROGTC_CHECK(check_source(bind.source));
  return bind;
}

std::string format_bind(const Bind& bind) {
  return bind.target.empty() ? bind.source : bind.source + ":" + bind.target;
}

std::span<const LimitField> limit_fields() {
  constexpr double kMiB = 1048576.0;
  constexpr double kPiB = kMiB * 1024 * 1024 * 1024;
  constexpr auto kLongest = static_cast<double>(kLongestDuration.count());
  static const std::array<LimitField, 9> kFields = {{
      {"wall", LimitKind::kDuration, 1, kLongest, nullptr, &Limits::wall, nullptr},
      {"cpu", LimitKind::kDuration, 1, kLongest, nullptr, &Limits::cpu, nullptr},
      {"cpus", LimitKind::kRate, 0.01, 1024, nullptr, nullptr, &Limits::cpus},
      {"memory", LimitKind::kSize, 8 * kMiB, kPiB, &Limits::memory_bytes, nullptr, nullptr},
      {"processes", LimitKind::kCount, 1, kMiB, &Limits::processes, nullptr, nullptr},
      {"open_files", LimitKind::kCount, 16, kMiB, &Limits::open_files, nullptr, nullptr},
      {"file_size", LimitKind::kSize, 0, kPiB, &Limits::file_size_bytes, nullptr, nullptr},
      {"output", LimitKind::kSize, 0, kPiB, &Limits::output_bytes, nullptr, nullptr},
      {"frame", LimitKind::kSize, 4096, 1024 * kMiB, &Limits::frame_bytes, nullptr, nullptr},
  }};
  return kFields;
}

Result<void> set_limit(Limits& limits, const LimitField& field, std::string_view text, std::string_view got) {
  const auto out_of_range = [&](std::string_view noun) {
    return failure(PolicyErrc::kRange, "expected " + std::string(noun) + " in " +
                                           format_in_kind(field.kind, field.least) + ".." +
                                           format_in_kind(field.kind, field.most) + ", got " + std::string(got));
  };
  switch (field.kind) {
    case LimitKind::kSize: {
      PROGTC_TRY(const std::uint64_t bytes, parse_size(text, got));
      if (static_cast<double>(bytes) < field.least || static_cast<double>(bytes) > field.most)
        return out_of_range("a size");
      limits.*field.number = bytes;
      return Result<void>{};
    }
    case LimitKind::kDuration: {
      PROGTC_TRY(const std::chrono::milliseconds time, parse_duration(text, got));
      const auto count = static_cast<double>(time.count());
      if (count < field.least || count > field.most) return out_of_range("a time");
      limits.*field.time = time;
      return Result<void>{};
    }
    case LimitKind::kCount:
    case LimitKind::kRate:
      break;
  }
  double number = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_number = ec != std::errc::invalid_argument && end == text.data() + text.size();
  const std::string_view noun = field.kind == LimitKind::kCount ? "a whole number" : "a number";
  if (!is_number) {
    return failure(PolicyErrc::kType, "expected " + std::string(noun) + ", got " + std::string(got));
  }
  // Not a number compares false: it must fail, hence the negation.
  if (ec != std::errc() || !(number >= field.least && number <= field.most)) return out_of_range(noun);
  if (field.kind == LimitKind::kRate) {
    limits.*field.rate = number;
    return Result<void>{};
  }
  if (number != std::floor(number)) return out_of_range(noun);
  limits.*field.number = static_cast<std::uint64_t>(number);
  return Result<void>{};
}

Result<void> set_limit(Limits& limits, std::string_view key, std::string_view text) {
  std::vector<std::string> keys;
  for (const LimitField& field : limit_fields()) {
    if (field.key == key) return set_limit(limits, field, text, quoted(text));
    keys.push_back(field.key);
  }
  return failure(PolicyErrc::kUnknownKey, "unknown limit " + quoted(key) + did_you_mean(key, keys));
}

std::string format_limit(const Limits& limits, const LimitField& field) {
  if (field.number != nullptr) return format_in_kind(field.kind, static_cast<double>(limits.*field.number));
  if (field.time != nullptr) return format_duration(limits.*field.time);
  return format_number(limits.*field.rate);
}

Result<void> check_tmpfs(const Tmpfs& tmpfs) {
  // tmpfs(5): size=0 and nr_inodes=0 mean "no limit", so the pair is either nothing at all or two real limits.
  if ((tmpfs.size_bytes == 0) == (tmpfs.inodes == 0)) return Result<void>{};
  if (tmpfs.inodes == 0) return failure(PolicyErrc::kRange, "a size needs \"inodes\" as well");
  return failure(PolicyErrc::kRange, "inodes need a \"size\" as well");
}

Result<NetworkMode> parse_network_mode(std::string_view text) {
  for (const NetworkMode mode : {NetworkMode::kNone, NetworkMode::kLoopback, NetworkMode::kHost}) {
    if (format_network_mode(mode) == text) return mode;
  }
  return expected("\"none\", \"loopback\" or \"host\"", text);
}

std::string_view format_network_mode(NetworkMode mode) {
  switch (mode) {
    case NetworkMode::kNone:
      return "none";
    case NetworkMode::kLoopback:
      return "loopback";
    case NetworkMode::kHost:
      return "host";
  }
  return "none";
}

Result<SitePackages> parse_site_packages(std::string_view text) {
  for (const SitePackages site : {SitePackages::kNone, SitePackages::kSystem, SitePackages::kUser}) {
    if (format_site_packages(site) == text) return site;
  }
  return expected("\"none\", \"system\" or \"user\"", text);
}

std::string_view format_site_packages(SitePackages site) {
  switch (site) {
    case SitePackages::kNone:
      return "none";
    case SitePackages::kSystem:
      return "system";
    case SitePackages::kUser:
      return "user";
  }
  return "none";
}

// Variables that the interpreter reads (python(1)) and that contradict what the policy says elsewhere.
constexpr std::pair<std::string_view, const char*> kRefusedVariables[] = {
    {"PYTHONHOME", "the interpreter uses its own library; choose it with python.interpreter"},
    {"PYTHONPLATLIBDIR", "the interpreter uses its own library; choose it with python.interpreter"},
    {"PYTHONUSERBASE", "python.site and python.venv say which packages can be imported"},
    {"PYTHONNOUSERSITE", "python.site and python.venv say which packages can be imported"},
    {"PYTHONINSPECT", "no interactive interpreter follows the code"},
};

Result<void> check_environment_name(std::string_view name) {
  const bool is_name = !name.empty() && name.size() <= 256 && is_letter(name.front()) &&
                       std::all_of(name.begin(), name.end(), [](char c) { return is_letter(c) || is_digit(c); });
  if (!is_name) return expected("a variable name such as \"LANG\"", name);
  for (const auto& [refused, why] : kRefusedVariables)
    if (name == refused) return failure(PolicyErrc::kRange, std::string(name) + " has no effect in a sandbox: " + why);
  return Result<void>{};
}

Result<void> check_environment_value(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return failure(PolicyErrc::kRange, "the value holds a zero byte");
  if (text.size() > 128 * 1024 - 512)
    return failure(PolicyErrc::kRange, "the value is longer than execve(2) takes (128KiB)");
  return Result<void>{};
}

Result<void> check_tool_pattern(std::string_view pattern) {
  const bool is_pattern = !pattern.empty() && pattern.size() <= 128 &&
                          std::all_of(pattern.begin(), pattern.end(), [](char c) { return c > ' ' && c < 0x7F; });
  if (!is_pattern) return expected("a tool name or pattern such as \"read_*\"", pattern);
  return Result<void>{};
}

Result<void> check_module_name(std::string_view name) {
  bool is_start = true;
  bool is_module = !name.empty() && name.size() <= 256;
  for (const char c : name) {
    if (is_start ? !is_letter(c) : !(is_letter(c) || is_digit(c) || c == '.')) is_module = false;
    is_start = c == '.';
  }
  if (!is_module || is_start) return expected("a module name such as \"xml.dom\"", name);
  return Result<void>{};
}

Result<std::string> check_interpreter(std::string_view text) {
  if (text.starts_with('/')) return check_absolute_path(text);
  const bool is_name = !text.empty() && text.size() <= 255 && text != "." && text != ".." &&
                       std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7F && c != '/'; });
  if (!is_name) return expected("a program name such as \"python3\" or an absolute path", text);
  return std::string(text);
}

Result<void> check_syscall(std::string_view name) {
  if (is_known_syscall(name)) return Result<void>{};
  return failure(PolicyErrc::kUnknownSyscall,
                 "unknown system call " + quoted(name) + did_you_mean(name, known_syscall_names()));
}

Result<void> check_syscall_group(std::string_view name) {
  std::vector<std::string> names;
  for (const SyscallGroup& group : syscall_groups()) {
    if (group.name == name) return Result<void>{};
    names.emplace_back(group.name);
  }
  std::string near = did_you_mean(name, names);
  if (near.empty()) {
    near = "; known are";
    for (const std::string& known : names) near += (known == names.front() ? " " : ", ") + known;
  }
  return failure(PolicyErrc::kUnknownGroup, "unknown group " + quoted(name) + near);
}

}  // namespace progtc::policy
