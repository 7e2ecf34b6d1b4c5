#include "bridge/tools/process.h"
#include "bridge/tools/group_guard.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace progtc::bridge {
namespace {

namespace asio = boost::asio;

struct Pipe {
  int read_end = -1;
  int write_end = -1;
  ~Pipe() {
    if (read_end >= 0) ::close(read_end);
    if (write_end >= 0) ::close(write_end);
  }
  bool open() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return false;
    read_end = ends[0];
    write_end = ends[1];
    if (write_end > STDERR_FILENO) return true;
    // A host started without standard streams gets their numbers here, and the child's dup2 would run over them.
    const int moved = ::fcntl(write_end, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (moved == -1) return false;
    ::close(std::exchange(write_end, moved));
    return true;
  }
};

// What posix_spawn takes, freed in any case.
struct SpawnSettings {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  int error = 0;

  SpawnSettings(const ProcessPlan& plan, int out, int err) {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
    check(::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0));
    check(::posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO));
    check(::posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO));
    // Ours are all close-on-exec; a library's may not be.
    check(::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1));
    if (!plan.working_directory.empty())
      check(::posix_spawn_file_actions_addchdir_np(&actions, plan.working_directory.c_str()));
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    check(::posix_spawnattr_setsigmask(&attributes, &none));
    check(::posix_spawnattr_setsigdefault(&attributes, &all));
    check(::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  void check(int result) {
    if (error == 0) error = result;
  }
};

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

