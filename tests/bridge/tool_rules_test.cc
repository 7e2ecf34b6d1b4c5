#include "bridge/tool_rules.h"

#include <gtest/gtest.h>

namespace progtc::bridge {
namespace {

using std::chrono_literals::operator""s;

policy::Tools tools_allowing(const char* pattern, std::uint64_t calls) {
  policy::Tools tools;
  tools.allow = {pattern};
  tools.calls = calls;
  return tools;
}

TEST(GlobTest, MatchesWholeNames) {
  EXPECT_TRUE(glob_matches("*", ""));
  EXPECT_TRUE(glob_matches("*", "git.log"));
  EXPECT_TRUE(glob_matches("read_*", "read_file"));
  EXPECT_FALSE(glob_matches("read_*", "unread_file"));
  EXPECT_TRUE(glob_matches("git.*", "git.log"));
  EXPECT_FALSE(glob_matches("git", "git.log"));
  EXPECT_FALSE(glob_matches("git.*", "gitXlog"));
  EXPECT_TRUE(glob_matches("a?c", "abc"));
  EXPECT_FALSE(glob_matches("a?c", "ac"));
  EXPECT_TRUE(glob_matches("*a*b", "xaxbxb"));
  EXPECT_FALSE(glob_matches("*a*b", "xaxbx"));
  EXPECT_FALSE(glob_matches("", "x"));
}

TEST(GlobTest, HostileNamesTakeBoundedTime) {
  EXPECT_FALSE(glob_matches("*a*a*a*a*a*a*a*a*a*a*b", std::string(256, 'a')));
}

TEST(ToolRulesTest, ADenialNamesTheLineThatWouldAllowIt) {
  ToolRules rules(tools_allowing("curl", 10));
  EXPECT_EQ(rules.admit("nmap"), "tools.allow has no pattern for 'nmap'; add \"nmap\"");
  EXPECT_EQ(rules.admit("curl"), std::nullopt);
  EXPECT_EQ(rules.admitted(), 1U);
}

TEST(ToolRulesTest, SilenceDenies) { EXPECT_TRUE(ToolRules(policy::Tools{}).admit("x")); }

TEST(ToolRulesTest, CountsCallsPerRun) {
  ToolRules rules(tools_allowing("*", 2));
  EXPECT_FALSE(rules.admit("a"));
  EXPECT_FALSE(rules.admit("b"));
  EXPECT_EQ(rules.admit("c"), "tools.calls allows 2 calls per run; raise it to allow more");
  EXPECT_EQ(rules.admitted(), 2U);
}

TEST(ToolRulesTest, ALimitOfAToolCoversItsRecipes) {
  policy::Tools tools = tools_allowing("*", 100);
  tools.per_tool["nmap"].calls = 2;
  tools.per_tool["nmap.slow"].calls = 1;
  ToolRules rules(tools);
  EXPECT_FALSE(rules.admit("nmap.slow"));
  EXPECT_EQ(rules.admit("nmap.slow"), "tools.per_tool.nmap.slow.calls allows 1 calls per run; raise it to allow more");
  EXPECT_FALSE(rules.admit("nmap"));
  EXPECT_EQ(rules.admit("nmap.quick"), "tools.per_tool.nmap.calls allows 2 calls per run; raise it to allow more");
  EXPECT_FALSE(rules.admit("nmapper"));
}

TEST(ToolRulesTest, TheNearestTimeoutCounts) {
  policy::Tools tools;
  tools.timeout = 10s;
  tools.per_tool["nmap"].timeout = 60s;
  tools.per_tool["nmap.quick"].timeout = 5s;
  tools.per_tool["nmap.slow"].calls = 1;
  const ToolRules rules(tools);
  EXPECT_EQ(rules.timeout_of("curl"), 10s);
  EXPECT_EQ(rules.timeout_of("nmap"), 60s);
  EXPECT_EQ(rules.timeout_of("nmap.quick"), 5s);
  EXPECT_EQ(rules.timeout_of("nmap.slow"), 60s);
}

TEST(ToolRulesTest, RefusesNamesThatAreOnlyThereToCostTime) {
  ToolRules rules(tools_allowing("*", 100));
  EXPECT_TRUE(rules.admit(std::string(257, '.')));
  EXPECT_FALSE(rules.admit(std::string(256, '.')));
}

}  // namespace
}  // namespace progtc::bridge
