#include "bridge/progtc/wire.h"

#include <gtest/gtest.h>

namespace progtc::bridge {
namespace {

TEST(WireTest, RevisionsHaveOneLetter) {
  EXPECT_EQ(parse_wire("a"), Wire::kA);
  EXPECT_EQ(parse_wire("C"), Wire::kC);
  for (const char* text : {"", "b", "ac", " a", "a "}) EXPECT_EQ(parse_wire(text), std::nullopt) << text;
}

TEST(WireTest, TheRequestsHeaderThenTheOptionThenTheKeysHeaderChoose) {
  EXPECT_EQ(*choose_wire("a", Wire::kC, AuthHeader::kApiKey), Wire::kA);
  EXPECT_EQ(*choose_wire(std::nullopt, Wire::kC, AuthHeader::kBearer), Wire::kC);
  EXPECT_EQ(*choose_wire(std::nullopt, Wire::kA, AuthHeader::kApiKey), Wire::kA);
  EXPECT_EQ(*choose_wire(std::nullopt, std::nullopt, AuthHeader::kBearer), Wire::kA);
  EXPECT_EQ(*choose_wire(std::nullopt, std::nullopt, AuthHeader::kApiKey), Wire::kC);
  EXPECT_EQ(*choose_wire(std::nullopt, std::nullopt, AuthHeader::kNone), Wire::kC);
}

TEST(WireTest, AnUnknownRevisionIsRefused) {
  const auto chosen = choose_wire("b\n", Wire::kA, AuthHeader::kBearer);
  ASSERT_FALSE(chosen);
  EXPECT_EQ(chosen.error().context, "X-Progtc-Wire: expected 'a' or 'c', got 'b?'");
}

TEST(AuthenticationTest, EitherHeaderWithTheKey) {
  const Authentication key("s3cret");
  EXPECT_EQ(key.check(std::nullopt, "s3cret"), AuthHeader::kApiKey);
  EXPECT_EQ(key.check("Bearer s3cret", std::nullopt), AuthHeader::kBearer);
  EXPECT_EQ(key.check("bEARER   s3cret", std::nullopt), AuthHeader::kBearer);
  EXPECT_EQ(key.check("Bearer s3cret", "s3cret"), AuthHeader::kApiKey);
  EXPECT_EQ(key.check("Basic abc", "s3cret"), AuthHeader::kApiKey);
  EXPECT_EQ(key.check("Bearer s3cret", "other"), AuthHeader::kBearer);
}

TEST(AuthenticationTest, EverythingElseIsRefused) {
  const Authentication key("s3cret");
  EXPECT_EQ(key.check(std::nullopt, std::nullopt), AuthHeader::kNone);
  for (const char* header : {"", "s3cret", "Bearer", "Bearer ", "Bearer s3cre", "Bearer s3cret ", "Bearers3cret",
                             "Basic s3cret", "Bearer\ts3cret"})
    EXPECT_EQ(key.check(header, std::nullopt), AuthHeader::kNone) << header;
  for (const char* header : {"", "s3cre", "s3cret1", "S3cret", " s3cret"})
    EXPECT_EQ(key.check(std::nullopt, header), AuthHeader::kNone) << header;
}

TEST(AuthenticationTest, AnEmptyKeyOpensNothing) {
  const Authentication key("");
  EXPECT_EQ(key.check("Bearer ", ""), AuthHeader::kNone);
  EXPECT_EQ(key.check("Bearer x", "x"), AuthHeader::kNone);
}

}  // namespace
}  // namespace progtc::bridge
