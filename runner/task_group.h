#pragma once
#include <exception>
#include <list>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

namespace progtc::runner {

// Coroutines that belong to one piece of work and are waited for together. Single-threaded, like its executor. Must be
// empty (join() returned) when destroyed, as the coroutines refer to it.
class TaskGroup {
 public:
  explicit TaskGroup(const boost::asio::any_io_executor& executor)
      : executor_(executor), idle_(executor, boost::asio::steady_timer::time_point::max()) {}
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // Starts `task`. After cancel() its next await throws operation_aborted, which ends it quietly; a cancellation
  // between two awaits is remembered, so none is lost. Any other exception is a bug and leaves through the executor's
  // run().
  void start(boost::asio::awaitable<void> task) {
    ++running_;
    signals_.emplace_back();
    auto own = std::prev(signals_.end());
    auto on_end = [this, own](const std::exception_ptr& failure) {
      signals_.erase(own);
      if (--running_ == 0) idle_.cancel();
      try {
        if (failure) std::rethrow_exception(failure);
      } catch (const boost::system::system_error& error) {
        if (error.code() != boost::asio::error::operation_aborted) throw;
      }
    };
    boost::asio::co_spawn(executor_, std::move(task),
                          boost::asio::bind_cancellation_slot(own->slot(), std::move(on_end)));
  }
  void cancel() {
    for (auto& signal : signals_) signal.emit(boost::asio::cancellation_type::terminal);
  }
  boost::asio::awaitable<void> join() {
    while (running_ > 0) {
      auto [woken] = co_await idle_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
      (void)woken;
    }
  }

 private:
  boost::asio::any_io_executor executor_;
  boost::asio::steady_timer idle_;
  std::list<boost::asio::cancellation_signal> signals_;
  unsigned running_ = 0;
};

}  // namespace progtc::runner
