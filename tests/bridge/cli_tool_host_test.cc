// Tool files, real programs, and at the end the whole way from the code's frame to the program and back.
#include "bridge/tools/cli_tool_host.h"

#include <stdlib.h>

#include <map>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "bridge/json.h"
#include "bridge/tools/tool_directory.h"

namespace progtc::bridge {
namespace {

namespace asio = boost::asio;
using std::chrono_literals::operator""ms;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<ToolSpec> specs(std::initializer_list<const char*> files) {
  std::vector<ToolSpec> result;
  for (const char* text : files) {
    auto spec = decode_tool_file("t.yaml", text);
    EXPECT_TRUE(spec) << spec.error().context;
    result.push_back(std::move(*spec));
  }
  return result;
}

Result<Json> call(CliToolHost& host, const std::string& tool, const std::string& kwargs = "{}",
                  const std::string& args = "[]", std::chrono::milliseconds timeout = std::chrono::milliseconds{0}) {
  asio::io_context io(1);
  std::optional<Result<Json>> result;
  ToolCall work{.id = "0123", .tool = tool, .args = Json{args}, .kwargs = Json{kwargs}, .timeout = timeout};
  asio::co_spawn(io, host.call(std::move(work)), [&](std::exception_ptr failure, Result<Json> answer) {
    EXPECT_FALSE(failure);
    result.emplace(std::move(answer));
  });
  io.run();
  return std::move(*result);
}

constexpr const char* kPrint = "name: show\ncommand: printf '%s|'\nargs: \"a '{quoted}' {bare}\"";

TEST(CliToolHostTest, StdoutIsTheResultAsItIs) {
  CliToolHost host(specs({"name: show\ncommand: printf 'two\\n lines \\n'"}));
  EXPECT_EQ(call(host, "show")->text, R"("two\n lines \n")");
}

TEST(CliToolHostTest, NoValueAddsAnOptionThroughQuoting) {
  CliToolHost host(specs({kPrint}));
  EXPECT_EQ(call(host, "show", R"({"quoted":"a' --inject 'b"})")->text, R"("a|a' --inject 'b|")");
  EXPECT_EQ(call(host, "show", R"({"quoted":"\" --inject \""})")->text, R"("a|\" --inject \"|")");
  EXPECT_EQ(call(host, "show", R"({"quoted":"$(id) `id` ; rm -rf * \n"})")->text, R"("a|$(id) `id` ; rm -rf * \n|")");
  EXPECT_EQ(call(host, "show", R"({"bare":"x   'y z'"})")->text, R"("a|x|y z|")");
  EXPECT_EQ(call(host, "show")->text, R"("a|")");
  EXPECT_EQ(call(host, "show", R"({"bare":"it's"})").error().context, "show(): argument 'bare': No closing quotation");
}

TEST(CliToolHostTest, PositionalArgumentsFollowTheTemplate) {
  CliToolHost host(specs({kPrint}));
  EXPECT_EQ(call(host, "show", "{}", R"(["q r","s t"])")->text, R"("a|q r|s|t|")");
}

TEST(CliToolHostTest, ParsesJsonWhereTheFileSaysSo) {
  CliToolHost host(specs({"name: good\ncommand: printf '{\"a\":[1, 2]}\\n'\nparse_json: true",
                          "name: bad\ncommand: printf oops\nparse_json: true"}));
  EXPECT_EQ(call(host, "good")->text, "{\"a\":[1, 2]}\n");
  EXPECT_EQ(call(host, "bad").error().context, "Invalid JSON output: not JSON: unexpected character at byte 0");
}

TEST(CliToolHostTest, FailuresReadAsInTheReference) {
  CliToolHost host(specs({"name: loud\ncommand: sh -c 'echo lost; echo broken >&2; exit 2'",
                          "name: quiet\ncommand: sh -c 'exit 7'", "name: killed\ncommand: sh -c 'kill -KILL $$'",
                          "name: bytes\ncommand: printf '\\377'", "name: gone\ncommand: /no/such/program"}));
  const auto loud = call(host, "loud");
  EXPECT_EQ(loud.error().code, make_error_code(ToolErrc::kFailed));
  EXPECT_EQ(loud.error().context, "Command failed: broken");
  EXPECT_EQ(call(host, "quiet").error().context, "Command failed: Exit code 7");
  EXPECT_EQ(call(host, "killed").error().context, "Command failed: killed by SIGKILL");
  EXPECT_EQ(call(host, "bytes").error().context, "the output of 'bytes' is not UTF-8");
  EXPECT_EQ(call(host, "gone").error().context, "Command failed: start '/no/such/program': No such file or directory");
}

TEST(CliToolHostTest, AnUnknownToolIsNamedWithThoseThereAre) {
  CliToolHost host(specs({"name: a", "name: b", "name: c", "name: d", "name: e", "name: f", "name: g"}));
  const auto missing = call(host, "x");
  EXPECT_EQ(missing.error().code, make_error_code(ToolErrc::kNotFound));
  EXPECT_EQ(missing.error().context, "Tool 'x' not found. Available: a, b, c, d, e (and 2 more)");
  EXPECT_EQ(call(host, "a.").error().context, "Tool 'a.' not found. Available: a, b, c, d, e (and 2 more)");
  EXPECT_EQ(call(host, "a.b").error().context, "Tool 'a' has no recipe 'b'");
}

TEST(CliToolHostTest, TheShorterTimeoutCounts) {
  CliToolHost host(specs({"name: slow\ncommand: sleep 1000\ntimeout: 0.05", "name: slower\ncommand: sleep 1000"}));
  const auto own = call(host, "slow", "{}", "[]", 3'600'000ms);
  EXPECT_EQ(own.error().code, make_error_code(ToolErrc::kTimeout));
  EXPECT_EQ(own.error().context, "Tool 'slow' timed out after 0.05s");
  EXPECT_EQ(call(host, "slower", "{}", "[]", 40ms).error().context, "Tool 'slower' timed out after 0.04s");
}

TEST(CliToolHostTest, TheEnvironmentIsTheHostsAndTheFiles) {
  ASSERT_EQ(::setenv("PROGTC_TEST_A", "host", 1), 0);
  ASSERT_EQ(::setenv("PROGTC_TEST_B", "host", 1), 0);
  CliToolHost host(
      specs({"name: env\ncommand: sh -c 'echo $PROGTC_TEST_A $PROGTC_TEST_B'\nenv: {PROGTC_TEST_B: file}"}));
  EXPECT_EQ(call(host, "env")->text, R"("host file\n")");
}

TEST(CliToolHostTest, AToolThatReadsStdinGetsItsEnd) {
  CliToolHost host(specs({"name: cat"}));
  EXPECT_EQ(call(host, "cat")->text, R"("")");
}

TEST(CliToolHostTest, FiveMegabytesOfResult) {
  CliToolHost host(specs({"name: zeros\ncommand: head\nargs: -c {n} /dev/zero"}));
  // Each NUL byte is six bytes of JSON.
  EXPECT_EQ(call(host, "zeros", R"({"n":5000000})")->text.size(), 6U * 5'000'000 + 2);
  EXPECT_EQ(call(host, "zeros", R"({"n":20000000})").error().context,
            "Command failed: more than 16777216 bytes of output");
}

TEST(CliToolHostTest, RecipesAreCalledByTheirDottedName) {
  CliToolHost host(specs({R"(name: count
command: seq
schema:
  options:
    separator: {short: s}
  positional:
    - {name: first, type: integer}
    - {name: last, type: integer, required: true}
recipes:
  csv:
    preset: {separator: ","}
    params:
      last: {}
)"}));
  EXPECT_EQ(call(host, "count.csv", R"({"last":3})")->text, R"("1,2,3\n")");
  EXPECT_EQ(call(host, "count.csv", "{}", "[3]")->text, R"("1,2,3\n")");
  EXPECT_EQ(call(host, "count", R"({"first":-1,"last":1})")->text, R"("-1\n0\n1\n")");
  EXPECT_EQ(call(host, "count", R"({"last":"--help"})").error().context,
            "count(): argument 'last': expected an integer, got '--help'");
  std::vector<std::string> names;
  for (const ToolInfo& info : host.list()) names.push_back(info.name);
  EXPECT_THAT(names, ElementsAre("count", "count.csv"));
}

TEST(CliToolHostTest, BoundsWhatACallBrings) {
  CliToolHost host(specs({kPrint}));
  EXPECT_THAT(call(host, "show", "{\"quoted\":\"" + std::string(2 << 20, 'x') + "\"}").error().context,
              HasSubstr("more than 1048576 bytes of arguments"));
  EXPECT_EQ(call(host, "show", "{\"quoted\":\"" + std::string(200'000, 'x') + "\"}").error().context,
            "Command failed: start 'printf': Argument list too long");
  EXPECT_EQ(call(host, "show", R"({"quoted":"a\u0000b"})").error().context,
            "show() argument 'quoted': it holds a NUL character");
}

TEST(CliToolHostTest, TheExamplesWork) {
  auto loaded = load_tool_directory(PROGTC_SOURCE_DIR "/examples/tools");
  ASSERT_TRUE(loaded) << loaded.error().context;
  CliToolHost host(std::move(loaded->tools));
  EXPECT_EQ(call(host, "add", R"({"a":2,"b":40})")->text, R"("42\n")");
  EXPECT_EQ(call(host, "sequence.csv", R"({"last":3})")->text, R"("1,2,3\n")");
  EXPECT_EQ(call(host, "add", "{}", "[-2, 1]")->text, R"("-1\n")");
  EXPECT_EQ(call(host, "pause", "{}", "[0]")->text, R"("")");
  const std::string here = R"({"path":")" PROGTC_SOURCE_DIR R"(/examples/tools/add.yaml"})";
  EXPECT_THAT(call(host, "file_info", here)->text,
              testing::MatchesRegex("\\{\"size\":[0-9]+,\"modified\":[0-9]+\\}\n"));
  EXPECT_THAT(call(host, "checksum", here)->text, testing::MatchesRegex("\"[0-9a-f]{64}  /.*/add.yaml\\\\n\""));
  EXPECT_EQ(call(host, "utc_time", R"({"when":"now"})").error().context,
            "utc_time() got an unexpected argument 'when'; it takes: none");
  EXPECT_THAT(call(host, "utc_time")->text, testing::MatchesRegex("\"[0-9]{4}-[0-9-]*T[0-9:]*Z\\\\n\""));
}

}  // namespace
}  // namespace progtc::bridge
