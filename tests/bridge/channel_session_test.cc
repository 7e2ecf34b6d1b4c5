// A ChannelSession at one end of a socketpair, a guest written here at the other, both on one io_context.
#include "bridge/channel_session.h"

#include <malloc.h>

#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "bridge/envelope.h"
#include "bridge/frame.h"
#include "bridge/json.h"

namespace progtc::bridge {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using std::chrono_literals::operator""h;
using std::chrono_literals::operator""ms;
using testing::ElementsAre;
using testing::HasSubstr;
using Socket = asio::local::stream_protocol::socket;

constexpr auto use_result = asio::as_tuple(asio::use_awaitable);
constexpr std::uint64_t kFrameCap = 1 << 20;

policy::Tools open_rules() {
  policy::Tools tools;
  tools.allow = {"*"};
  tools.calls = 10'000'000;
  tools.pending = 256;
  tools.timeout = 1h;
  return tools;
}

std::string call_frame(std::uint64_t id, const std::string& tool, const std::string& args = "[]",
                       const std::string& kwargs = "{}") {
  return encode_frame(FrameKind::kCall, "{\"id\":" + std::to_string(id) + ",\"tool\":" + encode_string(tool) +
                                            ",\"args\":" + args + ",\"kwargs\":" + kwargs + "}");
}

// "echo" answers with its args at once; "wait" ends when released or cancelled; "fail", "raise", "throw", "big" as they
// say; "deaf" ignores its cancellation until released.
class FakeHost : public ToolHost {
 public:
  explicit FakeHost(asio::io_context& io) : gate_(io, asio::steady_timer::time_point::max()) {}

  std::vector<ToolInfo> list() const override { return {}; }

  awaitable<Result<Json>> call(ToolCall call) override {
    if (calls.size() < 1000) calls.push_back(call);
    ++running;
    most_running = std::max(most_running, running);
    const struct Leave {
      FakeHost* host;
      ~Leave() { --host->running; }
    } leave{this};
    if (call.tool == "echo") co_return Json{call.args.text};
    if (call.tool == "fail") co_return Error{make_error_code(ToolErrc::kFailed), "it \xFF broke"};
    if (call.tool == "raise") co_return to_error({"app.NoSuchHost", "no: such host"});
    if (call.tool == "throw") throw std::runtime_error("out of luck");
    if (call.tool == "big") co_return Json{encode_string(std::string(5'000'000, 'x'))};
    if (call.tool == "deaf") {
      co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
      while (!is_open_) (void)co_await gate_.async_wait(use_result);
      co_return Json{"\"late\""};
    }
    co_await asio::this_coro::throw_if_cancelled(false);
    while (!is_open_) {
      (void)co_await gate_.async_wait(use_result);
      if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none) {
        ++cancelled;
        co_return Error{make_error_code(ToolErrc::kCancelled), "cancelled"};
      }
    }
    co_return Json{"\"released\""};
  }

  void release() {
    is_open_ = true;
    gate_.cancel();
  }

  std::vector<ToolCall> calls;
  int running = 0;
  int most_running = 0;
  int cancelled = 0;

 private:
  bool is_open_ = false;
  asio::steady_timer gate_;
};

struct Reply {
  std::uint64_t id = 0;
  std::string result;
  std::string kind;
  std::string type;
  std::string message;
};

Reply decode_reply(const std::string& payload) {
  Reply reply;
  const auto members = split_object(payload, 10);
  EXPECT_TRUE(members) << payload.substr(0, 200);
  for (const JsonMember& member : members.value()) {
    if (member.key == "id") reply.id = static_cast<std::uint64_t>(decode_integer(member.value).value());
    if (member.key == "result") reply.result = member.value;
    if (member.key != "error") continue;
    for (const JsonMember& part : split_object(member.value, 10).value()) {
      (part.key == "kind" ? reply.kind : part.key == "type" ? reply.type : reply.message) = decode_string(part.value);
    }
  }
  return reply;
}

