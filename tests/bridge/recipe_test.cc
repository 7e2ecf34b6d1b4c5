#include "bridge/tools/recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace progtc::bridge {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

ToolSchema curl() {
  return ToolSchema{
      .options = {{.name = "silent", .short_name = "s", .type = ParameterType::kBoolean},
                  {.name = "max-time", .type = ParameterType::kInteger},
                  {.name = "header", .short_name = "H", .type = ParameterType::kArray},
                  {.name = "method", .short_name = "X"}},
      .positionals = {{.name = "url", .is_required = true}, {.name = "port", .type = ParameterType::kInteger}}};
}

Arguments given(std::string_view kwargs) { return bind_arguments("t", "[]", kwargs, {}, false).value(); }

std::vector<std::string> argv(const ToolSchema& schema, const Recipe* recipe, std::string_view kwargs) {
  const auto built = build_argv(schema, recipe, given(kwargs));
  EXPECT_TRUE(built) << built.error().context;
  return built.value();
}

std::string why(const ToolSchema& schema, const Recipe* recipe, std::string_view kwargs) {
  const auto built = build_argv(schema, recipe, given(kwargs));
  return built ? "built" : built.error().context;
}

TEST(RecipeTest, OptionsInSchemaOrderThenPositionals) {
  EXPECT_THAT(argv(curl(), nullptr, R"({"url":"u","header":["a: b","c"],"max-time":5,"silent":true,"port":-1})"),
              ElementsAre("-s", "--max-time=5", "-Ha: b", "-Hc", "u", "-1"));
}

TEST(RecipeTest, AFalseFlagIsNoFlag) {
  EXPECT_THAT(argv(curl(), nullptr, R"({"url":"u","silent":false})"), ElementsAre("u"));
}

TEST(RecipeTest, UnderscoresStandForDashes) {
  EXPECT_THAT(argv(curl(), nullptr, R"({"url":"u","max_time":"7"})"), ElementsAre("--max-time=7", "u"));
  EXPECT_EQ(why(curl(), nullptr, R"({"url":"u","max_time":1,"max-time":2})"),
            "got multiple values for argument 'max-time'");
}

TEST(RecipeTest, CallsWinOverDefaultsAndThoseOverPresets) {
  const auto number = [](const char* text) { return Argument{JsonKind::kNumber, text, {}}; };
  const Recipe recipe{.name = "get",
                      .preset = {{"max-time", number("1")}, {"method", Argument{JsonKind::kString, "GET", {}}}},
                      .parameters = {{.name = "max-time", .default_value = number("2")}, {.name = "url"}}};
  EXPECT_THAT(argv(curl(), &recipe, R"({"url":"u"})"), ElementsAre("--max-time=2", "-XGET", "u"));
  EXPECT_THAT(argv(curl(), &recipe, R"({"url":"u","max_time":3,"method":null})"), ElementsAre("--max-time=3", "u"));
  EXPECT_THAT(recipe.positional_names(curl()), ElementsAre("max-time", "url"));
}

TEST(RecipeTest, RequiredMeansRequired) {
  EXPECT_EQ(why(curl(), nullptr, "{}"), "Required parameter 'url' is missing");
  const Recipe recipe{.name = "get", .parameters = {{.name = "method", .is_required = true}}};
  EXPECT_EQ(why(curl(), &recipe, R"({"url":"u"})"), "Required parameter 'method' is missing");
}

TEST(RecipeTest, UnknownArgumentsAreNamed) {
  EXPECT_EQ(why(curl(), nullptr, R"({"url":"u","out":"x"})"),
            "unexpected argument 'out'; it takes: url, port, silent, max-time, header, method");
}

TEST(RecipeTest, TypesAreHeld) {
  EXPECT_EQ(why(curl(), nullptr, R"({"url":"u","max_time":"5 -o x"})"),
            "argument 'max-time': expected an integer, got '5 -o x'");
  EXPECT_EQ(why(curl(), nullptr, R"({"url":"u","max_time":1.5})"),
            "argument 'max-time': expected an integer, got '1.5'");
  EXPECT_EQ(why(curl(), nullptr, R"({"url":["u","v"]})"), "argument 'url': expected one value, got a list");
}

TEST(RecipeTest, APositionalCannotBecomeAnOption) {
  EXPECT_EQ(why(curl(), nullptr, R"({"url":"--output=/etc/passwd"})"),
            "argument 'url': '--output=/etc/passwd' begins with '-', and the program would read it as an option");
  EXPECT_EQ(why(curl(), nullptr, R"({"url":"-o"})"),
            "argument 'url': '-o' begins with '-', and the program would read it as an option");
  EXPECT_EQ(why(curl(), nullptr, R"({"url":"u","port":"--x"})"), "argument 'port': expected an integer, got '--x'");
  EXPECT_THAT(argv(curl(), nullptr, R"({"url":"-"})"), ElementsAre("-"));
}

TEST(RecipeTest, AfterEndOfOptionsItMayBeginWithADash) {
  ToolSchema schema = curl();
  schema.has_end_of_options = true;
  EXPECT_THAT(argv(schema, nullptr, R"({"url":"-o","silent":true})"), ElementsAre("-s", "--", "-o"));
  schema.positionals.clear();
  EXPECT_THAT(argv(schema, nullptr, "{}"), IsEmpty());
}

TEST(RecipeTest, AnOptionsValueIsOneItem) {
  EXPECT_THAT(argv(curl(), nullptr, R"({"url":"u","method":"a' --inject 'b"})"), ElementsAre("-Xa' --inject 'b", "u"));
}

TEST(RecipeTest, AnOptionsValueCannotBecomeAnOption) {
  // `date --iso-8601 --file=F` prints F, as --iso-8601 takes its value joined or not at all.
  const ToolSchema date{.options = {{.name = "iso-8601"}, {.name = "rfc", .short_name = "R"}}};
  EXPECT_THAT(argv(date, nullptr, R"({"iso-8601":"--file=/etc/shadow","rfc":"--file=x"})"),
              ElementsAre("--iso-8601=--file=/etc/shadow", "-R--file=x"));
  EXPECT_THAT(argv(date, nullptr, R"({"iso-8601":"","rfc":""})"), ElementsAre("--iso-8601=", "-R", ""));
}

TEST(RecipeTest, AValueOfItsOwnItemDoesNotBeginWithADash) {
  const ToolSchema find{.options = {{.name = "pattern", .short_name = "name", .type = ParameterType::kArray},
                                    {.name = "depth", .type = ParameterType::kInteger, .is_separate = true},
                                    {.name = "user", .short_name = "u", .is_separate = true}}};
  EXPECT_THAT(argv(find, nullptr, R"({"pattern":["*.h","-"],"depth":-1,"user":"a"})"),
              ElementsAre("-name", "*.h", "-name", "-", "--depth", "-1", "-u", "a"));
  EXPECT_EQ(why(find, nullptr, R"({"pattern":["*.h","-delete"]})"),
            "argument 'pattern': '-delete' begins with '-', and the program would read it as an option");
  EXPECT_EQ(why(find, nullptr, R"({"user":"-1"})"),
            "argument 'user': '-1' begins with '-', and the program would read it as an option");
}

}  // namespace
}  // namespace progtc::bridge
