#pragma once
#include <string_view>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "policy/result.h"
#include "runner/sys/unique_fd.h"

namespace progtc::runner {

// One of the host's own standard streams, read or written without blocking the loop and without touching its flags: the
// open file is shared with the shell and with other programs, and O_NONBLOCK would change it for them too. Waiting goes
// through an epoll descriptor of our own; what epoll refuses (regular files) never blocks for long and is used
// directly.
class HostStream {
 public:
  enum class Direction { kRead, kWrite };
  HostStream(const boost::asio::any_io_executor& executor, int fd, Direction direction);

  // Reads some bytes; 0 at end of file.
  boost::asio::awaitable<Result<std::size_t>> read_some(char* into, std::size_t size);
  // Writes all of them. Errors: errno (EPIPE when the reader has gone).
  boost::asio::awaitable<Result<void>> write(std::string_view bytes);

 private:
  boost::asio::awaitable<void> wait();

  int fd_;
  bool is_pollable_ = false;
  boost::asio::posix::stream_descriptor gate_;
};

}  // namespace progtc::runner
