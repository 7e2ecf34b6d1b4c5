#pragma once
#include <chrono>
#include <cstddef>

namespace progtc::bridge::http {

struct Limits {
  std::size_t header_bytes = 16UL << 10U;         // request line and fields; also what is read ahead of a handler
  std::size_t body_bytes = 32UL << 20U;           // of one request, decoded
  std::size_t all_bodies_bytes = 256UL << 20U;    // of all requests in progress together; 503 above
  std::size_t connections = 512;                  // above: see Server
  std::chrono::milliseconds header_time{10'000};  // from a request's first byte, and from accept to the first request
  std::chrono::milliseconds body_time{60'000};
  std::chrono::milliseconds idle_time{75'000};           // between two requests
  std::chrono::milliseconds stranger_idle_time{10'000};  // likewise, of a client that has not been recognised
  std::chrono::milliseconds write_time{30'000};          // without the client taking a byte of an answer
  // How long a client's last bytes are waited for and dropped behind the last answer. Closing with unread input makes
  // the kernel send a reset, which may overtake the answer and make the client forget it (RFC 9112, section 9.6).
  std::chrono::milliseconds linger_time{2'000};
  std::size_t linger_bytes = 64UL << 20U;  // and how many of them at most
};

}  // namespace progtc::bridge::http
