#pragma once
// The answer of one execution: events in the order in which they are sent, whoever sends them, and a heartbeat while
// there are none.
#include <chrono>
#include <functional>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include "bridge/http/exchange.h"
#include "policy/result.h"

namespace progtc::bridge {

// A client's HTTP library may give up after five seconds without a byte, so it never waits longer than this.
inline constexpr std::chrono::milliseconds kHeartbeat{2000};

// Everything runs on `executor`, one handler at a time. One piece is on its way to the client at any time; senders wait
// for it, so what is held of a slow client is one piece for each sender.
class EventStream {
 public:
  EventStream(const boost::asio::any_io_executor& executor, http::Exchange& exchange)
      : executor_(executor),
        exchange_(&exchange),
        turn_(executor, std::chrono::steady_clock::time_point::max()),
        quiet_(executor) {}
  EventStream(const EventStream&) = delete;
  EventStream& operator=(const EventStream&) = delete;

  // The head is sent with what comes first: an event or the next millisecond. Until close() a comment follows wherever
  // nothing else was sent for kHeartbeat.
  Result<void> open();
  // Returns when the kernel has taken the whole event. Errors: what the connection failed with; not_connected after
  // close().
  boost::asio::awaitable<Result<void>> send(std::string json);
  // Sends the last event, whose JSON `next` gives in pieces and ends with an empty one, and ends the answer. Each piece
  // is made when the kernel has taken the one before. Nothing touches the exchange afterwards.
  boost::asio::awaitable<Result<void>> close(std::function<std::string()> next);

 private:
  boost::asio::awaitable<void> keep_alive();
  // When something has to be sent for the sake of it.
  [[nodiscard]] std::chrono::steady_clock::time_point due() const;
  boost::asio::awaitable<Result<void>> write(std::string text);
  boost::asio::awaitable<Result<void>> write_last(const std::function<std::string()>& next);

  boost::asio::any_io_executor executor_;
  http::Exchange* exchange_;        // null once closed: a sender may still hold this object
  boost::asio::steady_timer turn_;  // cancelled when a piece has been sent
  boost::asio::steady_timer quiet_;
  bool has_sent_ = false;
  bool is_writing_ = false;
  bool is_closing_ = false;
  bool is_quiet_watched_ = false;
  std::chrono::steady_clock::time_point last_write_{};
};

}  // namespace progtc::bridge
