// Sandboxes kept ready: what they share, what they do not, and what is left when they are gone.
#include "runner/pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "bridge/channel_session.h"
#include "policy/decode.h"

namespace progtc::runner {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using ::testing::HasSubstr;

template <typename T>
T await_on(asio::io_context& context, asio::awaitable<T> task) {
  std::optional<T> result;
  std::exception_ptr failure;
  asio::co_spawn(context, std::move(task), [&](std::exception_ptr thrown, T value) {
    failure = thrown;
    result.emplace(std::move(value));
    context.stop();
  });
  context.restart();
  context.run();
  if (failure) std::rethrow_exception(failure);
  return std::move(*result);
}

// Other tests make groups beside ours meanwhile: v2's names hold our pid, v1's lie in a group of this test's own.
std::vector<std::string> groups_of_ours(const CgroupSite& site) {
  std::vector<std::string> found;
  const auto look = [&](const std::string& parent, const std::string& part) {
    for (const auto& entry : fs::directory_iterator(parent))
      if (entry.is_directory() && entry.path().filename().string().find(part) != std::string::npos)
        found.push_back(entry.path().string());
  };
  if (!site.v2_parent.empty()) look(site.v2_parent, "-" + std::to_string(::getpid()) + "-");
  for (const auto& [controller, directory] : site.v1_parents) look(directory, "progtc-");
  return found;
}

class PoolTest : public ::testing::Test {
 protected:
  bool starts(const std::function<void(SandboxPool::Options&)>& change = [](auto&) {}) {
    SandboxPool::Options options;
    const auto decoded = policy::decode_policy(*policy::resolve_shipped("strict", ""), policy::resolve_shipped);
    if (!decoded) return false;
    options.policy = *decoded;
    options.policy.python.interpreter = "/usr/bin/python3";
    options.guest_dir = PROGTC_GUEST_DIR;
    options.site = find_cgroup_site(false);
    change(options);
    for (auto& [controller, directory] : options.site.v1_parents) {
      directory += "/pool-test-" + std::to_string(::getpid());
      fs::create_directory(directory);
    }
    site_ = options.site;
    pool_.emplace(context_.get_executor(), std::move(options));
    pool_->start();
    const auto ready = await_on(context_, pool_->ready());
    if (ready) return true;
    const char* required = std::getenv("PROGTC_REQUIRE_SANDBOX");
    if (required && std::string(required) == "1") ADD_FAILURE() << ready.error().context;
    return false;
  }
  void TearDown() override {
    if (!pool_) return;
    await_on(context_, stop());
    EXPECT_THAT(groups_of_ours(site_), ::testing::IsEmpty());
    for (const auto& [controller, directory] : site_.v1_parents) ::rmdir(directory.c_str());
  }
  asio::awaitable<bool> stop() {
    co_await pool_->stop();
    co_return true;
  }
  asio::awaitable<RunOutcome> run_code(std::string code) {
    RunRequest request;
    request.policy = pool_->policy();
    request.job.code = std::move(code);
    request.job.argv = {"-c"};
    request.job.cwd = policy::kWorkPath;
    request.job.path = {policy::kWorkPath};
    bridge::ChannelSession session(context_.get_executor(), request.policy.tools, request.policy.limits.frame_bytes,
                                   nullptr);
    auto handle = std::make_shared<RunHandle>();
    handle_ = handle;
    co_return co_await pool_->run(std::move(request), session, handle);
  }
  RunOutcome run(const std::string& code) { return await_on(context_, run_code(code)); }

