#pragma once
#include <array>
#include <cstddef>
#include <functional>
#include <tuple>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/socket_base.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

namespace progtc::bridge::http {

struct IoResult {
  boost::system::error_code code;
  std::size_t bytes = 0;
};
using ConstBuffers = std::array<boost::asio::const_buffer, 3>;  // unused ones are empty

// The stream under a connection, whatever its type. One read and one write may be under way together.
class Transport {
 public:
  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;

  virtual boost::asio::awaitable<boost::system::error_code> handshake() = 0;
  virtual boost::asio::awaitable<IoResult> read_some(boost::asio::mutable_buffer into) = 0;
  virtual boost::asio::awaitable<IoResult> write_some(ConstBuffers from) = 0;
  // Tells the peer that nothing more comes.
  virtual boost::asio::awaitable<void> shut_send() = 0;
  // Calls back when the peer resets the connection, without reading; not at all if that cannot be seen.
  virtual void watch_for_reset(std::function<void()> callback) = 0;
  // Ends what is under way. With `is_reset` the peer is told at once, and what it has not taken is dropped.
  virtual void close(bool is_reset) noexcept = 0;
};

// Over a socket of Asio, an ssl::stream of one, or the streams that tests use.
template <typename Stream>
class StreamTransport final : public Transport {
 public:
  explicit StreamTransport(Stream stream) : stream_(std::move(stream)) {}

  boost::asio::awaitable<boost::system::error_code> handshake() override {
    if constexpr (kIsTls) {
      auto [ec] = co_await stream_.async_handshake(Stream::server, kUseResult);
      co_return ec;
    } else {
      co_return boost::system::error_code();
    }
  }

  boost::asio::awaitable<IoResult> read_some(boost::asio::mutable_buffer into) override {
    auto [ec, bytes] = co_await stream_.async_read_some(into, kUseResult);
    co_return IoResult{ec, bytes};
  }

  boost::asio::awaitable<IoResult> write_some(ConstBuffers from) override {
    auto [ec, bytes] = co_await stream_.async_write_some(from, kUseResult);
    co_return IoResult{ec, bytes};
  }

  boost::asio::awaitable<void> shut_send() override {
    boost::system::error_code ec;  // a peer that has gone need not be told
    if constexpr (kIsTls) {
      auto [failed] = co_await stream_.async_shutdown(kUseResult);
      if (!failed) lowest().shutdown(boost::asio::socket_base::shutdown_send, ec);
    } else if constexpr (kIsSocket) {
      stream_.shutdown(boost::asio::socket_base::shutdown_send, ec);
    }
    co_return;
  }

  void watch_for_reset(std::function<void()> callback) override {
    if constexpr (kIsSocket) {
      lowest().async_wait(boost::asio::socket_base::wait_error,
                          [callback = std::move(callback)](boost::system::error_code ec) {
                            if (!ec) callback();
                          });
    }
  }

  void close(bool is_reset) noexcept override {
    if constexpr (kIsSocket) {
      boost::system::error_code ec;  // it is closed in any case
      if (is_reset) lowest().set_option(boost::asio::socket_base::linger(true, 0), ec);
      lowest().close(ec);
    } else {
      stream_.close();
    }
  }

 private:
  static constexpr auto kUseResult = boost::asio::as_tuple(boost::asio::use_awaitable);
  static constexpr bool kIsTls = requires(Stream & stream) { stream.next_layer(); };
  static constexpr bool kIsSocket = requires(Stream & stream) { stream.lowest_layer().native_handle(); };

  auto& lowest() { return stream_.lowest_layer(); }

  Stream stream_;
};

}  // namespace progtc::bridge::http
