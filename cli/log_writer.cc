#include "cli/log_writer.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

namespace progtc::cli {
namespace {

constexpr std::chrono::milliseconds kLastLines{500};

// All of `text`, however long that takes. What cannot be written is lost: a log has nobody else to tell.
void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {  // somebody else has set O_NONBLOCK
      pollfd waiting{fd, POLLOUT, 0};
      (void)::poll(&waiting, 1, -1);
    } else if (errno != EINTR) {
      return;
    }
  }
}

}  // namespace

struct LogWriter::State {
  State(int descriptor, DropNote drop_note, Bounds limits)
      : fd(descriptor), note(std::move(drop_note)), bounds(limits) {}
  const int fd;
  const DropNote note;
  const Bounds bounds;
  std::mutex mutex;
  std::condition_variable has_work;
  std::condition_variable has_ended;
  std::string queue;               // whole lines
  std::uint64_t dropped = 0;       // ever
  std::uint64_t dropped_said = 0;  // of these, those that a line has told of
  bool is_closing = false;
  bool is_over = false;
};

LogWriter::LogWriter(int fd, DropNote note, Bounds bounds)
    : state_(std::make_shared<State>(fd, std::move(note), bounds)) {
  // Signals are for the thread that waits for them.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread([state = state_] { write_lines(state); }).detach();
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

LogWriter::~LogWriter() {
  std::unique_lock lock(state_->mutex);
  state_->is_closing = true;
  state_->has_work.notify_one();
  state_->has_ended.wait_for(lock, kLastLines, [&] { return state_->is_over; });
}

void LogWriter::put(std::string_view line) {
  const std::lock_guard lock(state_->mutex);
  if (state_->queue.size() + line.size() > state_->bounds.queue_bytes) {
    ++state_->dropped;
    return;
  }
  state_->queue += line;
  state_->has_work.notify_one();
}

std::uint64_t LogWriter::dropped() const {
  const std::lock_guard lock(state_->mutex);
  return state_->dropped;
}

void LogWriter::write_lines(const std::shared_ptr<State>& state) {
  std::unique_lock lock(state->mutex);
  for (;;) {
    state->has_work.wait(lock, [&] { return !state->queue.empty() || state->is_closing; });
    const std::uint64_t dropped = state->dropped - std::exchange(state->dropped_said, state->dropped);
    if (state->queue.empty() && dropped == 0) break;
    std::string text = std::exchange(state->queue, {});
    lock.unlock();
    if (dropped > 0) text += state->note(dropped);
    write_all(state->fd, text);
    lock.lock();
  }
  state->is_over = true;
  state->has_ended.notify_one();
}

}  // namespace progtc::cli
