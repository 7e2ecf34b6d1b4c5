#pragma once
#include <string_view>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "policy/result.h"
#include "runner/output_sink.h"
#include "runner/sys/unique_fd.h"

namespace progtc::runner {

// One of the host's own standard streams, read or written without ever blocking the loop, on which the limits depend,
// and without touching its flags: the open file is shared with the shell and with other programs, and O_NONBLOCK would
// change it for them too. Pipes and terminals are therefore opened anew through /proc/self/fd, sockets are used with
// MSG_DONTWAIT, and regular files, which never block for long, as they are. Waiting goes through an epoll descriptor of
// our own.
class HostStream final : public OutputSink {
 public:
  enum class Direction { kRead, kWrite };
  HostStream(const boost::asio::any_io_executor& executor, int fd, Direction direction);

  // Reads some bytes; 0 at end of file.
  boost::asio::awaitable<Result<std::size_t>> read_some(char* into, std::size_t size);
  // Writes all of them. Errors: errno (EPIPE when the reader has gone), operation_aborted when cancelled.
  boost::asio::awaitable<Result<void>> write(std::string_view bytes) override;

 private:
  enum class Kind { kFile, kReopened, kSocket, kBlocking };
  boost::asio::awaitable<boost::system::error_code> wait();
  ssize_t read_now(char* into, std::size_t size) const;
  ssize_t write_now(std::string_view bytes) const;

  int fd_;
  sys::UniqueFd reopened_;
  Kind kind_ = Kind::kFile;
  boost::asio::posix::stream_descriptor gate_;
};

}  // namespace progtc::runner
