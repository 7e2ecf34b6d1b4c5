#include "bridge/json.h"

#include <random>

#include <gtest/gtest.h>
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

namespace progtc::bridge {
namespace {

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(JsonTest, TakesWhatRfc8259Allows) {
  for (const char* text : {"0", "-0", "1.5e-3", "1E+2", "\"\"", "\"\\u0041\\ud83d\\ude00\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
                           " [ ] ", "{}", "{ \"a\" : [ 1 , null , true , false ] }", "\t\r\n1\n", "\"é\U0001F600\""}) {
    const auto checked = check_json(text);
    EXPECT_TRUE(checked) << text << ": " << checked.error().context;
  }
}

TEST(JsonTest, RefusesTheRest) {
  for (const char* text :
       {"",         " ",          "01",    "-",       "1.",        ".5",          "1e",     "+1",    "NaN",
        "Infinity", "-Infinity",  "nul",   "truex",   "'a'",       "[1,]",        "[,1]",   "[1 2]", "{\"a\"}",
        "{\"a\":}", "{\"a\":1,}", "{a:1}", "{1:1}",   "[",         "]",           "{",      "}",     "[}",
        "{]",       "1 2",        "\"",    "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\n\"", "/**/1", "[1]]",
        "\"\\"})
    EXPECT_FALSE(check_json(text)) << text;
}

TEST(JsonTest, NamesWhatIsWrongAndWhere) {
  EXPECT_EQ(check_json("[1,]").error().context, "not JSON: unexpected character at byte 3");
  EXPECT_EQ(check_json("\"\\udc00\"").error().context, "not JSON: lone surrogate at byte 1");
}

TEST(JsonTest, RefusesLoneSurrogates) {
  for (const char* text : {R"("\ud800")", R"("\udc00")", R"("\ud800\ud800")", R"("\ud800x")", R"("\ud800\n")",
                           R"("\udfff\ud800")", R"({"\udc00":1})"})
    EXPECT_FALSE(check_json(text)) << text;
}

TEST(JsonTest, RefusesInvalidUtf8InValuesAndKeys) {
  EXPECT_FALSE(check_json("\"\xFF\""));
  EXPECT_FALSE(check_json("{\"\xC0\x80\":1}"));
  EXPECT_FALSE(check_json("\"\xED\xA0\x80\""));
}

TEST(JsonTest, ANulByteDoesNotEndTheText) {
  EXPECT_FALSE(check_json(std::string_view("1\0garbage", 9)));
  EXPECT_FALSE(check_json(std::string_view("\"\0\"", 3)));
}

TEST(JsonTest, WholeNumbersOfAnySizePass) { EXPECT_TRUE(check_json("1" + std::string(1000, '0'))); }

TEST(JsonTest, DepthIsCountedAndBounded) {
  EXPECT_TRUE(check_json(nested(128)));
  EXPECT_FALSE(check_json(nested(129)));
  EXPECT_FALSE(check_json(std::string(100'000, '[')));
  EXPECT_FALSE(check_json(nested(4), 3));
  EXPECT_TRUE(split_array(nested(128), 10));
  EXPECT_FALSE(split_array(nested(129), 10));
}

TEST(JsonTest, SplitsAnObjectIntoSlices) {
  const auto members = split_object(R"( { "a" : [1, {"b":2}] , "\u0062:\"" : "x" } )", 10);
  ASSERT_TRUE(members) << members.error().context;
  ASSERT_EQ(members->size(), 2U);
  EXPECT_EQ((*members)[0].key, "a");
  EXPECT_EQ((*members)[0].value, R"([1, {"b":2}])");
  EXPECT_EQ((*members)[1].key, "b:\"");
  EXPECT_EQ(decode_string((*members)[1].value), "x");
}

TEST(JsonTest, RefusesRepeatedKeysHoweverTheyAreWritten) {
  EXPECT_EQ(split_object(R"({"a":1,"\u0061":2})", 10).error().context, "not JSON: repeated key at byte 16: 'a'");
}

TEST(JsonTest, BoundsTheParts) {
  EXPECT_FALSE(split_object(R"({"a":1,"b":2})", 1));
  EXPECT_FALSE(split_array("[1,2]", 1));
  EXPECT_TRUE(split_array("[1,2]", 2));
}

TEST(JsonTest, StringsSurviveTheRoundTrip) {
  std::string all;
  for (int c = 0; c < 128; ++c) all += static_cast<char>(c);
  all += "é€😀";
  EXPECT_TRUE(check_json(encode_string(all)));
  EXPECT_EQ(decode_string(encode_string(all)), all);
  EXPECT_EQ(decode_string(R"("\ud83d\ude00\u00e9\u20ac")"), "😀é€");
}

TEST(JsonTest, IntegersAreOnlyWhatIsWrittenAsOne) {
  EXPECT_EQ(decode_integer("9007199254740993"), 9007199254740993);
  EXPECT_EQ(decode_integer("-5"), -5);
  for (const char* text : {"1.0", "1e3", "9223372036854775808", "true"}) EXPECT_FALSE(decode_integer(text)) << text;
}

TEST(PortableJsonTest, TakesWhatEveryReaderTakes) {
  const std::string digits(kMaxPortableDigits, '9');
  for (const std::string& text :
       {std::string("null"), digits, "-" + digits, "[" + digits + ",1.7976931348623157e308]", std::string("1e-400"),
        std::string("0." + digits + digits), std::string(R"([{"a":1},{"a":2},{"a":{"a":{}},"A":1,"":{}}])")}) {
    const auto checked = check_portable_json(text);
    EXPECT_TRUE(checked) << text << ": " << checked.error().context;
  }
}

TEST(PortableJsonTest, RefusesRepeatedKeysAtEveryLevelHoweverTheyAreWritten) {
  for (const char* text : {R"({"a":1,"a":1})", R"([[{"b":{},"a":[{"x":1,"y":2,"x":3}]}]])", R"({"a":1,"\u0061":2})",
                           R"({"\u00e9":1,"é":2})", R"({"\ud83d\ude00":1,"😀":2})", R"({"":1,"b":2,"":3})"})
    EXPECT_FALSE(check_portable_json(text)) << text;
  EXPECT_EQ(check_portable_json(R"({"a":1,"a":2})").error().context,
            "not JSON: an object with a repeated key ends at byte 13");
}

TEST(PortableJsonTest, RefusesNumbersThatReadersLose) {
  for (const std::string& text :
       {std::string(kMaxPortableDigits + 1, '9'), "-" + std::string(kMaxPortableDigits + 1, '1'), std::string("1e400"),
        std::string("-1e400"), std::string("1.7976931348623159e308"), std::string(400, '1') + ".5",
        std::string("[0.0001e400]"), std::string(5000, '7')})
    EXPECT_FALSE(check_portable_json(text)) << text;
}

// Random edits of a valid text: both scanners must agree, except where RapidJSON is known to differ.
TEST(JsonTest, AgreesWithRapidJson) {
  const std::string seed = R"({"a":[1,-2.5e+3,"x\n\u00e9\ud83d\ude00é",true,false,null,{}],"b":{"c":[[]]}})";
  const std::string alphabet = "{}[]\",:\\ue0123456789abcdfx-+. \n\xC3\xA9\xFF";
  std::mt19937 random(7);
  for (int round = 0; round < 50'000; ++round) {
    std::string text = seed;
    for (unsigned edits = random() % 4; edits-- > 0 && !text.empty();) {
      const std::size_t at = random() % text.size();
      const char c = alphabet[random() % alphabet.size()];
      switch (random() % 3) {
        case 0:
          text[at] = c;
          break;
        case 1:
          text.erase(at, 1);
          break;
        default:
          text.insert(at, 1, c);
      }
    }
    rapidjson::MemoryStream stream(text.data(), text.size());
    rapidjson::BaseReaderHandler<> handler;
    rapidjson::Reader reader;
    const auto parsed =
        reader.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag>(stream, handler);
    const auto checked = check_json(text);
    const bool is_known_difference =
        (!checked && checked.error().context.find("lone surrogate") != std::string::npos) ||
        parsed.Code() == rapidjson::kParseErrorNumberTooBig;
    if (!is_known_difference) {
      EXPECT_EQ(checked.has_value(), !parsed.IsError()) << text << "\n" << rapidjson::GetParseError_En(parsed.Code());
    }
  }
}

}  // namespace
}  // namespace progtc::bridge
