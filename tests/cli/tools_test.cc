#include "bridge/tools/tool_directory.h"
#include "cli/tool_loader.h"
#include "cli/tools_commands.h"
#include "tests/cli/support.h"

namespace progtc::cli {
namespace {

TEST(ToKwargsTest, ValuesAreJsonWhereTheyReadAsSuch) {
  EXPECT_EQ(
      *to_kwargs(
          {"n=91", "ok=true", "none=null", "list=[1, 2]", "text=hello", "path=/tmp/a=b", "quoted=\"x\"", "empty="}, ""),
      R"({"n": 91, "ok": true, "none": null, "list": [1, 2], "text": "hello", "path": "/tmp/a=b", "quoted": "\"x\"", "empty": ""})");
  EXPECT_EQ(*to_kwargs({}, ""), "{}");
}
TEST(ToKwargsTest, TheSchemaDecidesWhatIsText) {
  EXPECT_EQ(
      *to_kwargs({"version=1", "n=1"}, R"({"properties": {"version": {"type": "string"}, "n": {"type": "integer"}}})"),
      R"({"version": "1", "n": 1})");
}
TEST(ToKwargsTest, WrongWordsAreNamed) {
  EXPECT_EQ(to_kwargs({"x"}, "").error().context, "expected NAME=VALUE, got 'x': Invalid argument");
  EXPECT_EQ(to_kwargs({"a=1", "a=2"}, "").error().context, "'a' is given twice: Invalid argument");
}

TEST(ToolLoaderTest, ProblemsAreSaidAndTheOthersLoad) {
  const TemporaryDirectory here;
  here.write("tools/good.yaml", "name: good\ndescription: says it\ncommand: echo\nargs: \"{word}\"\n");
  here.write("tools/bad.yaml", "name: bad\ncommandx: echo\n");
  testing::internal::CaptureStderr();
  const auto tools = load_tools("tools", Console("progtc-run", false, false));
  const std::string said = testing::internal::GetCapturedStderr();
  ASSERT_TRUE(tools) << tools.error().context;
  ASSERT_EQ((*tools)->list().size(), 1U);
  EXPECT_EQ((*tools)->list()[0].name, "good");
  EXPECT_NE(said.find("progtc-run: tools: tools/bad.yaml:"), std::string::npos) << said;
}
TEST(ToolLoaderTest, AMissingDirectoryIsAnError) {
  const TemporaryDirectory here;
  const auto tools = load_tools("gone", Console("progtc-run", false, false));
  ASSERT_FALSE(tools);
  EXPECT_EQ(tools.error().context, "--tools: tools 'gone': No such file or directory");
}
TEST(ToolLoaderTest, NoDirectoryIsNoHost) {
  const auto tools = load_tools("", Console("progtc-run", false, false));
  ASSERT_TRUE(tools);
  EXPECT_EQ(*tools, nullptr);
}

}  // namespace
}  // namespace progtc::cli
