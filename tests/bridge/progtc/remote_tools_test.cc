#include "bridge/progtc/remote_tools.h"

#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/system/errc.hpp>

namespace progtc::bridge {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using std::chrono_literals::operator""h;
using std::chrono_literals::operator""ms;

ToolCall make_call(std::string id, std::string tool = "add", std::chrono::milliseconds timeout = 1h) {
  ToolCall call;
  call.id = std::move(id);
  call.tool = std::move(tool);
  call.args = Json{"[1]"};
  call.kwargs = Json{"{}"};
  call.timeout = timeout;
  return call;
}

class RemoteToolsTest : public testing::Test {
 protected:
  SendMessage sender() {
    return [this](std::string json) { return take(std::move(json)); };
  }

  awaitable<Result<void>> take(std::string json) {
    sent_.push_back(std::move(json));
    if (during_send_) during_send_();
    if (is_broken_) {
      const auto code = boost::system::errc::make_error_code(boost::system::errc::broken_pipe);
      co_return Error{code, "write event: Broken pipe"};
    }
    co_return Result<void>{};
  }

  // Starts a call; what it comes to is put into results_.
  void start(RemoteTools& tools, ToolCall call) {
    const std::string id = call.id;
    asio::co_spawn(io_, tools.call(std::move(call)),
                   asio::bind_cancellation_slot(cancels_[id].slot(),
                                                [this, id](const std::exception_ptr& failure, Result<Json> result) {
                                                  EXPECT_FALSE(failure);
                                                  results_.emplace(id, std::move(result));
                                                }));
  }

  // "kCode: context", or the result.
  std::string outcome(const std::string& id) {
    const auto found = results_.find(id);
    if (found == results_.end()) return "none";
    const Result<Json>& result = found->second;
    return result ? result->text : result.error().code.message() + ": " + result.error().context;
  }

  asio::io_context io_{1};
  RunRegistry runs_;
  RunRegistry::Entry run_ = runs_.open(io_.get_executor(), {"sub", "add"}, sender());
  RemoteTools& tools_ = *run_.tools();
  std::vector<std::string> sent_;
  std::function<void()> during_send_;
  bool is_broken_ = false;
  std::map<std::string, asio::cancellation_signal> cancels_;  // by call
  std::map<std::string, Result<Json>> results_;
};

TEST_F(RemoteToolsTest, ACallLeavesAsAMessageAndItsResultComesBack) {
  start(tools_, make_call("c1"));
  io_.poll();
  ASSERT_EQ(sent_.size(), 1U);
  EXPECT_EQ(sent_[0], R"({"type":"tool_call","id":"c1","execution_id":")" + tools_.execution_id() +
                          R"(","tool_name":"add","args":[1],"kwargs":{}})");
  EXPECT_EQ(outcome("c1"), "none");
  EXPECT_EQ(runs_.deliver(tools_.execution_id(), "c1", Json{"[42]"}), Delivery::kDelivered);
  io_.run();
  EXPECT_EQ(outcome("c1"), "[42]");
}

TEST_F(RemoteToolsTest, CallsOverlapAndAreAnsweredInAnyOrder) {
  for (const char* id : {"c1", "c2", "c3"}) start(tools_, make_call(id));
  io_.poll();
  EXPECT_EQ(tools_.deliver("c3", Json{"3"}), Delivery::kDelivered);
  EXPECT_EQ(tools_.deliver("c1", Json{"1"}), Delivery::kDelivered);
  io_.poll();
  EXPECT_EQ(outcome("c1"), "1");
  EXPECT_EQ(outcome("c2"), "none");
  EXPECT_EQ(outcome("c3"), "3");
  EXPECT_EQ(tools_.deliver("c2", Json{"2"}), Delivery::kDelivered);
  io_.run();
  EXPECT_EQ(outcome("c2"), "2");
}

TEST_F(RemoteToolsTest, AnErrorResultIsRaised) {
  start(tools_, make_call("c1"));
  io_.poll();
  EXPECT_EQ(tools_.deliver("c1", ToolFailure{"KeyError", "k"}), Delivery::kDelivered);
  io_.run();
  ASSERT_FALSE(results_.at("c1"));
  EXPECT_EQ(results_.at("c1").error().code, make_error_code(ToolErrc::kRaised));
  EXPECT_EQ(tool_failure_of(results_.at("c1").error()).type, "KeyError");
}

TEST_F(RemoteToolsTest, ASecondResultIsRefused) {
  start(tools_, make_call("c1"));
  io_.poll();
  EXPECT_EQ(tools_.deliver("c1", Json{"1"}), Delivery::kDelivered);
  EXPECT_EQ(tools_.deliver("c1", Json{"2"}), Delivery::kAlreadyAnswered);  // before the call has noticed the first
  io_.run();
  EXPECT_EQ(tools_.deliver("c1", Json{"3"}), Delivery::kAlreadyAnswered);
  EXPECT_EQ(outcome("c1"), "1");
}

TEST_F(RemoteToolsTest, NobodyAnswersWhatWasNotAsked) {
  EXPECT_EQ(tools_.deliver("c1", Json{"1"}), Delivery::kUnknownCall);
  EXPECT_EQ(runs_.deliver(tools_.execution_id(), "", Json{"1"}), Delivery::kUnknownCall);
  EXPECT_EQ(runs_.deliver("0", "c1", Json{"1"}), Delivery::kUnknownExecution);
}

