#include "runner/sys/result_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "runner/sys/file.h"

namespace progtc::sys {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class ResultFileTest : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(base_ / "sub"); }
  void TearDown() override { fs::remove_all(base_); }
  std::string path(const std::string& name) const { return (base_ / name).string(); }
  std::string content(const std::string& name) const {
    const auto text = read_file(path(name), 1 << 20);
    return text ? *text : "(absent)";
  }
  std::size_t count() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(base_ / "sub"), fs::directory_iterator()));
  }
  static FileId id(const std::string& of) {
    struct stat info {};
    EXPECT_EQ(::stat(of.c_str(), &info), 0);
    return {info.st_dev, info.st_ino};
  }
  fs::path base_ = fs::path(::testing::TempDir()) / ("result-file-" + std::to_string(::getpid()));
};

TEST_F(ResultFileTest, AppearsWholeWhenItIsPublished) {
  auto file = ResultFile::open(path("sub/r"));
  ASSERT_TRUE(file) << file.error().context;
  EXPECT_EQ(content("sub/r"), "(absent)");
  ASSERT_TRUE(file->publish("text"));
  EXPECT_EQ(content("sub/r"), "text");
  EXPECT_EQ(count(), 1U);
}

TEST_F(ResultFileTest, LeavesNothingBehindWhenItIsNotPublished) {
  std::optional<ResultFile> kept;
  {
    auto file = ResultFile::open(path("sub/r"));
    ASSERT_TRUE(file);
    kept = std::move(*file);
  }
  kept.reset();
  EXPECT_EQ(count(), 0U);
}

TEST_F(ResultFileTest, RemovesWhatAnEarlierRunLeftAndReplacesLinks) {
  std::ofstream(path("sub/r")) << "old";
  std::ofstream(path("precious")) << "precious";
  auto file = ResultFile::open(path("sub/r"));
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->remove_stale());
  EXPECT_EQ(count(), 0U);
  fs::create_symlink(path("precious"), path("sub/r"));
  ASSERT_TRUE(file->publish("new"));
  EXPECT_EQ(content("sub/r"), "new");
  EXPECT_EQ(content("precious"), "precious");
}

TEST_F(ResultFileTest, StaysInTheDirectoryThatWasNamed) {
  auto file = ResultFile::open(path("sub/r"));
  ASSERT_TRUE(file);
  fs::rename(base_ / "sub", base_ / "moved");
  fs::create_directory(base_ / "sub");
  ASSERT_TRUE(file->publish("text"));
  EXPECT_EQ(content("moved/r"), "text");
  EXPECT_EQ(count(), 0U);
}

TEST_F(ResultFileTest, KnowsWhereItLies) {
  fs::create_directory_symlink(base_ / "sub", base_ / "link");
  std::ofstream(path("sub/old")) << "old";
  fs::create_directory(base_ / "other");
  for (const char* name : {"sub/r", "link/r", "other/../sub/r", "sub/old"}) {
    const auto file = ResultFile::open(path(name));
    ASSERT_TRUE(file) << name;
    EXPECT_TRUE(file->lies_within({id(path("sub"))})) << name;
    EXPECT_TRUE(file->lies_within({id(path("other")), id(base_.string())})) << name;
    EXPECT_FALSE(file->lies_within({id(path("other"))})) << name;
    EXPECT_FALSE(file->lies_within({})) << name;
  }
  const auto old = ResultFile::open(path("sub/old"));
  ASSERT_TRUE(old);
  EXPECT_TRUE(old->lies_within({id(path("sub/old"))}));
}

TEST_F(ResultFileTest, SaysBeforeTheRunThatItCannotBeWritten) {
  EXPECT_FALSE(ResultFile::open(path("absent/r")));
  EXPECT_FALSE(ResultFile::open(path("sub")));
  EXPECT_FALSE(ResultFile::open(path("sub/")));
  const auto refused = ResultFile::open("/proc/r");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().context, HasSubstr("/proc/r"));
}

TEST_F(ResultFileTest, WritesADeviceInPlace) {
  auto file = ResultFile::open("/dev/full");
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->remove_stale());
  EXPECT_FALSE(file->publish("text"));
  EXPECT_TRUE(fs::exists("/dev/full"));
}

}  // namespace
}  // namespace progtc::sys
