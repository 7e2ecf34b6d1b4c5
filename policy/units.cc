#include "policy/units.h"

#include <charconv>
#include <cmath>
#include <optional>
#include <span>
#include <system_error>

#include "policy/decode.h"
#include "policy/near_match.h"

namespace progtc::policy {
namespace {

struct Unit {
  std::string_view suffix;
  double factor;
};
constexpr double kKibi = 1024.0;
constexpr Unit kSizeUnits[] = {
    {"", 1},
    {"B", 1},
    {"K", kKibi},
    {"k", kKibi},
    {"KiB", kKibi},
    {"M", kKibi* kKibi},
    {"m", kKibi* kKibi},
    {"MiB", kKibi* kKibi},
    {"G", kKibi* kKibi* kKibi},
    {"g", kKibi* kKibi* kKibi},
    {"GiB", kKibi* kKibi* kKibi},
    {"T", kKibi* kKibi* kKibi* kKibi},
    {"TiB", kKibi* kKibi* kKibi* kKibi},
    {"PiB", kKibi* kKibi* kKibi* kKibi* kKibi},
    {"KB", 1e3},
    {"kB", 1e3},
    {"MB", 1e6},
    {"GB", 1e9},
    {"TB", 1e12},
};
constexpr Unit kTimeUnits[] = {
    {"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000},
};

// A number and one of `units`: the product, not yet checked; nothing when the text has another form.
std::optional<double> parse_quantity(std::string_view text, std::span<const Unit> units) {
  double number = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (ec == std::errc::result_out_of_range) number = HUGE_VAL;
  if (ec == std::errc::invalid_argument) return std::nullopt;
  const std::string_view suffix = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const Unit& unit : units) {
    if (unit.suffix == suffix) return number * unit.factor;
  }
  return std::nullopt;
}

Error unit_error(PolicyErrc code, std::string_view expected, std::string_view got) {
  return Error{make_error_code(code), "expected " + std::string(expected) + ", got " + std::string(got)};
}

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text, std::string_view got) {
  constexpr double kLargest = 9007199254740992.0;  // 2^53: every whole number up to it is a double
  constexpr std::string_view kExample = "a size such as \"256MiB\"";
  const std::optional<double> bytes = parse_quantity(text, kSizeUnits);
  if (!bytes) return unit_error(PolicyErrc::kType, kExample, got);
  if (std::isnan(*bytes) || std::signbit(*bytes)) return unit_error(PolicyErrc::kRange, kExample, got);
  if (*bytes > kLargest) return unit_error(PolicyErrc::kRange, "a size of at most 8PiB", got);
  if (*bytes != std::floor(*bytes)) return unit_error(PolicyErrc::kRange, "a whole number of bytes", got);
  return static_cast<std::uint64_t>(*bytes);
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text, std::string_view got) {
  constexpr std::string_view kExample = "a time such as \"30s\"";
  const std::optional<double> milliseconds = parse_quantity(text, kTimeUnits);
  if (!milliseconds) return unit_error(PolicyErrc::kType, kExample, got);
  if (std::isnan(*milliseconds) || std::signbit(*milliseconds)) return unit_error(PolicyErrc::kRange, kExample, got);
  if (*milliseconds > static_cast<double>(kLongestDuration.count())) {
    return unit_error(PolicyErrc::kRange, "a time of at most 30d", got);
  }
  // 0.1s * 1000 must come out as 100: sums of decimal fractions are not exact, so near enough is whole.
  const double whole = std::round(*milliseconds);
  if (std::abs(*milliseconds - whole) > 1e-6) {
    return unit_error(PolicyErrc::kRange, "a whole number of milliseconds", got);
  }
  return std::chrono::milliseconds(static_cast<std::int64_t>(whole));
}

Result<std::uint64_t> parse_size(std::string_view text) { return parse_size(text, quoted(text)); }
Result<std::chrono::milliseconds> parse_duration(std::string_view text) { return parse_duration(text, quoted(text)); }

std::string format_size(std::uint64_t bytes) {
  constexpr std::string_view kNames[] = {"", "KiB", "MiB", "GiB", "TiB", "PiB"};
  std::size_t unit = 0;
  while (bytes != 0 && bytes % 1024 == 0 && unit + 1 < std::size(kNames)) {
    bytes /= 1024;
    ++unit;
  }
  return std::to_string(bytes) + std::string(kNames[unit]);
}

std::string format_duration(std::chrono::milliseconds duration) {
  const auto count = duration.count();
  if (count == 0) return "0s";
  if (count % 86'400'000 == 0) return std::to_string(count / 86'400'000) + "d";
  if (count % 3'600'000 == 0) return std::to_string(count / 3'600'000) + "h";
  if (count % 60'000 == 0) return std::to_string(count / 60'000) + "m";
  if (count % 1000 == 0) return std::to_string(count / 1000) + "s";
  return std::to_string(count) + "ms";
}

}  // namespace progtc::policy
