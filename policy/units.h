#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "policy/result.h"

namespace progtc::policy {

inline constexpr std::chrono::milliseconds kLongestDuration = std::chrono::hours(24 * 30);

// "4096", "64KiB", "256MiB", "1.5GiB", "10MB", "64K", "256M", "1G" (K, M, G are powers of 1024, as with docker and
// cgroups). Errors: PolicyErrc::kRange for negative, not finite or above 2^53; kType for anything that is not a size.
Result<std::uint64_t> parse_size(std::string_view text);
// "30s", "500ms", "2m", "1h", "1.5s"; a bare number is seconds. Errors as above; above 30 days is kRange.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

// The same for a value that messages quote as `got`: a JSON number is shown without quotation marks.
Result<std::uint64_t> parse_size(std::string_view text, std::string_view got);
Result<std::chrono::milliseconds> parse_duration(std::string_view text, std::string_view got);

std::string format_size(std::uint64_t bytes);                     // exact: "256MiB", or "1000" where no unit divides it
std::string format_duration(std::chrono::milliseconds duration);  // exact: "30s", "1500ms"

}  // namespace progtc::policy
