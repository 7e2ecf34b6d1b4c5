#include "bridge/http/request_parser.h"

#include <algorithm>
#include <array>

#include <boost/beast/http/error.hpp>

namespace progtc::bridge::http {
namespace {

namespace beast_http = boost::beast::http;

// Far more than clients send; each is an allocation and a step of every look-up.
constexpr std::size_t kMaxFields = 128;

// "0\r\n\r\n", with which every chunked body ends. Beast 1.81 asserts that it sees no less when it comes back to a last
// chunk whose end had not arrived, and no position within a chunked body has fewer bytes before it.
constexpr std::size_t kShortestChunkedEnd = 5;

// Fields that exist once: a second one would be read by somebody else.
constexpr std::array<std::string_view, 7> kSingleFields{
    "Host", "Origin", "Authorization", "Content-Type", "Content-Length", "Transfer-Encoding", "Expect"};

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

bool is_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Whether it is a request line with a well-formed version, so that only its number is foreign to us.
bool names_a_version(std::string_view bytes) {
  const std::string_view line = bytes.substr(0, bytes.find('\r'));
  const std::size_t space = line.rfind(' ');
  if (std::count(line.begin(), line.end(), ' ') != 2) return false;
  const std::string_view version = line.substr(space + 1);
  return version.size() == 8 && version.starts_with("HTTP/") && is_digits(version.substr(5, 1)) && version[6] == '.' &&
         is_digits(version.substr(7));
}

}  // namespace

RequestParser::RequestParser(std::size_t header_bytes, std::uint64_t body_bytes)
    : header_bytes_(header_bytes), body_bytes_(body_bytes) {
  header_limit(static_cast<std::uint32_t>(std::min<std::size_t>(header_bytes, UINT32_MAX)));
  body_limit(boost::none);  // counted here
}

std::size_t RequestParser::put(std::string_view bytes) {
  std::size_t used = 0;
  const bool had_header = has_header_;
  while (!failure_ && !is_complete_ && has_header_ == had_header && used < bytes.size()) {
    ErrorCode ec;
    const std::string_view rest = bytes.substr(used);
    if (is_chunked_ && rest.size() < kShortestChunkedEnd) break;
    const std::size_t taken = put_once(rest, ec);
    used += taken;
    if (!had_header) {
      // Beast 1.81 measures what it has not consumed, and it consumes field by field.
      header_used_ += taken;
      const std::size_t left = has_header_ ? 0 : bytes.size() - used;
      if (header_used_ + left > header_bytes_ || (!has_header_ && header_used_ + left == header_bytes_))
        ec = beast_http::error::header_limit;
    }
    if (!ec && taken == 0) break;
    if (ec == beast_http::error::need_more) {
      if (has_header_ && bytes.size() - used >= header_bytes_) fail(431, "chunk header or trailers too large", ec);
      break;
    }
    if (!ec || failure_) continue;
    if (ec == beast_http::error::header_limit) {
      fail(431, "request header too large: more than " + std::to_string(header_bytes_) + " bytes", ec);
    } else if (ec == beast_http::error::bad_version && names_a_version(bytes.substr(used))) {
      fail(505, "this server speaks HTTP/1.1 and HTTP/1.0", ec);
    } else {
      fail(400, "malformed request: " + ec.message(), ec);
    }
  }
  return used;
}

std::size_t RequestParser::put_once(std::string_view bytes, ErrorCode& ec) {
  return basic_parser::put(boost::asio::const_buffer(bytes.data(), bytes.size()), ec);
}

void RequestParser::fail(unsigned status, std::string detail, ErrorCode& ec) {
  if (!failure_) failure_ = Failure{status, std::move(detail)};
  ec = beast_http::error::bad_field;  // any will do: it makes Beast stop
}

void RequestParser::on_request_impl(beast_http::verb, BeastView method_text, BeastView target, int version,
                                    ErrorCode& ec) {
  is_http11_ = version == 11;
  request_.method = std::string(view(method_text));
  take_target(view(target), ec);
}

// RFC 9112, section 3.2. The authority form belongs to CONNECT, which is a proxy's.
void RequestParser::take_target(std::string_view target, ErrorCode& ec) {
  constexpr std::array<std::string_view, 2> kSchemes{"http://", "https://"};
  for (const std::string_view scheme : kSchemes) {
    if (!equals_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
    target.remove_prefix(scheme.size());
    const std::size_t end = std::min(target.find_first_of("/?"), target.size());
    authority_ = std::string(target.substr(0, end));
    if (authority_.empty()) return fail(400, "malformed request: a target without a host", ec);
    target.remove_prefix(end);
    break;
  }
  const bool is_absolute = !authority_.empty();
  if (!target.starts_with('/') && target != "*" && !is_absolute)
    return fail(400, "malformed request: the target does not start with '/'", ec);
  const std::size_t question = target.find('?');
  request_.path = std::string(target.substr(0, question));
  if (request_.path.empty()) request_.path = "/";
  if (question != std::string_view::npos) request_.query = std::string(target.substr(question + 1));
}

void RequestParser::on_response_impl(int, BeastView, int, ErrorCode&) {}  // a parser of requests never calls it

void RequestParser::on_field_impl(beast_http::field, BeastView name, BeastView value, ErrorCode& ec) {
  if (has_header_) return;  // a trailer: what comes behind the body cannot speak for it
  for (const std::string_view single : kSingleFields) {
    if (equals_ignoring_case(view(name), single) && request_.headers.count(single) > 0)
      return fail(400, "malformed request: more than one " + std::string(single), ec);
  }
  if (request_.headers.fields().size() == kMaxFields) return fail(431, "too many header fields", ec);
  request_.headers.add(std::string(view(name)), std::string(view(value)));
}

void RequestParser::on_header_impl(ErrorCode& ec) {
  has_header_ = true;
  const auto coding = request_.header("Transfer-Encoding");
  const auto length = request_.header("Content-Length");
  if (coding && length) return fail(400, "malformed request: both Transfer-Encoding and Content-Length", ec);
  if (coding && !is_http11_) return fail(400, "malformed request: Transfer-Encoding in HTTP/1.0", ec);
  if (coding && !equals_ignoring_case(*coding, "chunked"))
    return fail(501, "a transfer coding other than chunked is not supported", ec);
  // Beast takes "5, 5" and "+5" in places where others do not.
  if (length && !is_digits(*length)) return fail(400, "malformed request: bad Content-Length", ec);
  if (!request_.header("Host") && is_http11_) return fail(400, "malformed request: no Host", ec);
  if (!authority_.empty() && !equals_ignoring_case(request_.header("Host").value_or(authority_), authority_))
    return fail(400, "malformed request: Host and target name two hosts", ec);
  if (length && content_length().value_or(0) > body_bytes_)
    return fail(413, "request body too large: more than " + std::to_string(body_bytes_) + " bytes", ec);
  if (const auto expectation = request_.header("Expect"); expectation && is_http11_) {
    if (!equals_ignoring_case(*expectation, "100-continue")) return fail(417, "unknown expectation", ec);
    expects_continue_ = true;
  }
  is_chunked_ = coding.has_value();
}

void RequestParser::on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) {}

std::size_t RequestParser::on_body_impl(BeastView body, ErrorCode&) {
  request_.body += view(body);
  return body.size();
}

void RequestParser::on_chunk_header_impl(std::uint64_t size, BeastView extensions, ErrorCode& ec) {
  if (size > body_bytes_ - request_.body.size())
    return fail(413, "request body too large: more than " + std::to_string(body_bytes_) + " bytes", ec);
  extension_bytes_ += extensions.size();
  if (extension_bytes_ > header_bytes_) return fail(400, "malformed request: too many chunk extensions", ec);
}

std::size_t RequestParser::on_chunk_body_impl(std::uint64_t, BeastView body, ErrorCode& ec) {
  return on_body_impl(body, ec);
}

void RequestParser::on_finish_impl(ErrorCode&) { is_complete_ = true; }

}  // namespace progtc::bridge::http
