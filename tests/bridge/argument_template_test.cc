#include "bridge/tools/argument_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace progtc::bridge {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Arguments given(std::string_view kwargs) {
  const auto bound = bind_arguments("t", "[]", kwargs, {}, false);
  EXPECT_TRUE(bound) << bound.error().context;
  return bound.value();
}

std::vector<std::string> expand(std::string_view text, std::string_view kwargs) {
  const auto parsed = ArgumentTemplate::parse(text);
  EXPECT_TRUE(parsed) << parsed.error().context;
  const auto argv = parsed->expand(given(kwargs));
  EXPECT_TRUE(argv) << argv.error().context;
  return argv.value();
}

std::string why(std::string_view text, std::string_view kwargs = "{}") {
  const auto parsed = ArgumentTemplate::parse(text);
  if (!parsed) return parsed.error().context;
  const auto argv = parsed->expand(given(kwargs));
  return argv ? "expanded" : argv.error().context;
}

TEST(ArgumentTemplateTest, BarePlaceholdersSplit) {
  EXPECT_THAT(expand("{flags} {target}", R"({"flags":"-p 80","target":"example.org"})"),
              ElementsAre("-p", "80", "example.org"));
  EXPECT_THAT(expand("{x}", R"({"x":"a   'b c' \"d e\" f\\ g"})"), ElementsAre("a", "b c", "d e", "f g"));
}

TEST(ArgumentTemplateTest, QuotedPlaceholdersAreExactlyOneItem) {
  for (const char* text : {"'{x}'", "\"{x}\""}) {
    EXPECT_THAT(expand(text, R"({"x":"a   b"})"), ElementsAre("a   b"));
    EXPECT_THAT(expand(text, R"({"x":"a' --inject 'b"})"), ElementsAre("a' --inject 'b"));
    EXPECT_THAT(expand(text, R"({"x":"a\" --inject \"b"})"), ElementsAre("a\" --inject \"b"));
    EXPECT_THAT(expand(text, R"({"x":"it's\\"})"), ElementsAre("it's\\"));
    EXPECT_THAT(expand(text, R"({"x":"{y} {{ }} $(id) `id` \n;"})"), ElementsAre("{y} {{ }} $(id) `id` \n;"));
    EXPECT_THAT(expand(text, R"({"x":""})"), ElementsAre(""));
  }
}

TEST(ArgumentTemplateTest, QuotesInABareValueEndWithTheValue) {
  EXPECT_EQ(why("{x} {y}", R"({"x":"a '","y":"' b"})"), "argument 'x': No closing quotation");
  EXPECT_THAT(expand("{x} -- '{y}'", R"({"x":"a","y":"--z"})"), ElementsAre("a", "--", "--z"));
}

TEST(ArgumentTemplateTest, AQuotedValueCannotBecomeAnOption) {
  EXPECT_EQ(why("-s '{x}'", R"({"x":"-rf /"})"),
            "argument 'x': '-rf /' begins with '-', and the program would read it as an option");
  EXPECT_EQ(why("{y}'{x}'", R"({"x":"--z"})"),
            "argument 'x': '--z' begins with '-', and the program would read it as an option");
  EXPECT_EQ(why("'{x}{y}'", R"({"x":"-","y":"z"})"),
            "argument 'x': '-z' begins with '-', and the program would read it as an option");
  EXPECT_EQ(why("{y} '{x}'", R"({"x":"--z","y":"-o --"})"),
            "argument 'x': '--z' begins with '-', and the program would read it as an option");
  EXPECT_THAT(expand("-- '{x}'", R"({"x":"-rf /"})"), ElementsAre("--", "-rf /"));
  EXPECT_THAT(expand("--x='{x}'", R"({"x":"--z"})"), ElementsAre("--x=--z"));
  EXPECT_THAT(expand("'{x}' '{y}'", R"({"x":"-","y":-1.5})"), ElementsAre("-", "-1.5"));
}

TEST(ArgumentTemplateTest, AMissingValueLeavesNoOptionOpen) {
  EXPECT_EQ(why("-o '{x}' -- '{y}'", R"({"y":"--z"})"),
            "argument 'x' is missing, and '-o' would take '--' for its value");
  EXPECT_EQ(why("-o '{x}' --safe", "{}"), "argument 'x' is missing, and '-o' would take '--safe' for its value");
  EXPECT_THAT(expand("-o '{x}' -- '{y}'", R"({"x":"","y":"--z"})"), ElementsAre("-o", "", "--", "--z"));
  EXPECT_THAT(expand("-v {x} -- '{y}'", R"({"y":"z"})"), ElementsAre("-v", "--", "z"));
}

TEST(ArgumentTemplateTest, MissingValuesExpandToNothing) {
  EXPECT_THAT(expand("-a {x} '{y}' \"{z}\"", "{}"), ElementsAre("-a"));
  EXPECT_THAT(expand("-a {x} '{y}'", R"({"x":null,"y":null})"), ElementsAre("-a"));
  EXPECT_THAT(expand("{x}", R"({"x":""})"), IsEmpty());
  EXPECT_THAT(expand("--user='{x}' --p={y}", "{}"), ElementsAre("--user=", "--p="));
  EXPECT_THAT(expand("'' {x}", "{}"), ElementsAre(""));
}

