#include "runner/pool.h"

#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "policy/decode.h"
#include "runner/interpreter.h"
#include "runner/parked.h"
#include "runner/run_errc.h"
#include "runner/sys/kernel_abi.h"

namespace progtc::runner {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
constexpr auto use_result = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds kSpawnDeadline{30};
// A run that has just begun gets the processors for so long, if others are parked: most are over by then.
constexpr std::chrono::milliseconds kAside{3};
constexpr std::chrono::seconds kQuiet{10};  // without a shortage, before one sandbox fewer is kept

}  // namespace

SandboxPool::SandboxPool(const asio::any_io_executor& executor, Options options)
    : executor_(executor),
      options_(std::move(options)),
      tasks_(executor),
      work_(executor),
      arrived_(executor, Clock::time_point::max()),
      last_error_(run_error(RunErrc::kTemplateDied, "the pool is shutting down")),
      last_change_(Clock::now()) {
  numbers_.wanted = options_.least;
}

SandboxPool::~SandboxPool() = default;

void SandboxPool::start() { tasks_.start(fill()); }

asio::awaitable<Result<void>> SandboxPool::ready() {
  const std::uint64_t failures = numbers_.failed;
  while (parked_.empty() && !is_stopping_) {
    if (numbers_.failed != failures) co_return last_error_;
    auto [woken] = co_await arrived_.async_wait(use_result);
    (void)woken;
  }
  if (is_stopping_) co_return last_error_;
  co_return Result<void>{};
}

SandboxPool::Numbers SandboxPool::numbers() const {
  Numbers now = numbers_;
  now.parked = parked_.size();
  return now;
}

void SandboxPool::shrink_in_quiet_time() {
  const auto now = Clock::now();
  if (numbers_.wanted <= options_.least || now - last_change_ < kQuiet) return;
  --numbers_.wanted;
  last_change_ = now;
  if (parked_.size() > numbers_.wanted) parked_.pop_front();
}

asio::awaitable<void> SandboxPool::fill() {
  unsigned failures = 0;  // in a row
  while (!is_stopping_) {
    shrink_in_quiet_time();
    if (parked_.size() >= std::min(numbers_.wanted, options_.most) + waiting_) {
      work_.expires_after(kQuiet);
      auto [woken] = co_await work_.async_wait(use_result);
      (void)woken;
      continue;
    }
    if (!parked_.empty() && waiting_ == 0 && Clock::now() < busy_until_) {
      work_.expires_at(busy_until_);
      auto [woken] = co_await work_.async_wait(use_result);
      (void)woken;
      continue;
    }
    const bool had_template = nest_ != nullptr;
    auto made = co_await make();
    if (!made && had_template && !is_stopping_) {  // which may have died: a new one, at once
      nest_.reset();
      made = co_await make();
    }
    if (is_stopping_) break;
    if (made) {
      failures = 0;
      ++numbers_.made;
      parked_.push_back(std::move(*made));
      arrived_.cancel();
      continue;
    }
    ++numbers_.failed;
    last_error_ = made.error();
    nest_.reset();  // the next attempt starts a new one; this one's other sandboxes keep it as long as they live
    arrived_.cancel();
    work_.expires_after(std::chrono::milliseconds(50 << std::min(failures++, 7U)));
    auto [woken] = co_await work_.async_wait(use_result);
    (void)woken;
  }
}

asio::awaitable<Result<std::shared_ptr<Nest>>> SandboxPool::start_template() {
  auto nest = std::make_shared<Nest>();
  nest->policy = as_enforceable(options_.policy, options_.site, options_.allow_degraded);
  nest->policy_digest = policy::digest(options_.policy);
  const char* path = std::getenv("PATH");
  auto interpreter = find_interpreter_of(nest->policy.python, path ? path : "/usr/bin:/bin", default_cache_dir(),
                                         options_.project_dir);
  if (!interpreter) co_return interpreter.error();
  auto identity = Identity::acquire();
  if (!identity) co_return identity.error();
  nest->identity = std::move(*identity);
  const RootPlanInputs inputs{options_.project_dir, options_.guest_dir, nest->identity.is_root_run};
  auto plan = plan_root(nest->policy, *interpreter, inputs);
  if (!plan) co_return plan.error();
  nest->plan = std::move(*plan);
  auto filter = policy::compile_seccomp(nest->policy);
  if (!filter) co_return filter.error();
  nest->filter = std::move(*filter);
  auto parent = Template::start(executor_, nest->policy, nest->plan, nest->identity);
  if (!parent) co_return parent.error();
  nest->parent = std::move(*parent);
  nest_ = nest;  // known to stop(), which may want to kill it while it starts
  ++numbers_.templates;
  auto ready = co_await nest->parent->ready();
  if (!ready) co_return ready.error();
  co_return nest;
}

