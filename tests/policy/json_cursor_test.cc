#include "policy/json_cursor.h"

#include <gtest/gtest.h>

namespace progtc::policy {
namespace {

std::string parse_message(std::string_view text) {
  const auto document = JsonDocument::parse("x.json", text);
  return document ? "ok" : document.error().context;
}

TEST(JsonCursorTest, AcceptsCommentsAndTrailingCommas) {
  EXPECT_EQ(parse_message("// one\n{\"a\": [1, 2,], /* two */ \"b\": {},}\n"), "ok");
  EXPECT_EQ(parse_message("\xEF\xBB\xBF{}"), "ok");
}

TEST(JsonCursorTest, NamesLineAndColumn) {
  EXPECT_EQ(parse_message("{\n  \"a\": 1\n  \"b\": 2\n}"),
            "x.json:3:3: Missing a comma or '}' after an object member.");
  EXPECT_EQ(parse_message("{\"ä\": nul}"), "x.json:1:10: Invalid value.");
  EXPECT_EQ(parse_message(""), "x.json:1:1: The document is empty.");
  EXPECT_EQ(parse_message("{} {}"), "x.json:1:4: The document root must not be followed by other values.");
}

TEST(JsonCursorTest, RefusesTenThousandBrackets) {
  EXPECT_EQ(parse_message(std::string(10'000, '[')), "x.json:1:65: nested deeper than 64 levels");
  EXPECT_EQ(parse_message(std::string(64, '[') + std::string(64, ']')), "ok");
  std::string objects;
  for (int i = 0; i < 10'000; ++i) objects += "{\"a\":";
  EXPECT_EQ(parse_message(objects), "x.json:1:321: nested deeper than 64 levels");
}

TEST(JsonCursorTest, RefusesBrokenEncoding) {
  EXPECT_EQ(parse_message("{\"a\": \"\xFF\"}"), "x.json:1:8: Invalid encoding in string.");
  EXPECT_EQ(parse_message(std::string("{}\0{}", 5)), "x.json:1:3: a zero byte");
}

TEST(JsonCursorTest, RefusesHugeFiles) {
  EXPECT_EQ(parse_message(std::string(kLargestJson + 1, ' ')), "x.json: 1048577 bytes, at most 1MiB is read");
}

TEST(JsonCursorTest, RefusesNumbersThatNoDoubleHolds) {
  EXPECT_EQ(parse_message("{\"a\": 1e400}"), "x.json:1:7: Number too big to be stored in double.");
}

TEST(JsonCursorTest, RefusesUnknownAndRepeatedKeys) {
  const std::vector<std::string> keys = {"memory", "wall"};
  const auto check = [&](std::string_view text) {
    const auto document = JsonDocument::parse("x.json", text);
    const auto ok = document->root().expect_keys(keys);
    return ok ? "ok" : ok.error().context;
  };
  EXPECT_EQ(check("{\"wall\": 1}"), "ok");
  EXPECT_EQ(check("{\"memroy\": 1}"), "x.json: $: unknown key \"memroy\"; did you mean \"memory\"?");
  EXPECT_EQ(check("{\"colour\": 1}"), "x.json: $: unknown key \"colour\"; expected one of memory, wall");
  EXPECT_EQ(check("{\"wall\": 1, \"wall\": 2}"), "x.json: $: the key \"wall\" occurs twice");
  EXPECT_EQ(check("{\"wall\": 1, \"w\\u0061ll\": 2}"), "x.json: $: the key \"wall\" occurs twice");
  EXPECT_EQ(check("[]"), "x.json: $: expected an object, got an array");
  EXPECT_EQ(check("{\"wall\\u0000\": 1}"), "x.json: $: unknown key \"wall\\u0000\"; did you mean \"wall\"?");
}

TEST(JsonCursorTest, ShowsPathAndValue) {
  const auto document = JsonDocument::parse("x.json", "{\"a\": {\"b c\": [0, {\"d\": -1}]}, \"e\": 1e99}");
  const auto list = document->root().find("a")->find("b c")->elements();
  const auto inner = (*list)[1].find("d");
  EXPECT_EQ(inner->u64(0, 9).error().context, "x.json: $.a[\"b c\"][1].d: expected a whole number in 0..9, got -1");
  EXPECT_EQ(document->root().find("e")->u64(0, 9).error().context,
            "x.json: $.e: expected a whole number in 0..9, got 1e99");
  EXPECT_EQ(document->root().find("a")->string().error().context, "x.json: $.a: expected a string, got an object");
  EXPECT_EQ(document->root().find("a")->boolean().error().context,
            "x.json: $.a: expected true or false, got an object");
}

TEST(JsonCursorTest, ShortensAndEscapesWhatItShows) {
  const std::string text = "{\"a\": \"" + std::string(200, 'x') + "\\n\"}";
  const auto document = JsonDocument::parse("x.json", text);
  EXPECT_EQ(
      document->root().find("a")->boolean().error().context,
      "x.json: $.a: expected true or false, got \"" + std::string(40, 'x') + "…" + std::string(19, 'x') + "\\u000a\"");
}

}  // namespace
}  // namespace progtc::policy
