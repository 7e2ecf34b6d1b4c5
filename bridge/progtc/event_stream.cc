#include "bridge/progtc/event_stream.h"

#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "bridge/http/sse.h"

namespace progtc::bridge {
namespace asio = boost::asio;
namespace {
constexpr auto use_result = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds kHeadWait{1};
}  // namespace

Result<void> EventStream::open() {
  http::Response head;
  head.content_type = "text/event-stream";
  head.headers = {{"Cache-Control", "no-cache"}};
  PROGTC_CHECK(exchange_->begin(std::move(head)));
  last_write_ = std::chrono::steady_clock::now();
  is_quiet_watched_ = true;
  asio::co_spawn(executor_, keep_alive(), asio::detached);  // close() waits for it
  return {};
}

std::chrono::steady_clock::time_point EventStream::due() const {
  return last_write_ + (has_sent_ ? kHeartbeat * 3 / 4 : kHeadWait);
}

asio::awaitable<void> EventStream::keep_alive() {
  while (!is_closing_) {
    quiet_.expires_at(due());
    auto [woken] = co_await quiet_.async_wait(use_result);
    (void)woken;
    if (is_closing_ || is_writing_ || std::chrono::steady_clock::now() < due()) {
      // A piece that is being written moves the time on when it is done; until then the client has bytes to read.
      if (is_writing_) last_write_ = std::chrono::steady_clock::now();
      continue;
    }
    std::string heartbeat = has_sent_ ? http::sse_comment() : std::string();
    auto sent = co_await write(std::move(heartbeat));
    if (!sent) break;  // whoever sends next finds out
  }
  is_quiet_watched_ = false;
  turn_.cancel();
}

asio::awaitable<Result<void>> EventStream::write(std::string text) {
  while (is_writing_) {
    auto [woken] = co_await turn_.async_wait(use_result);
    (void)woken;
  }
  if (is_closing_ || !exchange_) co_return Error{asio::error::not_connected, "send an event"};
  is_writing_ = has_sent_ = true;
  auto written = co_await exchange_->write(text);
  is_writing_ = false;
  last_write_ = std::chrono::steady_clock::now();
  turn_.cancel();
  co_return written;
}

asio::awaitable<Result<void>> EventStream::send(std::string json) {
  if (is_closing_) co_return Error{asio::error::not_connected, "send an event"};
  std::string event = http::sse_event(json);
  auto written = co_await write(std::move(event));
  co_return written;
}

asio::awaitable<Result<void>> EventStream::write_last(const std::function<std::string()>& next) {
  std::string text(http::kSseStart);
  text += http::sse_piece(next());
  for (std::string piece = next(); !piece.empty(); piece = next()) {
    auto written = co_await exchange_->write(text);
    if (!written) co_return written;
    text = http::sse_piece(piece);
  }
  text += http::kSseEnd;
  auto ended = co_await exchange_->finish(text);
  co_return ended;
}

asio::awaitable<Result<void>> EventStream::close(std::function<std::string()> next) {
  is_closing_ = true;
  quiet_.cancel();
  while (is_quiet_watched_ || is_writing_) {
    auto [woken] = co_await turn_.async_wait(use_result);
    (void)woken;
  }
  is_writing_ = true;  // until the end: nothing goes between two pieces
  auto ended = co_await write_last(next);
  exchange_ = nullptr;
  is_writing_ = false;
  turn_.cancel();
  co_return ended;
}

}  // namespace progtc::bridge
