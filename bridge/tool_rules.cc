#include "bridge/tool_rules.h"

#include <algorithm>
#include <vector>

#include "bridge/utf8.h"

namespace progtc::bridge {
namespace {

// "a.b.c" → "a.b.c", "a.b", "a"
template <typename Visit>
void for_each_prefix(std::string_view name, Visit visit) {
  for (;;) {
    visit(name);
    const std::size_t dot = name.rfind('.');
    if (dot == std::string_view::npos) return;
    name = name.substr(0, dot);
  }
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view name) noexcept {
  std::size_t p = 0;
  std::size_t n = 0;
  std::size_t star = std::string_view::npos;  // the last one seen: all before it fits already
  std::size_t retry = 0;                      // where in `name` what follows that star is tried next
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      retry = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++retry;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::optional<std::string> ToolRules::admit(std::string_view tool) {
  // Before anything walks over the name: what follows takes time quadratic in it.
  if (tool.size() > kMaxToolNameBytes) {
    return "'" + printable(tool) + "' is no tool: names have at most " + std::to_string(kMaxToolNameBytes) + " bytes";
  }
  const bool is_allowed = std::any_of(tools_.allow.begin(), tools_.allow.end(),
                                      [tool](const std::string& pattern) { return glob_matches(pattern, tool); });
  const std::string name = printable(tool);
  if (!is_allowed) return "tools.allow has no pattern for '" + name + "'; add \"" + name + "\"";
  if (calls_ >= tools_.calls) {
    return "tools.calls allows " + std::to_string(tools_.calls) + " calls per run; raise it to allow more";
  }
  std::vector<std::string_view> limited;
  std::optional<std::string> denied;
  for_each_prefix(tool, [&](std::string_view prefix) {
    const auto limit = tools_.per_tool.find(std::string(prefix));
    if (limit == tools_.per_tool.end() || !limit->second.calls) return;
    const auto count = calls_of_.find(prefix);
    if ((count == calls_of_.end() ? 0 : count->second) >= *limit->second.calls && !denied) {
      denied = "tools.per_tool." + std::string(prefix) + ".calls allows " + std::to_string(*limit->second.calls) +
               " calls per run; raise it to allow more";
    }
    limited.push_back(prefix);
  });
  if (denied) return denied;
  ++calls_;
  for (const std::string_view prefix : limited) ++calls_of_[std::string(prefix)];
  return std::nullopt;
}

std::chrono::milliseconds ToolRules::timeout_of(std::string_view tool) const {
  std::optional<std::chrono::milliseconds> timeout;
  for_each_prefix(tool, [&](std::string_view prefix) {
    const auto limit = tools_.per_tool.find(std::string(prefix));
    if (!timeout && limit != tools_.per_tool.end()) timeout = limit->second.timeout;
  });
  return timeout.value_or(tools_.timeout);
}

}  // namespace progtc::bridge