TEST_F(RemoteToolsTest, AnExecutionAnswersForItsOwnCallsOnly) {
  const RunRegistry::Entry other = runs_.open(io_.get_executor(), {"add"}, sender());
  start(tools_, make_call("c1"));
  io_.poll();
  EXPECT_EQ(runs_.deliver(other.tools()->execution_id(), "c1", Json{"1"}), Delivery::kUnknownCall);
  EXPECT_EQ(outcome("c1"), "none");
  EXPECT_EQ(runs_.deliver(tools_.execution_id(), "c1", Json{"1"}), Delivery::kDelivered);
  io_.run();
}

TEST_F(RemoteToolsTest, ATimeoutEndsTheCallAndALateResultIsRefused) {
  start(tools_, make_call("c1", "add", 1ms));
  io_.run();
  EXPECT_EQ(outcome("c1"), "the tool timed out: Tool 'add' timed out: no result within 1 ms");
  EXPECT_EQ(tools_.deliver("c1", Json{"1"}), Delivery::kAlreadyAnswered);
}

TEST_F(RemoteToolsTest, AResultMayComeWhileTheMessageIsBeingSent) {
  during_send_ = [this] { EXPECT_EQ(tools_.deliver("c1", Json{"7"}), Delivery::kDelivered); };
  start(tools_, make_call("c1"));
  io_.run();
  EXPECT_EQ(outcome("c1"), "7");
}

TEST_F(RemoteToolsTest, AMessageThatCannotBeSentFailsTheCall) {
  is_broken_ = true;
  start(tools_, make_call("c1"));
  io_.run();
  EXPECT_EQ(outcome("c1"), "the tool failed: the call did not reach the client: write event: Broken pipe");
}

TEST_F(RemoteToolsTest, ToolsTheClientDidNotBringAreNotAskedFor) {
  start(tools_, make_call("c1", "rm"));
  io_.run();
  EXPECT_EQ(outcome("c1"), "no such tool: no tool 'rm'");
  EXPECT_TRUE(sent_.empty());
  EXPECT_EQ(tools_.deliver("c1", Json{"1"}), Delivery::kUnknownCall);
  ASSERT_EQ(tools_.list().size(), 2U);
  EXPECT_EQ(tools_.list()[0].name, "add");
}

TEST_F(RemoteToolsTest, CancellingACallEndsIt) {
  start(tools_, make_call("c1"));
  io_.poll();
  cancels_.at("c1").emit(asio::cancellation_type::terminal);
  io_.run();
  EXPECT_EQ(outcome("c1"), "the call was cancelled: the call was cancelled");
  EXPECT_EQ(tools_.deliver("c1", Json{"1"}), Delivery::kAlreadyAnswered);
}

TEST_F(RemoteToolsTest, CancellingWhileTheMessageIsBeingSentEndsItToo) {
  during_send_ = [this] { cancels_.at("c1").emit(asio::cancellation_type::terminal); };
  start(tools_, make_call("c1"));
  io_.run();
  EXPECT_EQ(outcome("c1"), "the call was cancelled: the call was cancelled");
}

TEST_F(RemoteToolsTest, ClosingEndsAllCalls) {
  start(tools_, make_call("c1"));
  start(tools_, make_call("c2"));
  io_.poll();
  tools_.close();
  start(tools_, make_call("c3"));
  io_.run();
  for (const char* id : {"c1", "c2", "c3"}) EXPECT_EQ(outcome(id), "the call was cancelled: the client is gone") << id;
  EXPECT_EQ(sent_.size(), 2U);
}

TEST_F(RemoteToolsTest, TheMemoryOfWhatIsOverIsBounded) {
  during_send_ = [this] { tools_.deliver("c" + std::to_string(sent_.size()), Json{"1"}); };
  for (std::size_t i = 1; i <= RemoteTools::kRemembered + 1; ++i) start(tools_, make_call("c" + std::to_string(i)));
  io_.run();
  EXPECT_EQ(tools_.deliver("c1", Json{"1"}), Delivery::kUnknownCall);
  EXPECT_EQ(tools_.deliver("c2", Json{"1"}), Delivery::kAlreadyAnswered);
}

TEST_F(RemoteToolsTest, AnEntryTakesItsExecutionWithIt) {
  std::string id;
  std::shared_ptr<RemoteTools> tools;
  {
    RunRegistry::Entry entry = runs_.open(io_.get_executor(), {"add"}, sender());
    const RunRegistry::Entry moved = std::move(entry);
    tools = moved.tools();
    id = tools->execution_id();
    EXPECT_EQ(runs_.size(), 2U);
    start(*tools, make_call("c1"));
    io_.poll();
  }
  EXPECT_EQ(runs_.size(), 1U);
  EXPECT_EQ(runs_.deliver(id, "c1", Json{"1"}), Delivery::kUnknownExecution);
  io_.run();
  EXPECT_EQ(outcome("c1"), "the call was cancelled: the client is gone");
}

TEST_F(RemoteToolsTest, IdsAreUniqueHex) {
  std::set<std::string> ids;
  for (int i = 0; i < 100; ++i) {
    const RunRegistry::Entry entry = runs_.open(io_.get_executor(), {}, sender());
    EXPECT_THAT(entry.tools()->execution_id(), testing::MatchesRegex("[0-9a-f]{32}"));
    ids.insert(entry.tools()->execution_id());
  }
  EXPECT_EQ(ids.size(), 100U);
}

}  // namespace
}  // namespace progtc::bridge
