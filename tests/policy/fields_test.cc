#include "policy/fields.h"

#include <gtest/gtest.h>

#include "policy/decode.h"

namespace progtc::policy {
namespace {

std::string limit_message(std::string_view key, std::string_view text) {
  Limits limits;
  const auto ok = set_limit(limits, key, text);
  return ok ? "ok" : ok.error().context;
}

TEST(FieldsTest, LimitsAreSetByTheirNameInTheFile) {
  Limits limits;
  for (const auto& [key, text] : {std::pair{"wall", "1h"},
                                  {"cpu", "90"},
                                  {"cpus", "1.5"},
                                  {"memory", "1GiB"},
                                  {"processes", "7"},
                                  {"open_files", "32"},
                                  {"file_size", "0"},
                                  {"output", "1K"},
                                  {"frame", "4KiB"}}) {
    EXPECT_TRUE(set_limit(limits, key, text)) << key;
  }
  const Limits expected{.wall = std::chrono::hours(1),
                        .cpu = std::chrono::seconds(90),
                        .cpus = 1.5,
                        .memory_bytes = 1ULL << 30,
                        .processes = 7,
                        .open_files = 32,
                        .file_size_bytes = 0,
                        .output_bytes = 1024,
                        .frame_bytes = 4096};
  EXPECT_EQ(limits, expected);
}

TEST(FieldsTest, LimitsHaveBounds) {
  EXPECT_EQ(limit_message("memory", "-1"), "expected a size such as \"256MiB\", got \"-1\"");
  EXPECT_EQ(limit_message("memory", "1"), "expected a size in 8MiB..1PiB, got \"1\"");
  EXPECT_EQ(limit_message("processes", "1e99"), "expected a whole number in 1..1048576, got \"1e99\"");
  EXPECT_EQ(limit_message("processes", "nan"), "expected a whole number in 1..1048576, got \"nan\"");
  EXPECT_EQ(limit_message("processes", "many"), "expected a whole number, got \"many\"");
  EXPECT_EQ(limit_message("processes", "5 "), "expected a whole number, got \"5 \"");
  EXPECT_EQ(limit_message("cpus", "inf"), "expected a number in 0.01..1024, got \"inf\"");
  EXPECT_EQ(limit_message("procceses", "1"), "unknown limit \"procceses\"; did you mean \"processes\"?");
}

TEST(FieldsTest, BindsKeepTheirForm) {
  for (const char* text : {"/a", "/a:/b", "@python", "@project:/project", "/:/host"}) {
    const auto bind = parse_bind(text, false);
    ASSERT_TRUE(bind) << bind.error().context;
    EXPECT_EQ(format_bind(*bind), text);
  }
  EXPECT_EQ(format_bind(*parse_bind("/a//b/:/a/b", true)), "/a/b");
  EXPECT_EQ(parse_bind("/a:", false).error().context, "expected an absolute path, got \"\"");
  EXPECT_EQ(parse_bind("", false).error().context,
            "expected an absolute path, \"SRC:DST\" or a name such as \"@python\", got \"\"");
  EXPECT_EQ(parse_bind("/a:/sandbox", true).error().context,
            "\"/sandbox\" cannot be a target: it is the sandbox's own file system; name another, as in "
            "\"SRC:/sandbox/data\"");
}

TEST(FieldsTest, WhatTheKernelMakesIsNoSource) {
  for (const char* text : {"/proc:/x", "/proc/self:/x", "//proc/:/x", "/dev:/x", "/dev/pts:/x", "/sys",
                           "/sys/fs/cgroup:/x", "/run", "/run:/x", "/var/run:/x"}) {
    const auto bind = parse_bind(text, false);
    ASSERT_FALSE(bind) << text;
    EXPECT_NE(bind.error().context.find("cannot be shown: "), std::string::npos) << bind.error().context;
  }
  EXPECT_EQ(parse_bind("/proc:/x", false).error().context,
            "\"/proc\" cannot be shown: the host's /proc tells of all its processes; the sandbox has its own");
  for (const char* text : {"/process:/x", "/dev/shm/data:/x", "/system", "/run/app/data", "/devices"})
    EXPECT_TRUE(parse_bind(text, false)) << text;
}

TEST(FieldsTest, NamesAreChecked) {
  EXPECT_TRUE(check_environment_name("LC_ALL"));
  EXPECT_FALSE(check_environment_name("1A"));
  EXPECT_FALSE(check_environment_name(""));
  EXPECT_TRUE(check_module_name("xml.dom.minidom"));
  for (const char* name : {"", ".", "a.", ".a", "a b", "a;import os", "1a", "a.1"})
    EXPECT_FALSE(check_module_name(name)) << name;
  EXPECT_TRUE(check_tool_pattern("read_*"));
  EXPECT_FALSE(check_tool_pattern("a\n"));
  EXPECT_EQ(*check_interpreter("python3.11"), "python3.11");
  EXPECT_FALSE(check_interpreter("bin/python"));
  EXPECT_FALSE(check_interpreter(".."));
}

}  // namespace
}  // namespace progtc::policy