class ChannelSessionTest : public testing::Test {
 protected:
  void start(const policy::Tools& rules, std::shared_ptr<ToolHost> tools, std::uint64_t frame_cap = kFrameCap) {
    session_ = std::make_unique<ChannelSession>(io_.get_executor(), rules, frame_cap, std::move(tools));
    session_->observe([this](const ToolCallReport& report) {
      ++reports_[report.outcome];
      last_report_ = report;
    });
    Socket host_end(io_);
    asio::local::connect_pair(host_end, guest_);
    asio::co_spawn(
        io_, session_->converse(std::move(host_end), R"({"mode":"code"})"),
        asio::bind_cancellation_slot(cancel_.slot(), [this](std::exception_ptr failure, runner::PeerEnd end) {
          failure_ = failure;
          end_ = std::move(end);
        }));
  }

  // Runs the guest's part to its end, and the session as far as it gets meanwhile.
  void guest(awaitable<void> part) {
    bool is_over = false;
    std::exception_ptr failure;
    asio::co_spawn(io_, std::move(part), [&](std::exception_ptr error) {
      failure = error;
      is_over = true;
    });
    while (!is_over && io_.run_one() > 0) {
    }
    if (failure) std::rethrow_exception(failure);
    ASSERT_TRUE(is_over) << "the guest waits for something that will not come";
  }

  const runner::PeerEnd& end() {
    while (!end_ && !failure_ && io_.run_one() > 0) {
    }
    if (failure_) std::rethrow_exception(failure_);
    EXPECT_TRUE(end_) << "the session never ended";
    if (!end_) end_.emplace();
    return *end_;
  }

  awaitable<void> write(std::string bytes) {
    co_await asio::async_write(guest_, asio::buffer(bytes), asio::use_awaitable);
  }

