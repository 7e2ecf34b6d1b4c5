#pragma once
#include <functional>
#include <optional>
#include <string_view>

#include <boost/asio/awaitable.hpp>

#include "bridge/http/message.h"
#include "policy/result.h"

namespace progtc::bridge::http {

// One request being answered. The handler that is given one answers it once: either respond(), or begin(), any number
// of write() and finish(). One of these at a time; the exchange is gone when the handler returns.
//
// Errors: what the connection failed with, the write deadline included (timed_out); not_connected once the
// connection is closed; operation_not_permitted for a call out of order; invalid_argument for a response that cannot be
// put on the wire (a status outside 200..599, a line break in a header), of which nothing has been sent.
class Exchange {
 public:
  Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  virtual ~Exchange() = default;

  [[nodiscard]] virtual const Request& request() const = 0;

  // Sends one complete answer. HEAD gets the headers only.
  virtual boost::asio::awaitable<Result<void>> respond(Response response) = 0;

  // Begins an answer of unknown length: chunked for HTTP/1.1, ended by closing the connection for 1.0. The body of
  // `head` is ignored. The head is on its way with the first write() or finish(): what is short leaves in one piece.
  virtual Result<void> begin(Response head) = 0;
  // Waits until the kernel has taken all of `bytes`, which must live that long: that is the backpressure. With no bytes
  // it sends the head, if that is still here.
  virtual boost::asio::awaitable<Result<void>> write(std::string_view bytes) = 0;
  // Ends the answer, after `last`.
  virtual boost::asio::awaitable<Result<void>> finish(std::string_view last = {}) = 0;

  // `callback` is called once, from the io thread, when the peer goes away (end of file, reset, error) or the server
  // closes the connection while the handler is at work; at once if that has happened already. It is never called after
  // the handler has returned. A second callback replaces the first. It must not throw.
  //
  // A client that has only shut down its sending side looks the same as one that is gone. An answer is still sent to
  // it if the handler gives one.
  virtual void on_disconnect(std::function<void()> callback) = 0;
  [[nodiscard]] virtual bool is_disconnected() const = 0;
};

// A handler that throws, or returns without an answer, is answered for with 500; one that leaves a streamed answer
// unfinished has the connection cut, so that the client does not take it for whole.
using Handler = std::function<boost::asio::awaitable<void>(Exchange&)>;

// Asked about a request whose header is there and whose body, a long one or one that waits for a word, is still to
// come: what it returns is the answer, and the body is not read. It must not throw.
using Gate = std::function<std::optional<Response>(const Request&)>;

// Whether a request's header shows whom it comes from, by a key for example. Asked once per request, when its header is
// there. Connections that have never had such a request make room for others. It must not throw.
using Recogniser = std::function<bool(const Request&)>;

}  // namespace progtc::bridge::http
