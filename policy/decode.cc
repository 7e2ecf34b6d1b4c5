#include "policy/decode.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <limits>

#include "policy/fields.h"
#include "policy/json_cursor.h"
#include "policy/near_match.h"
#include "policy/permissions.h"
#include "policy/relaxations.h"
#include "policy/syscall_groups.h"
#include "policy/units.h"

namespace progtc::policy {
namespace {

constexpr std::size_t kLongestChain = 8;
constexpr std::size_t kLongestList = 4096;
using Keys = std::vector<std::string>;

// ---- Single values -------------------------------------------------------------------------------------------------

// A string or a number, as text for the parsers of policy/units.h; messages show it as the file has it.
Result<std::string> quantity(const JsonCursor& at, std::string_view expected) {
  if (at.is_string()) return at.string();
  if (!at.is_number()) return at.expected(expected);
  return at.got();
}

Result<std::uint64_t> decode_size(const JsonCursor& at) {
  PROGTC_TRY(const std::string text, quantity(at, "a size such as \"256MiB\""));
  auto size = parse_size(text, at.got());
  if (!size) return at.error(size.error());
  return *size;
}

Result<std::chrono::milliseconds> decode_timeout(const JsonCursor& at) {
  PROGTC_TRY(const std::string text, quantity(at, "a time such as \"30s\""));
  auto time = parse_duration(text, at.got());
  if (!time) return at.error(time.error());
  if (time->count() < 1) return at.error(PolicyErrc::kRange, "expected a time in 1ms..30d, got " + at.got());
  return *time;
}

Result<void> decode_reason(const JsonCursor& section) {
  const auto at = section.find("reason");
  if (!at) return Result<void>{};
  PROGTC_TRY(const std::string text, at->string("a sentence"));
  const bool is_blank =
      std::all_of(text.begin(), text.end(), [](char c) { return c == ' ' || c == '\t' || c == '\n'; });
  if (is_blank) return at->expected("a sentence");
  return Result<void>{};
}

template <typename Check>
Result<std::string> checked_string(const JsonCursor& at, std::string_view text, Check check) {
  if (auto ok = check(text); !ok) return at.error(ok.error());
  return std::string(text);
}

// ---- Lists ---------------------------------------------------------------------------------------------------------

// Replaces or edits `list`. `parse` makes an element of an entry's text (without + or -); `format` is its inverse, for
// messages.
template <typename T, typename Parse, typename Format>
Result<void> decode_list(const JsonCursor& at, std::vector<T>& list, Parse parse, Format format) {
  PROGTC_TRY(const std::vector<JsonCursor> entries, at.elements());
  if (entries.size() > kLongestList) return at.error(PolicyErrc::kTooLarge, "more than 4096 entries");
  enum class Form { kUnknown, kPlain, kEdit } form = Form::kUnknown;
  for (const JsonCursor& entry : entries) {
    PROGTC_TRY(const std::string text, entry.string());
    const bool is_edit = text.starts_with('+') || text.starts_with('-');
    const Form own = is_edit ? Form::kEdit : Form::kPlain;
    if (form != Form::kUnknown && own != form) {
      return entry.error(PolicyErrc::kType, quoted(text) +
                                                (is_edit ? " edits the list, but the entries before it replace it"
                                                         : " replaces the list, but the entries before it edit it") +
                                                "; use one form");
    }
    if (form == Form::kUnknown && own == Form::kPlain) list.clear();
    form = own;
    const std::string_view name = is_edit ? std::string_view(text).substr(1) : std::string_view(text);
    PROGTC_TRY(T value, parse(entry, name));
    const auto known = std::find(list.begin(), list.end(), value);
    if (!is_edit && known != list.end()) return entry.error(PolicyErrc::kRange, quoted(text) + " is listed twice");
    if (text.starts_with('-')) {
      if (known == list.end()) {
        Keys present;
        for (const T& other : list) present.push_back(format(other));
        return entry.error(PolicyErrc::kRange,
                           quoted(name) + " cannot be removed: it is not in the list" + did_you_mean(name, present));
      }
      list.erase(known);
    } else if (known == list.end()) {
      list.push_back(std::move(value));
    }
  }
  if (entries.empty()) list.clear();
  return Result<void>{};
}

template <typename Check>
Result<void> decode_names(const JsonCursor& section, std::string_view key, std::vector<std::string>& list,
                          Check check) {
  const auto at = section.find(key);
  if (!at) return Result<void>{};
  return decode_list(
      *at, list, [&](const JsonCursor& entry, std::string_view text) { return checked_string(entry, text, check); },
      [](const std::string& name) { return name; });
}

// ---- Sections ------------------------------------------------------------------------------------------------------

Result<void> decode_binds(const JsonCursor& section, std::string_view key, bool is_writable, std::vector<Bind>& binds) {
  const auto at = section.find(key);
  if (!at) return Result<void>{};
  std::vector<Bind> own;
  std::vector<Bind> others;
  for (const Bind& bind : binds) (bind.is_writable == is_writable ? own : others).push_back(bind);
  PROGTC_CHECK(decode_list(
      *at, own,
      [&](const JsonCursor& entry, std::string_view text) -> Result<Bind> {
        auto bind = parse_bind(text, is_writable);
        if (!bind) return entry.error(bind.error());
        return *bind;
      },
      format_bind));
  // Read-only ones first: a stable order for the digest.
  binds = is_writable ? others : own;
  const std::vector<Bind>& rest = is_writable ? own : others;
  binds.insert(binds.end(), rest.begin(), rest.end());
  return Result<void>{};
}

Result<void> check_targets(const JsonCursor& section, const std::vector<Bind>& binds) {
  const auto target = [](const Bind& bind) { return bind.target.empty() ? bind.source : bind.target; };
  for (std::size_t i = 0; i < binds.size(); ++i) {
    for (std::size_t j = i + 1; j < binds.size(); ++j) {
      if (target(binds[i]) != target(binds[j])) continue;
      return section.error(PolicyErrc::kRange, quoted(target(binds[j])) + " is the target of two binds, " +
                                                   quoted(format_bind(binds[i])) + " and " +
                                                   quoted(format_bind(binds[j])));
    }
  }
  return Result<void>{};
}

Result<void> decode_tmpfs(const JsonCursor& section, std::string_view key, Tmpfs& tmpfs) {
  static const Keys kKeys = {"size", "inodes"};
  const auto at = section.find(key);
  if (!at) return Result<void>{};
  PROGTC_CHECK(at->expect_keys(kKeys));
  if (const auto size = at->find("size")) {
    constexpr std::uint64_t kLargest = std::uint64_t{1} << 50;
    PROGTC_TRY(tmpfs.size_bytes, decode_size(*size));
    if (tmpfs.size_bytes > kLargest)
      return size->error(PolicyErrc::kRange, "expected a size in 0..1PiB, got " + size->got());
  }
  if (const auto inodes = at->find("inodes")) {
    constexpr std::uint64_t kMost = std::uint64_t{1} << 32;
    PROGTC_TRY(tmpfs.inodes, inodes->u64(0, kMost));
  }
  if (auto ok = check_tmpfs(tmpfs); !ok) return at->error(ok.error());
  return Result<void>{};
}

Result<void> decode_filesystem(const JsonCursor& at, Filesystem& filesystem) {
  static const Keys kKeys = {"ro", "rw", "tmp", "shm", "work", "out", "reason"};
  PROGTC_CHECK(at.expect_keys(kKeys));
  PROGTC_CHECK(decode_reason(at));
  PROGTC_CHECK(decode_binds(at, "ro", false, filesystem.binds));
  PROGTC_CHECK(decode_binds(at, "rw", true, filesystem.binds));
  PROGTC_CHECK(check_targets(at, filesystem.binds));
  PROGTC_CHECK(decode_tmpfs(at, "tmp", filesystem.tmp));
  PROGTC_CHECK(decode_tmpfs(at, "shm", filesystem.shm));
  PROGTC_CHECK(decode_tmpfs(at, "work", filesystem.work));
  PROGTC_CHECK(decode_tmpfs(at, "out", filesystem.out));
  return Result<void>{};
}

Result<void> decode_network(const JsonCursor& at, NetworkMode& network) {
  static const Keys kKeys = {"mode", "reason"};
  std::optional<JsonCursor> mode = at;
  if (at.is_object()) {
    PROGTC_CHECK(at.expect_keys(kKeys));
    PROGTC_CHECK(decode_reason(at));
    mode = at.find("mode");
    if (!mode) return Result<void>{};
  } else if (!at.is_string()) {
    return at.expected("\"none\", \"loopback\", \"host\" or an object with \"mode\"");
  }
  PROGTC_TRY(const std::string text, mode->string("\"none\", \"loopback\" or \"host\""));
  auto parsed = parse_network_mode(text);
  if (!parsed) return mode->error(parsed.error());
  network = *parsed;
  return Result<void>{};
}

// A whole number as JSON has it, or "0x5413" and "21523" in a string, as JSON has no hexadecimal numbers.
Result<std::uint64_t> decode_word(const JsonCursor& at) {
  constexpr std::string_view kExpected = "a whole number such as 21505 or \"0x5401\"";
  if (at.is_number()) {
    if (!at.value().IsUint64())
      return at.error(PolicyErrc::kRange, "expected " + std::string(kExpected) + ", got " + at.got());
    return at.value().GetUint64();
  }
  PROGTC_TRY(const std::string text, at.string(kExpected));
  const bool is_hex = text.starts_with("0x") || text.starts_with("0X");
  const std::string_view digits = std::string_view(text).substr(is_hex ? 2 : 0);
  std::uint64_t word = 0;
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), word, is_hex ? 16 : 10);
  if (ec == std::errc::result_out_of_range)
    return at.error(PolicyErrc::kRange, "expected at most 64 bits, got " + at.got());
  if (ec != std::errc() || end != digits.data() + digits.size()) return at.expected(kExpected);
  return word;
}

