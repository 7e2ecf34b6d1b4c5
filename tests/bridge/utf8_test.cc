#include "bridge/utf8.h"

#include <gtest/gtest.h>

namespace progtc::bridge {
namespace {

TEST(Utf8Test, TakesWhatRfc3629Allows) {
  for (const char* text :
       {"", "plain", "é", "\u0800", "\uFFFD", "\U00010000", "\U0010FFFF", "\xED\x9F\xBF", "\xEE\x80\x80"})
    EXPECT_TRUE(is_utf8(text)) << text;
}

TEST(Utf8Test, RefusesTheRest) {
  for (const char* text :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xC3", "\xC3(", "\xE0\x9F\xBF", "\xE2\x82", "\xED\xA0\x80", "\xED\xBF\xBF",
        "\xF0\x8F\xBF\xBF", "\xF0\x9F\x92", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"})
    EXPECT_FALSE(is_utf8(text)) << text;
}

TEST(Utf8Test, ReplacesOnlyBrokenBytes) { EXPECT_EQ(to_utf8("a\xFFé\xC3z"), "a\uFFFDé\uFFFDz"); }

TEST(Utf8Test, CutsBetweenCharacters) {
  EXPECT_EQ(shorten_utf8("abc", 3), "abc");
  EXPECT_EQ(shorten_utf8("aéé", 2), "a… (4 more bytes)");
}

TEST(Utf8Test, PrintableTextCannotDriveATerminal) {
  EXPECT_EQ(printable("a\x1b[2Jb\x7f\nc"), "a?[2Jb??c");
  EXPECT_EQ(printable("x\xC2\x9By"), "x?y");  // U+009B is CSI to some terminals
  EXPECT_EQ(printable("§"), "§");
  EXPECT_LT(printable(std::string(1'000'000, 'x')).size(), 200U);
}

}  // namespace
}  // namespace progtc::bridge