// A child that has been started. Its pid stays ours until it is reaped here, so killing its group cannot hit another.
// Pending operations share it; the destructor is for an event loop that goes away with operations still pending.
class Child : public std::enable_shared_from_this<Child> {
 public:
  Child(const asio::any_io_executor& executor, std::size_t max_out, std::size_t max_err)
      : pidfd_(executor),
        out_{asio::posix::stream_descriptor(executor), {}, max_out},
        err_{asio::posix::stream_descriptor(executor), {}, max_err},
        deadline_(executor),
        ended_(executor, asio::steady_timer::time_point::max()) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    kill_group();
    GroupGuard::instance().remove(pid_);
    while (::waitpid(pid_, nullptr, 0) == -1 && errno == EINTR) {
    }
  }

  Result<void> start(ProcessPlan& plan) {
    const std::string what = "start '" + plan.argv.front() + "'";
    Pipe out;
    Pipe err;
    if (!out.open() || !err.open()) return from_errno(errno, what + ": pipe2");
    const SpawnSettings settings(plan, out.write_end, err.write_end);
    if (settings.error != 0) return from_errno(settings.error, what);
    const std::vector<char*> argv = pointers(plan.argv);
    const std::vector<char*> env = pointers(plan.env);
    // posix_spawn returns after the execve, so the session and with it the process group exist from here on.
    const int failed = ::posix_spawnp(&pid_, argv[0], &settings.actions, &settings.attributes, argv.data(), env.data());
    if (failed != 0) {
      pid_ = -1;
      if (failed == ENOENT && !plan.working_directory.empty() && ::access(plan.working_directory.c_str(), F_OK) != 0)
        return from_errno(failed, what + ": working directory '" + plan.working_directory + "'");
      return from_errno(failed, what);
    }
    GroupGuard::instance().add(pid_);
    const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));  // close-on-exec by itself
    if (pidfd == -1) return from_errno(errno, what + ": pidfd_open");
    pidfd_.assign(pidfd);
    out_.pipe.assign(std::exchange(out.read_end, -1));
    err_.pipe.assign(std::exchange(err.read_end, -1));
    out_.pipe.non_blocking(true);
    err_.pipe.non_blocking(true);
    read(out_);
    read(err_);
    pidfd_.async_wait(asio::posix::descriptor_base::wait_read,
                      [self = shared_from_this()](boost::system::error_code ec) {
                        if (!ec) self->program_ended();
                      });
    deadline_.expires_after(plan.timeout);
    deadline_.async_wait([self = shared_from_this()](boost::system::error_code ec) {
      if (!ec) self->stop(ProcessEnd::Cause::kTimedOut);
    });
    return {};
  }

  // The first reason counts. The end itself comes through the pidfd.
  void stop(ProcessEnd::Cause cause) {
    if (is_stopped_) return;
    is_stopped_ = true;
    end_.cause = cause;
    if (pid_ > 0) kill_group();
  }

  bool has_ended() const { return pid_ <= 0; }
  asio::steady_timer& ended() { return ended_; }
  ProcessEnd take_end() { return std::move(end_); }

 private:
  struct Stream {
    asio::posix::stream_descriptor pipe;
    std::string bytes;
    std::size_t max_bytes;
    std::array<char, 16UL * 1024> buffer{};
  };

  void kill_group() const { (void)::kill(-pid_, SIGKILL); }

  // False when there was more than the cap.
  static bool store(Stream& stream, std::size_t count) {
    const std::size_t room = stream.max_bytes - stream.bytes.size();
    stream.bytes.append(stream.buffer.data(), std::min(room, count));
    return count <= room;
  }

  // Waits for readiness and reads by itself: bytes that an asynchronous read had already taken from the pipe when the
  // program ended would come after drain() and be lost (seen as 16 KiB missing from 5 MB).
  void read(Stream& stream) {
    stream.pipe.async_wait(asio::posix::descriptor_base::wait_read,
                           [self = shared_from_this(), &stream](boost::system::error_code ec) {
                             if (ec || self->has_ended()) return;
                             if (self->take(stream) != Taken::kEnd) self->read(stream);
                           });
  }

  enum class Taken : std::uint8_t { kBytes, kNothing, kEnd };

  Taken take(Stream& stream) {
    const ssize_t count = ::read(stream.pipe.native_handle(), stream.buffer.data(), stream.buffer.size());
    if (count == -1) return errno == EAGAIN || errno == EINTR ? Taken::kNothing : Taken::kEnd;
    if (count == 0) return Taken::kEnd;
    if (!store(stream, static_cast<std::size_t>(count)) && &stream == &out_) stop(ProcessEnd::Cause::kTooMuchOutput);
    return Taken::kBytes;
  }

  // What the program wrote before it ended is in the pipe now; a writer outside its group is not waited for.
  void drain(Stream& stream) {
    // Bounded by the pipe, unless somebody out of reach goes on writing: then the cap ends it.
    while (!(is_stopped_ && end_.cause == ProcessEnd::Cause::kTooMuchOutput) && take(stream) == Taken::kBytes) {
      if (stream.bytes.size() == stream.max_bytes && &stream == &err_) break;
    }
    boost::system::error_code ignored;
    stream.pipe.close(ignored);
  }

  void program_ended() {
    kill_group();  // before reaping, while the number is still ours
    int status = 0;
    GroupGuard::instance().remove(pid_);
    while (::waitpid(pid_, &status, 0) == -1 && errno == EINTR) {
    }
    pid_ = -1;
    drain(out_);
    drain(err_);
    boost::system::error_code ignored;
    pidfd_.close(ignored);
    deadline_.cancel();
    if (!is_stopped_) {
      end_.cause = WIFSIGNALED(status) ? ProcessEnd::Cause::kSignaled : ProcessEnd::Cause::kExited;
      end_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
      end_.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    }
    end_.out = std::move(out_.bytes);
    end_.err = std::move(err_.bytes);
    ended_.cancel();
  }

  pid_t pid_ = -1;
  bool is_stopped_ = false;
  asio::posix::stream_descriptor pidfd_;
  Stream out_;
  Stream err_;
  asio::steady_timer deadline_;
  asio::steady_timer ended_;
  ProcessEnd end_;
};

asio::awaitable<Result<ProcessEnd>> run_to_end(ProcessPlan plan) {
  // Cancellation is looked at, not thrown: the program's end is waited for in any case.
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto executor = co_await asio::this_coro::executor;
  auto child = std::make_shared<Child>(executor, plan.max_stdout_bytes, plan.max_stderr_bytes);
  if (auto started = child->start(plan); !started) co_return started.error();
  while (!child->has_ended()) {
    (void)co_await child->ended().async_wait(asio::as_tuple(asio::use_awaitable));
    const auto cancelled = (co_await asio::this_coro::cancellation_state).cancelled();
    if (cancelled != asio::cancellation_type::none) {
      child->stop(ProcessEnd::Cause::kCancelled);
      co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    }
  }
  co_return child->take_end();
}

}  // namespace

boost::asio::awaitable<Result<ProcessEnd>> run_process(ProcessPlan plan) {
  const auto executor = co_await asio::this_coro::executor;
  // A coroutine chain of its own: how it treats cancellation must not leak into the caller's.
  co_return co_await asio::co_spawn(executor, run_to_end(std::move(plan)), asio::use_awaitable);
}

}  // namespace progtc::bridge
