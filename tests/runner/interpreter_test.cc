#include "runner/interpreter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "runner/run_errc.h"

namespace progtc::runner {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class InterpreterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    base_ = fs::path(::testing::TempDir()) / ("interpreter-" + std::to_string(::getpid()));
    fs::create_directories(base_ / "bin");
  }
  void TearDown() override { fs::remove_all(base_); }
  void script(const std::string& name, const std::string& text) {
    std::ofstream(base_ / "bin" / name) << text;
    ::chmod((base_ / "bin" / name).c_str(), 0755);
  }
  std::string bin() const { return (base_ / "bin").string(); }

  fs::path base_;
};

TEST_F(InterpreterTest, FindsTheSystemsPython) {
  const auto found = find_interpreter("/usr/bin/python3", "", "");
  ASSERT_TRUE(found) << found.error().context;
  EXPECT_EQ(found->base_prefix, "/usr");
  EXPECT_EQ(found->called, "/usr/bin/python3");
  EXPECT_TRUE(fs::exists(found->standard_library + "/os.py"));
}

TEST_F(InterpreterTest, AsksAShimWhatItStandsFor) {
  script("python3", "#!/bin/sh\nexec /usr/bin/python3 \"$@\"\n");
  const auto found = find_interpreter("python3", bin() + ":/usr/bin", "");
  ASSERT_TRUE(found) << found.error().context;
  EXPECT_EQ(found->executable, fs::canonical("/usr/bin/python3").string());
}

TEST_F(InterpreterTest, PassesOverWhatIsNoPython) {
  script("python3", "#!/bin/sh\necho no\n");
  const auto found = find_interpreter("python3", bin() + ":/usr/bin", "");
  ASSERT_TRUE(found) << found.error().context;
  EXPECT_EQ(found->called, "/usr/bin/python3");
}

TEST_F(InterpreterTest, NeverSearchesARelativeEntryOfPath) {
  const auto found = find_interpreter("python3", ".:bin", "");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().context, "'python3' is in no directory of PATH (.:bin)");
}

TEST_F(InterpreterTest, RemembersAnAnswerUntilTheFileChanges) {
  const std::string cache = (base_ / "cache").string();
  ASSERT_TRUE(find_interpreter("/usr/bin/python3", "", cache));
  std::vector<fs::path> kept;
  for (const auto& entry : fs::directory_iterator(cache)) kept.push_back(entry.path());
  ASSERT_EQ(kept.size(), 1U);
  // What others may write is not believed.
  std::ofstream(kept[0]) << "/evil\n3.11\n/evil\n/evil\n\n\n";
  ::chmod(kept[0].c_str(), 0666);
  const auto found = find_interpreter("/usr/bin/python3", "", cache);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->base_prefix, "/usr");
}

TEST_F(InterpreterTest, RemembersNothingThatCanAppearLater) {
  const std::string cache = (base_ / "cache").string();
  ASSERT_EQ(::setenv("HOME", base_.c_str(), 1), 0);
  const auto before = find_interpreter("/usr/bin/python3", "", cache);
  ASSERT_TRUE(before);
  EXPECT_EQ(before->user_packages, "");
  const std::string packages =
      (base_ / ".local/lib" / ("python3." + std::to_string(before->minor)) / "site-packages").string();
  fs::create_directories(packages);
  EXPECT_EQ(find_interpreter("/usr/bin/python3", "", cache)->user_packages, packages);
  ASSERT_EQ(::setenv("HOME", "/nowhere", 1), 0);
  EXPECT_EQ(find_interpreter("/usr/bin/python3", "", cache)->user_packages, "");
}

class VirtualEnvironmentTest : public InterpreterTest {
 protected:
  // As `python3 -m venv env` lays it out.
  std::string make(const std::string& settings, const std::string& python = "/usr/bin/python3") {
    fs::create_directories(base_ / "env/bin");
    std::ofstream(base_ / "env/pyvenv.cfg") << settings;
    fs::create_symlink(python, base_ / "env/bin/python");
    return (base_ / "env").string();
  }
  std::string version() const { return "3." + std::to_string(find_interpreter("/usr/bin/python3", "", "")->minor); }
};

TEST_F(VirtualEnvironmentTest, MeansItsOwnInterpreterAndPackages) {
  const std::string env = make("home = /usr/bin\nInclude-System-Site-Packages = TRUE\nversion = " + version() + ".2\n");
  policy::Python python;
  python.venv = env;
  const auto found = find_interpreter_of(python, "/nowhere", "");
  ASSERT_TRUE(found) << found.error().context;
  EXPECT_EQ(found->called, env + "/bin/python");
  EXPECT_EQ(found->executable, fs::canonical("/usr/bin/python3").string());
  EXPECT_EQ(found->venv, env);
  EXPECT_TRUE(found->venv_includes_system);
}

TEST_F(VirtualEnvironmentTest, IsMeantByThePathOfItsInterpreter) {
  const std::string env = make("version_info = " + version() + ".2.final.0\n");
  policy::Python python;
  python.interpreter = env + "/bin/python";
  const auto found = find_interpreter_of(python, "/nowhere", "");
  ASSERT_TRUE(found) << found.error().context;
  EXPECT_EQ(found->venv, env);
  EXPECT_FALSE(found->venv_includes_system);
}

TEST_F(VirtualEnvironmentTest, RefusesAnotherVersion) {
  policy::Python python;
  python.venv = make("version = 3.99.1\n");
  const auto found = find_interpreter_of(python, "/nowhere", "");
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().context, HasSubstr("made by Python 3.99, the interpreter"));
}

TEST_F(VirtualEnvironmentTest, DoesNotExecuteAFileOfTheProject) {
  script("mine", "#!/bin/sh\ntouch " + (base_ / "executed").string() + "\nexec /usr/bin/python3 \"$@\"\n");
  policy::Python python;
  python.venv = make("version = " + version() + "\n", bin() + "/mine");
  const auto found = find_interpreter_of(python, "/nowhere", "", fs::canonical(base_).string());
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().context, HasSubstr("lies in the project and is not executed"));
  EXPECT_FALSE(fs::exists(base_ / "executed"));
  EXPECT_TRUE(find_interpreter_of(python, "/nowhere", "", "/elsewhere"));  // the permitted twin
  EXPECT_TRUE(fs::exists(base_ / "executed"));
}

TEST_F(VirtualEnvironmentTest, SaysWhatIsMissing) {
  policy::Python python;
  python.venv = base_.string();
  EXPECT_THAT(find_interpreter_of(python, "/nowhere", "").error().context, HasSubstr("is not a virtual environment"));
  python.venv = make("home = /usr/bin\n", "/no/such/python3");
  EXPECT_THAT(find_interpreter_of(python, "/nowhere", "").error().context, HasSubstr("does not tell the version"));
  std::ofstream(base_ / "env/pyvenv.cfg") << "version = 3.11.2\n";
  EXPECT_THAT(find_interpreter_of(python, "/nowhere", "").error().context,
              HasSubstr("was the Python that made it removed?"));
}

}  // namespace
}  // namespace progtc::runner
