// A template that serves several sandboxes: the warm path, driven without a command line.
#include "runner/template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstdlib>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "bridge/channel_session.h"
#include "policy/decode.h"
#include "runner/job.h"

namespace progtc::runner {
namespace {

namespace asio = boost::asio;
using ::testing::HasSubstr;

// Runs a coroutine to its end on a loop of its own.
template <typename T>
T await_on(asio::io_context& context, asio::awaitable<T> task) {
  std::optional<T> result;
  std::exception_ptr failure;
  asio::co_spawn(context, std::move(task), [&](std::exception_ptr thrown, T value) {
    failure = thrown;
    result.emplace(std::move(value));
  });
  context.restart();
  context.run();
  if (failure) std::rethrow_exception(failure);
  return std::move(*result);
}

class TemplateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto decoded = policy::decode_policy(*policy::resolve_shipped("strict", ""), policy::resolve_shipped);
    ASSERT_TRUE(decoded) << decoded.error().context;
    policy_ = *decoded;
    auto found = find_interpreter("/usr/bin/python3", "", "");
    ASSERT_TRUE(found) << found.error().context;
    interpreter_ = *found;
    auto identity = Identity::acquire();
    ASSERT_TRUE(identity) << identity.error().context;
    identity_ = std::move(*identity);
    auto filter = policy::compile_seccomp(policy_);
    ASSERT_TRUE(filter) << filter.error().context;
    filter_ = std::move(*filter);
  }

  Result<void> start() {
    PROGTC_TRY(plan_, plan_root(policy_, interpreter_, {"/", PROGTC_GUEST_DIR, identity_.is_root_run}));
    PROGTC_TRY(template_, Template::start(context_.get_executor(), policy_, plan_, identity_));
    return await_on(context_, template_->ready());
  }
  // No namespaces for this user: a skip, or a failure where the machine is known to have them.
  bool starts() {
    const auto started = start();
    if (started) return true;
    const char* required = std::getenv("PROGTC_REQUIRE_SANDBOX");
    if (required && std::string(required) == "1") ADD_FAILURE() << started.error().context;
    return false;
  }
  SandboxSpec spec() {
    SandboxSpec wanted;
    wanted.filter = &filter_;
    wanted.limits = policy_.limits;
    wanted.filesystem = policy_.filesystem;
    wanted.writable = plan_.writable;
    return wanted;
  }
  // Spawns a sandbox, runs `code` and returns what it wrote to stdout.
  Result<std::string> run(const std::string& code) { return await_on(context_, run_in_sandbox(code)); }
  asio::awaitable<Result<std::string>> run_in_sandbox(std::string code) {
    auto sandbox = co_await template_->spawn(spec());
    if (!sandbox) co_return sandbox.error();
    controls_ = sandbox->controls;
    Job job;
    job.code = std::move(code);
    job.argv = {"-c"};
    job.cwd = policy::kWorkPath;
    job.path = {policy::kWorkPath};
    job.executable = plan_.executable;
    job.frame_bytes = policy_.limits.frame_bytes;
    bridge::ChannelSession session(context_.get_executor(), policy_.tools, policy_.limits.frame_bytes, nullptr);
    sandbox->stdin_pipe.close();
    auto end = co_await session.converse(std::move(sandbox->channel), to_json(job));
    if (!end.violation.empty()) co_return from_errno(EPROTO, end.violation);
    std::string out;
    auto [ec, size] =
        co_await asio::async_read(sandbox->stdout_pipe, asio::dynamic_buffer(out), asio::as_tuple(asio::use_awaitable));
    (void)size;
    if (ec != asio::error::eof) co_return Error{ec, "read stdout"};
    co_return out;
  }

  asio::io_context context_{1};
  policy::Policy policy_;
  Interpreter interpreter_;
  Identity identity_;
  policy::SeccompProgram filter_;
  RootPlan plan_;
  std::unique_ptr<Template> template_;
  std::uint32_t controls_ = 0;
};

