#include "runner/work_files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "runner/sys/file.h"

namespace progtc::runner {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string content_of(const fs::path& path) {
  const auto text = sys::read_file(path.string(), 1 << 20);
  return text ? *text : "(absent)";
}

class WorkFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    base_ = fs::path(::testing::TempDir()) / ("work-files-" + std::to_string(::getpid()));
    fs::create_directories(base_ / "left");
    identity_.uid = ::geteuid();
    identity_.gid = ::getegid();
  }
  void TearDown() override { fs::remove_all(base_); }
  void leave(const std::string& name, const std::string& text) { std::ofstream(base_ / "left" / name) << text; }
  Result<Collected> collect_all(const CollectLimits& limits = {}) {
    PROGTC_TRY(const auto directory, sys::openat(AT_FDCWD, (base_ / "left").c_str(), O_RDONLY | O_DIRECTORY));
    PROGTC_CHECK(sys::make_directories((base_ / "taken").string(), 0755));
    PROGTC_TRY(const auto target, sys::openat(AT_FDCWD, (base_ / "taken").c_str(), O_RDONLY | O_DIRECTORY));
    return collect(directory.get(), target.get(), limits);
  }
  std::string taken(const std::string& name) { return content_of(base_ / "taken" / name); }

  fs::path base_;
  Identity identity_;
};

TEST_F(WorkFilesTest, CollectsRegularFilesWithTheirDirectories) {
  fs::create_directories(base_ / "left/a/b");
  leave("a/b/c", "text");
  const auto found = collect_all();
  ASSERT_TRUE(found) << found.error().context;
  ASSERT_EQ(found->files.size(), 1U);
  EXPECT_EQ(found->files[0].path, "a/b/c");
  EXPECT_EQ(taken("a/b/c"), "text");
}

TEST_F(WorkFilesTest, NeverFollowsWhatTheCodeHasLinked) {
  fs::create_symlink("/etc/passwd", base_ / "left/link");
  fs::create_directory_symlink("/etc", base_ / "left/dir");
  ASSERT_EQ(::mkfifo((base_ / "left/pipe").c_str(), 0600), 0);
  const auto found = collect_all();
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->files.empty());
  EXPECT_THAT(found->skipped, ::testing::UnorderedElementsAre("link: a symbolic link", "dir: a symbolic link",
                                                              "pipe: not a regular file"));
}

TEST_F(WorkFilesTest, ReplacesALinkOfTheHostsInsteadOfWritingThroughIt) {
  fs::create_directories(base_ / "taken");
  std::ofstream(base_ / "precious") << "precious";
  fs::create_symlink(base_ / "precious", base_ / "taken/out");
  leave("out", "new");
  ASSERT_TRUE(collect_all());
  EXPECT_EQ(taken("out"), "new");
  EXPECT_EQ(content_of(base_ / "precious"), "precious");
}

TEST_F(WorkFilesTest, HoldsTheCapsOnSizeCountAndDepth) {
  leave("big", std::string(100, 'x'));
  leave("small", "x");
  fs::create_directories(base_ / "left/1/2/3");
  leave("1/2/3/deep", "x");
  const auto found = collect_all({.files = 10, .bytes = 50, .depth = 2});
  ASSERT_TRUE(found);
  ASSERT_EQ(found->files.size(), 1U);
  EXPECT_EQ(found->files[0].path, "small");
  EXPECT_THAT(found->skipped, ::testing::UnorderedElementsAre("big: over the cap of 50 bytes in all",
                                                              "1/2/3: deeper than 2 directories"));
}

TEST_F(WorkFilesTest, OneNameTheHostCannotTakeLosesNoOther) {
  const std::string longest(255, 'a');
  leave(longest, "x");
  leave("other", "y");
  const auto found = collect_all();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->files.size(), 2U);
  EXPECT_EQ(taken("other"), "y");
}

TEST_F(WorkFilesTest, NoNameOfTheCodesIsTakenForATemporaryOne) {
  const std::string guessed = ".progtc-part-" + std::to_string(::getpid());
  leave(guessed, "first");
  leave("later", "second");
  fs::create_directories(base_ / "taken");
  std::ofstream(base_ / "taken" / (guessed + "1")) << "the host's own";
  const auto found = collect_all();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->files.size(), 2U);
  EXPECT_EQ(taken(guessed), "first");
  EXPECT_EQ(taken("later"), "second");
  EXPECT_EQ(taken(guessed + "1"), "the host's own");
}

TEST_F(WorkFilesTest, CopiesInBelowTheWorkingDirectoryOnly) {
  std::ofstream(base_ / "source") << "text";
  const auto directory = sys::openat(AT_FDCWD, (base_ / "left").c_str(), O_RDONLY | O_DIRECTORY);
  ASSERT_TRUE(directory);
  const auto copied = copy_in(directory->get(), {{(base_ / "source").string(), "deep/er/name"}}, identity_);
  ASSERT_TRUE(copied) << copied.error().context;
  EXPECT_EQ(content_of(base_ / "left/deep/er/name"), "text");
  const auto refused = copy_in(directory->get(), {{(base_ / "source").string(), "a/../../out"}}, identity_);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().context, HasSubstr("leads out of the working directory"));
}

}  // namespace
}  // namespace progtc::runner
