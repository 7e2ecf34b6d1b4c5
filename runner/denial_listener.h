#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "policy/model.h"
#include "runner/outcome.h"
#include "runner/sys/unique_fd.h"

struct seccomp_data;
struct seccomp_notif;

namespace progtc::runner {

// Reads a sandbox's seccomp notifications (seccomp_unotify(2)). Every one is written down and answered with EPERM: the
// answer is never "continue", so nothing the code does to its memory meanwhile can turn a denial into a permission.
// Only the policy learner's runs know another answer.
class DenialListener {
 public:
  // For the policy learner only: told of each call before it is answered, with its caller; true lets the call happen.
  using OnCall = std::function<bool(const seccomp_notif&)>;
  DenialListener(const boost::asio::any_io_executor& executor, sys::UniqueFd listener, const policy::Policy& policy,
                 OnCall learn = nullptr);

  // Until the sandbox ends. Answers are paced after the first hundred, so that a flood of denials slows its author
  // only.
  boost::asio::awaitable<void> listen();
  [[nodiscard]] const std::vector<Denial>& denials() const noexcept { return denials_; }

 private:
  void write_down(const seccomp_data& call);

  boost::asio::posix::stream_descriptor listener_;
  boost::asio::steady_timer pause_;
  const policy::Policy& policy_;
  OnCall learn_;
  std::vector<Denial> denials_;
  std::uint64_t count_ = 0;
};

}  // namespace progtc::runner