asio::awaitable<Result<std::unique_ptr<Parked>>> SandboxPool::make() {
  asio::steady_timer deadline(executor_, kSpawnDeadline);
  deadline.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled && nest_) nest_->parent->kill();  // what is waited for then ends with an error
  });
  if (!nest_) {
    auto started = co_await start_template();
    if (!started) co_return started.error();
  }
  const std::shared_ptr<Nest> nest = nest_;
  auto bounds = make_bounds(options_.site, nest->policy, nest->identity, options_.allow_degraded);
  if (!bounds) co_return bounds.error();
  if (auto limited = bounds->cgroup.set_limits(nest->policy.limits, nest->policy.network); !limited)
    co_return limited.error();
  SandboxSpec spec = make_spec(nest->policy, nest->plan, *bounds, options_.allow_degraded);
  spec.filter = &nest->filter;
  auto sandbox = co_await nest->parent->spawn(spec);
  if (!sandbox) co_return sandbox.error();
  auto event = bounds->cgroup.oom_event();
  co_return std::unique_ptr<Parked>(
      new Parked{nest, std::move(*bounds), event ? std::move(*event) : sys::UniqueFd(), std::move(*sandbox)});
}

asio::awaitable<Result<std::unique_ptr<Parked>>> SandboxPool::take(const bool& is_cancelled) {
  bool has_waited = false;
  const std::uint64_t failures = numbers_.failed;
  while (!is_stopping_ && !is_cancelled) {
    while (!parked_.empty()) {
      auto first = std::move(parked_.front());
      parked_.pop_front();
      busy_until_ = Clock::now() + kAside;
      work_.cancel();
      if (sys::is_running(first->sandbox.init.get())) co_return first;
    }
    if (numbers_.failed != failures) co_return last_error_;
    if (!std::exchange(has_waited, true)) {
      ++numbers_.waited;
      numbers_.wanted = std::min(options_.most, numbers_.wanted * 2);
      last_change_ = Clock::now();
    }
    ++waiting_;
    work_.cancel();
    auto [woken] = co_await arrived_.async_wait(use_result);
    (void)woken;
    --waiting_;
  }
  co_return last_error_;
}

asio::awaitable<RunOutcome> SandboxPool::run(RunRequest request, ChannelPeer& peer, std::shared_ptr<RunHandle> handle) {
  bool is_cancelled = false;
  RunOutcome without;
  without.run_id = request.run_id.empty() ? new_run_id() : request.run_id;
  without.policy_name = request.policy.name;
  handle->on_cancel_ = [&](int, std::string cause) {
    is_cancelled = true;
    without.kind = OutcomeKind::kCancelled;
    without.cause = std::move(cause);
    arrived_.cancel();
  };
  auto parked = co_await take(is_cancelled);
  handle->on_cancel_ = nullptr;
  if (!parked || is_cancelled) {
    if (!is_cancelled) without.cause = parked.error().context;
    co_return without;
  }
  request.run_id = without.run_id;
  auto behind = [this](asio::awaitable<void> rest) { tasks_.start(std::move(rest)); };
  co_return co_await run_parked(executor_, std::move(request), std::move(*parked), peer, std::move(handle), behind);
}

asio::awaitable<void> SandboxPool::stop() {
  is_stopping_ = true;
  if (nest_) nest_->parent->kill();
  work_.cancel();
  arrived_.cancel();
  parked_.clear();
  co_await tasks_.join();
  nest_.reset();
}

}  // namespace progtc::runner
