#pragma once
// Which revision of the progtc protocol a client speaks, and whether it may. Pure.
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "policy/result.h"

namespace progtc::bridge {

// The final messages differ (docs/protocol.md): a client's models refuse the other revision's.
enum class Wire : std::uint8_t { kA, kC };

// "a" or "c", in either case; nothing for all else.
std::optional<Wire> parse_wire(std::string_view text) noexcept;

// Which header a client has authenticated with.
enum class AuthHeader : std::uint8_t {
  kNone,    // it has not
  kBearer,  // Authorization: Bearer KEY
  kApiKey,  // X-Progtc-API-Key: KEY
};

// Compares digests, so the time it takes tells neither how much of a key is right nor how long it is.
class Authentication {
 public:
  // An empty `key` accepts nobody.
  explicit Authentication(std::string_view key);

  // Headers as they came; either may be missing. One that holds the key is enough; if both do, kApiKey.
  AuthHeader check(std::optional<std::string_view> authorization, std::optional<std::string_view> api_key) const;

 private:
  using Digest = std::array<std::uint8_t, 32>;
  static Digest digest_of(std::string_view text);
  bool matches(std::string_view candidate) const;

  bool has_key_;
  Digest digest_;
};

// `wire_header` is X-Progtc-Wire; it overrides `forced` (--wire), which overrides the header the client authenticated
// with. Revision C when nothing says otherwise.
// Errors: invalid_argument for a wire_header that names no revision.
Result<Wire> choose_wire(std::optional<std::string_view> wire_header, std::optional<Wire> forced, AuthHeader came);

}  // namespace progtc::bridge
