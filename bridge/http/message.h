#pragma once
#include <sys/socket.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace progtc::bridge::http {

// Who is at the other end of a connection.
struct Peer {
  bool is_unix = false;
  std::optional<ucred> credentials{};  // SO_PEERCRED: who connected, not who writes now; Unix sockets only
  std::string name;                    // for logs: "127.0.0.1:4711", "[::1]:4711", "unix:uid=1000"
};

// Header fields in the order in which they came, names as written. A name is found whatever its case.
class Headers {
 public:
  using Field = std::pair<std::string, std::string>;

  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  // The first field of that name, without the blanks around its value.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
  [[nodiscard]] std::size_t count(std::string_view name) const noexcept;
  [[nodiscard]] const std::vector<Field>& fields() const noexcept { return fields_; }

 private:
  std::vector<Field> fields_;
};

// ASCII only, as field names, host names and most tokens of HTTP compare.
bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept;

// A whole request. Everything in it is the client's word, but for `peer`.
//
// Fields that exist once (Host, Origin, Authorization, Content-Type, Content-Length, Expect) were refused when
// repeated, so the first is the only one. Of others a client may send many. Trailers of a chunked body are dropped.
struct Request {
  std::string method;  // "GET"; a token, in the client's case
  std::string path;    // "/tools/a%20b" or "*"; without the query, percent-decoding not applied
  std::string query;   // what follows the first '?', likewise
  Headers headers;
  std::string body;
  Peer peer;

  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const noexcept {
    return headers.find(name);
  }
};

// Content-Type is left out when empty. Content-Length, Transfer-Encoding, Connection and Date are the server's, and not
// to be among `headers`.
struct Response {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

// {"detail": "..."}, the shape in which FastAPI reports errors.
Response error_response(unsigned status, std::string_view detail);

}  // namespace progtc::bridge::http
