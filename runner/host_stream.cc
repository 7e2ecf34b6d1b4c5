#include "runner/host_stream.h"

#include <limits.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace progtc::runner {
namespace asio = boost::asio;

HostStream::HostStream(const asio::any_io_executor& executor, int fd, Direction direction) : fd_(fd), gate_(executor) {
  sys::UniqueFd gate(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{};
  event.events = direction == Direction::kRead ? EPOLLIN : EPOLLOUT;
  is_pollable_ = gate && ::epoll_ctl(gate.get(), EPOLL_CTL_ADD, fd, &event) == 0;
  if (is_pollable_) gate_.assign(gate.release());
}

asio::awaitable<void> HostStream::wait() {
  if (!is_pollable_) co_return;
  auto [failed] =
      co_await gate_.async_wait(asio::posix::stream_descriptor::wait_read, asio::as_tuple(asio::use_awaitable));
  (void)failed;  // cancelled: the caller's next await says so; anything else shows at the read or write itself
}

asio::awaitable<Result<std::size_t>> HostStream::read_some(char* into, std::size_t size) {
  for (;;) {
    co_await wait();
    const ssize_t got = ::read(fd_, into, size);
    if (got >= 0) co_return static_cast<std::size_t>(got);
    const int err = errno;
    if (err == EINTR || err == EAGAIN) continue;
    co_return from_errno(err, "read");
  }
}

asio::awaitable<Result<void>> HostStream::write(std::string_view bytes) {
  while (!bytes.empty()) {
    co_await wait();
    // A pipe that polls writable takes PIPE_BUF bytes without blocking (pipe(7)).
    const std::size_t size = is_pollable_ ? std::min<std::size_t>(bytes.size(), PIPE_BUF) : bytes.size();
    const ssize_t written = ::write(fd_, bytes.data(), size);
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
      continue;
    }
    const int err = errno;
    if (err != EINTR && err != EAGAIN) co_return from_errno(err, "write");
  }
  co_return Result<void>{};
}

}  // namespace progtc::runner
