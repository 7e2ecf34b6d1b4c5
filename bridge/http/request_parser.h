#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/beast/http/basic_parser.hpp>

#include "bridge/http/message.h"

namespace progtc::bridge::http {

// Turns a connection's bytes, cut anywhere, into one request. Beast reads the grammar; what it lets pass and two
// servers may understand differently (RFC 9112, section 11.2) is refused here: repeated Content-Length, codings other
// than chunked, and repeats of fields that exist once. Memory follows what has arrived, never what a header announces.
class RequestParser final : private boost::beast::http::basic_parser<true> {
 public:
  RequestParser(std::size_t header_bytes, std::uint64_t body_bytes);

  struct Failure {
    unsigned status = 400;
    std::string detail;
  };

  // Consumes from the front of `bytes` and says how much; what is left belongs to bytes that have not come, or to the
  // next request. Stops behind the header, so that the caller may look at it. Call it again when there is more.
  std::size_t put(std::string_view bytes);

  [[nodiscard]] const std::optional<Failure>& failure() const noexcept { return failure_; }
  [[nodiscard]] bool has_header() const noexcept { return has_header_; }
  [[nodiscard]] bool is_complete() const noexcept { return is_complete_; }

  // These need the header.
  [[nodiscard]] bool is_http11() const noexcept { return is_http11_; }
  [[nodiscard]] bool wants_keep_alive() const { return keep_alive(); }
  [[nodiscard]] bool expects_continue() const noexcept { return expects_continue_; }
  // Whether the body is too long to be read before anybody has looked at the header, or may be.
  [[nodiscard]] bool has_large_body() const { return content_length().value_or(UINT64_MAX) > header_bytes_; }
  [[nodiscard]] std::size_t body_size() const noexcept { return request_.body.size(); }
  // Everything but the peer.
  Request& request() noexcept { return request_; }

 private:
  using ErrorCode = boost::system::error_code;
  using BeastView = boost::beast::string_view;

  void on_request_impl(boost::beast::http::verb method, BeastView method_text, BeastView target, int version,
                       ErrorCode& ec) override;
  void on_response_impl(int code, BeastView reason, int version, ErrorCode& ec) override;
  void on_field_impl(boost::beast::http::field field, BeastView name, BeastView value, ErrorCode& ec) override;
  void on_header_impl(ErrorCode& ec) override;
  void on_body_init_impl(const boost::optional<std::uint64_t>& length, ErrorCode& ec) override;
  std::size_t on_body_impl(BeastView body, ErrorCode& ec) override;
  void on_chunk_header_impl(std::uint64_t size, BeastView extensions, ErrorCode& ec) override;
  std::size_t on_chunk_body_impl(std::uint64_t remain, BeastView body, ErrorCode& ec) override;
  void on_finish_impl(ErrorCode& ec) override;

  void fail(unsigned status, std::string detail, ErrorCode& ec);
  void take_target(std::string_view target, ErrorCode& ec);
  std::size_t put_once(std::string_view bytes, ErrorCode& ec);

  std::size_t header_bytes_;
  std::uint64_t body_bytes_;
  std::size_t header_used_ = 0;      // bytes of the header that Beast has consumed
  std::size_t extension_bytes_ = 0;  // of all chunks
  std::string authority_;            // of a target in absolute form
  Request request_;
  std::optional<Failure> failure_;
  bool has_header_ = false;
  bool is_complete_ = false;
  bool is_http11_ = false;
  bool is_chunked_ = false;
  bool expects_continue_ = false;
};

}  // namespace progtc::bridge::http
