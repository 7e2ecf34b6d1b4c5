#pragma once
// Parked sandboxes: confined, warm, waiting for a job. docs/architecture.md has the picture.
//
// Theory of operation. A pool serves one kind of run: one policy, hence one interpreter and one set of preload modules.
// It keeps a template and some sandboxes cloned from it ahead of demand. run() takes one, which runs that one job and
// dies; a coroutine of the pool's makes new ones, beside the runs. How many are kept follows demand: a run that finds
// none parked raises the number, quiet time lowers it again. A template that dies takes its sandboxes along (one pid
// namespace holds them all); the next to be made starts a new one.
//
// Everything runs on the executor, which must not run two handlers at once.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include "policy/model.h"
#include "policy/result.h"
#include "runner/bounds.h"
#include "runner/channel_peer.h"
#include "runner/outcome.h"
#include "runner/run.h"
#include "runner/task_group.h"

namespace progtc::runner {

struct Parked;
struct Nest;

class SandboxPool {
 public:
  struct Options {
    policy::Policy policy;
    CgroupSite site;
    std::string guest_dir;
    std::string project_dir = "/";  // what "@project" means
    GivenUp allow_degraded;
    std::size_t least = 2;  // parked at any time
    std::size_t most = 32;  // parked at most, whatever the demand
  };
  struct Numbers {
    std::size_t parked = 0;
    std::size_t wanted = 0;
    std::uint64_t made = 0;
    std::uint64_t failed = 0;     // attempts to make one
    std::uint64_t waited = 0;     // runs that found none parked
    std::uint64_t templates = 0;  // started
  };

  SandboxPool(const boost::asio::any_io_executor& executor, Options options);
  ~SandboxPool();
  SandboxPool(const SandboxPool&) = delete;
  SandboxPool& operator=(const SandboxPool&) = delete;

  // Begins to fill.
  void start();
  // Waits for the first parked sandbox. Errors: why it could not be made.
  boost::asio::awaitable<Result<void>> ready();
  // Runs one job in a parked sandbox, or in the next to be made. Never fails, as runner::run. `request.policy` has to
  // be the pool's but for limits of the host's own (wall, output); what it says of binds, files and the network is not
  // looked at. Returns as soon as the outcome is known; what is left of the sandbox is removed behind it.
  boost::asio::awaitable<RunOutcome> run(RunRequest request, ChannelPeer& peer, std::shared_ptr<RunHandle> handle);
  // Ends everything: what is parked, the template, and with it any run still under way; waits until all of it is gone.
  boost::asio::awaitable<void> stop();

  [[nodiscard]] const policy::Policy& policy() const noexcept { return options_.policy; }
  [[nodiscard]] Numbers numbers() const;

 private:
  boost::asio::awaitable<void> fill();
  boost::asio::awaitable<Result<std::unique_ptr<Parked>>> make();
  boost::asio::awaitable<Result<std::shared_ptr<Nest>>> start_template();
  boost::asio::awaitable<Result<std::unique_ptr<Parked>>> take(const bool& is_cancelled);
  void shrink_in_quiet_time();

  boost::asio::any_io_executor executor_;
  Options options_;
  std::shared_ptr<Nest> nest_;
  std::deque<std::unique_ptr<Parked>> parked_;
  TaskGroup tasks_;
  boost::asio::steady_timer work_;     // cancelled to wake fill()
  boost::asio::steady_timer arrived_;  // cancelled to wake those who wait for a sandbox
  std::size_t waiting_ = 0;
  Numbers numbers_;
  Error last_error_;
  std::chrono::steady_clock::time_point last_change_;
  std::chrono::steady_clock::time_point busy_until_{};
  bool is_stopping_ = false;
};

}  // namespace progtc::runner