  awaitable<Frame> read() {
    for (;;) {
      std::string_view bytes = std::string_view(received_).substr(used_);
      auto frame = decoder_.next(bytes);
      used_ = received_.size() - bytes.size();
      if (!frame) throw std::runtime_error(frame.error().context);
      if (frame->has_value()) co_return std::move(**frame);
      received_.resize(65'536);
      const std::size_t count = co_await guest_.async_read_some(asio::buffer(received_), asio::use_awaitable);
      received_.resize(count);
      used_ = 0;
    }
  }

  awaitable<Reply> read_reply() {
    const Frame frame = co_await read();
    EXPECT_EQ(frame.kind, FrameKind::kReply);
    co_return decode_reply(frame.payload);
  }

  awaitable<void> handshake() {
    const std::string ready = encode_frame(FrameKind::kReady, "{}");
    co_await write(ready);
    const Frame job = co_await read();
    EXPECT_EQ(job.kind, FrameKind::kJob);
    EXPECT_EQ(job.payload, R"({"mode":"code"})");
  }

  awaitable<void> write_after_handshake(std::string bytes) {
    co_await handshake();
    co_await write(std::move(bytes));
  }

  // The guest sends `bytes` after the handshake and goes on; the session must end at once with this violation.
  void expect_violation(std::string bytes, const std::string& what) {
    start(open_rules(), std::make_shared<FakeHost>(io_));
    guest(write_after_handshake(std::move(bytes)));
    EXPECT_EQ(end().violation, what);
    EXPECT_FALSE(end().claim);
  }

  void close_guest() { guest_.close(); }

  asio::io_context io_{1};
  Socket guest_{io_};
  asio::cancellation_signal cancel_;
  std::unique_ptr<ChannelSession> session_;
  std::map<std::string, int> reports_;
  ToolCallReport last_report_;

 private:
  std::optional<runner::PeerEnd> end_;
  std::exception_ptr failure_;
  FrameDecoder decoder_{FrameSource::kHost, 64 << 20};
  std::string received_;
  std::size_t used_ = 0;
};

TEST_F(ChannelSessionTest, SendsTheJobAnswersACallAndKeepsTheClaim) {
  auto host = std::make_shared<FakeHost>(io_);
  start(open_rules(), host);
  const auto part = [this]() -> awaitable<void> {
    co_await handshake();
    co_await write(call_frame(5, "echo", "[1, \"é\"]", R"({"k":2})"));
    const Reply reply = co_await read_reply();
    EXPECT_EQ(reply.id, 5U);
    EXPECT_EQ(reply.result, "[1, \"é\"]");
    co_await write(encode_frame(FrameKind::kDone, R"({"ok":true,"value":[42]})"));
  };
  guest(part());
  close_guest();
  EXPECT_EQ(end().violation, "");
  ASSERT_TRUE(end().claim);
  EXPECT_EQ(end().claim->value_json, "[42]");
  EXPECT_EQ(end().tool_calls, 1U);
  ASSERT_EQ(host->calls.size(), 1U);
  EXPECT_EQ(host->calls[0].kwargs.text, R"({"k":2})");
  EXPECT_EQ(host->calls[0].timeout, 1h);
  EXPECT_THAT(host->calls[0].id, testing::MatchesRegex("[0-9a-f]{32}"));
  EXPECT_EQ(reports_["ok"], 1);
  EXPECT_EQ(last_report_.tool, "echo");
  EXPECT_EQ(last_report_.id, host->calls[0].id);
}

TEST_F(ChannelSessionTest, AGuestThatNeverSpeaksEndsWithTheChannel) {
  start(open_rules(), nullptr);
  close_guest();
  EXPECT_EQ(end().violation, "");
  EXPECT_FALSE(end().claim);
}

// --- hostile bytes

TEST_F(ChannelSessionTest, FourGibibyteLengthPrefix) {
  expect_violation(std::string("\xFF\xFF\xFF\xFF\x02", 5), "frame of 4294967295 bytes, above limits.frame (1048576)");
}

TEST_F(ChannelSessionTest, UnknownKind) {
  expect_violation(encode_frame(static_cast<FrameKind>(99), "{}"), "frame of unknown kind 99");
}

TEST_F(ChannelSessionTest, AReplyNobodyAskedFor) {
  expect_violation(encode_frame(FrameKind::kReply, R"({"id":1,"result":1})"), "frame of unknown kind 17");
}

TEST_F(ChannelSessionTest, AJobForTheHost) {
  expect_violation(encode_frame(FrameKind::kJob, R"({"mode":"code"})"), "frame of unknown kind 16");
}

TEST_F(ChannelSessionTest, GarbageJson) {
  expect_violation(encode_frame(FrameKind::kCall, "{\"id\":1,\x01"), "call: not JSON: expected a key at byte 8");
}

TEST_F(ChannelSessionTest, AHundredThousandBrackets) {
  expect_violation(call_frame(1, "echo", std::string(100'000, '[') + std::string(100'000, ']')),
                   "call: not JSON: nested too deeply at byte 156");
}

TEST_F(ChannelSessionTest, LoneSurrogates) {
  expect_violation(call_frame(1, "echo", R"(["\udc80"])"), "call: not JSON: lone surrogate at byte 31");
}

TEST_F(ChannelSessionTest, InvalidUtf8) {
  expect_violation(call_frame(1, "echo", "[\"\xFF\"]"), "call: not JSON: not UTF-8 at byte 31");
}

TEST_F(ChannelSessionTest, UnknownKeys) {
  expect_violation(encode_frame(FrameKind::kCall, R"({"id":1,"tool":"echo","args":[],"kwargs":{},"as_root":true})"),
                   "call: unknown key 'as_root'");
}

TEST_F(ChannelSessionTest, RepeatedKeys) {
  expect_violation(encode_frame(FrameKind::kCall, R"({"id":1,"tool":"echo","tool":"x","args":[],"kwargs":{}})"),
                   "call: not JSON: repeated key at byte 29: 'tool'");
}

TEST_F(ChannelSessionTest, RepeatedIdsAmongPendingCalls) {
  expect_violation(call_frame(1, "wait") + call_frame(1, "wait"), "call: id 1 is pending already");
}

TEST_F(ChannelSessionTest, ACallBeforeReady) {
  start(open_rules(), nullptr);
  guest(write(call_frame(1, "echo")));
  EXPECT_EQ(end().violation, "a frame came before 'ready'");
}

TEST_F(ChannelSessionTest, ReadyTwice) {
  expect_violation(encode_frame(FrameKind::kReady, "{}"), "'ready' came twice");
}

TEST_F(ChannelSessionTest, HalfAFrameAtTheEnd) {
  start(open_rules(), nullptr);
  const auto part = [this]() -> awaitable<void> {
    co_await handshake();
    co_await write(call_frame(1, "echo").substr(0, 20));
  };
  guest(part());
  close_guest();
  EXPECT_EQ(end().violation, "end of file inside a frame: 15 of 44 bytes");
}

TEST_F(ChannelSessionTest, HalfAHeaderAtTheEnd) {
  start(open_rules(), nullptr);
  guest(write(std::string("\x02\x00", 2)));
  close_guest();
  EXPECT_EQ(end().violation, "end of file inside a frame's header");
}

TEST_F(ChannelSessionTest, ClosingTheChannelAndGoingOnIsNoViolation) {
  start(open_rules(), std::make_shared<FakeHost>(io_));
  guest(handshake());
  close_guest();
  EXPECT_EQ(end().violation, "");
  EXPECT_FALSE(end().claim);
}

TEST_F(ChannelSessionTest, OneByteAtATimeIsTheSameConversation) {
  start(open_rules(), std::make_shared<FakeHost>(io_));
  const auto part = [this]() -> awaitable<void> {
    co_await handshake();
    for (const char byte : call_frame(1, "echo", "[7]")) co_await write(std::string(1, byte));
    EXPECT_EQ((co_await read_reply()).result, "[7]");
  };
  guest(part());
  close_guest();
  EXPECT_EQ(end().violation, "");
}

TEST_F(ChannelSessionTest, AViolationReturnsAtOnceAndLeavesNoCallRunning) {
  auto host = std::make_shared<FakeHost>(io_);
  start(open_rules(), host);
  const auto part = [this]() -> awaitable<void> {
    co_await handshake();
    co_await write(call_frame(1, "deaf"));
    co_await write(call_frame(2, "wait"));
    co_await write(encode_frame(static_cast<FrameKind>(99), ""));
  };
  guest(part());
  EXPECT_EQ(end().violation, "frame of unknown kind 99");  // though "deaf" is still under way
  EXPECT_EQ(reports_["cancelled"], 2);
  session_.reset();
  host->release();
  io_.run();
  EXPECT_EQ(host->running, 0);
  EXPECT_EQ(reports_["cancelled"], 2);
}

// --- calls

TEST_F(ChannelSessionTest, AHundredCallsOverlap) {
  auto host = std::make_shared<FakeHost>(io_);
  start(open_rules(), host);
  const auto part = [this, host]() -> awaitable<void> {
    co_await handshake();
    for (std::uint64_t id = 0; id < 100; ++id) co_await write(call_frame(id, "wait"));
    co_await write(call_frame(100, "echo"));  // answered before all those before it
    EXPECT_EQ((co_await read_reply()).id, 100U);
    EXPECT_EQ(host->running, 100);
    host->release();
    std::set<std::uint64_t> ids;
    for (int i = 0; i < 100; ++i) ids.insert((co_await read_reply()).id);
    EXPECT_EQ(ids.size(), 100U);
  };
  guest(part());
  close_guest();
  EXPECT_EQ(end().tool_calls, 101U);
  std::set<std::string> minted;
  for (const ToolCall& call : host->calls) minted.insert(call.id);
  EXPECT_EQ(minted.size(), 101U);
}

TEST_F(ChannelSessionTest, AnAnsweredIdMayBeUsedAgain) {
  start(open_rules(), std::make_shared<FakeHost>(io_));
  const auto part = [this]() -> awaitable<void> {
    co_await handshake();
    for (int i = 0; i < 100; ++i) {
      co_await write(call_frame(7, "echo"));
      EXPECT_EQ((co_await read_reply()).id, 7U);
    }
  };
  guest(part());
  close_guest();
  EXPECT_EQ(end().violation, "");
}

TEST_F(ChannelSessionTest, ADenialNamesTheRuleAndTheFix) {
  policy::Tools rules = open_rules();
  rules.allow = {"curl"};
  auto host = std::make_shared<FakeHost>(io_);
  start(rules, host);
  const auto part = [this]() -> awaitable<void> {
    co_await write_after_handshake(call_frame(1, "nmap"));
    const Reply reply = co_await read_reply();
    EXPECT_EQ(reply.kind, "denied");
    EXPECT_EQ(reply.type, "ToolDenied");
    EXPECT_EQ(reply.message, "tools.allow has no pattern for 'nmap'; add \"nmap\"");
  };
  guest(part());
  close_guest();
  EXPECT_EQ(end().tool_calls, 0U);
  EXPECT_TRUE(host->calls.empty());
  EXPECT_EQ(reports_["denied"], 1);
}

TEST_F(ChannelSessionTest, TheCapOnCallsIsADenial) {
  policy::Tools rules = open_rules();
  rules.calls = 2;
  start(rules, std::make_shared<FakeHost>(io_));
  const auto part = [this]() -> awaitable<void> {
    co_await write_after_handshake(call_frame(1, "echo") + call_frame(2, "echo") + call_frame(3, "echo"));
    std::map<std::uint64_t, std::string> kinds;
    for (int i = 0; i < 3; ++i) {
      const Reply reply = co_await read_reply();
      kinds[reply.id] = reply.kind;
    }
    EXPECT_THAT(kinds, ElementsAre(std::pair(1U, ""), std::pair(2U, ""), std::pair(3U, "denied")));
  };
  guest(part());
  close_guest();
  EXPECT_EQ(end().tool_calls, 2U);
}

TEST_F(ChannelSessionTest, WithoutAToolHostEveryCallFails) {
  start(open_rules(), nullptr);
  const auto part = [this]() -> awaitable<void> {
    co_await write_after_handshake(call_frame(1, "echo"));
    const Reply reply = co_await read_reply();
    EXPECT_EQ(reply.kind, "tool_error");
    EXPECT_EQ(reply.message, "this run has no tools");
  };
  guest(part());
  close_guest();
  EXPECT_EQ(end().violation, "");
}

TEST_F(ChannelSessionTest, RequestsAreRefusedByName) {
  start(open_rules(), nullptr);
  const auto part = [this]() -> awaitable<void> {
    co_await write_after_handshake(encode_frame(FrameKind::kRequest, R"({"id":1,"namespace":"skills","op":"list"})"));
    EXPECT_EQ((co_await read_reply()).message, "this run has no 'skills'");
  };
  guest(part());
  close_guest();
  EXPECT_EQ(end().violation, "");
}

TEST_F(ChannelSessionTest, ErrorsOfToolsReachTheCodeAsText) {
  start(open_rules(), std::make_shared<FakeHost>(io_));
  const auto part = [this]() -> awaitable<void> {
    co_await write_after_handshake(call_frame(1, "fail"));
    const Reply failed = co_await read_reply();
    EXPECT_EQ(failed.kind, "tool_error");
    EXPECT_EQ(failed.type, "ToolCallError");
    EXPECT_EQ(failed.message, "it \uFFFD broke");
    co_await write(call_frame(2, "throw"));
    EXPECT_EQ((co_await read_reply()).message, "the tool host failed: out of luck");
    co_await write(call_frame(3, "raise"));
    const Reply raised = co_await read_reply();
    EXPECT_EQ(raised.kind, "tool_error");
    EXPECT_EQ(raised.type, "app.NoSuchHost");
    EXPECT_EQ(raised.message, "no: such host");
  };
  guest(part());
  close_guest();
  EXPECT_EQ(end().violation, "");
}

TEST_F(ChannelSessionTest, ATimeoutAnswersAndCancelsTheTool) {
  policy::Tools rules = open_rules();
  rules.per_tool["wait"].timeout = 20ms;
  auto host = std::make_shared<FakeHost>(io_);
  start(rules, host);
  const auto part = [this]() -> awaitable<void> {
    co_await write_after_handshake(call_frame(1, "wait"));
    const Reply reply = co_await read_reply();
    EXPECT_EQ(reply.kind, "timeout");
    EXPECT_EQ(reply.message, "Tool 'wait' timed out after 0.02s");
  };
  guest(part());
  close_guest();
  EXPECT_EQ(end().violation, "");
  EXPECT_EQ(host->cancelled, 1);
  EXPECT_EQ(host->running, 0);
  EXPECT_EQ(reports_["timeout"], 1);
}

TEST_F(ChannelSessionTest, AToolThatIgnoresItsTimeoutKeepsItsPlaceAndNotTheCode) {
  policy::Tools rules = open_rules();
  rules.pending = 1;
  rules.per_tool["deaf"].timeout = 1ms;
  auto host = std::make_shared<FakeHost>(io_);
  start(rules, host);
  const auto first = [this]() -> awaitable<void> {
    co_await write_after_handshake(call_frame(1, "deaf") + call_frame(1, "echo"));
    EXPECT_EQ((co_await read_reply()).kind, "timeout");
  };
  guest(first());
  io_.poll();
  EXPECT_EQ(host->calls.size(), 1U);  // the second call waits for the place
  host->release();
  const auto second = [this]() -> awaitable<void> { EXPECT_EQ((co_await read_reply()).result, "[]"); };
  guest(second());
  close_guest();
  EXPECT_EQ(end().violation, "");
}

TEST_F(ChannelSessionTest, AResultAboveTheFrameCapIsAnError) {
  start(open_rules(), std::make_shared<FakeHost>(io_));
  const auto part = [this]() -> awaitable<void> {
    co_await write_after_handshake(call_frame(1, "big"));
    const Reply reply = co_await read_reply();
    EXPECT_EQ(reply.type, "ResultTooLarge");
    EXPECT_EQ(reply.message, "'big' returned 5000002 bytes, more than a frame holds (limits.frame: 1048576 bytes)");
  };
  guest(part());
  close_guest();
  EXPECT_EQ(end().violation, "");
}

TEST_F(ChannelSessionTest, AFiveMegabyteResultArrivesWhole) {
  start(open_rules(), std::make_shared<FakeHost>(io_), 16 << 20);
  const auto part = [this]() -> awaitable<void> {
    co_await write_after_handshake(call_frame(1, "big"));
    EXPECT_EQ((co_await read_reply()).result.size(), 5'000'002U);
  };
  guest(part());
  close_guest();
  EXPECT_EQ(end().violation, "");
}

// --- pressure

TEST_F(ChannelSessionTest, NoMoreThanPendingCallsRunAtOnce) {
  policy::Tools rules = open_rules();
  rules.pending = 3;
  auto host = std::make_shared<FakeHost>(io_);
  start(rules, host);
  const auto part = [this, host]() -> awaitable<void> {
    co_await handshake();
    for (std::uint64_t id = 0; id < 10; ++id) co_await write(call_frame(id, "wait"));
  };
  guest(part());
  io_.poll();
  EXPECT_EQ(host->running, 3);
  host->release();
  const auto rest = [this]() -> awaitable<void> {
    for (int i = 0; i < 10; ++i) EXPECT_EQ((co_await read_reply()).result, "\"released\"");
  };
  guest(rest());
  EXPECT_EQ(host->most_running, 3);
  close_guest();
  EXPECT_EQ(end().violation, "");
}

TEST_F(ChannelSessionTest, AGuestThatReadsNoRepliesIsNoLongerRead) {
  policy::Tools rules = open_rules();
  rules.allow = {};
  rules.pending = 8;
  start(rules, std::make_shared<FakeHost>(io_));
  guest(handshake());
  guest_.non_blocking(true);
  const std::string calls = call_frame(1, "nope");
  std::size_t sent = 0;
  int stuck = 0;
  while (stuck < 3) {
    boost::system::error_code ec;
    const std::size_t count =
        guest_.write_some(asio::buffer(calls.data() + sent % calls.size(), calls.size() - sent % calls.size()), ec);
    sent += count;
    // Stuck when the socket is full and the session has nothing left to do either.
    stuck = (ec == asio::error::would_block && io_.poll() == 0) ? stuck + 1 : 0;
    ASSERT_LT(sent, 64U << 20);
  }
  EXPECT_LT(reports_["denied"], 100'000);  // what fits into the two socket buffers
  close_guest();
  EXPECT_EQ(end().violation, "");
}

TEST_F(ChannelSessionTest, AMillionCallsTakeConstantMemory) {
  policy::Tools rules = open_rules();
  rules.allow = {"echo"};
  rules.calls = 100'000;
  start(rules, std::make_shared<FakeHost>(io_));
  guest(handshake());
  constexpr std::uint64_t kCalls = 1'000'000;
  constexpr std::uint64_t kBatch = 1000;
  std::uint64_t replies = 0;
  std::size_t early = 0;
  const auto reader = [&]() -> awaitable<void> {
    while (replies < kCalls) {
      const Frame frame = co_await read();
      EXPECT_EQ(frame.kind, FrameKind::kReply);
      if (++replies == kCalls / 10) early = ::mallinfo2().uordblks;
    }
  };
  const auto writer = [&]() -> awaitable<void> {
    for (std::uint64_t id = 0; id < kCalls; id += kBatch) {
      std::string batch;
      for (std::uint64_t i = 0; i < kBatch; ++i)
        batch += call_frame(id + i, i % 2 == 0 ? "echo" : "tool" + std::to_string(id + i));
      co_await write(std::move(batch));
    }
  };
  asio::co_spawn(io_, writer(), [](const std::exception_ptr& failure) { EXPECT_FALSE(failure); });
  guest(reader());
  // Some slack for buffers that happen to be in use at that moment; 900,000 calls at one byte each would not fit.
  EXPECT_LT(::mallinfo2().uordblks, early + 512 * 1024);
  close_guest();
  EXPECT_EQ(end().violation, "");
  EXPECT_EQ(end().tool_calls, 100'000U);
  EXPECT_EQ(reports_["ok"], 100'000);
  EXPECT_EQ(reports_["denied"], 900'000);
}

// --- ends

TEST_F(ChannelSessionTest, TheEndOfTheChannelCancelsCallsAndWaitsForThem) {
  auto host = std::make_shared<FakeHost>(io_);
  start(open_rules(), host);
  const auto part = [this]() -> awaitable<void> {
    co_await handshake();
    for (std::uint64_t id = 0; id < 5; ++id) co_await write(call_frame(id, "wait"));
    co_await write(call_frame(9, "echo"));
    co_await read_reply();
  };
  guest(part());
  close_guest();
  EXPECT_EQ(end().violation, "");
  EXPECT_EQ(host->cancelled, 5);
  EXPECT_EQ(host->running, 0);
  EXPECT_EQ(reports_["cancelled"], 5);
}

TEST_F(ChannelSessionTest, AGuestThatGoesWhileNothingIsReadIsNoticed) {
  policy::Tools rules = open_rules();
  rules.pending = 2;
  auto host = std::make_shared<FakeHost>(io_);
  start(rules, host);
  const auto part = [this]() -> awaitable<void> {
    co_await handshake();
    for (std::uint64_t id = 0; id < 6; ++id) co_await write(call_frame(id, "wait"));
    co_await write(encode_frame(FrameKind::kDone, R"({"ok":true})"));
  };
  guest(part());
  io_.poll();
  EXPECT_EQ(host->running, 2);
  close_guest();
  EXPECT_EQ(end().violation, "");
  ASSERT_TRUE(end().claim);  // its last word still counts
  EXPECT_TRUE(end().claim->ok);
  EXPECT_EQ(host->calls.size(), 2U);  // nothing is started for a guest that is gone
  EXPECT_EQ(host->cancelled, 2);
}

TEST_F(ChannelSessionTest, CancellingCancelsCallsAndWaitsForThem) {
  auto host = std::make_shared<FakeHost>(io_);
  start(open_rules(), host);
  const auto part = [this]() -> awaitable<void> {
    co_await handshake();
    co_await write(call_frame(1, "wait") + call_frame(2, "wait") + call_frame(3, "echo"));
    co_await read_reply();
  };
  guest(part());
  EXPECT_EQ(host->running, 2);
  cancel_.emit(asio::cancellation_type::terminal);
  EXPECT_EQ(end().violation, "");
  EXPECT_EQ(host->cancelled, 2);
  EXPECT_EQ(host->running, 0);
}

TEST_F(ChannelSessionTest, CancellingWhileNothingIsReadEndsToo) {
  policy::Tools rules = open_rules();
  rules.pending = 1;
  auto host = std::make_shared<FakeHost>(io_);
  start(rules, host);
  guest(write_after_handshake(call_frame(1, "wait") + call_frame(2, "wait")));
  io_.poll();
  cancel_.emit(asio::cancellation_type::terminal);
  EXPECT_EQ(end().violation, "");
  EXPECT_EQ(host->running, 0);
}

TEST_F(ChannelSessionTest, CancellingBeforeTheFirstByteEnds) {
  start(open_rules(), nullptr);
  io_.poll();
  cancel_.emit(asio::cancellation_type::terminal);
  EXPECT_EQ(end().violation, "");
}

TEST_F(ChannelSessionTest, AnEventLoopThatGoesAwayTakesEverythingWithIt) {
  // Under ASan: no leak and no use after free when the loop is destroyed with calls under way.
  start(open_rules(), std::make_shared<FakeHost>(io_));
  guest(write_after_handshake(call_frame(1, "wait") + call_frame(2, "deaf")));
  io_.poll();
}

TEST_F(ChannelSessionTest, AGuestThatLeavesIsNotWaitedFor) {
  auto host = std::make_shared<FakeHost>(io_);
  start(open_rules(), host);
  guest(write_after_handshake(call_frame(1, "wait") + encode_frame(FrameKind::kDone, R"({"ok":true,"value":1})") +
                              encode_frame(FrameKind::kLeave, R"({"status":3})") + "garbage"));
  EXPECT_EQ(end().violation, "");  // the guest's end is still open
  EXPECT_EQ(end().leaves_with, 3);
  EXPECT_EQ(end().claim->value_json, "1");
  EXPECT_EQ(host->cancelled, 1);
}

TEST_F(ChannelSessionTest, ASecondDoneIsAViolation) {
  start(open_rules(), nullptr);
  guest(write_after_handshake(encode_frame(FrameKind::kDone, R"({"ok":true,"value":1})") +
                              encode_frame(FrameKind::kDone, R"({"ok":true,"value":2})")));
  EXPECT_EQ(end().violation, "'done' came twice");
  EXPECT_EQ(end().claim->value_json, "1");
}

}  // namespace
}  // namespace progtc::bridge
