#include "bridge/tools/process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

namespace progtc::bridge {
namespace {

namespace asio = boost::asio;
using std::chrono_literals::operator""h;
using std::chrono_literals::operator""ms;
using Cause = ProcessEnd::Cause;

ProcessPlan shell(const std::string& script) {
  return ProcessPlan{
      .argv = {"sh", "-c", script}, .env = {"PATH=/usr/bin:/bin"}, .working_directory = {}, .timeout = 1h};
}

// A FIFO whose reading end is here. Everyone who has it open for writing shows as "no end of file yet": that is how a
// test waits for the last survivor of a group without looking at a clock.
class Lifeline {
 public:
  explicit Lifeline(asio::io_context& io) : io_(io) {
    std::string name = "/tmp/progtc-lifeline-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    path_ = folder_ + "/fifo";
    EXPECT_EQ(::mkfifo(path_.c_str(), 0600), 0);
    fd_ = ::open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  }
  ~Lifeline() {
    ::close(fd_);
    std::filesystem::remove_all(folder_);
  }
  const std::string& path() const { return path_; }

  // Runs the loop until `count` bytes have come: as many processes are alive and at work.
  void await_bytes(std::size_t count) {
    char byte = 0;
    while (count > 0) {
      const ssize_t got = ::read(fd_, &byte, 1);
      if (got == 1) {
        --count;
      } else {
        io_.run_one_for(1ms);
      }
    }
  }

  // Runs the loop until nobody holds the writing end.
  void await_end() {
    char byte = 0;
    while (::read(fd_, &byte, 1) != 0) io_.run_one_for(1ms);
  }

 private:
  asio::io_context& io_;
  std::string folder_;
  std::string path_;
  int fd_ = -1;
};

class ProcessTest : public testing::Test {
 protected:
  void start(ProcessPlan plan) {
    asio::co_spawn(
        io_, run_process(std::move(plan)),
        asio::bind_cancellation_slot(cancel_.slot(), [this](std::exception_ptr failure, Result<ProcessEnd> end) {
          EXPECT_FALSE(failure);
          end_.emplace(std::move(end));
        }));
  }
  Result<ProcessEnd> finish() {
    while (!end_ && io_.run_one() > 0) {
    }
    return std::move(*end_);
  }
  Result<ProcessEnd> run(ProcessPlan plan) {
    end_.reset();
    io_.restart();
    start(std::move(plan));
    return finish();
  }