  asio::io_context context_{1};
  CgroupSite site_;
  std::optional<SandboxPool> pool_;
  std::shared_ptr<RunHandle> handle_;
};

TEST_F(PoolTest, RunsOneJobPerSandbox) {
  if (!starts()) GTEST_SKIP() << "no user namespaces here";
  const auto first = run("open('/tmp/x', 'w').close(); import os; print(os.getpid(), os.listdir('/tmp'))");
  EXPECT_EQ(first.kind, OutcomeKind::kExited) << first.cause;
  EXPECT_EQ(first.out.bytes, "2 ['x']\n");
  const auto second = run("import os; print(os.getpid(), os.listdir('/tmp'))");
  EXPECT_EQ(second.out.bytes, "2 []\n") << second.cause << second.err.bytes;
  EXPECT_NE(first.run_id, second.run_id);
  EXPECT_EQ(first.policy_digest, policy::digest(pool_->policy()));
  EXPECT_EQ(pool_->numbers().templates, 1u);
}

TEST_F(PoolTest, LimitsAndDenialsAreThoseOfAnyRun) {
  if (!starts([](auto& options) {
        options.policy.limits.wall = std::chrono::milliseconds(300);
        options.policy.limits.memory_bytes = 64 << 20;
      }))
    GTEST_SKIP() << "no user namespaces here";
  EXPECT_EQ(run("import time; time.sleep(60)").kind, OutcomeKind::kTimeout);
  const auto memory = run("x = bytearray(500 << 20)");
  if (site_.mechanism != CgroupMechanism::kNone) {
    EXPECT_EQ(memory.kind, OutcomeKind::kMemoryLimit) << memory.cause;
  }
  const auto network = run("import socket; socket.socket()");
  ASSERT_FALSE(network.denials.empty());
  EXPECT_THAT(network.denials[0].call, HasSubstr("socket"));
  EXPECT_EQ(network.exit_code, 1);
}

TEST_F(PoolTest, MoreRunsThanParkedWaitTheirTurnAndRaiseTheNumber) {
  if (!starts([](auto& options) { options.least = 1; })) GTEST_SKIP() << "no user namespaces here";
  int exited = 0;
  for (int i = 0; i < 12; ++i)
    asio::co_spawn(context_, run_code("print('hi')"), [&](const std::exception_ptr& bug, const RunOutcome& outcome) {
      EXPECT_FALSE(bug);
      EXPECT_EQ(outcome.out.bytes, "hi\n") << outcome.cause;
      if (++exited == 12) context_.stop();
    });
  context_.restart();
  context_.run();
  EXPECT_EQ(exited, 12);
  EXPECT_GT(pool_->numbers().waited, 0u);
  EXPECT_GT(pool_->numbers().wanted, 1u);
}

TEST_F(PoolTest, PreloadedModulesAreThereAtOnce) {
  if (!starts([](auto& options) { options.policy.python.preload = {"decimal"}; }))
    GTEST_SKIP() << "no user namespaces here";
  EXPECT_EQ(run("import sys; print('decimal' in sys.modules)").out.bytes, "True\n");
}

TEST_F(PoolTest, ATemplateThatDiesIsReplaced) {
  if (!starts()) GTEST_SKIP() << "no user namespaces here";
  const auto children = fs::path("/proc/self/task") / std::to_string(::getpid()) / "children";
  pid_t pid = 0;
  std::ifstream(children) >> pid;
  ASSERT_GT(pid, 0);
  ASSERT_EQ(::kill(pid, SIGKILL), 0);
  // Those that were parked die with it, in the kernel's own time: some may still be taken, and may even be quick
  // enough.
  for (int i = 0; i < 1000 && pool_->numbers().templates < 2; ++i) (void)run("print('still here')");
  EXPECT_EQ(pool_->numbers().templates, 2u);
  const auto outcome = run("print('still here')");
  EXPECT_EQ(outcome.out.bytes, "still here\n") << outcome.cause;
}

TEST_F(PoolTest, ACancelledRunEndsItsSandbox) {
  if (!starts()) GTEST_SKIP() << "no user namespaces here";
  asio::steady_timer later(context_, std::chrono::milliseconds(100));
  later.async_wait([&](const boost::system::error_code&) { handle_->cancel(0, "the client has gone"); });
  const auto outcome = run("import time; time.sleep(60)");
  EXPECT_EQ(outcome.kind, OutcomeKind::kCancelled);
  EXPECT_EQ(outcome.cause, "the client has gone");
}

TEST_F(PoolTest, APolicyThatCannotStartSaysWhy) {
  SandboxPool::Options options;
  options.policy = *policy::decode_policy(*policy::resolve_shipped("strict", ""), policy::resolve_shipped);
  options.policy.python.interpreter = "/nonexistent/python3";
  options.guest_dir = PROGTC_GUEST_DIR;
  options.site = find_cgroup_site(false);
  pool_.emplace(context_.get_executor(), std::move(options));
  pool_->start();
  const auto ready = await_on(context_, pool_->ready());
  ASSERT_FALSE(ready);
  EXPECT_THAT(ready.error().context, HasSubstr("/nonexistent/python3"));
  const auto outcome = run("print(1)");
  EXPECT_EQ(outcome.kind, OutcomeKind::kSetupFailed);
  EXPECT_THAT(outcome.cause, HasSubstr("/nonexistent/python3"));
}

}  // namespace
}  // namespace progtc::runner
