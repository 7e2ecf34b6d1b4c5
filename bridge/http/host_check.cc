#include "bridge/http/host_check.h"

#include <algorithm>
#include <array>

#include <boost/asio/ip/address.hpp>

#include "bridge/utf8.h"

namespace progtc::bridge::http {
namespace {

namespace ip = boost::asio::ip;

bool is_host_char(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '.' || c == '-' || c == '_';
}

bool is_port(std::string_view text) {
  return text.size() <= 5 && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::optional<ip::address> address_of(std::string_view host) {
  boost::system::error_code ec;
  const ip::address address = ip::make_address(std::string(host), ec);
  if (ec) return std::nullopt;
  // A socket for both families sees 127.0.0.1 as ::ffff:127.0.0.1.
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    return ip::address(ip::make_address_v4(ip::v4_mapped, address.to_v6()));
  return address;
}

// Nothing for "null", for what is no page of the web, and for what is malformed.
std::optional<std::string> host_of_origin(std::string_view origin) {
  constexpr std::array<std::string_view, 2> kSchemes{"http://", "https://"};
  for (const std::string_view scheme : kSchemes) {
    if (origin.starts_with(scheme)) return host_of(origin.substr(scheme.size()));
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> host_of(std::string_view authority) {
  std::string host;
  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    host = std::string(authority.substr(1, end - 1));
    boost::system::error_code ec;
    (void)ip::make_address_v6(host, ec);
    if (ec) return std::nullopt;
    port = authority.substr(end + 1);
    if (!port.empty() && port.front() != ':') return std::nullopt;
  } else {
    const std::size_t colon = std::min(authority.find(':'), authority.size());
    host = std::string(authority.substr(0, colon));
    port = authority.substr(colon);
    std::transform(host.begin(), host.end(), host.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    if (host.ends_with('.')) host.pop_back();
    if (host.empty() || !std::all_of(host.begin(), host.end(), is_host_char)) return std::nullopt;
  }
  if (!port.empty() && !is_port(port.substr(1))) return std::nullopt;
  return host;
}

bool is_loopback_name(std::string_view host) {
  if (host == "localhost") return true;
  const auto address = address_of(host);
  return address && address->is_loopback();
}

std::optional<Response> check_host(const Request& request, const std::string& local_address,
                                   const std::set<std::string>& allowed) {
  std::string host;
  if (const auto named = request.header("Host")) {
    auto parsed = host_of(*named);
    if (!parsed) return error_response(400, "malformed request: bad Host");
    host = std::move(*parsed);
    const auto address = address_of(host);
    const bool is_own = address && address == address_of(local_address);
    if (!is_loopback_name(host) && !is_own && !allowed.contains(host))
      return error_response(421, "host '" + printable(host) + "' is not one of this server's names");
  }
  if (const auto origin = request.header("Origin")) {
    const auto page = host_of_origin(*origin);
    if (!page || !is_loopback_name(*page) || !is_loopback_name(host))
      return error_response(403, "requests of the origin '" + printable(*origin) + "', a web page, are not served");
  }
  return std::nullopt;
}

}  // namespace progtc::bridge::http