  asio::io_context io_{1};
  asio::cancellation_signal cancel_;
  std::optional<Result<ProcessEnd>> end_;
};

TEST_F(ProcessTest, KeepsBothStreamsAndTheStatus) {
  const auto end = run(shell("printf out; printf err >&2; exit 3"));
  ASSERT_TRUE(end) << end.error().context;
  EXPECT_EQ(end->cause, Cause::kExited);
  EXPECT_EQ(end->exit_code, 3);
  EXPECT_EQ(end->out, "out");
  EXPECT_EQ(end->err, "err");
}

TEST_F(ProcessTest, NoShellReadsTheArguments) {
  ProcessPlan plan = shell("");
  plan.argv = {"printf", "%s|", "$(id)", "*", "; ls", "", "a b"};
  EXPECT_EQ(run(plan)->out, "$(id)|*|; ls||a b|");
}

TEST_F(ProcessTest, StdinIsAtItsEnd) {
  ProcessPlan plan = shell("");
  plan.argv = {"cat"};
  const auto end = run(plan);
  EXPECT_EQ(end->exit_code, 0);
  EXPECT_EQ(end->out, "");
}

TEST_F(ProcessTest, HasOnlyTheEnvironmentOfItsPlan) {
  ProcessPlan plan = shell("");
  plan.argv = {"/usr/bin/env"};
  plan.env = {"A=1", "B=two words"};
  EXPECT_EQ(run(plan)->out, "A=1\nB=two words\n");
}

TEST_F(ProcessTest, HasNoDescriptorOfOurs) {
  const int leaky = ::open("/dev/null", O_RDONLY);  // NOLINT(android-cloexec-open): the point of this test
  ASSERT_GE(leaky, 0);
  const auto end = run(shell("ls /proc/self/fd"));
  EXPECT_EQ(end->out, "0\n1\n2\n3\n");  // 3 is ls reading the folder
  ::close(leaky);
}

TEST_F(ProcessTest, HasDefaultSignalsASessionAndNoTerminal) {
  struct sigaction ignore {};
  struct sigaction before {};
  ignore.sa_handler = SIG_IGN;
  ASSERT_EQ(::sigaction(SIGUSR1, &ignore, &before), 0);
  const auto end = run(shell("kill -USR1 $$"));
  EXPECT_EQ(end->cause, Cause::kSignaled);
  EXPECT_EQ(end->signal, SIGUSR1);
  ::sigaction(SIGUSR1, &before, nullptr);
  EXPECT_NE(run(shell("echo x 2>/dev/null >/dev/tty"))->exit_code, 0);
}

TEST_F(ProcessTest, WorksWhereItsPlanSays) {
  ProcessPlan plan = shell("pwd");
  plan.working_directory = "/usr/share";
  EXPECT_EQ(run(plan)->out, "/usr/share\n");
}

TEST_F(ProcessTest, SaysWhyItCouldNotStart) {
  ProcessPlan plan = shell("");
  plan.argv = {"/no/such/program"};
  EXPECT_EQ(run(plan).error().context, "start '/no/such/program': No such file or directory");
  plan = shell("pwd");
  plan.working_directory = "/no/such/folder";
  EXPECT_EQ(run(plan).error().context, "start 'sh': working directory '/no/such/folder': No such file or directory");
  plan = shell(std::string(3 << 20, 'x'));
  EXPECT_EQ(run(plan).error().context, "start 'sh': Argument list too long");
}

TEST_F(ProcessTest, FiveMegabytesComeWhole) {
  const auto end = run(shell("head -c 5000000 /dev/zero | tr '\\0' x"));
  EXPECT_EQ(end->out.size(), 5'000'000U);
  EXPECT_EQ(end->cause, Cause::kExited);
}

TEST_F(ProcessTest, TooMuchOutputEndsIt) {
  ProcessPlan plan = shell("yes");
  plan.max_stdout_bytes = 100'000;
  const auto end = run(plan);
  EXPECT_EQ(end->cause, Cause::kTooMuchOutput);
  EXPECT_EQ(end->out.size(), 100'000U);
}

TEST_F(ProcessTest, TooMuchOutputInItsLastBreathCountsToo) {
  ProcessPlan plan = shell("printf 12345");
  plan.max_stdout_bytes = 4;
  EXPECT_EQ(run(plan)->cause, Cause::kTooMuchOutput);
}

TEST_F(ProcessTest, TooMuchStderrIsDropped) {
  ProcessPlan plan = shell("head -c 300000 /dev/zero >&2; printf done");
  plan.max_stderr_bytes = 1000;
  const auto end = run(plan);
  EXPECT_EQ(end->cause, Cause::kExited);
  EXPECT_EQ(end->err.size(), 1000U);
  EXPECT_EQ(end->out, "done");
}

TEST_F(ProcessTest, ATimeoutKillsTheWholeGroup) {
  Lifeline line(io_);
  // Three generations, all deaf to polite signals, all holding the lifeline.
  ProcessPlan plan = shell(
      "trap '' TERM INT HUP; exec 9>" + line.path() +
      "; (trap '' TERM; (printf x >&9; sleep 1000) & printf x >&9; sleep 1000) & printf x >&9; printf early; wait");
  plan.timeout = 1000ms;  // starts three shells before that, or the test hangs and says so
  start(plan);
  line.await_bytes(3);
  const auto end = finish();
  EXPECT_EQ(end->cause, Cause::kTimedOut);
  EXPECT_EQ(end->out, "early");
  line.await_end();
}

TEST_F(ProcessTest, CancellationKillsTheWholeGroupAndWaits) {
  Lifeline line(io_);
  start(shell("exec 9>" + line.path() + "; (printf x >&9; sleep 1000) & printf x >&9; wait"));
  line.await_bytes(2);
  cancel_.emit(asio::cancellation_type::terminal);
  EXPECT_EQ(finish()->cause, Cause::kCancelled);
  line.await_end();
}

TEST_F(ProcessTest, ChildrenLeftBehindGoWithTheProgram) {
  Lifeline line(io_);
  const auto end = run(shell("exec 9>" + line.path() + "; sleep 1000 & printf done"));
  EXPECT_EQ(end->cause, Cause::kExited);
  EXPECT_EQ(end->out, "done");
  line.await_end();
}

TEST_F(ProcessTest, AProcessThatLeftTheGroupIsNotWaitedFor) {
  Lifeline line(io_);
  Lifeline leash(io_);
  // In a session of its own it holds our pipes open; it reads the leash, and ends when the test lets go of that.
  const int hold = ::open(leash.path().c_str(), O_RDWR | O_CLOEXEC);
  const auto end = run(shell("setsid sh -c 'exec 8<" + leash.path() + " 9>" + line.path() +
                             "; printf x >&9; read nothing <&8' & head -c 1 " + line.path()));
  EXPECT_EQ(end->cause, Cause::kExited);
  EXPECT_EQ(end->out, "x");
  ASSERT_EQ(::write(hold, "\n", 1), 1);
  line.await_end();
  ::close(hold);
}

TEST_F(ProcessTest, DestroyingTheLoopKillsToo) {
  asio::io_context elsewhere;
  Lifeline line(elsewhere);
  {
    asio::io_context io(1);
    asio::co_spawn(io,
                   run_process(shell("exec 9>" + line.path() + "; (printf x >&9; sleep 1000) & printf x >&9; wait")),
                   [](const std::exception_ptr&, const Result<ProcessEnd>&) {});
    io.poll();
    line.await_bytes(2);
  }
  line.await_end();
}

TEST_F(ProcessTest, CancellingBeforeItStartsStartsNothing) {
  asio::cancellation_signal cancel;
  bool has_ended = false;
  asio::co_spawn(io_, run_process(shell("sleep 1000")),
                 asio::bind_cancellation_slot(
                     cancel.slot(), [&](const std::exception_ptr&, const Result<ProcessEnd>&) { has_ended = true; }));
  cancel.emit(asio::cancellation_type::terminal);
  while (!has_ended && io_.run_one() > 0) {
  }
  EXPECT_TRUE(has_ended);
}

}  // namespace
}  // namespace progtc::bridge
