#include "bridge/tools/yaml.h"

#include <gtest/gtest.h>

namespace progtc::bridge {
namespace {

std::string why(const std::string& text) {
  const auto node = parse_yaml(text);
  return node ? "parsed" : node.error().context;
}

TEST(YamlTest, KnowsWhatEachScalarIs) {
  const auto node = parse_yaml("[a, 'true', true, No, oN, 5, '5', -1.5e3, 007, 1_0, null, ~, '', x: 1]");
  ASSERT_TRUE(node) << node.error().context;
  std::string kinds;
  for (const YamlNode& item : node->items) kinds += std::string(item.what()) + ",";
  EXPECT_EQ(kinds,
            "a string,a string,a boolean,a boolean,a string,a number,a string,a number,a string,a string,null,null,"
            "a string,a mapping,");
}

TEST(YamlTest, EmptyIsNull) {
  EXPECT_EQ(parse_yaml("")->kind, YamlNode::Kind::kNull);
  EXPECT_EQ(parse_yaml("# only a comment\n")->kind, YamlNode::Kind::kNull);
  EXPECT_EQ(parse_yaml("---\n")->kind, YamlNode::Kind::kNull);
}

TEST(YamlTest, SaysWhere) {
  EXPECT_EQ(why("a: 1\nb: [1, 2\nc: 3\n").substr(0, 2), "3:");
  EXPECT_EQ(why("a: 1\n---\nb: 2\n"), "3:1: a second document; a tool file holds one");
  EXPECT_EQ(why("a: !!python/object x"), "1:4: tags are not supported");
  EXPECT_EQ(why("a: \xFF"), "1:1: not UTF-8");
  for (const char* nul : {"\\0", "\\x00", "\\u0000"})
    EXPECT_EQ(why("a: \"b" + std::string(nul) + "\""), "1:4: a NUL character") << nul;
}

TEST(YamlTest, AliasesAreValues) {
  const auto node = parse_yaml("a: &x [1, 2]\nb: *x\n");
  ASSERT_TRUE(node);
  EXPECT_EQ(node->members[1].value.items.size(), 2U);
}

TEST(YamlTest, BoundsAnAliasBomb) {
  std::string bomb = "a: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int level = 1; level < 12; ++level) {
    const std::string below = "*a" + std::to_string(level - 1);
    bomb += "a" + std::to_string(level) + ": &a" + std::to_string(level) + " [" + below;
    for (int i = 0; i < 9; ++i) bomb += "," + below;
    bomb += "]\n";
  }
  EXPECT_NE(why(bomb).find("more than 10000 nodes"), std::string::npos) << why(bomb);
}

TEST(YamlTest, BoundsTextGrownByAliases) {
  std::string bomb = "a: &a " + std::string(100'000, 'x') + "\nb: [*a";
  for (int i = 0; i < 1000; ++i) bomb += ", *a";
  EXPECT_NE(why(bomb + "]").find("more than 1048576 bytes of text"), std::string::npos);
}

TEST(YamlTest, RefusesAnAliasOfItself) {
  EXPECT_EQ(why("a: &a [*a]"), "1:8: an alias stands inside what it stands for");
}

TEST(YamlTest, BoundsDepthAndSize) {
  EXPECT_NE(why(std::string(100'000, '[')).find("nested deeper than 32 levels"), std::string::npos);
  EXPECT_EQ(why(std::string(kMaxYamlBytes + 1, 'x')), "1:1: the file has more than 262144 bytes");
  std::string many = "[";
  for (int i = 0; i < 20'000; ++i) many += "1,";
  EXPECT_NE(why(many + "1]").find("more than 10000 nodes"), std::string::npos);
}

}  // namespace
}  // namespace progtc::bridge