Result<ArgumentRule> decode_rule(const JsonCursor& at) {
  static const Keys kKeys = {"call", "argument", "mask", "values"};
  PROGTC_CHECK(at.expect_keys(kKeys));
  for (const std::string_view key : {"call", "argument", "values"}) {
    if (!at.find(key)) return at.error(PolicyErrc::kType, "the key " + quoted(key) + " is missing");
  }
  ArgumentRule rule;
  const JsonCursor call = *at.find("call");
  PROGTC_TRY(const std::string name, call.string("the name of a system call"));
  PROGTC_TRY(rule.call, checked_string(call, name, check_syscall));
  PROGTC_TRY(const std::uint64_t argument, at.find("argument")->u64(0, 5));
  rule.argument = static_cast<unsigned>(argument);
  if (const auto mask = at.find("mask")) {
    PROGTC_TRY(rule.mask, decode_word(*mask));
  }
  const JsonCursor values_at = *at.find("values");
  PROGTC_TRY(const std::vector<JsonCursor> values, values_at.elements());
  if (values.empty()) return values_at.error(PolicyErrc::kRange, "expected at least one value");
  for (const JsonCursor& value : values) {
    PROGTC_TRY(const std::uint64_t word, decode_word(value));
    if ((word & ~rule.mask) != 0) {
      return value.error(PolicyErrc::kRange,
                         "the value " + value.got() + " has bits outside the mask, so nothing would fit");
    }
    if (rule.call == "ioctl" && rule.argument == 1 && is_never_allowed_ioctl(word) &&
        (rule.mask & 0xFFFFFFFFU) == 0xFFFFFFFFU) {
      return value.error(PolicyErrc::kRange,
                         "TIOCSTI and TIOCLINUX type into the caller's terminal and are never allowed");
    }
    rule.values.push_back(word);
  }
  return rule;
}

