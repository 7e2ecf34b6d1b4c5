#include "bridge/tools/tool_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace progtc::bridge {
namespace {

using std::chrono_literals::operator""ms;
using testing::ElementsAre;
using testing::IsEmpty;

ToolSpec decode(std::string_view text) {
  auto spec = decode_tool_file("tools/x.yaml", text);
  EXPECT_TRUE(spec) << spec.error().context;
  return std::move(spec).value();
}

std::string why(std::string_view text) {
  const auto spec = decode_tool_file("tools/x.yaml", text);
  return spec ? "decoded" : spec.error().context;
}

std::vector<std::string> argv(const ToolSpec& spec, std::string_view recipe, std::string_view args,
                              std::string_view kwargs) {
  const auto line = command_line(spec, recipe, args, kwargs);
  EXPECT_TRUE(line) << line.error().context;
  return line.value();
}

constexpr const char* kNmap = R"(name: nmap
args: "{flags} {target}"
description: Network scanner
tags: [recon]
timeout: 300
)";

constexpr const char* kCurl = R"(name: curl
description: HTTP client
command: curl
timeout: 1.5
schema:
  options:
    silent: {type: boolean, short: s, description: Quiet}
    max-time: {type: integer, default: 10}
  positional:
    - {name: url, required: true, description: Address}
recipes:
  get:
    description: Fetch
    preset: {silent: true}
    params:
      url: {}
      max-time: {default: 3}
  curl:
    preset: {max-time: 9}
)";

