#include "bridge/progtc/wire.h"

#include <sha2.h>

#include <boost/system/errc.hpp>

#include "bridge/utf8.h"

namespace progtc::bridge {
namespace {

constexpr char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// The credentials of "Bearer KEY" (RFC 9110 section 11.4: the scheme in any case, then spaces).
std::optional<std::string_view> bearer_key(std::string_view header) noexcept {
  constexpr std::string_view kScheme = "bearer";
  if (header.size() <= kScheme.size() || header[kScheme.size()] != ' ') return std::nullopt;
  for (std::size_t at = 0; at < kScheme.size(); ++at) {
    if (lower(header[at]) != kScheme[at]) return std::nullopt;
  }
  header.remove_prefix(kScheme.size());
  while (!header.empty() && header.front() == ' ') header.remove_prefix(1);
  return header;
}

}  // namespace

std::optional<Wire> parse_wire(std::string_view text) noexcept {
  if (text.size() != 1) return std::nullopt;
  if (lower(text[0]) == 'a') return Wire::kA;
  if (lower(text[0]) == 'c') return Wire::kC;
  return std::nullopt;
}

Authentication::Authentication(std::string_view key) : has_key_(!key.empty()), digest_(digest_of(key)) {}

Authentication::Digest Authentication::digest_of(std::string_view text) {
  Digest digest{};
  SHA2_CTX context;
  SHA256Init(&context);
  SHA256Update(&context, reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  SHA256Final(digest.data(), &context);
  return digest;
}

bool Authentication::matches(std::string_view candidate) const {
  const Digest other = digest_of(candidate);
  volatile std::uint8_t difference = 0;  // volatile: no way out before the last byte
  for (std::size_t at = 0; at < other.size(); ++at)
    difference = static_cast<std::uint8_t>(difference | (other[at] ^ digest_[at]));
  return has_key_ && difference == 0;
}

AuthHeader Authentication::check(std::optional<std::string_view> authorization,
                                 std::optional<std::string_view> api_key) const {
  if (api_key && matches(*api_key)) return AuthHeader::kApiKey;
  const auto bearer = authorization ? bearer_key(*authorization) : std::nullopt;
  if (bearer && matches(*bearer)) return AuthHeader::kBearer;
  return AuthHeader::kNone;
}

Result<Wire> choose_wire(std::optional<std::string_view> wire_header, std::optional<Wire> forced, AuthHeader came) {
  if (wire_header) {
    const auto named = parse_wire(*wire_header);
    if (named) return *named;
    return Error{boost::system::errc::make_error_code(boost::system::errc::invalid_argument),
                 "X-Progtc-Wire: expected 'a' or 'c', got '" + printable(*wire_header, 20) + "'"};
  }
  if (forced) return *forced;
  return came == AuthHeader::kBearer ? Wire::kA : Wire::kC;
}

}  // namespace progtc::bridge
