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
}

asio::awaitable<Result<void>> EventStream::open() {
  http::Response head;
  head.content_type = "text/event-stream";
  head.headers = {{"Cache-Control", "no-cache"}};
  auto begun = co_await exchange_->begin(std::move(head));
  if (!begun) co_return begun.error();
  last_write_ = std::chrono::steady_clock::now();
  is_quiet_watched_ = true;
  asio::co_spawn(executor_, keep_alive(), asio::detached);  // close() waits for it
  co_return Result<void>{};
}

asio::awaitable<void> EventStream::keep_alive() {
  while (!is_closing_) {
    quiet_.expires_at(last_write_ + kSignOfLife * 3 / 4);
    auto [woken] = co_await quiet_.async_wait(use_result);
    (void)woken;
    if (is_closing_ || is_writing_ || std::chrono::steady_clock::now() < last_write_ + kSignOfLife * 3 / 4) {
      // A piece that is being written moves the time on when it is done; until then the client has bytes to read.
      if (is_writing_) last_write_ = std::chrono::steady_clock::now();
      continue;
    }
    auto sent = co_await write(http::sse_comment());
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
  if (!exchange_) co_return Error{asio::error::not_connected, "send an event"};
  is_writing_ = true;
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

asio::awaitable<Result<void>> EventStream::close(std::string json) {
  is_closing_ = true;
  quiet_.cancel();
  while (is_quiet_watched_) {
    auto [woken] = co_await turn_.async_wait(use_result);
    (void)woken;
  }
  std::string event = http::sse_event(json);
  auto ended = co_await write(std::move(event));
  if (ended) ended = co_await exchange_->finish();
  exchange_ = nullptr;
  co_return ended;
}

}  // namespace progtc::bridge