Result<void> decode_syscalls(const JsonCursor& at, Syscalls& syscalls) {
  static const Keys kKeys = {"groups", "allow", "deny", "rules", "reason"};
  PROGTC_CHECK(at.expect_keys(kKeys));
  PROGTC_CHECK(decode_reason(at));
  PROGTC_CHECK(decode_names(at, "groups", syscalls.groups, check_syscall_group));
  PROGTC_CHECK(decode_names(at, "allow", syscalls.allow, check_syscall));
  PROGTC_CHECK(decode_names(at, "deny", syscalls.deny, check_syscall));
  if (const auto rules = at.find("rules")) {
    PROGTC_TRY(const std::vector<JsonCursor> entries, rules->elements());
    if (entries.size() > kLongestList) return rules->error(PolicyErrc::kTooLarge, "more than 4096 entries");
    syscalls.rules.clear();
    for (const JsonCursor& entry : entries) {
      PROGTC_TRY(ArgumentRule rule, decode_rule(entry));
      syscalls.rules.push_back(std::move(rule));
    }
  }
  if (auto all = permissions(syscalls, NetworkMode::kNone); !all) return at.error(all.error());
  return Result<void>{};
}

Result<void> decode_limits(const JsonCursor& at, Limits& limits) {
  static const Keys kKeys = [] {
    Keys keys;
    for (const LimitField& field : limit_fields()) keys.push_back(field.key);
    keys.insert(keys.end(), {"swap", "reason"});
    return keys;
  }();
  PROGTC_CHECK(at.expect_keys(kKeys));
  PROGTC_CHECK(decode_reason(at));
  for (const LimitField& field : limit_fields()) {
    const auto value = at.find(field.key);
    if (!value) continue;
    const bool takes_unit = field.kind == LimitKind::kSize || field.kind == LimitKind::kDuration;
    const std::string_view expected = field.kind == LimitKind::kSize       ? "a size such as \"256MiB\""
                                      : field.kind == LimitKind::kDuration ? "a time such as \"30s\""
                                      : field.kind == LimitKind::kCount    ? "a whole number"
                                                                           : "a number";
    if (!value->is_number() && !(takes_unit && value->is_string())) return value->expected(expected);
    PROGTC_TRY(const std::string text, quantity(*value, expected));
    if (auto ok = set_limit(limits, field, text, value->got()); !ok) return value->error(ok.error());
  }
  if (const auto swap = at.find("swap"); swap && !(swap->value().IsUint64() && swap->value().GetUint64() == 0)) {
    return swap->error(PolicyErrc::kRange, "expected 0: a sandbox never swaps, got " + swap->got());
  }
  return Result<void>{};
}

