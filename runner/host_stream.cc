#include "runner/host_stream.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace progtc::runner {
namespace asio = boost::asio;

HostStream::HostStream(const asio::any_io_executor& executor, int fd, Direction direction) : fd_(fd), gate_(executor) {
  struct stat info {};
  if (::fstat(fd, &info) == -1 || S_ISREG(info.st_mode)) return;
  if (S_ISSOCK(info.st_mode)) {
    kind_ = Kind::kSocket;
  } else {
    const int mode = direction == Direction::kRead ? O_RDONLY : O_WRONLY;
    reopened_.reset(::open(("/proc/self/fd/" + std::to_string(fd)).c_str(), mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    // Not ours to open (a terminal of another user's): then readiness and small writes are all there is.
    kind_ = reopened_ ? Kind::kReopened : Kind::kBlocking;
    if (reopened_) fd_ = reopened_.get();
  }
  sys::UniqueFd gate(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{};
  event.events = direction == Direction::kRead ? EPOLLIN : EPOLLOUT;
  if (gate && ::epoll_ctl(gate.get(), EPOLL_CTL_ADD, fd_, &event) == 0) {
    gate_.assign(gate.release());
  } else {
    kind_ = Kind::kFile;  // what epoll refuses never waits: /dev/null and its like
  }
}

asio::awaitable<boost::system::error_code> HostStream::wait() {
  auto [failed] =
      co_await gate_.async_wait(asio::posix::stream_descriptor::wait_read, asio::as_tuple(asio::use_awaitable));
  co_return failed;
}

ssize_t HostStream::read_now(char* into, std::size_t size) const {
  return kind_ == Kind::kSocket ? ::recv(fd_, into, size, MSG_DONTWAIT) : ::read(fd_, into, size);
}

ssize_t HostStream::write_now(std::string_view bytes) const {
  if (kind_ == Kind::kSocket) return ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  const std::size_t size = kind_ == Kind::kBlocking ? std::min<std::size_t>(bytes.size(), PIPE_BUF) : bytes.size();
  return ::write(fd_, bytes.data(), size);
}

asio::awaitable<Result<std::size_t>> HostStream::read_some(char* into, std::size_t size) {
  for (;;) {
    if (kind_ != Kind::kFile)
      if (auto failed = co_await wait()) co_return Error{failed, "wait to read"};
    const ssize_t got = read_now(into, size);
    if (got >= 0) co_return static_cast<std::size_t>(got);
    const int err = errno;
    if (err != EINTR && err != EAGAIN) co_return from_errno(err, "read");
  }
}

asio::awaitable<Result<void>> HostStream::write(std::string_view bytes) {
  while (!bytes.empty()) {
    if (kind_ == Kind::kBlocking)
      if (auto failed = co_await wait()) co_return Error{failed, "wait to write"};
    const ssize_t written = write_now(bytes);
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
      continue;
    }
    const int err = errno;
    if (err == EINTR) continue;
    if (err != EAGAIN || kind_ == Kind::kFile) co_return from_errno(err, "write");
    if (auto failed = co_await wait()) co_return Error{failed, "wait to write"};
  }
  co_return Result<void>{};
}

}  // namespace progtc::runner
