// Drives the built programs from outside.
#include <rapidjson/document.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "tests/cli/support.h"

namespace progtc::cli {
namespace {

const std::string kRun = PROGTC_BIN_DIR "/progtc-run";
const std::string kProgtc = PROGTC_BIN_DIR "/progtc";
using Words = std::vector<std::string>;

ProgramEnd progtc(Words words) {
  words.insert(words.begin(), kProgtc);
  return run_program(words);
}
ProgramEnd progtc_run(Words words, const std::string& input = "") {
  words.insert(words.begin(), kRun);
  return run_program(words, input);
}

class SandboxTest : public testing::Test {
 protected:
  void SetUp() override {
    static const bool kWorks = progtc_run({"-c", "pass"}).status == 0;
    if (kWorks) return;
    if (std::getenv("PROGTC_REQUIRE_SANDBOX")) FAIL() << "no sandbox here, and PROGTC_REQUIRE_SANDBOX is set";
    GTEST_SKIP() << "no sandbox can be made here; progtc doctor says why";
  }
  const TemporaryDirectory here_;
};

TEST(ProgtcTest, ListsAndShowsPolicies) {
  const auto list = progtc({"policy", "list"});
  EXPECT_EQ(list.status, 0);
  for (const char* name : {"strict ", "data ", "standard ", "permissive ", "ci "})
    EXPECT_NE(list.out.find(name), std::string::npos) << list.out;
  const auto show = progtc({"policy", "show", "strict"});
  rapidjson::Document json;
  json.Parse(show.out);
  ASSERT_FALSE(json.HasParseError()) << show.out;
  EXPECT_STREQ(json["network"].IsString() ? json["network"].GetString() : "none", "none");
  EXPECT_EQ(progtc({"policy", "show", "strit"}).status, 1);
}
TEST(ProgtcTest, ChecksPolicies) {
  const TemporaryDirectory here;
  here.write("good.json", R"({"extends": "strict"})");
  here.write("bad.json", R"({"extends": "strict", "network": "host"})");
  const auto good = progtc({"policy", "check", "good.json"});
  EXPECT_EQ(good.status, 0);
  EXPECT_EQ(good.out, "good.json: ok\n");
  const auto both = progtc({"policy", "check", "good.json", "bad.json"});
  EXPECT_EQ(both.status, 1);
  EXPECT_EQ(both.out, "good.json: ok\nbad.json: $.network: a relaxation (none → host) needs a \"reason\"\n");
}
TEST(ProgtcTest, WrongUsageIsToldFromProblems) {
  EXPECT_EQ(progtc({}).status, 2);
  EXPECT_EQ(progtc({"policy"}).status, 2);
  EXPECT_EQ(progtc({"policy", "show"}).status, 2);
  EXPECT_EQ(progtc({"--no-such"}).status, 2);
  EXPECT_EQ(progtc({"--help"}).status, 0);
  EXPECT_EQ(progtc({"--version"}).out, PROGTC_VERSION "\n");
}
TEST(ProgtcTest, ListsChecksAndCallsTools) {
  const TemporaryDirectory here;
  here.write("tools/say.yaml", "name: say\ndescription: Says a word\ncommand: echo\nargs: \"{word}\"\n");
  const auto list = progtc({"tools", "list", "tools"});
  EXPECT_EQ(list.status, 0);
  EXPECT_EQ(list.out, "say  Says a word\n");
  EXPECT_EQ(progtc({"tools", "check", "tools"}).status, 0);
  const auto call = progtc({"tools", "call", "tools", "say", "word=hello"});
  EXPECT_EQ(call.status, 0) << call.err;
  EXPECT_EQ(call.out, "hello\n");
  EXPECT_EQ(progtc({"tools", "call", "tools", "say", "--json", R"({"word": "x y"})"}).out, "x y\n");
  const auto wrong = progtc({"tools", "call", "tools", "sya"});
  EXPECT_EQ(wrong.status, 1);
  EXPECT_NE(wrong.err.find("Tool 'sya' not found. Available: say"), std::string::npos) << wrong.err;
  here.write("tools/bad.yaml", "name: bad\n");
  const auto check = progtc({"tools", "check", "tools"});
  EXPECT_EQ(check.status, 1);
  EXPECT_NE(check.out.find("tools/say.yaml: ok: say\n"), std::string::npos);
  EXPECT_NE(check.out.find("tools/bad.yaml:"), std::string::npos);
}
TEST(ProgtcRunTest, WrongUsageIs125AndScriptsDecideTheRest) {
  const TemporaryDirectory here;
  EXPECT_EQ(progtc_run({"--no-such"}).status, 125);
  EXPECT_EQ(progtc_run({}).status, 125);
  EXPECT_EQ(progtc_run({"missing.py"}).status, 127);
  EXPECT_EQ(progtc_run({"."}).status, 126);
  EXPECT_EQ(progtc_run({"--rw", "/", "-c", "pass"}).status, 125);
}

// The run cgroups of a process carry its pid in their name.
std::vector<std::string> cgroups_of(pid_t pid) {
  std::vector<std::string> found;
  std::error_code failed;
  const auto skip = std::filesystem::directory_options::skip_permission_denied;
  for (auto at = std::filesystem::recursive_directory_iterator("/sys/fs/cgroup", skip, failed);
       !failed && at != std::filesystem::recursive_directory_iterator(); at.increment(failed)) {
    const std::string name = at->path().filename().string();
    if (name.starts_with("progtc-") && name.find("-" + std::to_string(pid) + "-") != std::string::npos)
      found.push_back(at->path().string());
  }
  return found;
}

TEST_F(SandboxTest, DoctorFindsThatItRunsAndLeavesNothingBehind) {
  const std::string mounts = read_text("/proc/self/mountinfo");
  const auto end = progtc({"doctor"});
  EXPECT_EQ(::kill(-end.pid, 0), -1) << "a process of its group is left";
  EXPECT_EQ(cgroups_of(end.pid), Words{});
  EXPECT_EQ(read_text("/proc/self/mountinfo"), mounts);
  EXPECT_EQ(end.status, 0) << end.out;
  EXPECT_NE(end.out.find("ok      strict run: complete"), std::string::npos) << end.out;
  const auto json = progtc({"doctor", "--json"});
  rapidjson::Document parsed;
  parsed.Parse(json.out);
  ASSERT_FALSE(parsed.HasParseError()) << json.out;
  EXPECT_TRUE(parsed["can_run_strict"].GetBool());
  EXPECT_GE(parsed["probes"].Size(), 15U);
}

TEST_F(SandboxTest, ALearnedPolicyRunsTheScript) {
  here_.write(
      "sub.py",
      "import subprocess, sys\n"
      "print(subprocess.run(['/bin/echo', 'from echo'], capture_output=True, text=True, check=True).stdout, end='')\n"
      "print(subprocess.run([sys.executable, '-c', 'print(1 + 1)'], capture_output=True, text=True, "
      "check=True).stdout, end='')\n");
  EXPECT_NE(progtc_run({"sub.py"}).status, 0);  // strict starts no programs
  const auto learned = progtc({"policy", "learn", "--yes", "-o", "learned.json", "--", "sub.py"});
  ASSERT_EQ(learned.status, 0) << learned.err;
  EXPECT_EQ(learned.out, "from echo\n2\n");
  EXPECT_NE(learned.err.find("learning lets this code make nearly every system call"), std::string::npos);
  const std::string text = read_text("learned.json");
  EXPECT_NE(text.find("\"groups\": [\"+exec\", \"+processes\"]"), std::string::npos) << text;
  const auto again = progtc_run({"--policy", "learned.json", "sub.py"});
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(again.out, "from echo\n2\n");
  EXPECT_EQ(again.err, "");
}
TEST_F(SandboxTest, LearningIsTheUsersOwnChoice) {
  here_.write("a.py", "print('ran')");
  const auto end = progtc({"policy", "learn", "a.py"});
  EXPECT_EQ(end.status, 1);
  EXPECT_EQ(end.out, "");
  EXPECT_NE(end.err.find("--yes"), std::string::npos);
}
TEST_F(SandboxTest, LearningPrintsThePolicyAloneToStdout) {
  here_.write("a.py",
              "import socket\ns = socket.create_server(('127.0.0.1', 0))\nc = "
              "socket.create_connection(s.getsockname())\nprint('ran')");
  const auto end = progtc({"policy", "learn", "-y", "a.py"});
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(end.out.find("ran\n"), std::string::npos);
  EXPECT_NE(end.err.find("ran\n"), std::string::npos);
  EXPECT_NE(end.out.find("\"mode\": \"loopback\""), std::string::npos) << end.out;
  here_.write("learned.json", end.out);
  EXPECT_EQ(progtc_run({"--policy", "learned.json", "a.py"}).status, 0);
}
TEST_F(SandboxTest, LearningNamesFilesThatWereNotShown) {
  std::string file;
  for (const char* candidate : {"/etc/hostname", "/etc/fstab", "/etc/shells", "/etc/profile", "/etc/host.conf"})
    if (file.empty() && std::filesystem::is_regular_file(candidate)) file = candidate;
  ASSERT_FALSE(file.empty());
  here_.write("a.py", "try: open('" + file + "')\nexcept OSError: pass\n");
  const auto end = progtc({"policy", "learn", "-y", "a.py"});
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_NE(end.out.find("//   " + file + "\n"), std::string::npos) << end.out;
  EXPECT_EQ(end.out.find("\"filesystem\""), std::string::npos) << end.out;
}
TEST_F(SandboxTest, TheWorstIsDeniedEvenWhileLearning) {
  here_.write("a.py", "import ctypes\nprint(ctypes.CDLL(None).unshare(0x10000000))\n");
  const auto end = progtc({"policy", "learn", "-y", "-o", "l.json", "a.py"});
  EXPECT_EQ(end.out, "-1\n");
  EXPECT_NE(read_text("l.json").find("// Denied even while learning:\n//   unshare(CLONE_NEWUSER)"), std::string::npos);
}

TEST_F(SandboxTest, ReportsAreWritten) {
  const auto end = progtc_run({"--report", "r.json", "--junit", "r.xml", "-c", "print('x'); import sys; sys.exit(3)"});
  EXPECT_EQ(end.status, 3);
  rapidjson::Document json;
  json.Parse(read_text("r.json"));
  ASSERT_FALSE(json.HasParseError());
  EXPECT_EQ(json["exit_code"].GetInt(), 3);
  EXPECT_STREQ(json["stdout"]["text"].GetString(), "x\n");
  EXPECT_NE(read_text("r.xml").find("<failure type=\"exited\""), std::string::npos);
}
TEST_F(SandboxTest, ToolsFromADirectoryAreCalled) {
  here_.write("tools/say.yaml", "name: say\ncommand: echo\nargs: \"{word}\"\n");
  const auto end = progtc_run({"--tools", "tools", "-c", "print(tools.say(word='hello'))"});
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(end.out.substr(0, 5), "hello");
}

}  // namespace
}  // namespace progtc::cli