TEST(ArgumentTemplateTest, TextBesideAPlaceholderJoinsItsItems) {
  EXPECT_THAT(expand("--f={x}!", R"({"x":"a b"})"), ElementsAre("--f=a", "b!"));
  EXPECT_THAT(expand("--f='{x}'{y}", R"({"x":"a b","y":"c d"})"), ElementsAre("--f=a bc", "d"));
  EXPECT_THAT(expand("\"{x}-{y}\"", R"({"x":"a b","y":1})"), ElementsAre("a b-1"));
}

TEST(ArgumentTemplateTest, ListsGiveOneItemEachUnsplit) {
  EXPECT_THAT(expand("{x}", R"({"x":["a b","c'd",""]})"), ElementsAre("a b", "c'd", ""));
  EXPECT_EQ(why("'{x}'", R"({"x":["a"]})"), "argument 'x': expected one value, got a list (it stands in quotes)");
}

TEST(ArgumentTemplateTest, ScalarsReadAsInPython) {
  EXPECT_THAT(expand("{a} {b} {c} {d}", R"({"a":true,"b":false,"c":12345678901234567890123,"d":1.50})"),
              ElementsAre("True", "False", "12345678901234567890123", "1.50"));
}

TEST(ArgumentTemplateTest, BracesAreDoubled) {
  EXPECT_THAT(expand("'{{{x}}}' {{}}", R"({"x":"v"})"), ElementsAre("{v}", "{}"));
  EXPECT_THAT(ArgumentTemplate::parse("{{lit}} {a} '{b}' {a}")->names(), ElementsAre("a", "b"));
}

TEST(ArgumentTemplateTest, RefusesTheRestOfPythonsFormatLanguage) {
  EXPECT_EQ(why("{x!r}"), "'{x!r}' is no placeholder; only {name} is, and '{{' stands for a brace");
  EXPECT_EQ(why("{}"), "'{}' is no placeholder; only {name} is, and '{{' stands for a brace");
  EXPECT_EQ(why("{x"), "'{' without '}'; write '{{' for a brace");
  EXPECT_EQ(why("x}"), "single '}'; write '}}' for a brace");
  EXPECT_EQ(why("\\{x}"), "a backslash stands before a brace; write '{{' for a brace");
  EXPECT_EQ(why("'{x}"), "No closing quotation");
}

TEST(ArgumentTemplateTest, NamesWhatIsOpenToOptions) {
  const auto parsed = ArgumentTemplate::parse("-s '{url}' --x='{y}' {z} --u={a} -u {b} --'{c}'=1 -- '{w}' -{v}");
  ASSERT_TRUE(parsed);
  EXPECT_THAT(parsed->names_kept_from_options(), ElementsAre("url"));
  EXPECT_THAT(parsed->names_open_to_options(), ElementsAre("a", "b", "c"));
}

TEST(BindArgumentsTest, BindsAsPythonDoes) {
  const auto bound = bind_arguments("t", R"([1,"b"])", R"({"z":true})", {"x", "y", "z"}, false);
  ASSERT_TRUE(bound);
  EXPECT_EQ(find_argument(*bound, "x")->text, "1");
  EXPECT_EQ(find_argument(*bound, "y")->text, "b");
  EXPECT_EQ(find_argument(*bound, "z")->text, "True");
}

TEST(BindArgumentsTest, RefusesInTheWordsOfATypeError) {
  const auto message = [](const char* args, const char* kwargs) {
    return bind_arguments("t", args, kwargs, {"x"}, false).error().context;
  };
  EXPECT_EQ(message("[1,2]", "{}"), "t() takes 1 positional arguments but 2 were given");
  EXPECT_EQ(message("[1]", R"({"x":2})"), "t() got multiple values for argument 'x'");
  EXPECT_EQ(message("[]", R"({"x":{}})"), "t() argument 'x': a command line cannot hold a dict");
  EXPECT_EQ(message("[]", R"({"x":[[1]]})"), "t() argument 'x': a command line cannot hold a list in a list");
  EXPECT_EQ(message("[]", R"({"x":"a\u0000b"})"), "t() argument 'x': it holds a NUL character");
  EXPECT_EQ(message("[]", R"({"a\u0000b":1})"), "t() got a keyword with a NUL character");
}

TEST(BindArgumentsTest, BoundsWhatItDecodes) {
  EXPECT_FALSE(bind_arguments("t", "[]", "{\"x\":\"" + std::string(kMaxArgumentBytes, 'x') + "\"}", {}, false));
}

TEST(ArgumentTest, TruthIsPythons) {
  const auto is_true = [](const std::string& json) {
    return bind_arguments("t", "[" + json + "]", "{}", {"x"}, false).value()[0].value.is_true();
  };
  for (const char* json : {"true", "1", "-0.5", "1e9", "\"false\"", "[0]"}) EXPECT_TRUE(is_true(json)) << json;
  for (const char* json : {"false", "0", "-0", "0.0", "0e7", "\"\"", "[]", "null"}) EXPECT_FALSE(is_true(json)) << json;
}

}  // namespace
}  // namespace progtc::bridge