TEST(ToolFileTest, DecodesATemplate) {
  const ToolSpec spec = decode(kNmap);
  EXPECT_EQ(spec.name, "nmap");
  EXPECT_EQ(spec.description, "Network scanner");
  EXPECT_THAT(spec.tags, ElementsAre("recon"));
  EXPECT_THAT(spec.command, ElementsAre("nmap"));
  EXPECT_EQ(spec.timeout, 300'000ms);
  EXPECT_THAT(argv(spec, "", "[]", R"({"flags":"-p 80","target":"h"})"), ElementsAre("nmap", "-p", "80", "h"));
  EXPECT_THAT(argv(spec, "", R"(["-v","h"])", "{}"), ElementsAre("nmap", "-v", "h"));
  EXPECT_THAT(argv(spec, "", "[]", R"({"target":"h"})"), ElementsAre("nmap", "h"));
  EXPECT_EQ(command_line(spec, "", "[]", R"({"taget":"h"})").error().context,
            "nmap() got an unexpected argument 'taget'; it takes: flags, target");
}

TEST(ToolFileTest, DefaultsAreThoseOfTheReference) {
  const ToolSpec spec = decode("name: date");
  EXPECT_EQ(spec.description, "Run date command");
  EXPECT_EQ(spec.timeout, 60'000ms);
  EXPECT_FALSE(spec.parse_json);
  EXPECT_THAT(spec.command, ElementsAre("date"));
}

TEST(ToolFileTest, ACommandIsSplitForTemplatesOnly) {
  EXPECT_THAT(decode("name: x\ncommand: sh -c 'echo hi'").command, ElementsAre("sh", "-c", "echo hi"));
  EXPECT_THAT(decode("name: x\ncommand: /opt/my tool\nschema: {}").command, ElementsAre("/opt/my tool"));
}

TEST(ToolFileTest, WithoutArgsKeywordsBecomeOptions) {
  const ToolSpec spec = decode("name: ls");
  EXPECT_THAT(
      argv(spec, "", R"(["/tmp"])", R"({"color":"never","all":true,"long":false,"paths":["a","b c"],"n":null})"),
      ElementsAre("ls", "/tmp", "--color=never", "--all", "a", "b c"));
}

TEST(ToolFileTest, DecodesSchemaAndRecipes) {
  const ToolSpec spec = decode(kCurl);
  EXPECT_EQ(spec.timeout, 1500ms);
  EXPECT_THAT(argv(spec, "get", "[]", R"({"url":"u"})"), ElementsAre("curl", "-s", "--max-time=3", "u"));
  EXPECT_THAT(argv(spec, "get", R"(["u"])", R"({"silent":false})"), ElementsAre("curl", "--max-time=3", "u"));
  // A direct call means the recipe named like the tool, where there is one.
  EXPECT_THAT(argv(spec, "", R"(["u"])", "{}"), ElementsAre("curl", "--max-time=9", "u"));
  EXPECT_EQ(command_line(spec, "post", "[]", "{}").error().context,
            "Tool 'curl' has no recipe 'post'. Available: get, curl");
  EXPECT_EQ(command_line(spec, "get", "[]", "{}").error().context, "curl.get(): Required parameter 'url' is missing");
}

TEST(ToolFileTest, DescribesEachWayToCall) {
  const auto infos = describe(decode(kCurl));
  ASSERT_EQ(infos.size(), 3U);
  EXPECT_EQ(infos[1].name, "curl.get");
  EXPECT_EQ(infos[1].description, "Fetch");
  EXPECT_EQ(infos[1].schema.text, R"({"type":"object","properties":{"url":{"type":"string","description":"Address"},)"
                                  R"("silent":{"type":"boolean","description":"Quiet"},"max-time":{"type":"integer"}},)"
                                  R"("required":["url"],"additionalProperties":false})");
  EXPECT_EQ(
      describe(decode(kNmap))[0].schema.text,
      R"({"type":"object","properties":{"flags":{"type":"string"},"target":{"type":"string"}},"additionalProperties":false})");
}

TEST(ToolFileTest, NamesFileLineAndKey) {
  EXPECT_EQ(why("name: x\ntype: cli\nargs: [a]\n"), "tools/x.yaml:3:7: args: expected a string, got a list");
  EXPECT_EQ(why("name: x\nagrs: '{a}'\n"), "tools/x.yaml:2:1: unknown key 'agrs'; did you mean 'args'?");
  EXPECT_EQ(why("name: x\nname: y\n"), "tools/x.yaml:2:1: repeated key 'name'");
  EXPECT_EQ(why("args: '{a}'\n"), "tools/x.yaml:1:1: missing key 'name'");
  EXPECT_EQ(why("[a]"), "tools/x.yaml:1:1: expected a mapping, got a list");
  EXPECT_EQ(why(""), "tools/x.yaml:1:1: the file is empty");
  EXPECT_EQ(why("name: 5"), "tools/x.yaml:1:7: name: expected a string, got a number");
  EXPECT_EQ(why("name: a.b"),
            "tools/x.yaml:1:7: name: expected letters, digits, '_' and '-', starting with a letter, got 'a.b'");
  EXPECT_EQ(why("name: x\ntags: abc"), "tools/x.yaml:2:7: tags: expected a list of strings, got a string");
  EXPECT_EQ(why("name: x\ntimeout: '5'"), "tools/x.yaml:2:10: timeout: expected a number of seconds, got a string");
  EXPECT_EQ(why("name: x\ntimeout: 0"),
            "tools/x.yaml:2:10: timeout: expected a number of seconds in 0.001..86400, got 0");
  EXPECT_EQ(why("name: x\nargs: 'a {x'"), "tools/x.yaml:2:7: args: '{' without '}'; write '{{' for a brace");
  EXPECT_EQ(why("name: x\nargs: a\nschema: {}"),
            "tools/x.yaml:2:7: args: a tool has either args, or schema and recipes");
  EXPECT_EQ(why("name: x\nschema:\n  options:\n    v: {type: bool}\n"),
            "tools/x.yaml:4:15: schema.options.v.type: expected string, boolean, integer, number or array, got 'bool'");
  EXPECT_EQ(why("name: x\nrecipes:\n  r:\n    preset: {v: 1}\n"),
            "tools/x.yaml:4:17: recipes.r.preset.v: the schema has neither an option nor a positional of this name");
}

TEST(ToolFileTest, OtherTypesAreNamed) {
  EXPECT_EQ(why("name: x\ntype: mcp\ntransport: stdio\nargs: [-y]\n"),
            "tools/x.yaml:2:7: type: 'mcp' is not supported yet");
  EXPECT_EQ(why("name: x\ntype: grpc\n"), "tools/x.yaml:2:7: type: expected cli, mcp or http, got 'grpc'");
}

TEST(ToolFileTest, EnvironmentTakesAnyScalar) {
  const ToolSpec spec = decode("name: x\nenv: {PORT: 8080, DEBUG: true, LANG: C}");
  EXPECT_EQ(spec.env.at("PORT"), "8080");
  EXPECT_EQ(spec.env.at("DEBUG"), "true");
  EXPECT_EQ(why("name: x\nenv: {A: [1]}"), "tools/x.yaml:2:10: env.A: expected a string, got a list");
  EXPECT_EQ(why("name: x\nenv: {A=B: c}"), "tools/x.yaml:2:12: env.A=B: no name for an environment variable");
}

TEST(ToolFileTest, WarnsOfQuotedValuesThatCannotBeginWithADash) {
  EXPECT_THAT(decode("name: x\nargs: \"-s '{url}'\"").warnings,
              ElementsAre("tools/x.yaml:2:7: args: a value of '{url}' that begins with '-' is refused, as the program "
                          "would read it as an option; put `--` before it if the program understands that"));
  EXPECT_THAT(decode("name: x\nargs: \"-s -- '{url}'\"").warnings, IsEmpty());
}

TEST(ToolFileTest, WarnsOfValuesThatCanBecomeOptions) {
  EXPECT_THAT(decode("name: x\nargs: --user={user}").warnings,
              ElementsAre("tools/x.yaml:2:7: args: a value of '{user}' can become options of the program: it is split "
                          "into items, or follows a '-'; write --option='{user}'"));
  EXPECT_THAT(decode("name: x\nargs: --user='{user}'").warnings, IsEmpty());
  EXPECT_THAT(decode("name: x\nargs: -a {flags}").warnings, testing::SizeIs(1));
  EXPECT_THAT(decode("name: x\nargs: \"{flags}\"").warnings, IsEmpty());
}

TEST(ToolFileTest, WarnsOfValuesThatAreItemsOfTheirOwn) {
  EXPECT_THAT(
      decode("name: x\nschema:\n  options:\n    max-time: {separate: true}\n    name: {short: name}\n").warnings,
      ElementsAre("tools/x.yaml:4:15: schema.options.max-time: the value is an item of its own after '--max-time', so "
                  "one that begins with '-' is refused; leave it joined if the program understands '--max-time=VALUE'",
                  "tools/x.yaml:5:11: schema.options.name: the value is an item of its own after '-name', so one that "
                  "begins with '-' is refused; leave it joined if the program understands '--name=VALUE'"));
  EXPECT_THAT(
      decode("name: x\nschema:\n  options:\n    name: {short: n}\n    all: {type: boolean, separate: true}\n").warnings,
      IsEmpty());
}

}  // namespace
}  // namespace progtc::bridge