Result<void> decode_python(const JsonCursor& at, Python& python) {
  static const Keys kKeys = {"interpreter", "venv", "preload", "site", "fresh", "reason"};
  PROGTC_CHECK(at.expect_keys(kKeys));
  PROGTC_CHECK(decode_reason(at));
  if (const auto interpreter = at.find("interpreter")) {
    PROGTC_TRY(const std::string text, interpreter->string("a program name such as \"python3\" or an absolute path"));
    auto checked = check_interpreter(text);
    if (!checked) return interpreter->error(checked.error());
    python.interpreter = *checked;
  }
  if (const auto venv = at.find("venv")) {
    PROGTC_TRY(const std::string text, venv->string("an absolute path"));
    python.venv.clear();
    if (!text.empty()) {
      auto checked = check_absolute_path(text);
      if (!checked) return venv->error(checked.error());
      python.venv = *checked;
    }
  }
  PROGTC_CHECK(decode_names(at, "preload", python.preload, check_module_name));
  if (const auto site = at.find("site")) {
    PROGTC_TRY(const std::string text, site->string("\"none\", \"system\" or \"user\""));
    auto parsed = parse_site_packages(text);
    if (!parsed) return site->error(parsed.error());
    python.site = *parsed;
  }
  if (const auto fresh = at.find("fresh")) {
    PROGTC_TRY(python.is_fresh, fresh->boolean());
  }
  return Result<void>{};
}

