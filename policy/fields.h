#pragma once
// The rules for single values of a policy, shared by the decoder and by the command line's flags: one place says what a
// bind, a limit or a name may be. Errors carry no file or flag name; the caller puts it in front (with_context).
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/model.h"
#include "policy/result.h"

namespace progtc::policy {

// "SRC" or "SRC:DST": SRC an absolute path or a symbolic source ("@python"), DST an absolute path. Repeated and
// trailing slashes are dropped. Errors: kType for a form that is none of these; kRange for `..`, for a target of "/",
// "/proc", "/dev" or one of the sandbox's own file systems, for a writable "/", and for a writable symbolic source
// other than "@project"; and what check_source refuses.
Result<Bind> parse_bind(std::string_view text, bool is_writable);
// Errors: kRange for a source that the kernel makes ("/proc", "/sys", "/dev" but for "/dev/shm", and below) and for
// "/run" itself. It looks at the name alone; the runner asks again with the name that links lead to, and with the file
// system.
Result<void> check_source(std::string_view source);
std::string format_bind(const Bind& bind);  // what parse_bind reads
// The symbolic sources, "@python" first.
std::span<const std::string> symbolic_sources();

enum class LimitKind : std::uint8_t { kSize, kDuration, kCount, kRate };
struct LimitField {
  std::string key;  // "memory", as in the file
  LimitKind kind;
  double least;  // in bytes, milliseconds, things or processors
  double most;
  std::uint64_t Limits::*number;            // kSize, kCount
  std::chrono::milliseconds Limits::*time;  // kDuration
  double Limits::*rate;                     // kRate
};
std::span<const LimitField> limit_fields();
// Sets the limit that files call `key`: set_limit(limits, "memory", "256MiB").
// Errors: kUnknownKey with near matches; kType; kRange, naming the bounds.
Result<void> set_limit(Limits& limits, std::string_view key, std::string_view text);
// The same for a value that messages quote as `got`.
Result<void> set_limit(Limits& limits, const LimitField& field, std::string_view text, std::string_view got);
std::string format_limit(const Limits& limits, const LimitField& field);

// "64MiB:4096" is not a form: size and inodes are given apart. Errors: kRange for one without the other (the kernel
// takes 0 for "no limit").
Result<void> check_tmpfs(const Tmpfs& tmpfs);

Result<NetworkMode> parse_network_mode(std::string_view text);
std::string_view format_network_mode(NetworkMode mode);
Result<SitePackages> parse_site_packages(std::string_view text);
std::string_view format_site_packages(SitePackages site);

Result<void> check_environment_name(std::string_view name);      // [A-Za-z_][A-Za-z0-9_]*
Result<void> check_environment_value(std::string_view text);     // no zero byte, at most 128 KiB (MAX_ARG_STRLEN)
Result<void> check_tool_pattern(std::string_view pattern);       // printable ASCII without spaces, at most 128
Result<void> check_module_name(std::string_view name);           // dotted identifiers
Result<std::string> check_absolute_path(std::string_view path);  // the path without repeated and trailing slashes
Result<std::string> check_interpreter(std::string_view text);    // a name without slashes, or an absolute path
Result<void> check_syscall(std::string_view name);               // kUnknownSyscall with near matches
Result<void> check_syscall_group(std::string_view name);         // kUnknownGroup with near matches

}  // namespace progtc::policy
