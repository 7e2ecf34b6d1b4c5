#include "bridge/tools/shell_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace progtc::bridge {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> split(std::string_view text) {
  const auto words = split_words(text);
  EXPECT_TRUE(words) << text << ": " << words.error().context;
  return words.value();
}

// Each expectation is what Python 3.11's shlex.split returns.
TEST(ShellWordsTest, SplitsAsPythonDoes) {
  EXPECT_THAT(split(""), IsEmpty());
  EXPECT_THAT(split("  \t\r\n "), IsEmpty());
  EXPECT_THAT(split("-p 80  -v"), ElementsAre("-p", "80", "-v"));
  EXPECT_THAT(split("''"), ElementsAre(""));
  EXPECT_THAT(split("a'' ''b \"\""), ElementsAre("a", "b", ""));
  EXPECT_THAT(split("'a b'\"c d\"e\\ f"), ElementsAre("a bc de f"));
  EXPECT_THAT(split(R"('a\b' "a\b" "a\"b" "a\\b" a\b)"), ElementsAre("a\\b", "a\\b", "a\"b", "a\\b", "ab"));
  EXPECT_THAT(split("a#b # c"), ElementsAre("a#b", "#", "c"));
  EXPECT_THAT(split("$(id) * ;ls | cat && x"), ElementsAre("$(id)", "*", ";ls", "|", "cat", "&&", "x"));
  EXPECT_THAT(split("é\u00A0ü"), ElementsAre("é\u00A0ü"));
  EXPECT_THAT(split("a\vb"), ElementsAre("a\vb"));
}

TEST(ShellWordsTest, RefusesInPythonsWords) {
  EXPECT_EQ(split_words("it's").error().context, "No closing quotation");
  EXPECT_EQ(split_words("\"a").error().context, "No closing quotation");
  EXPECT_EQ(split_words("a\\").error().context, "No escaped character");
  EXPECT_EQ(split_words("\"a\\").error().context, "No escaped character");
}

}  // namespace
}  // namespace progtc::bridge
