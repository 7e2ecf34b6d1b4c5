#include "bridge/tools/tool_directory.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace progtc::bridge {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ToolDirectoryTest : public testing::Test {
 protected:
  ToolDirectoryTest() {
    std::string name = "/tmp/progtc-tools-XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~ToolDirectoryTest() override { std::filesystem::remove_all(folder_); }

  void file(const std::string& name, const std::string& text) { std::ofstream(folder_ + "/" + name) << text; }
  std::vector<std::string> names(const ToolDirectory& directory) const {
    std::vector<std::string> result;
    for (const ToolSpec& spec : directory.tools) result.push_back(spec.name);
    return result;
  }

  std::string folder_;
};

TEST_F(ToolDirectoryTest, LoadsYamlFilesOfTheFolderOnly) {
  file("b.yaml", "name: zulu\ncommand: date");
  file("a.yaml", "name: alpha\ncommand: seq");
  file("c.yml", "name: never");
  file("notes.txt", "name: never");
  std::filesystem::create_directory(folder_ + "/sub");
  file("sub/d.yaml", "name: never");
  const auto loaded = load_tool_directory(folder_);
  ASSERT_TRUE(loaded) << loaded.error().context;
  EXPECT_THAT(names(*loaded), ElementsAre("alpha", "zulu"));
  EXPECT_THAT(loaded->problems, IsEmpty());
}

TEST_F(ToolDirectoryTest, OneBadFileDoesNotHideTheOthers) {
  file("a.yaml", "name: [");
  file("b.yaml", "name: good\ncommand: date");
  file("c.yaml", "name: remote\ntype: mcp\ncommand: npx");
  file("d.yaml", "name: gone\ncommand: no-such-program-here");
  file("e.yaml", "name: gone2\ncommand: /no/such/program");
  file("f.yaml", "");
  const auto loaded = load_tool_directory(folder_ + "/");
  ASSERT_TRUE(loaded);
  EXPECT_THAT(names(*loaded), ElementsAre("good"));
  EXPECT_THAT(loaded->problems,
              ElementsAre(testing::StartsWith(folder_ + "/a.yaml:1:"),
                          folder_ + "/c.yaml:2:7: type: 'mcp' is not supported yet",
                          folder_ + "/d.yaml: program 'no-such-program-here' is not on PATH",
                          folder_ + "/e.yaml: program '/no/such/program' is not there, or may not be executed",
                          folder_ + "/f.yaml:1:1: the file is empty"));
}

TEST_F(ToolDirectoryTest, OfTwoToolsWithOneNameTheLaterIsUsedAndBothAreNamed) {
  file("a.yaml", "name: t\ncommand: date");
  file("b.yaml", "name: t\ncommand: seq");
  const auto loaded = load_tool_directory(folder_);
  ASSERT_TRUE(loaded);
  ASSERT_EQ(loaded->tools.size(), 1U);
  EXPECT_EQ(loaded->tools[0].command[0], "seq");
  EXPECT_THAT(loaded->problems, ElementsAre(folder_ + "/b.yaml: 't' is defined in " + folder_ +
                                            "/a.yaml too; the one in " + folder_ + "/b.yaml is used"));
}

TEST_F(ToolDirectoryTest, AFolderThatIsNotThereIsAnError) {
  const auto loaded = load_tool_directory("/no/such/folder");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().context, "tools '/no/such/folder': No such file or directory");
}

TEST_F(ToolDirectoryTest, DoesNotWaitForAFifoNorReadADevice) {
  ASSERT_EQ(::mkfifo((folder_ + "/a.yaml").c_str(), 0600), 0);
  std::filesystem::create_symlink("/dev/zero", folder_ + "/b.yaml");
  const auto loaded = load_tool_directory(folder_);
  ASSERT_TRUE(loaded);
  EXPECT_THAT(loaded->problems, ElementsAre(folder_ + "/a.yaml: not a regular file: Invalid argument",
                                            folder_ + "/b.yaml: not a regular file: Invalid argument"));
}

TEST_F(ToolDirectoryTest, AWorkingDirectoryIsRelativeToTheFolder) {
  file("a.yaml", "name: t\ncommand: date\nworking_dir: data");
  EXPECT_EQ(load_tool_directory(folder_)->tools.at(0).working_directory, folder_ + "/data");
}

TEST_F(ToolDirectoryTest, TheExamplesLoadWithoutAWord) {
  const auto loaded = load_tool_directory(PROGTC_SOURCE_DIR "/examples/tools");
  ASSERT_TRUE(loaded) << loaded.error().context;
  EXPECT_THAT(loaded->problems, IsEmpty());
  EXPECT_THAT(loaded->warnings, IsEmpty());
  EXPECT_GE(loaded->tools.size(), 4U);
}

}  // namespace
}  // namespace progtc::bridge