Result<void> decode_environment(const JsonCursor& at, Environment& env) {
  static const Keys kKeys = {"pass", "set", "reason"};
  PROGTC_CHECK(at.expect_keys(kKeys));
  PROGTC_CHECK(decode_reason(at));
  PROGTC_CHECK(decode_names(at, "pass", env.pass, check_environment_name));
  const auto set = at.find("set");
  if (!set) return Result<void>{};
  PROGTC_TRY(const auto members, set->members());
  for (const auto& [name, value] : members) {
    if (auto ok = check_environment_name(name); !ok) return set->error(ok.error());
    if (value.is_null()) {
      env.set.erase(name);
      continue;
    }
    PROGTC_TRY(std::string text, value.string("a string, or null to remove it"));
    PROGTC_TRY(env.set[name], checked_string(value, text, check_environment_value));
  }
  return Result<void>{};
}

Result<void> decode_tools(const JsonCursor& at, Tools& tools) {
  static const Keys kKeys = {"allow", "calls", "pending", "timeout", "per_tool", "reason"};
  static const Keys kOwnKeys = {"calls", "timeout"};
  constexpr std::uint64_t kMostCalls = 1'000'000'000;
  constexpr std::uint64_t kMostPending = 65'536;
  PROGTC_CHECK(at.expect_keys(kKeys));
  PROGTC_CHECK(decode_reason(at));
  PROGTC_CHECK(decode_names(at, "allow", tools.allow, check_tool_pattern));
  if (const auto calls = at.find("calls")) {
    PROGTC_TRY(tools.calls, calls->u64(0, kMostCalls));
  }
  if (const auto pending = at.find("pending")) {
    PROGTC_TRY(tools.pending, pending->u64(1, kMostPending));
  }
  if (const auto timeout = at.find("timeout")) {
    PROGTC_TRY(tools.timeout, decode_timeout(*timeout));
  }
  const auto per_tool = at.find("per_tool");
  if (!per_tool) return Result<void>{};
  PROGTC_TRY(const auto members, per_tool->members());
  for (const auto& [name, value] : members) {
    if (auto ok = check_tool_pattern(name); !ok) return per_tool->error(ok.error());
    if (value.is_null()) {
      tools.per_tool.erase(name);
      continue;
    }
    if (!value.is_object()) return value.expected("an object, or null to remove it");
    PROGTC_CHECK(value.expect_keys(kOwnKeys));
    ToolLimits limits;  // an entry replaces the base's entry as a whole
    if (const auto calls = value.find("calls")) {
      PROGTC_TRY(limits.calls, calls->u64(0, kMostCalls));
    }
    if (const auto timeout = value.find("timeout")) {
      PROGTC_TRY(limits.timeout, decode_timeout(*timeout));
    }
    tools.per_tool[name] = limits;
  }
  return Result<void>{};
}

// ---- Files ---------------------------------------------------------------------------------------------------------

Result<void> check_reasons(const JsonCursor& root, const Policy& base, const Policy& next) {
  std::string section;
  std::string what;
  for (const Relaxation& relaxation : relaxations(base, next)) {
    if (!section.empty() && relaxation.section != section) break;
    const auto at = root.find(relaxation.section);
    if (at && at->find("reason")) continue;
    section = relaxation.section;
    what += (what.empty() ? "" : ", ") + relaxation.what;
  }
  if (section.empty()) return Result<void>{};
  // A section can only be wider because the file has it.
  return root.find(section).value_or(root).error(PolicyErrc::kMissingReason,
                                                 "a relaxation (" + what + ") needs a \"reason\"");
}

class Loader {
 public:
  explicit Loader(const PolicyResolver& resolve) : resolve_(resolve) {}

  Result<Policy> load(const PolicySource& source) {
    chain_.push_back(source.name);
    PROGTC_TRY(const JsonDocument document, JsonDocument::parse(source.name, source.text));
    const JsonCursor root = document.root();
    PROGTC_CHECK(root.expect_keys(policy_keys()));
    Policy base;
    if (const auto extends = root.find("extends")) {
      PROGTC_TRY(base, load_base(*extends, source));
    }
    Policy policy = base;
    policy.name = source.name;
    PROGTC_CHECK(decode_sections(root, policy));
    PROGTC_CHECK(check_reasons(root, base, policy));
    return policy;
  }

  static const Keys& policy_keys() {
    static const Keys kKeys = {"$schema",  "description", "extends", "filesystem", "network",
                               "syscalls", "limits",      "python",  "env",        "tools"};
    return kKeys;
  }

