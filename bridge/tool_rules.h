#pragma once
// The policy's `tools` section applied to one run. Pure.
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "policy/model.h"

namespace progtc::bridge {

inline constexpr std::size_t kMaxToolNameBytes = 256;

// `*` is any run of characters, `?` any one byte; everything else stands for itself, and the whole name must fit.
// Takes pattern.size() * name.size() steps at worst, whatever the name.
bool glob_matches(std::string_view pattern, std::string_view name) noexcept;

class ToolRules {
 public:
  explicit ToolRules(policy::Tools tools) : tools_(std::move(tools)) {}

  // Counts one call of `tool`, or says which rule denies it and what in the policy would allow it. A limit of a tool
  // covers what it contains: `per_tool.nmap` counts "nmap" and "nmap.quick" together. Memory does not grow with calls.
  std::optional<std::string> admit(std::string_view tool);

  // The limit of the tool, else of what contains it ("nmap" for "nmap.quick"), else of all tools.
  std::chrono::milliseconds timeout_of(std::string_view tool) const;

  std::uint64_t admitted() const { return calls_; }

 private:
  policy::Tools tools_;
  std::uint64_t calls_ = 0;
  std::map<std::string, std::uint64_t, std::less<>> calls_of_;  // only names that per_tool limits
};

}  // namespace progtc::bridge
