#include "cli/run_options.h"

#include "policy/decode.h"
#include "tests/cli/support.h"

namespace progtc::cli {
namespace {

policy::Policy strict() {
  for (const auto& source : policy::shipped_policies())
    if (source.name.find("strict") != std::string::npos) return *policy::decode_policy(source, policy::resolve_shipped);
  std::abort();
}

struct Split {
  std::vector<std::string> own;
  std::vector<std::string> rest;
};
Split split(const std::vector<std::string>& words) {
  CLI::App app;
  RunOptions options;
  define_run_options(app, options);
  const auto at = static_cast<std::ptrdiff_t>(count_own_arguments(app, words));
  return {{words.begin(), words.begin() + at}, {words.begin() + at, words.end()}};
}
using Words = std::vector<std::string>;

TEST(OptionSplitTest, WhatFollowsTheScriptBelongsToIt) {
  EXPECT_EQ(split({"--policy", "ci", "a.py", "--policy", "x"}).rest, (Words{"a.py", "--policy", "x"}));
  EXPECT_EQ(split({"--policy=ci", "a.py", "-v"}).rest, (Words{"a.py", "-v"}));
  EXPECT_EQ(split({"-q", "-v", "a.py"}).rest, (Words{"a.py"}));
  EXPECT_EQ(split({"-", "-v"}).rest, (Words{"-", "-v"}));
  EXPECT_EQ(split({"-v"}).rest, Words{});
}
TEST(OptionSplitTest, WhatFollowsCodeOrModuleBelongsToIt) {
  EXPECT_EQ(split({"-v", "-c", "pass", "-v", "--", "x"}).rest, (Words{"-v", "--", "x"}));
  EXPECT_EQ(split({"-m", "json.tool", "--indent", "2"}).rest, (Words{"--indent", "2"}));
  EXPECT_EQ(split({"-cpass", "-v"}).rest, (Words{"-v"}));
  EXPECT_EQ(split({"--memory", "1G", "a.py"}).rest, (Words{"a.py"}));
}
TEST(OptionSplitTest, ADoubleDashEndsOurOptions) {
  EXPECT_EQ(split({"-v", "--", "-c", "x"}).rest, (Words{"--", "-c", "x"}));
}
TEST(OptionSplitTest, AMissingValueStaysInsideTheWords) {
  EXPECT_EQ(split({"--policy"}).own, (Words{"--policy"}));
  EXPECT_EQ(split({"-c"}).own, (Words{"-c"}));
}

TEST(OptionParseTest, UnknownOptionsAreRefused) {
  CLI::App app("", "progtc-run");
  RunOptions options;
  define_run_options(app, options);
  EXPECT_THROW(app.parse(Words{"--no-such"}), CLI::ExtrasError);
}

// Applies one option; returns the whole message, or "" when it went well.
template <typename Set>
std::string message(Set set) {
  RunOptions options;
  set(options);
  const auto done = apply_options(strict(), options);
  return done ? "" : done.error().context;
}

TEST(ApplyOptionsTest, LimitsFollowThePolicysRules) {
  EXPECT_EQ(message([](auto& o) { o.timeout = "-1"; }), R"(--timeout: expected a time such as "30s", got "-1")");
  EXPECT_EQ(message([](auto& o) { o.timeout = "0"; }), R"(--timeout: expected a time in 1ms..30d, got "0")");
  EXPECT_EQ(message([](auto& o) { o.memory = "-1"; }), R"(--memory: expected a size such as "256MiB", got "-1")");
  EXPECT_EQ(message([](auto& o) { o.memory = "1"; }), R"(--memory: expected a size in 8MiB..1PiB, got "1")");
  EXPECT_EQ(message([](auto& o) { o.memory = "1e99"; }), R"(--memory: expected a size of at most 8PiB, got "1e99")");
  EXPECT_EQ(message([](auto& o) { o.cpus = "0"; }), R"(--cpus: expected a number in 0.01..1024, got "0")");
  EXPECT_EQ(message([](auto& o) { o.cpus = "nan"; }), R"(--cpus: expected a number in 0.01..1024, got "nan")");
  EXPECT_EQ(message([](auto& o) { o.cpus = "two"; }), R"(--cpus: expected a number, got "two")");
  EXPECT_EQ(message([](auto& o) { o.pids = "1.5"; }), R"(--pids: expected a whole number in 1..1048576, got "1.5")");
  EXPECT_EQ(message([](auto& o) { o.pids = "1e99"; }), R"(--pids: expected a whole number in 1..1048576, got "1e99")");
}
TEST(ApplyOptionsTest, LimitsAreSet) {
  RunOptions options;
  options.timeout = "1.5s";
  options.memory = "1G";
  options.cpus = "0.5";
  options.pids = "7";
  const auto policy = apply_options(strict(), options);
  ASSERT_TRUE(policy) << policy.error().context;
  EXPECT_EQ(policy->limits.wall, std::chrono::milliseconds(1500));
  EXPECT_EQ(policy->limits.memory_bytes, 1ULL << 30);
  EXPECT_EQ(policy->limits.cpus, 0.5);
  EXPECT_EQ(policy->limits.processes, 7U);
}

TEST(ApplyOptionsTest, MountsFollowThePolicysRules) {
  const TemporaryDirectory here;
  here.write("data/x", "");
  EXPECT_EQ(message([](auto& o) { o.rw = {"/"}; }),
            "--rw /: the whole root cannot be shown; name the directories the code needs");
  EXPECT_EQ(message([](auto& o) { o.ro = {""}; }), "--ro : expected SRC[:DST]");
  EXPECT_EQ(message([](auto& o) { o.ro = {":/x"}; }), "--ro :/x: expected SRC[:DST]");
  EXPECT_EQ(message([](auto& o) { o.ro = {"data:/"}; }),
            R"(--ro data:/: "/" cannot be a target: the root is the sandbox's own)");
  EXPECT_EQ(message([](auto& o) { o.ro = {"data:/proc/x"}; }),
            R"(--ro data:/proc/x: "/proc/x" cannot be a target: /proc is the sandbox's own)");
  EXPECT_EQ(
      message([](auto& o) { o.ro = {"/proc:/x"}; }),
      R"(--ro /proc:/x: "/proc" cannot be shown: the host's /proc tells of all its processes; the sandbox has its own)");
  EXPECT_EQ(message([](auto& o) { o.ro = {"data:/sys"}; }), "");
  EXPECT_EQ(message([](auto& o) { o.ro = {"data:/a/../b"}; }), R"(--ro data:/a/../b: the path may not contain "..")");
  EXPECT_EQ(message([](auto& o) { o.ro = {"/no/such"}; }), "--ro /no/such: no such file or directory");
  EXPECT_EQ(message([](auto& o) { o.rw = {"@packages"}; }),
            R"(--rw @packages: "@packages" cannot be writable: of the named sources only "@project" can)");
  EXPECT_EQ(message([](auto& o) { o.ro = {"@package"}; }),
            R"(--ro @package: unknown source "@package"; did you mean "@packages"?)");
}
TEST(ApplyOptionsTest, MountsAreResolved) {
  const TemporaryDirectory here;
  here.write("data/x", "");
  here.write("a:b/x", "");
  RunOptions options;
  options.ro = {"data/", "data:/data", "a:b:/ab", "@packages"};
  options.rw = {"./data/../data"};
  const auto policy = apply_options(strict(), options);
  ASSERT_TRUE(policy) << policy.error().context;
  const auto& binds = policy->filesystem.binds;
  ASSERT_GE(binds.size(), 5U);
  const auto* added = &binds[binds.size() - 5];
  const std::string data = std::filesystem::current_path().string() + "/data";
  EXPECT_EQ(added[0], (policy::Bind{data, "", false}));
  EXPECT_EQ(added[1], (policy::Bind{data, "/data", false}));
  EXPECT_EQ(added[2], (policy::Bind{std::filesystem::current_path().string() + "/a:b", "/ab", false}));
  EXPECT_EQ(added[3], (policy::Bind{"@packages", "", false}));
  EXPECT_EQ(added[4], (policy::Bind{data, "", true}));
}

TEST(ApplyOptionsTest, EnvironmentNamesAreChecked) {
  EXPECT_EQ(message([](auto& o) { o.env = {"1A=x"}; }),
            R"(--env 1A=x: expected a variable name such as "LANG", got "1A")");
  EXPECT_NE(message([](auto& o) { o.env = {"=x"}; }), "");
  EXPECT_NE(message([](auto& o) { o.env = {"A B"}; }), "");
  EXPECT_EQ(message([](auto& o) { o.env = {"A=", "B", "C=D=E"}; }), "");
}
TEST(ApplyOptionsTest, APassedVariableWinsOverOneThatThePolicySets) {
  RunOptions options;
  options.env = {"LANG", "A=1=2"};
  const auto policy = apply_options(strict(), options);
  ASSERT_TRUE(policy);
  EXPECT_FALSE(policy->env.set.contains("LANG"));
  EXPECT_EQ(policy->env.set.at("A"), "1=2");
}

TEST(ApplyOptionsTest, TheInterpreterIsChecked) {
  const TemporaryDirectory here;
  EXPECT_EQ(message([](auto& o) { o.venv = "."; }), "--venv .: not a virtual environment (no pyvenv.cfg in it)");
  EXPECT_EQ(message([](auto& o) { o.python = "python3.11"; }), "");
  EXPECT_NE(message([](auto& o) { o.python = "a b"; }), "");
}

TEST(CheckOptionsTest, OnlySomeControlsCanBeGivenUp) {
  RunOptions options;
  options.allow_degraded = {"cgroup", "landlock"};
  EXPECT_TRUE(check_options(options));
  options.allow_degraded = {"seccomp"};
  const auto checked = check_options(options);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().context,
            "--allow-degraded=seccomp: no such control; these can be given up: cgroup, cpus, landlock");
}

TEST(ParseFileTest, TargetsLieBelowTheWorkingDirectory) {
  const TemporaryDirectory here;
  here.write("in.csv", "");
  EXPECT_EQ(parse_file("in.csv")->target, "in.csv");
  EXPECT_EQ(parse_file("in.csv:data/x.csv")->target, "data/x.csv");
  EXPECT_EQ(parse_file("in.csv:/sandbox/y")->target, "y");
  for (const char* wrong : {"in.csv:/etc/x", "in.csv:../x", "in.csv:a/../../x"}) {
    const auto file = parse_file(wrong);
    ASSERT_FALSE(file) << wrong;
    EXPECT_EQ(file.error().context, std::string("--file ") + wrong + ": the target has to lie below /sandbox");
  }
  EXPECT_EQ(parse_file("no.csv").error().context, "--file no.csv: No such file or directory");
}

}  // namespace
}  // namespace progtc::cli