 private:
  Result<Policy> load_base(const JsonCursor& extends, const PolicySource& source) {
    PROGTC_TRY(const std::string name, extends.string("the name of a policy or a path ending in \".json\""));
    if (chain_.size() >= kLongestChain) {
      return extends.error(PolicyErrc::kTooLarge,
                           "more than " + std::to_string(kLongestChain) + " policies extend each other");
    }
    auto found = resolve_(name, source.name);
    if (!found) return extends.error(found.error());
    const auto seen = std::find(chain_.begin(), chain_.end(), found->name);
    if (seen != chain_.end()) {
      std::string cycle;
      for (auto at = seen; at != chain_.end(); ++at) cycle += *at + " → ";
      return extends.error(PolicyErrc::kCycle, "a policy extends itself: " + cycle + found->name);
    }
    return load(*found);
  }

  static Result<void> decode_sections(const JsonCursor& root, Policy& policy) {
    if (const auto at = root.find("$schema")) {
      PROGTC_TRY(const std::string ignored, at->string());
    }
    policy.description.clear();  // a description says what its own file is for
    if (const auto at = root.find("description")) {
      PROGTC_TRY(policy.description, at->string());
    }
    if (const auto at = root.find("filesystem")) PROGTC_CHECK(decode_filesystem(*at, policy.filesystem));
    if (const auto at = root.find("network")) PROGTC_CHECK(decode_network(*at, policy.network));
    if (const auto at = root.find("syscalls")) PROGTC_CHECK(decode_syscalls(*at, policy.syscalls));
    if (const auto at = root.find("limits")) PROGTC_CHECK(decode_limits(*at, policy.limits));
    if (const auto at = root.find("python")) PROGTC_CHECK(decode_python(*at, policy.python));
    if (const auto at = root.find("env")) PROGTC_CHECK(decode_environment(*at, policy.env));
    if (const auto at = root.find("tools")) PROGTC_CHECK(decode_tools(*at, policy.tools));
    return Result<void>{};
  }

  const PolicyResolver& resolve_;
  std::vector<std::string> chain_;
};

class PolicyCategory final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "progtc.policy"; }
  std::string message(int code) const override {
    switch (static_cast<PolicyErrc>(code)) {
      case PolicyErrc::kSyntax:
        return "not JSON";
      case PolicyErrc::kType:
        return "wrong type";
      case PolicyErrc::kRange:
        return "out of range";
      case PolicyErrc::kUnknownKey:
        return "unknown key";
      case PolicyErrc::kRepeatedKey:
        return "repeated key";
      case PolicyErrc::kMissingReason:
        return "a relaxation without a reason";
      case PolicyErrc::kUnknownPolicy:
        return "unknown policy";
      case PolicyErrc::kCycle:
        return "a policy extends itself";
      case PolicyErrc::kUnknownSyscall:
        return "unknown system call";
      case PolicyErrc::kUnknownGroup:
        return "unknown group of system calls";
      case PolicyErrc::kTooLarge:
        return "too large";
      case PolicyErrc::kUnreadable:
        return "unreadable";
    }
    return "unknown policy error";
  }
};

}  // namespace

const boost::system::error_category& policy_category() noexcept {
  static const PolicyCategory kCategory;
  return kCategory;
}

boost::system::error_code make_error_code(PolicyErrc code) noexcept {
  return {static_cast<int>(code), policy_category()};
}

Result<Policy> decode_policy(const PolicySource& source, const PolicyResolver& resolve) {
  return Loader(resolve).load(source);
}

Result<PolicySource> resolve_shipped(std::string_view name, std::string_view /*from*/) {
  Keys names;
  for (const PolicySource& source : shipped_policies()) {
    if (source.name == name) return source;
    names.push_back(source.name);
  }
  std::string near = did_you_mean(name, names);
  if (near.empty()) {
    near = "; known are";
    for (const std::string& known : names) near += (known == names.front() ? " " : ", ") + known;
  }
  return Error{make_error_code(PolicyErrc::kUnknownPolicy), "unknown policy " + quoted(name) + near};
}

}  // namespace progtc::policy
