#include "policy/relaxations.h"

#include <gtest/gtest.h>

#include "tests/policy/support.h"

namespace progtc::policy {
namespace {

std::string all(const Policy& base, const Policy& next) {
  std::string text;
  for (const Relaxation& relaxation : relaxations(base, next))
    text += relaxation.section + ": " + relaxation.what + "\n";
  return text;
}

TEST(RelaxationsTest, APolicyIsAsWideAsItself) {
  for (const PolicySource& source : shipped_policies()) EXPECT_EQ(all(shipped(source.name), shipped(source.name)), "");
}

TEST(RelaxationsTest, StrictIsTheNarrowestShippedPolicy) {
  for (const char* name : {"data", "ci", "standard", "permissive"}) {
    const std::string text = all(shipped(name), shipped("strict"));
    EXPECT_TRUE(text.empty() || text.starts_with("env: set \"")) << name << ": " << text;
  }
}

TEST(RelaxationsTest, WritableIsWiderThanReadOnly) {
  Policy base;
  base.filesystem.binds = {{.source = "/a", .target = "", .is_writable = false}};
  Policy next = base;
  next.filesystem.binds[0].is_writable = true;
  EXPECT_EQ(all(base, next), "filesystem: rw \"/a\"\n");
  EXPECT_EQ(all(next, base), "");
}

TEST(RelaxationsTest, WholeCallsAreWiderThanCheckedOnes) {
  Policy base = shipped("strict");
  Policy next = base;
  next.syscalls.allow = {"ioctl", "getpid"};
  EXPECT_EQ(all(base, next), "syscalls: calls ioctl\n");
  next.syscalls = base.syscalls;
  next.syscalls.rules = {{.call = "ioctl", .argument = 1, .mask = 0xFFFFFFFF, .values = {0x5401}}};
  EXPECT_EQ(all(base, next), "");  // TCGETS is in a group already
}

TEST(RelaxationsTest, APrivateFileSystemWithoutLimitsIsNone) {
  Policy base;
  Policy next = base;
  next.filesystem.tmp = {.size_bytes = 1 << 20, .inodes = 16};
  EXPECT_EQ(all(base, next), "filesystem: tmp size none → 1MiB\nfilesystem: tmp inodes none → 16\n");
  EXPECT_EQ(all(next, base), "");
}

TEST(RelaxationsTest, TheNetworksCallsCountForTheNetwork) {
  Policy next = shipped("strict");
  next.network = NetworkMode::kHost;
  EXPECT_EQ(all(shipped("strict"), next), "network: none → host\n");
}

TEST(RelaxationsTest, LiftingALimitOfOneToolIsARelaxation) {
  Policy base;
  base.tools.calls = 10;
  base.tools.per_tool["x"] = {.calls = 1, .timeout = std::nullopt};
  Policy next = base;
  next.tools.per_tool.clear();
  EXPECT_EQ(all(base, next), "tools: x calls 1 → 10\n");
  EXPECT_EQ(all(next, base), "");
}

}  // namespace
}  // namespace progtc::policy
