#include "cli/hints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "cli/policy_loader.h"

namespace progtc::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class HintsTest : public ::testing::Test {
 protected:
  HintsTest() {
    view_.working = {
        "/home/u", "/data/u", {"words.py", "points.csv", "pkg", "fast.cpython-311-x86_64-linux-gnu.so", "a b"}};
    view_.plan.writable = {"/tmp", policy::kWorkPath, "/dev"};
    outcome_.kind = runner::OutcomeKind::kExited;
    outcome_.exit_code = 1;
  }
  std::string hints() {
    std::string text;
    for (const Hint& hint : hints_for(outcome_, policy_, view_))
      text += hint.headline + "\n" + hint.rule + "\n" + hint.fix + "\n";
    return text;
  }
  std::string missing(const std::string& file, int error = ENOENT) {
    outcome_.claim = runner::GuestClaim{};
    outcome_.claim->error_type = "FileNotFoundError";
    outcome_.claim->error_errno = error;
    outcome_.claim->error_filename = file;
    return hints();
  }
  std::string missing_module(const std::string& name) {
    outcome_.claim = runner::GuestClaim{};
    outcome_.claim->error_type = "ModuleNotFoundError";
    outcome_.claim->error_message = "No module named '" + name + "'";
    return hints();
  }
  void show(const std::string& path) {
    runner::PlannedBind bind;
    bind.source = bind.target = path;
    bind.is_directory = true;
    view_.plan.binds.push_back(bind);
  }
  policy::Policy policy_ = *load_policy("strict");
  runner::RunOutcome outcome_;
  CallersView view_;
};

TEST_F(HintsTest, AFileOfThisMachineAndOneThatIsNotThereGetTheSameWords) {
  for (const int error : {ENOENT, EACCES, EPERM}) {
    const std::string there = missing("/etc/shadow", error);
    std::string absent = missing("/etc/shadoz", error);
    absent.replace(absent.find("shadoz"), 6, "shadow");
    EXPECT_EQ(there, absent);
    EXPECT_THAT(there, HasSubstr("whether or not this machine has it"));
  }
}

TEST_F(HintsTest, WhatTheCodeClaimsIsNeverOpened) {
  for (const char* path : {"/etc/shadow", "/home/u/../../etc/shadow", "/root/.ssh/id_rsa", "/", "/home", "/proc/kcore"})
    EXPECT_THAT(missing(path), ::testing::Not(::testing::AnyOf(HasSubstr("--ro"), HasSubstr("--rw")))) << path;
  EXPECT_THAT(missing("../etc/shadow"), IsEmpty());
  EXPECT_THAT(missing("/proc/meminfo"), HasSubstr("shows its own processes"));
}

TEST_F(HintsTest, FilesWhereTheCallerStandsAreOfferedByName) {
  EXPECT_THAT(missing("points.csv"), HasSubstr("\n--ro ., or --file points.csv\n"));
  EXPECT_THAT(missing("a b"), HasSubstr("\n--ro ., or --file 'a b'\n"));
  EXPECT_THAT(missing("pkg/data.txt"), HasSubstr("\n--ro ., or --file pkg\n"));
  EXPECT_THAT(missing("/sandbox/points.csv"), HasSubstr("\n--ro ., or --file points.csv\n"));
  EXPECT_THAT(missing("/home/u/points.csv"), HasSubstr("\n--ro points.csv, or --ro . "));
  EXPECT_THAT(missing("/home/u"), HasSubstr("\n--ro .\n"));
  EXPECT_THAT(missing("/home/u/new.csv"), HasSubstr("\n--rw .\n"));
  EXPECT_THAT(missing("other.csv"), IsEmpty());
  show("/data/u");
  EXPECT_THAT(missing("points.csv"), IsEmpty());
}

TEST_F(HintsTest, ModulesBesideTheScriptAreOfferedByName) {
  EXPECT_THAT(missing_module("words"), HasSubstr("\n--ro ., or --file words.py\n"));
  EXPECT_THAT(missing_module("pkg.part"), HasSubstr("\n--ro ., or --file pkg\n"));
  EXPECT_THAT(missing_module("fast"), HasSubstr("--file fast.cpython"));
  view_.script = ListedDirectory{"/home/u/sub", "/data/u/sub", {"near.py"}};
  EXPECT_THAT(missing_module("near"), HasSubstr("\n--ro sub, or --file sub/near.py\n"));
  view_.script = ListedDirectory{"/var/lib/x", "/var/lib/x", {"near.py"}};
  EXPECT_THAT(missing_module("near"), HasSubstr("\n--ro /var/lib/x, or --file /var/lib/x/near.py\n"));
  EXPECT_THAT(missing_module("words"), HasSubstr("only the standard library is visible"));
  view_.script = ListedDirectory{"/tmp", "/tmp", {"near.py"}};
  EXPECT_THAT(missing_module("near"), HasSubstr("\n--file /tmp/near.py\n"));
  EXPECT_THAT(missing_module("distutils"), IsEmpty());
}

TEST_F(HintsTest, ArgumentsThatTheSandboxDoesNotShow) {
  view_.words = {"/srv/in.csv"};
  view_.existing = {"/srv/in.csv"};
  EXPECT_THAT(missing("/srv/in.csv"), HasSubstr("\n--ro /srv/in.csv "));
  EXPECT_THAT(missing("/srv/other.csv"), ::testing::Not(HasSubstr("--ro")));
  outcome_.claim.reset();
  EXPECT_THAT(hints(), HasSubstr("\n--ro /srv/in.csv "));
  view_.existing.clear();
  view_.words = {"pkg/tests"};
  EXPECT_THAT(hints(), HasSubstr("\n--ro ., or --file pkg\n"));
  outcome_.exit_code = 0;
  EXPECT_THAT(hints(), IsEmpty());
}

TEST_F(HintsTest, ModulesOfTheCommandLine) {
  view_.module = "pkg.tool";
  EXPECT_THAT(hints(), HasSubstr("\n--ro ., or --file pkg\n"));
  view_.module = "pytest";
  EXPECT_THAT(hints(), IsEmpty());
  outcome_.exit_code = 5;
  EXPECT_THAT(hints(), HasSubstr("\n--ro .\n"));
}

TEST_F(HintsTest, AFullFileSystemIsNamed) {
  EXPECT_THAT(missing("/tmp/f", ENOSPC), HasSubstr("\"filesystem\": {\"tmp\": "));
  EXPECT_THAT(missing("relative", ENOSPC), HasSubstr("\"filesystem\": {\"work\": "));
  EXPECT_THAT(missing("", ENOSPC), HasSubstr("filesystem.tmp, .shm, .work, .out"));
}

}  // namespace
}  // namespace progtc::cli
