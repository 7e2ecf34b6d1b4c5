#include "cli/policy_commands.h"
#include "cli/policy_loader.h"
#include "policy/decode.h"
#include "tests/cli/support.h"

namespace progtc::cli {
namespace {

std::string explained(const char* policy, const std::string& name) {
  const auto text = explain_call(*load_policy(policy), name);
  return text ? *text : "error: " + text.error().context;
}

TEST(ExplainCallTest, SaysVerdictGroupRuleAndLine) {
  EXPECT_EQ(explained("strict", "socket"),
            "socket: denied (policy strict)\n"
            "  groups  sockets-unix, sockets-inet\n"
            "  rule    network: none\n"
            "  allow   \"network\": {\"mode\": \"loopback\", \"reason\": \"…\"}\n");
  EXPECT_EQ(explained("strict", "execve"),
            "execve: denied (policy strict)\n"
            "  groups  exec\n"
            "  rule    syscalls: execve is in no allowed group\n"
            "  allow   \"syscalls\": {\"groups\": [\"+exec\"], \"reason\": \"…\"}\n");
  EXPECT_NE(explained("standard", "execve").find("execve: allowed (policy standard)\n"), std::string::npos);
  EXPECT_NE(explained("strict", "ptrace").find("WARNING"), std::string::npos);
}
TEST(ExplainCallTest, SaysForWhichArguments) {
  const std::string text = explained("strict", "clone");
  EXPECT_NE(text.find("clone: allowed with some arguments (policy strict)\n"), std::string::npos) << text;
  EXPECT_NE(text.find("  denied  else, for example clone(SIGCHLD): "), std::string::npos) << text;
  EXPECT_NE(text.find("\"+processes\""), std::string::npos) << text;
}
TEST(ExplainCallTest, SaysWhatLooksAbsent) {
  EXPECT_EQ(
      explained("strict", "clone3"),
      "clone3: answered as if the kernel had no such call, so that programs take their older way (policy strict)\n"
      "  groups  none\n");
}
TEST(ExplainCallTest, KnowsGroups) {
  EXPECT_NE(explained("strict", "exec").find("group exec: not allowed (policy strict)\n"), std::string::npos);
  EXPECT_NE(explained("standard", "sockets-inet").find("group sockets-inet: allowed (policy standard)\n"),
            std::string::npos);
}
TEST(ExplainCallTest, UnknownNamesComeWithNearOnes) {
  EXPECT_EQ(explained("strict", "sokcet"), "error: unknown system call \"sokcet\"; did you mean \"socket\"?");
}

class ExplainPathTest : public testing::Test {
 protected:
  ExplainPathTest() {
    runner::PlannedBind libraries;
    libraries.source = libraries.target = "/usr/lib/x";
    libraries.origin = "@libraries";
    runner::PlannedBind data;
    data.source = "/srv/data";
    data.target = "/data";
    data.origin = "/srv/data:/data";
    data.is_writable = true;
    plan_.binds = {libraries, data};
    plan_.entries.push_back({child::EntryKind::kDirectory, 0755, "usr", ""});
    plan_.entries.push_back({child::EntryKind::kFile, 0644, "etc/passwd", "x"});
    plan_.entries.push_back({child::EntryKind::kSymlink, 0777, "lib", "usr/lib"});
    policy_.name = "p";
  }
  runner::RootPlan plan_;
  policy::Policy policy_;
};
TEST_F(ExplainPathTest, VisibleThroughABind) {
  EXPECT_EQ(
      explain_path(policy_, plan_, "/usr/lib/x/y"),
      "/usr/lib/x/y: visible, read-only (policy p)\n"
      "  rule    filesystem.ro: @libraries\n"
      "  bind    /usr/lib/x\n"
      "  allow   writing: --rw /usr/lib/x/y, or \"filesystem\": {\"rw\": [\"+/usr/lib/x/y\"], \"reason\": \"…\"}\n");
  EXPECT_EQ(explain_path(policy_, plan_, "/srv/data/a"),
            "/srv/data/a: visible, writable (policy p)\n"
            "  as      /data/a\n"
            "  rule    filesystem.rw: /srv/data:/data\n"
            "  bind    /srv/data at /data\n");
}
TEST_F(ExplainPathTest, TheSandboxsOwn) {
  EXPECT_NE(explain_path(policy_, plan_, "/tmp/x").find("not visible"), std::string::npos);
  policy_.filesystem.tmp = {.size_bytes = 4096, .inodes = 4};
  EXPECT_NE(explain_path(policy_, plan_, "/tmp/x").find("private to each run, writable"), std::string::npos);
  EXPECT_NE(explain_path(policy_, plan_, "/proc/self").find("a fresh /proc"), std::string::npos);
  EXPECT_NE(explain_path(policy_, plan_, "/etc/passwd").find("made up for the sandbox"), std::string::npos);
  EXPECT_NE(explain_path(policy_, plan_, "/usr").find("holds only what is shown below it"), std::string::npos);
}
TEST_F(ExplainPathTest, NotVisible) {
  EXPECT_EQ(explain_path(policy_, plan_, "/etc"),
            "/etc: not visible (policy p)\n"
            "  rule    filesystem: no bind covers it\n"
            "  allow   --ro /etc, or \"filesystem\": {\"ro\": [\"+/etc\"], \"reason\": \"…\"}\n");
  EXPECT_NE(explain_path(policy_, plan_, "/no/such").find("this machine has no such file"), std::string::npos);
  EXPECT_NE(explain_path(policy_, plan_, "/etc", "@programs").find("[\"+@programs\"]"), std::string::npos);
}

}  // namespace
}  // namespace progtc::cli
