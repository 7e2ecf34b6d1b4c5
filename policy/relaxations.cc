#include "policy/relaxations.h"

#include <algorithm>
#include <array>
#include <utility>

#include "policy/fields.h"
#include "policy/near_match.h"
#include "policy/permissions.h"
#include "policy/units.h"

namespace progtc::policy {
namespace {

template <typename T>
bool contains(const std::vector<T>& list, const T& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

std::string change(std::string_view name, const std::string& before, const std::string& after) {
  return std::string(name) + " " + before + " → " + after;
}

class Collector {
 public:
  explicit Collector(std::string section) : section_(std::move(section)) {}
  void add(std::string what) { found_.push_back({section_, std::move(what)}); }
  void move_to(std::vector<Relaxation>& all) {
    for (Relaxation& relaxation : found_) all.push_back(std::move(relaxation));
    found_.clear();
  }

 private:
  std::string section_;
  std::vector<Relaxation> found_;
};

// 0 is "none" for a private file system, never "no limit".
std::string size_or_none(std::uint64_t bytes) { return bytes == 0 ? "none" : format_size(bytes); }
std::string inodes_or_none(std::uint64_t inodes) { return inodes == 0 ? "none" : std::to_string(inodes); }

void compare_tmpfs(Collector& found, std::string_view name, const Tmpfs& base, const Tmpfs& next) {
  if (next.size_bytes > base.size_bytes) {
    found.add(change(std::string(name) + " size", size_or_none(base.size_bytes), size_or_none(next.size_bytes)));
  }
  if (next.inodes > base.inodes) {
    found.add(change(std::string(name) + " inodes", inodes_or_none(base.inodes), inodes_or_none(next.inodes)));
  }
}

void compare_filesystem(Collector& found, const Filesystem& base, const Filesystem& next) {
  for (const Bind& bind : next.binds) {
    Bind weaker = bind;
    weaker.is_writable = true;  // what is writable already may be made read-only without a word
    if (contains(base.binds, bind) || contains(base.binds, weaker)) continue;
    found.add((bind.is_writable ? "rw " : "ro ") + quoted(format_bind(bind)));
  }
  compare_tmpfs(found, "tmp", base.tmp, next.tmp);
  compare_tmpfs(found, "shm", base.shm, next.shm);
  compare_tmpfs(found, "work", base.work, next.work);
  compare_tmpfs(found, "out", base.out, next.out);
}

void compare_syscalls(Collector& found, const Syscalls& base, const Syscalls& next) {
  if (base == next) return;
  const auto before = permissions(base, NetworkMode::kNone);
  const auto after = permissions(next, NetworkMode::kNone);
  if (!before || !after) return;  // not decoded: the decoder has refused such names
  constexpr std::size_t kMostNamed = 4;
  std::vector<std::string> wider;
  for (const auto& [name, permission] : *after) {
    const auto known = before->find(name);
    if (known == before->end() || !is_covered(permission, known->second)) wider.push_back(name);
  }
  if (wider.empty()) return;
  std::string what;
  for (std::size_t i = 0; i < std::min(wider.size(), kMostNamed); ++i) what += (i > 0 ? ", " : "") + wider[i];
  if (wider.size() > kMostNamed) what += " and " + std::to_string(wider.size() - kMostNamed) + " more";
  found.add("calls " + what);
}

void compare_limits(Collector& found, const Limits& base, const Limits& next) {
  for (const LimitField& field : limit_fields()) {
    const bool is_wider = field.number != nullptr ? next.*field.number > base.*field.number
                          : field.time != nullptr ? next.*field.time > base.*field.time
                                                  : next.*field.rate > base.*field.rate;
    if (is_wider) found.add(change(field.key, format_limit(base, field), format_limit(next, field)));
  }
}

void compare_python(Collector& found, const Python& base, const Python& next) {
  if (!next.venv.empty() && next.venv != base.venv) found.add("venv " + quoted(next.venv));
  for (const std::string& module : next.preload) {
    if (!contains(base.preload, module)) found.add("preload " + quoted(module));
  }
  if (next.site > base.site) {
    found.add(
        change("site", std::string(format_site_packages(base.site)), std::string(format_site_packages(next.site))));
  }
  if (base.is_fresh && !next.is_fresh) found.add(change("fresh", "true", "false"));
}

void compare_environment(Collector& found, const Environment& base, const Environment& next) {
  for (const std::string& name : next.pass) {
    if (!contains(base.pass, name)) found.add("pass " + quoted(name));
  }
  for (const auto& [name, value] : next.set) {
    const auto known = base.set.find(name);
    if (known == base.set.end() || known->second != value) found.add("set " + quoted(name));
  }
}

std::uint64_t calls_of(const Tools& tools, const std::string& name) {
  const auto own = tools.per_tool.find(name);
  if (own == tools.per_tool.end() || !own->second.calls) return tools.calls;
  return std::min(*own->second.calls, tools.calls);
}
std::chrono::milliseconds timeout_of(const Tools& tools, const std::string& name) {
  const auto own = tools.per_tool.find(name);
  return own == tools.per_tool.end() ? tools.timeout : own->second.timeout.value_or(tools.timeout);
}

void compare_tools(Collector& found, const Tools& base, const Tools& next) {
  for (const std::string& pattern : next.allow) {
    if (!contains(base.allow, pattern) && !contains(base.allow, std::string("*")))
      found.add("allow " + quoted(pattern));
  }
  if (next.calls > base.calls) found.add(change("calls", std::to_string(base.calls), std::to_string(next.calls)));
  if (next.pending > base.pending)
    found.add(change("pending", std::to_string(base.pending), std::to_string(next.pending)));
  if (next.timeout > base.timeout) {
    found.add(change("timeout", format_duration(base.timeout), format_duration(next.timeout)));
  }
  std::vector<std::string> names;
  for (const auto& [name, limits] : base.per_tool) names.push_back(name);
  for (const auto& [name, limits] : next.per_tool) {
    if (!contains(names, name)) names.push_back(name);
  }
  for (const std::string& name : names) {
    // A tool without limits of its own follows the section's, which are compared above.
    const std::uint64_t calls = calls_of(next, name);
    if (calls > calls_of(base, name) && !(calls == next.calls && next.calls > base.calls)) {
      found.add(change(name + " calls", std::to_string(calls_of(base, name)), std::to_string(calls)));
    }
    const std::chrono::milliseconds timeout = timeout_of(next, name);
    if (timeout > timeout_of(base, name) && !(timeout == next.timeout && next.timeout > base.timeout)) {
      found.add(change(name + " timeout", format_duration(timeout_of(base, name)), format_duration(timeout)));
    }
  }
}

}  // namespace

std::vector<Relaxation> relaxations(const Policy& base, const Policy& next) {
  std::vector<Relaxation> all;
  const auto section = [&all](std::string name, auto compare) {
    Collector found(std::move(name));
    compare(found);
    found.move_to(all);
  };
  section("filesystem", [&](Collector& found) { compare_filesystem(found, base.filesystem, next.filesystem); });
  section("network", [&](Collector& found) {
    if (next.network > base.network) {
      found.add(std::string(format_network_mode(base.network)) + " → " +
                std::string(format_network_mode(next.network)));
    }
  });
  section("syscalls", [&](Collector& found) { compare_syscalls(found, base.syscalls, next.syscalls); });
  section("limits", [&](Collector& found) { compare_limits(found, base.limits, next.limits); });
  section("python", [&](Collector& found) { compare_python(found, base.python, next.python); });
  section("env", [&](Collector& found) { compare_environment(found, base.env, next.env); });
  section("tools", [&](Collector& found) { compare_tools(found, base.tools, next.tools); });
  return all;
}

}  // namespace progtc::policy
