#include "runner/denial_listener.h"

#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "policy/seccomp_program.h"

namespace progtc::runner {
namespace {

namespace asio = boost::asio;
constexpr std::uint64_t kUnpaced = 100;
constexpr std::size_t kMaxDistinct = 256;  // further ones are counted on the last entry: memory stays bounded

}  // namespace

DenialListener::DenialListener(const asio::any_io_executor& executor, sys::UniqueFd listener,
                               const policy::Policy& policy, OnCall learn)
    : listener_(executor, listener.release()), pause_(executor), policy_(policy), learn_(std::move(learn)) {}

void DenialListener::write_down(const seccomp_data& call) {
  std::array<std::uint64_t, 6> arguments{};
  std::copy(std::begin(call.args), std::end(call.args), arguments.begin());
  policy::DenialText text = policy::describe_denial(policy_, call.nr, arguments);
  const auto known = std::find_if(denials_.begin(), denials_.end(), [&](const Denial& denial) {
    return denial.call == text.call && denial.rule == text.rule;
  });
  if (known != denials_.end()) {
    ++known->count;
  } else if (denials_.size() < kMaxDistinct) {
    denials_.push_back({std::move(text.call), std::move(text.rule), std::move(text.fix), 1});
  } else {
    ++denials_.back().count;
  }
}

asio::awaitable<void> DenialListener::listen() {
  for (;;) {
    auto [failed] =
        co_await listener_.async_wait(asio::posix::stream_descriptor::wait_read, asio::as_tuple(asio::use_awaitable));
    if (failed) co_return;
    // Asked before the receive, which before Linux 6.11 waits for ever once nobody is left under the filter: readable
    // says that a call is there, and should its caller die now, the receive answers ENOENT (kernel/seccomp.c).
    pollfd state{listener_.native_handle(), POLLIN, 0};
    if (::poll(&state, 1, 0) != 1 || !(state.revents & POLLIN)) {
      if (state.revents & (POLLHUP | POLLERR)) co_return;
      continue;
    }
    seccomp_notif request{};  // the kernel refuses a buffer that is not zeroed
    if (::ioctl(listener_.native_handle(), SECCOMP_IOCTL_NOTIF_RECV, &request) == -1) {
      if (errno != EINTR && errno != ENOENT) co_return;
      continue;
    }
    const bool is_let_through = learn_ && learn_(request);
    if (!is_let_through) {
      write_down(request.data);
      if (++count_ > kUnpaced) {
        pause_.expires_after(std::chrono::milliseconds(1));
        auto [stopped] = co_await pause_.async_wait(asio::as_tuple(asio::use_awaitable));
        if (stopped) co_return;
      }
    }
    seccomp_notif_resp answer{};
    answer.id = request.id;
    if (is_let_through) {
      answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    } else {
      answer.error = -EPERM;
    }
    // ENOENT: the caller is gone; there is nobody to answer.
    (void)::ioctl(listener_.native_handle(), SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }
}

}  // namespace progtc::runner
