#pragma once
// HTTP/1.0 and 1.1 over TCP, TLS and Unix sockets. Knows nothing of what it serves.
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "bridge/http/exchange.h"
#include "bridge/http/limits.h"
#include "policy/result.h"

namespace progtc::bridge::http {

struct TlsFiles {
  std::string certificate;  // PEM, the chain included
  std::string key;          // PEM, without a passphrase
};

struct Counters {
  std::size_t open = 0;         // connections now
  std::uint64_t total = 0;      // connections ever served
  std::uint64_t refused = 0;    // connections turned away, as there were too many
  std::uint64_t displaced = 0;  // connections of strangers that made room for others
};

// Theory of operation. One coroutine per listener accepts; two per connection serve it. The first of these parses,
// checks and calls the handler, one request after the other. The second always reads, into a bounded buffer, so that
// a client's end is seen while a handler is at work and pipelined requests wait their turn. What a client can hold is
// one connection, its read-ahead and one body.
//
// A client is a stranger until the recogniser has known one of its requests. When there are as many connections as the
// limits allow, a new one displaces a stranger: of the peer (address, or user of a Unix socket) with the most of them,
// the one that has been waiting for its request for longest. Where there is no stranger the new one gets 503.
//
// Everything runs on the executor, which must not run two handlers at once. Handlers at work keep what they need of the
// server alive, and may outlast it; destroying it closes everything as drain() does when its time is up.
class Server {
 public:
  static Result<std::unique_ptr<Server>> create(boost::asio::any_io_executor executor, Limits limits, Handler handler);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  // Returns the bound port, for port 0. Errors: errno; EADDRINUSE says that another daemon may be running there.
  Result<std::uint16_t> listen_tcp(const std::string& host, std::uint16_t port);

  // A socket of mode 0600. A stale one is removed; it is unlinked at the end if it is still this one.
  // Errors: errno; EADDRINUSE when somebody listens there, EEXIST when something else lies there.
  Result<void> listen_unix(const std::string& path);

  // Takes over a listening stream socket (systemd's LISTEN_FDS): TCP or Unix, the latter never unlinked. The descriptor
  // is the server's unless an error is returned.
  Result<void> adopt(int fd);

  // TLS 1.2 or later for the TCP connections that come from now on. Errors: names the file that OpenSSL refuses.
  Result<void> use_tls(const TlsFiles& files);

  // Names by which clients on other machines address this server. Against DNS rebinding, a request over TCP must name
  // one of these in its Host field, a loopback name or address, or the address it was sent to, else it gets 421; one
  // with an Origin (so from a web page) other than a page of this machine's loopback, addressed to loopback, gets 403.
  void set_allowed_hosts(const std::set<std::string>& hosts);

  void set_gate(Gate gate);
  // Without one everybody is a stranger.
  void set_recogniser(Recogniser recogniser);

  // Lines for an operator: what a handler threw, why accept fails. Without one they are dropped. It must not throw.
  void set_logger(std::function<void(std::string_view)> logger);

  // Closes the listeners. Connections that are open go on.
  void stop_accepting();

  // Stops accepting, closes idle connections at once and others when their answer is out; at the deadline those that
  // are left, whose handlers learn it through on_disconnect. These get one more second to return.
  boost::asio::awaitable<void> drain(std::chrono::steady_clock::time_point deadline);

  // Resets every connection; handlers at work learn it through on_disconnect.
  void cut_all();

  [[nodiscard]] Counters counters() const noexcept;

 private:
  class Core;
  explicit Server(std::shared_ptr<Core> core);
  std::shared_ptr<Core> core_;
};

}  // namespace progtc::bridge::http
