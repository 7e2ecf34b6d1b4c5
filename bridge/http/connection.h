#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include "bridge/http/exchange.h"
#include "bridge/http/limits.h"
#include "bridge/http/transport.h"

namespace progtc::bridge::http {

class RequestParser;

// What the connections of one server share.
struct Service {
  Limits limits;
  Handler handler;
  Gate gate;
  Recogniser recogniser;
  std::set<std::string> allowed_hosts;
  std::function<void(std::string_view)> logger;
  std::size_t all_bodies_bytes = 0;  // held now

  void log(std::string_view line) const {
    if (logger) logger(line);
  }
};

// What coroutines wait on for a change that another one makes. One waiter; a notification without a waiter is lost, so
// the waiter looks at the state first.
class Wakeup {
 public:
  explicit Wakeup(const boost::asio::any_io_executor& executor) : timer_(executor) {}
  void notify() { timer_.cancel(); }
  boost::asio::awaitable<void> wait_until(std::chrono::steady_clock::time_point deadline);

 private:
  boost::asio::steady_timer timer_;
};

// One client's connection, from its first byte to its last.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // Without a `local_address` Host and Origin are not looked at.
  Connection(boost::asio::any_io_executor executor, std::shared_ptr<Service> service,
             std::unique_ptr<Transport> transport, Peer peer, std::optional<std::string> local_address);

  // Serves requests until the connection is closed.
  static boost::asio::awaitable<void> serve(std::shared_ptr<Connection> self);
  // Answers 503 and closes.
  static boost::asio::awaitable<void> turn_away(std::shared_ptr<Connection> self);

  // Whether a request has come whose client was recognised.
  [[nodiscard]] bool is_recognised() const { return is_recognised_; }
  // Since when it has been waiting for the end of a request.
  [[nodiscard]] std::chrono::steady_clock::time_point waiting_since() const { return waiting_since_; }
  [[nodiscard]] const Peer& peer() const { return peer_; }
  [[nodiscard]] bool is_cut() const { return is_cut_; }
  // Ends it to make room for another.
  void displace() { end(false); }

  // Closes at once when no request has begun, else behind its answer.
  void close_when_idle();
  // Resets the connection, so that nothing unfinished is taken for whole; a handler at work is told. Afterwards
  // everything ends by itself.
  void cut();

 private:
  class Answer;
  class BodyHold;
  using Clock = std::chrono::steady_clock;
  enum class Fed : std::uint8_t { kEnough, kEnded, kTimedOut, kTooMuch };

  boost::asio::awaitable<bool> open();
  boost::asio::awaitable<bool> exchange();
  boost::asio::awaitable<bool> wait_for_request();
  boost::asio::awaitable<Fed> feed(RequestParser& parser, BodyHold& hold, Clock::time_point deadline);
  boost::asio::awaitable<bool> handle(Request request, bool is_http11);
  boost::asio::awaitable<void> refuse(Response response, bool is_head);
  boost::asio::awaitable<void> linger();
  boost::asio::awaitable<Result<void>> send(ConstBuffers buffers);

  static boost::asio::awaitable<void> read_ahead(std::shared_ptr<Connection> self);
  void take_input(std::size_t bytes);
  void input_has_ended();
  void watch_for_reset();

  [[nodiscard]] std::string_view pending() const { return std::string_view(input_).substr(used_); }
  void consume(std::size_t bytes);
  [[nodiscard]] std::string head_of(const Response& response, std::optional<std::size_t> length, bool is_http11) const;

  void arm(std::chrono::milliseconds time);
  void disarm();
  void end(bool is_reset);
  void watchdog_fired();

  boost::asio::any_io_executor executor_;
  std::shared_ptr<Service> service_;
  std::unique_ptr<Transport> transport_;
  Peer peer_;
  std::optional<std::string> local_address_;

  std::unique_ptr<char[]> scratch_;  // what a read writes to; the rest may move meanwhile
  std::string input_;                // read and not yet used, from used_ on; at most read_ahead_bytes_
  std::size_t read_ahead_bytes_;
  std::size_t used_ = 0;
  std::uint64_t arrived_ = 0;  // bytes, ever
  Wakeup data_;                // more input, or none any more
  Wakeup room_;                // input has been used

  // Ends what the peer could draw out for ever: handshake, writes, the end.
  boost::asio::steady_timer watchdog_;
  Clock::time_point io_deadline_ = Clock::time_point::max();
  Clock::time_point watchdog_at_ = Clock::time_point::max();

  Clock::time_point waiting_since_ = Clock::now();
  Answer* answer_ = nullptr;  // of the handler at work
  bool is_recognised_ = false;
  bool is_first_ = true;
  bool is_last_ = false;     // no request after this one
  bool is_closing_ = false;  // asked for by the server
  bool is_discarding_ = false;
  bool has_ended_ = false;  // no more input
  bool is_cut_ = false;
  bool is_timed_out_ = false;
  bool is_watching_ = false;
};

}  // namespace progtc::bridge::http