TEST_F(TemplateTest, ServesSandboxesThatShareNothing) {
  if (!starts()) GTEST_SKIP() << "no user namespaces here";
  const auto first = run("open('/tmp/x', 'w').write('mine'); open('/sandbox/y', 'w').close(); print('first', end='')");
  ASSERT_TRUE(first) << first.error().context;
  EXPECT_EQ(*first, "first");
  const auto second = run("import os; print(os.listdir('/tmp'), os.listdir('/sandbox'), os.getpid(), end='')");
  ASSERT_TRUE(second) << second.error().context;
  EXPECT_EQ(*second, "[] [] 2");
}

TEST_F(TemplateTest, EveryControlIsReportedByTheWorker) {
  if (!starts()) GTEST_SKIP() << "no user namespaces here";
  const auto ran =
      run("status = open('/proc/self/status').read()\n"
          "print([l.split()[1] for l in status.splitlines() if l[:3] == 'Cap' or l[:9] in ('NoNewPriv', "
          "'Seccomp:\\t')], end='')");
  ASSERT_TRUE(ran) << ran.error().context;
  const std::string none = "'0000000000000000'";
  EXPECT_EQ(*ran, "[" + none + ", " + none + ", " + none + ", " + none + ", " + none + ", '1', '2']");
  const std::uint32_t always = PROGTC_CONTROL_NAMESPACES | PROGTC_CONTROL_PROC | PROGTC_CONTROL_TMPFS |
                               PROGTC_CONTROL_RLIMITS | PROGTC_CONTROL_CAPABILITIES | PROGTC_CONTROL_NO_NEW_PRIVS |
                               PROGTC_CONTROL_SECCOMP;
  EXPECT_EQ(controls_ & always, always);
}

TEST_F(TemplateTest, ImportsPreloadedModulesBeforeAnySandbox) {
  policy_.python.preload = {"json"};
  if (!starts()) GTEST_SKIP() << "no user namespaces here";
  const auto ran = run("import sys; print('json' in sys.modules, 'asyncio' in sys.modules, end='')");
  ASSERT_TRUE(ran) << ran.error().context;
  EXPECT_EQ(*ran, "True False");
}

TEST_F(TemplateTest, SaysWhatTheInterpreterSaidWhenItDoesNotComeUp) {
  if (!starts()) GTEST_SKIP() << "no user namespaces here";
  policy_.python.preload = {"no_such_module"};
  const auto started = start();
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().context, HasSubstr("No module named 'no_such_module'"));
}

TEST_F(TemplateTest, RefusesASourceThatWasSwappedForAnother) {
  if (!starts()) GTEST_SKIP() << "no user namespaces here";
  auto plan = plan_;
  for (PlannedBind& bind : plan.binds)
    if (bind.target == kGuestPath) bind.inode += 1;
  auto started = Template::start(context_.get_executor(), policy_, plan, identity_);
  ASSERT_TRUE(started) << started.error().context;
  const auto up = await_on(context_, (*started)->ready());
  ASSERT_FALSE(up);
  EXPECT_THAT(up.error().context, HasSubstr("it was replaced while the sandbox was being set up"));
}

TEST_F(TemplateTest, AFailedStepNamesItselfAndLeavesTheTemplateUsable) {
  if (!starts()) GTEST_SKIP() << "no user namespaces here";
  SandboxSpec wanted = spec();
  wanted.writable = {"/nowhere"};
  auto failing = [](Template& from, SandboxSpec with) -> asio::awaitable<Result<bool>> {
    auto sandbox = co_await from.spawn(with);
    if (!sandbox) co_return sandbox.error();
    co_return true;
  };
  const auto refused = await_on(context_, failing(*template_, wanted));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().context, HasSubstr("applying Landlock"));
  const auto ran = run("print('still here', end='')");
  ASSERT_TRUE(ran) << ran.error().context;
  EXPECT_EQ(*ran, "still here");
}

}  // namespace
}  // namespace progtc::runner
