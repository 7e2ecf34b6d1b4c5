#include "policy/units.h"

#include <gtest/gtest.h>

#include "policy/decode.h"

namespace progtc::policy {
namespace {

using std::chrono::milliseconds;

std::string size_message(std::string_view text) {
  const auto size = parse_size(text);
  return size ? std::to_string(*size) : size.error().context;
}
std::string time_message(std::string_view text) {
  const auto time = parse_duration(text);
  return time ? std::to_string(time->count()) : time.error().context;
}

TEST(UnitsTest, ReadsSizesWithUnits) {
  EXPECT_EQ(size_message("4096"), "4096");
  EXPECT_EQ(size_message("0"), "0");
  EXPECT_EQ(size_message("64KiB"), "65536");
  EXPECT_EQ(size_message("256MiB"), "268435456");
  EXPECT_EQ(size_message("1.5GiB"), "1610612736");
  EXPECT_EQ(size_message("10MB"), "10000000");
  EXPECT_EQ(size_message("64K"), "65536");
  EXPECT_EQ(size_message("256m"), "268435456");
  EXPECT_EQ(size_message("1G"), "1073741824");
}

TEST(UnitsTest, RefusesWhatIsNoSize) {
  for (const char* text : {"", "MiB", "12 MiB", "12mib", "0x10", "+5", " 5", "5 ", "1,5M", "1e", "twelve"}) {
    EXPECT_EQ(size_message(text), std::string("expected a size such as \"256MiB\", got \"") + text + "\"");
  }
  EXPECT_EQ(parse_size("twelve").error().code, make_error_code(PolicyErrc::kType));
}

TEST(UnitsTest, RefusesSizesOutOfRange) {
  EXPECT_EQ(size_message("-1"), "expected a size such as \"256MiB\", got \"-1\"");
  EXPECT_EQ(size_message("1e99"), "expected a size of at most 8PiB, got \"1e99\"");
  EXPECT_EQ(size_message("1e999"), "expected a size of at most 8PiB, got \"1e999\"");
  EXPECT_EQ(size_message("inf"), "expected a size of at most 8PiB, got \"inf\"");
  EXPECT_EQ(size_message("nan"), "expected a size such as \"256MiB\", got \"nan\"");
  EXPECT_EQ(size_message("9PiB"), "expected a size of at most 8PiB, got \"9PiB\"");
  EXPECT_EQ(size_message("0.3"), "expected a whole number of bytes, got \"0.3\"");
  for (const char* text : {"-1", "1e99", "inf", "nan", "0.3"}) {
    EXPECT_EQ(parse_size(text).error().code, make_error_code(PolicyErrc::kRange)) << text;
  }
}

TEST(UnitsTest, ReadsDurations) {
  EXPECT_EQ(time_message("30s"), "30000");
  EXPECT_EQ(time_message("500ms"), "500");
  EXPECT_EQ(time_message("2m"), "120000");
  EXPECT_EQ(time_message("1h"), "3600000");
  EXPECT_EQ(time_message("1.5s"), "1500");
  EXPECT_EQ(time_message("0.1"), "100");
  EXPECT_EQ(time_message("7"), "7000");
  EXPECT_EQ(time_message("30d"), "2592000000");
}

TEST(UnitsTest, RefusesDurationsOutOfRange) {
  EXPECT_EQ(time_message("31d"), "expected a time of at most 30d, got \"31d\"");
  EXPECT_EQ(time_message("-5s"), "expected a time such as \"30s\", got \"-5s\"");
  EXPECT_EQ(time_message("soon"), "expected a time such as \"30s\", got \"soon\"");
  EXPECT_EQ(time_message("0.5ms"), "expected a whole number of milliseconds, got \"0.5ms\"");
}

TEST(UnitsTest, FormatsExactly) {
  EXPECT_EQ(format_size(268435456), "256MiB");
  EXPECT_EQ(format_size(1000), "1000");
  EXPECT_EQ(format_size(0), "0");
  EXPECT_EQ(format_size(1ULL << 50), "1PiB");
  EXPECT_EQ(format_duration(milliseconds(30'000)), "30s");
  EXPECT_EQ(format_duration(milliseconds(1500)), "1500ms");
  EXPECT_EQ(format_duration(milliseconds(120'000)), "2m");
  EXPECT_EQ(format_duration(milliseconds(0)), "0s");
}

TEST(UnitsTest, ReadsBackWhatItFormats) {
  for (const std::uint64_t bytes :
       {0ULL, 1ULL, 1023ULL, 1024ULL, 1536ULL, 123456789ULL, 1ULL << 50, (1ULL << 53) - 1}) {
    EXPECT_EQ(parse_size(format_size(bytes)).value(), bytes);
  }
  for (const int count : {1, 999, 1000, 60'000, 61'000, 3'600'000, 86'400'000}) {
    EXPECT_EQ(parse_duration(format_duration(milliseconds(count))).value(), milliseconds(count));
  }
}

}  // namespace
}  // namespace progtc::policy
