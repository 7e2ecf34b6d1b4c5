// docs/policy.md promises what the code does: its examples decode, its table of groups is the table of the code.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "policy/permissions.h"
#include "policy/syscall_groups.h"
#include "tests/policy/support.h"

namespace progtc::policy {
namespace {

std::string guide() {
  std::ifstream in(std::string(PROGTC_SOURCE_DIR) + "/docs/policy.md");
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(PolicyGuideTest, ExamplesDecode) {
  const std::string text = guide();
  constexpr std::string_view kOpen = "```json\n";
  int examples = 0;
  for (std::size_t at = text.find(kOpen); at != std::string::npos; at = text.find(kOpen, at)) {
    at += kOpen.size();
    const std::string example = text.substr(at, text.find("```", at) - at);
    EXPECT_EQ(message(example), "ok") << example;
    ++examples;
  }
  EXPECT_EQ(examples, 4);
}

TEST(PolicyGuideTest, ListsTheGroups) {
  const std::string text = guide();
  for (const SyscallGroup& group : syscall_groups()) {
    std::string policies;
    int count = 0;
    for (const char* name : {"strict", "data", "ci", "standard", "permissive"}) {
      const auto groups = shipped(name).syscalls.groups;
      if (std::find(groups.begin(), groups.end(), group.name) == groups.end()) continue;
      policies += (policies.empty() ? "" : ", ") + std::string(name);
      ++count;
    }
    if (count == 5) policies = "all";
    if (count == 0) policies = group.name.starts_with("sockets-") ? "by network mode" : "none";
    const std::string line =
        "| `" + std::string(group.name) + "` | " + std::string(group.description) + " | " + policies + " |\n";
    EXPECT_NE(text.find(line), std::string::npos) << line;
  }
}

}  // namespace
}  // namespace progtc::policy
