#pragma once
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "bridge/http/message.h"

namespace progtc::bridge::http {

// The host of "Example.org:80", "[::1]:80" or "127.0.0.1": in small letters, without port, brackets and final dot.
// Nothing when it is none.
std::optional<std::string> host_of(std::string_view authority);

// "localhost", 127.0.0.0/8, ::1.
bool is_loopback_name(std::string_view host);

// What a request that must not be served is answered with: 400, 421, 403. A web page that had its own name resolve to
// our address (DNS rebinding) sends its own name as Host; a page that posts here from elsewhere sends its Origin.
// `local_address` is the one the request was sent to.
std::optional<Response> check_host(const Request& request, const std::string& local_address,
                                   const std::set<std::string>& allowed);

}  // namespace progtc::bridge::http
