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

}  // namespace
}  // namespace progtc::runner
