// The client against a server written here, which plays scripted bytes; both on one io_context.
#include "bridge/progtc/client.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/errc.hpp>

namespace progtc::bridge {
namespace {

namespace asio = boost::asio;
namespace errc = boost::system::errc;
using asio::awaitable;
using asio::ip::tcp;
using std::chrono_literals::operator""ms;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr auto use_result = asio::as_tuple(asio::use_awaitable);

// --- the server

struct HttpRequest {
  std::string head;  // request line and header
  std::string body;
};

// The server's end of one connection.
class Peer {
 public:
  Peer() = default;
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  virtual ~Peer() = default;

  // Nothing once the client has closed.
  awaitable<std::optional<HttpRequest>> read_request() {
    for (;;) {
      if (const auto end = received_.find("\r\n\r\n"); end != std::string::npos) {
        HttpRequest request{received_.substr(0, end + 2), ""};
        const std::string name = "Content-Length: ";
        const std::size_t length = std::stoul(request.head.substr(request.head.find(name) + name.size()));
        if (received_.size() >= end + 4 + length) {
          request.body = received_.substr(end + 4, length);
          received_.erase(0, end + 4 + length);
          co_return request;
        }
      }
      const bool has_more = co_await receive();
      if (!has_more) co_return std::nullopt;
    }
  }

  // In pieces of `step` bytes, each of them given time to be read by itself; 0: all at once.
  awaitable<void> write(std::string bytes, std::size_t step = 0) {
    if (step == 0) step = bytes.size();
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      std::string piece = bytes.substr(at, step);
      co_await send(std::move(piece));
      const auto executor = co_await asio::this_coro::executor;
      if (step < bytes.size()) co_await asio::post(executor, asio::use_awaitable);
    }
  }

  // True once the client has closed.
  awaitable<bool> wait_for_end() {
    for (;;) {
      const bool has_more = co_await receive();
      if (!has_more) co_return true;
    }
  }

 protected:
  virtual awaitable<bool> receive() = 0;  // appends to received_; false at the end
  virtual awaitable<void> send(std::string bytes) = 0;
  std::string received_;
};

template <typename Stream>
class StreamPeer final : public Peer {
 public:
  explicit StreamPeer(Stream stream) : stream_(std::move(stream)) {}

 private:
  awaitable<bool> receive() override {
    std::string part(65'536, '\0');
    auto [ec, count] = co_await stream_.async_read_some(asio::buffer(part), use_result);
    received_.append(part, 0, count);
    co_return !ec;
  }
  awaitable<void> send(std::string bytes) override {
    co_await asio::async_write(stream_, asio::buffer(bytes), use_result);  // a client that has gone is its own affair
  }
  Stream stream_;
};

std::string event(const std::string& json) { return "data: " + json + "\n\n"; }

std::string chunk(const std::string& bytes) {
  char size[32];
  (void)std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
  return size + bytes + "\r\n";
}

constexpr const char* kStreamHead =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n";
constexpr const char* kSuccess = R"({"type":"success","stdout":"hi\n","stderr":""})";

std::string answer(const std::string& status, const std::string& body) {
  return "HTTP/1.1 " + status + "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

std::string tool_call(const std::string& id, const std::string& tool, const std::string& args = "[]") {
  return event(R"({"type":"tool_call","id":")" + id + R"(","execution_id":"e1","tool_name":")" + tool + R"(","args":)" +
               args + R"(,"kwargs":{}})");
}

// "echo" answers with its args at once; "wait" ends when released or cancelled; "fail", "raise", "throw" as they say.
class FakeTools final : public ToolHost {
 public:
  explicit FakeTools(asio::io_context& io) : gate_(io, asio::steady_timer::time_point::max()) {}
  std::vector<ToolInfo> list() const override { return {}; }
  awaitable<Result<Json>> call(ToolCall call) override {
    calls.push_back(call);
    ++running;
    const struct Leave {
      FakeTools* host;
      ~Leave() { --host->running; }
    } leave{this};
    if (call.tool == "echo") co_return Json{call.args.text};
    if (call.tool == "fail") co_return Error{make_error_code(ToolErrc::kFailed), "it \xFF broke"};
    if (call.tool == "raise") co_return to_error({"app.Missing", "no: file"});
    if (call.tool == "throw") throw std::runtime_error("out of luck");
    co_await asio::this_coro::throw_if_cancelled(false);
    while (!is_open_) {
      (void)co_await gate_.async_wait(use_result);
      const auto state = co_await asio::this_coro::cancellation_state;
      if (state.cancelled() != asio::cancellation_type::none) {
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
  int cancelled = 0;

 private:
  bool is_open_ = false;
  asio::steady_timer gate_;
};

class ClientTest : public testing::Test {
 protected:
  using Script = std::function<awaitable<void>(Peer&)>;

  ClientTest() {
    request_.tool_names = {"echo", "wait", "fail", "raise", "throw"};
    request_.code = "print('hi')";
    options_.api_key = "s3cret";
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()); }

  // Plays `script` once /execute-code is asked for; answers /tool-results with 200, or what post_statuses_ says in
  // turn.
  awaitable<void> serve(std::shared_ptr<Peer> peer) {
    ++connections_;
    for (;;) {
      auto request = co_await peer->read_request();
      if (!request) co_return;
      if (request->head.starts_with("POST /tool-results ")) {
        posted_.push_back(request->body);
        std::string status = "200 OK";
        if (!post_statuses_.empty()) {
          status = post_statuses_.front();
          post_statuses_.erase(post_statuses_.begin());
        }
        if (status != "close") co_await peer->write(answer(status, "null"));
        posted_change_.cancel();
        if (status == "close" || closes_after_posts_) co_return;
      } else {
        executed_ = *request;
        co_await script_(*peer);
        co_return;
      }
    }
  }

  template <typename Acceptor>
  awaitable<void> accept(Acceptor& acceptor) {
    for (;;) {
      auto [ec, socket] = co_await acceptor.async_accept(use_result);
      if (ec) co_return;
      using Socket = decltype(socket);
      auto peer = std::make_shared<StreamPeer<Socket>>(std::move(socket));
      asio::co_spawn(io_, serve(std::move(peer)), [](const std::exception_ptr& failure) { EXPECT_FALSE(failure); });
    }
  }

  awaitable<void> posts(std::size_t count) {
    while (posted_.size() < count) (void)co_await posted_change_.async_wait(use_result);
  }

  void start(const std::string& address) {
    result_.reset();
    auto parsed = parse_server_address(address);
    ASSERT_TRUE(parsed) << parsed.error().context;
    RemoteOutput output;
    output.on_stdout = [this](std::string_view text) { out_ += text; };
    output.on_stderr = [this](std::string_view text) { err_ += text; };
    asio::co_spawn(io_, execute_remotely(io_.get_executor(), *parsed, options_, request_, tools_, std::move(output)),
                   asio::bind_cancellation_slot(
                       cancel_.slot(), [this](const std::exception_ptr& failure, Result<RemoteOutcome> result) {
                         EXPECT_FALSE(failure);
                         result_.emplace(std::move(result));
                       }));
  }

  Result<RemoteOutcome>& finish() {
    while (!result_ && io_.run_one() > 0) {
    }
    EXPECT_TRUE(result_) << "the client waits for something that will not come";
    EXPECT_EQ(tools_.running, 0);
    return *result_;
  }

  Result<RemoteOutcome>& run(Script script) {
    script_ = std::move(script);
    if (!is_listening_) {
      is_listening_ = true;
      asio::co_spawn(io_, accept(acceptor_), [](const std::exception_ptr& failure) { EXPECT_FALSE(failure); });
    }
    start(url());
    return finish();
  }

  // A server that answers with these bytes and closes.
  Result<RemoteOutcome>& run_bytes(std::string bytes, std::size_t step = 0) {
    return run([bytes = std::move(bytes), step](Peer& peer) { return peer.write(bytes, step); });
  }

  // What the client says of such a server, without the address in front.
  std::string complaint(const std::string& bytes) {
    auto& result = run_bytes(bytes);
    if (result) return "no complaint";
    const std::string& text = result.error().context;
    EXPECT_THAT(text, StartsWith(url() + ": "));
    return text.substr(std::min(text.size(), url().size() + 2));
  }

  asio::io_context io_{1};
  tcp::acceptor acceptor_{io_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)};
  bool is_listening_ = false;
  Script script_;
  HttpRequest executed_;
  std::vector<std::string> posted_;
  std::vector<std::string> post_statuses_;
  bool closes_after_posts_ = false;
  asio::steady_timer posted_change_{io_, asio::steady_timer::time_point::max()};
  int connections_ = 0;

  ExecuteRequest request_;
  ClientOptions options_;
  FakeTools tools_{io_};
  asio::cancellation_signal cancel_;
  std::string out_;
  std::string err_;
  std::optional<Result<RemoteOutcome>> result_;
};

// --- what goes well

TEST_F(ClientTest, SendsTheRequestAndStreamsTheOutput) {
  auto& result = run_bytes(
      kStreamHead +
      chunk(": nothing yet\n\n" + event(R"({"type":"stdout","data":"h"})") + event(R"({"type":"stderr","data":"é"})")) +
      chunk(event(R"({"type":"stdout","data":"i\n"})") + event(R"({"type":"news","of":"the future"})")) +
      chunk(event(R"({"type":"success","stdout":"hi\n","stderr":"é","run_id":"r1","truncated":true,"value":[1],)"
                  R"("exit":{"kind":"exited","code":0,"signal":null,"cause":"the code ended"},)"
                  R"("usage":{"wall_ms":1.5,"cpu_ms":2,"memory_peak_bytes":4096,"tool_calls":3},)"
                  R"("denials":[{"call":"c","rule":"r","fix":"f","count":2}]})")) +
      "0\r\n\r\n");
  ASSERT_TRUE(result) << result.error().context;
  EXPECT_EQ(out_, "hi\n");
  EXPECT_EQ(err_, "é");
  EXPECT_EQ(result->ending, Ending::kSuccess);
  EXPECT_EQ(result->out, "hi\n");
  EXPECT_EQ(result->err, "é");
  EXPECT_EQ(result->run_id, "r1");
  EXPECT_EQ(result->exit_kind, "exited");
  EXPECT_EQ(result->exit_code, 0);
  EXPECT_EQ(result->signal, std::nullopt);
  EXPECT_EQ(result->cause, "the code ended");
  EXPECT_EQ(result->usage.wall, std::chrono::microseconds(1500));
  EXPECT_EQ(result->usage.tool_calls, 3U);
  EXPECT_TRUE(result->is_truncated);
  ASSERT_EQ(result->denials.size(), 1U);
  EXPECT_EQ(result->denials[0].count, 2U);
  EXPECT_EQ(result->value->text, "[1]");
  EXPECT_EQ(result->streamed_bytes, 5U);

  EXPECT_THAT(executed_.head, StartsWith("POST /execute-code HTTP/1.1\r\nHost: 127.0.0.1:"));
  EXPECT_THAT(executed_.head, HasSubstr("\r\nX-Progtc-API-Key: s3cret\r\nAuthorization: Bearer s3cret\r\n"));
  EXPECT_THAT(executed_.head, HasSubstr("\r\nX-Progtc-Wire: a\r\n"));
  const auto sent = decode_execute_request(executed_.body);
  ASSERT_TRUE(sent) << to_json(sent.error());
  EXPECT_EQ(sent->code, request_.code);
  EXPECT_EQ(sent->tool_names, request_.tool_names);
  EXPECT_TRUE(sent->stream);
}

TEST_F(ClientTest, CutAnywhereItIsTheSameAnswer) {
  const std::string events = event(R"({"type":"stdout","data":"é"})") + ":\r\n\r\n" +
                             "data: {\"type\":\r\ndata:\"success\",\r\n" +
                             "id: 7\rdata: \"stdout\":\"é\",\"stderr\":\"\"}\r\r";
  const std::string chunked = kStreamHead + chunk(events.substr(0, 50)) + chunk(events.substr(50)) + "0\r\n\r\n";
  const std::string until_closed = "HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + events;
  for (const std::string& bytes : {chunked, until_closed}) {
    for (const std::size_t step : {1U, 2U, 3U, 5U, 7U, 64U}) {
      out_.clear();
      auto& result = run_bytes(bytes, step);
      ASSERT_TRUE(result) << result.error().context;
      EXPECT_EQ(result->out, "é");
      EXPECT_EQ(out_, "é");
    }
  }
}

TEST_F(ClientTest, BothRevisionsEndings) {
  const auto ending = [this](const std::string& start) {
    auto& result = run_bytes(kStreamHead + chunk(event("{" + start + R"(,"stdout":"","stderr":"t"})")));
    EXPECT_TRUE(result) << result.error().context;
    return result->ending;
  };
  EXPECT_EQ(ending(R"("type":"success")"), Ending::kSuccess);
  EXPECT_EQ(ending(R"("type":"syntax_error")"), Ending::kSyntaxError);
  EXPECT_EQ(ending(R"("type":"runtime_error")"), Ending::kRuntimeError);
  EXPECT_EQ(ending(R"("type":"timeout_error")"), Ending::kTimeout);
  EXPECT_EQ(ending(R"("type":"error","code":"code_compilation_error","message":"m")"), Ending::kSyntaxError);
  EXPECT_EQ(ending(R"("type":"error","code":"code_runtime_error","message":"m")"), Ending::kRuntimeError);
  EXPECT_EQ(ending(R"("type":"error","code":"code_timeout_error","message":"m")"), Ending::kTimeout);
  EXPECT_EQ((*result_)->message, "m");
}

TEST_F(ClientTest, AUnixSocket) {
  const std::string path = testing::TempDir() + "progtc-client-test-" + std::to_string(::getpid()) + ".sock";
  std::filesystem::remove(path);
  asio::local::stream_protocol::acceptor acceptor(io_, asio::local::stream_protocol::endpoint(path));
  asio::co_spawn(io_, accept(acceptor), [](const std::exception_ptr& failure) { EXPECT_FALSE(failure); });
  script_ = [](Peer& peer) { return peer.write(kStreamHead + chunk(event(kSuccess))); };
  start("unix:" + path);
  auto& result = finish();
  std::filesystem::remove(path);
  ASSERT_TRUE(result) << result.error().context;
  EXPECT_THAT(executed_.head, HasSubstr("\r\nHost: localhost\r\n"));
  start("unix:" + path);
  auto& gone = finish();
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().context, "unix:" + path + ": connect: No such file or directory");
}

// --- tools

TEST_F(ClientTest, CallsOverlapAndResultsShareASecondConnection) {
  auto& result = run([this](Peer& peer) -> awaitable<void> {
    co_await peer.write(kStreamHead + chunk(tool_call("c1", "wait") + tool_call("c2", "echo", "[1, \"é\"]")));
    co_await posts(1);  // the second call's, though the first is under way
    tools_.release();
    co_await posts(2);
    co_await peer.write(chunk(tool_call("c3", "echo")));
    co_await posts(3);
    co_await peer.write(chunk(event(kSuccess)));
  });
  ASSERT_TRUE(result) << result.error().context;
  EXPECT_THAT(posted_, ElementsAre(R"({"execution_id":"e1","tool_call_id":"c2","result":[1, "é"]})",
                                   R"({"execution_id":"e1","tool_call_id":"c1","result":"released"})",
                                   R"({"execution_id":"e1","tool_call_id":"c3","result":[]})"));
  EXPECT_EQ(connections_, 2);
  EXPECT_EQ(tools_.calls[0].timeout, options_.tool_timeout);
  EXPECT_EQ(result->late_results, 0U);
}

TEST_F(ClientTest, ErrorsOfToolsAreSentAsErrors) {
  auto& result = run([this](Peer& peer) -> awaitable<void> {
    co_await peer.write(kStreamHead);
    for (const char* tool : {"fail", "raise", "throw"}) {
      const std::size_t before = posted_.size();
      co_await peer.write(chunk(tool_call(tool, tool)));
      co_await posts(before + 1);
    }
    co_await peer.write(chunk(event(kSuccess)));
  });
  ASSERT_TRUE(result) << result.error().context;
  ASSERT_EQ(posted_.size(), 3U);
  EXPECT_THAT(posted_[0], HasSubstr("\"error\":{\"type\":\"ToolCallError\",\"message\":\"it \uFFFD broke\"}"));
  EXPECT_THAT(posted_[1], HasSubstr(R"("error":{"type":"app.Missing","message":"no: file"})"));
  EXPECT_THAT(posted_[2], HasSubstr(R"("message":"the tool host failed: out of luck")"));
}

TEST_F(ClientTest, AServerReachesNoToolItWasNotGiven) {
  request_.tool_names = {"wait"};
  auto& result = run([this](Peer& peer) -> awaitable<void> {
    co_await peer.write(kStreamHead + chunk(tool_call("c1", "echo")));
    co_await posts(1);
    co_await peer.write(chunk(event(kSuccess)));
  });
  ASSERT_TRUE(result) << result.error().context;
  EXPECT_THAT(tools_.calls, IsEmpty());
  EXPECT_THAT(posted_, ElementsAre(HasSubstr(R"("error":{"type":"ToolNotFoundError","message":"no tool 'echo'"})")));
}

TEST_F(ClientTest, TheFinalMessageEndsCallsUnderWay) {
  auto& result =
      run_bytes(kStreamHead + chunk(tool_call("c1", "wait") + tool_call("c2", "wait")) + chunk(event(kSuccess)));
  ASSERT_TRUE(result) << result.error().context;
  EXPECT_EQ(tools_.cancelled, 2);
  EXPECT_THAT(posted_, IsEmpty());
}

TEST_F(ClientTest, TheSameHoldsForAServerThatGoes) {
  EXPECT_EQ(complaint(kStreamHead + chunk(tool_call("c1", "wait"))),
            "the server closed the stream before the final message");
  EXPECT_EQ(tools_.cancelled, 1);
}

TEST_F(ClientTest, ALateResultIsCounted) {
  post_statuses_ = {"409 Conflict", "404 Not Found"};
  auto& result = run([this](Peer& peer) -> awaitable<void> {
    co_await peer.write(kStreamHead +
                        chunk(tool_call("c1", "echo") + tool_call("c2", "echo") + tool_call("c3", "echo")));
    co_await posts(3);
    co_await peer.write(chunk(event(kSuccess)));
  });
  ASSERT_TRUE(result) << result.error().context;
  EXPECT_EQ(result->late_results, 2U);
}

TEST_F(ClientTest, ARefusedResultBecomesAnError) {
  post_statuses_ = {"413 Content Too Large"};
  auto& result = run([this](Peer& peer) -> awaitable<void> {
    co_await peer.write(kStreamHead + chunk(tool_call("c1", "echo")));
    co_await posts(2);
    co_await peer.write(chunk(event(kSuccess)));
  });
  ASSERT_TRUE(result) << result.error().context;
  ASSERT_EQ(posted_.size(), 2U);
  EXPECT_THAT(posted_[1],
              HasSubstr(R"j("error":{"type":"ResultRefused","message":"the server refused the result (413)"})j"));
}

TEST_F(ClientTest, AServerThatTakesNoResultsEndsTheExecution) {
  post_statuses_ = {"500 No", "500 No"};
  auto& result = run([](Peer& peer) -> awaitable<void> {
    co_await peer.write(kStreamHead + chunk(tool_call("c1", "echo") + tool_call("c2", "wait")));
    co_await peer.wait_for_end();
  });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().context, url() + ": post a tool's result: the server answered 500");
  EXPECT_EQ(tools_.cancelled, 1);
}

TEST_F(ClientTest, AConnectionThatTheServerClosedIsOpenedAgain) {
  closes_after_posts_ = true;
  auto& result = run([this](Peer& peer) -> awaitable<void> {
    co_await peer.write(kStreamHead);
    for (std::size_t i = 0; i < 5; ++i) {
      co_await peer.write(chunk(tool_call("c", "echo")));
      co_await posts(i + 1);
    }
    co_await peer.write(chunk(event(kSuccess)));
  });
  ASSERT_TRUE(result) << result.error().context;
  EXPECT_EQ(posted_.size(), 5U);
  EXPECT_EQ(connections_, 6);
}

TEST_F(ClientTest, TooManyCallsAtOneTime) {
  options_.max_pending_calls = 3;
  std::string calls;
  for (int i = 0; i < 4; ++i) calls += tool_call("c", "wait");
  EXPECT_EQ(complaint(kStreamHead + chunk(calls)), "the server sent more than 3 calls at one time");
  EXPECT_EQ(tools_.cancelled, 3);
}

// --- refusals

TEST_F(ClientTest, StatusesSayWhatIsWrong) {
  EXPECT_EQ(complaint(answer("401 Unauthorized", R"({"detail":"Unauthorized"})")),
            "the server refused the API key (401)");
  EXPECT_EQ(result_->error().code, errc::permission_denied);
  EXPECT_EQ(complaint(answer("404 Not Found", "")), "nothing is at /execute-code there (404): is it a progtc server?");
  EXPECT_EQ(complaint(answer("503 Busy", R"({"detail":"too many\nruns"})")), "the server answered 503: too many?runs");
  EXPECT_EQ(result_->error().code, errc::resource_unavailable_try_again);
  EXPECT_EQ(complaint(answer("422 No", R"({"detail":[{"loc":["body"]}]})")),
            R"(the server answered 422: [{"loc":["body"]}])");
  EXPECT_EQ(result_->error().code, errc::invalid_argument);
  EXPECT_EQ(complaint(answer("307 Elsewhere", "<html>")), "the server answered 307: <html>");
  EXPECT_EQ(complaint(answer("200 OK", "{}")),
            "the server answered with 'application/json' instead of an event stream");
  EXPECT_EQ(complaint("HTTP/1.1 500 Oops\r\nContent-Length: 10000000\r\n\r\n" + std::string(100'000, 'x')),
            "the server answered 500: " + std::string(500, 'x') + "… (65036 more bytes)");
}

TEST_F(ClientTest, NobodyListens) {
  const std::string address = url();
  acceptor_.close();
  start(address);
  auto& result = finish();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, errc::connection_refused);
  EXPECT_EQ(result.error().context, address + ": connect: Connection refused");
}

TEST_F(ClientTest, AKeyThatFitsNoHeaderIsNotSent) {
  options_.api_key = "a\r\nHost: b";
  EXPECT_EQ(complaint(""), "the API key holds characters that do not fit a header");
  EXPECT_EQ(connections_, 0);
}

// --- hostile servers

TEST_F(ClientTest, AServerThatClosesEarly) {
  const std::string whole = kStreamHead + chunk(event(kSuccess));
  const std::size_t head = std::string_view(kStreamHead).size();
  for (std::size_t length = 0; length < whole.size() - 4; ++length) {
    const std::string text = complaint(whole.substr(0, length));
    EXPECT_EQ(text, length < head ? "the server closed the connection without an answer"
                                  : "the server closed the stream before the final message")
        << length;
    EXPECT_EQ(result_->error().code, errc::connection_aborted) << length;
  }
}

TEST_F(ClientTest, AnAnswerThatIsNoHttp) {
  EXPECT_THAT(complaint("SSH-2.0-OpenSSH_9.2\r\n\r\n"), StartsWith("the server's answer is not HTTP: "));
  EXPECT_THAT(complaint("HTTP/1.1 200 OK\r\nX: " + std::string(1 << 20, 'x')),
              StartsWith("the server's answer is not HTTP: "));
  EXPECT_THAT(complaint(std::string(kStreamHead) + "nonsense\r\n"), StartsWith("the server's answer is not HTTP: "));
  EXPECT_THAT(complaint(kStreamHead + ("5;x=" + std::string(1 << 20, 'x'))),
              StartsWith("the server's answer is not HTTP: "));
}

TEST_F(ClientTest, MessagesThatAreNone) {
  const auto said = [this](const std::string& json) { return complaint(kStreamHead + chunk(event(json))); };
  EXPECT_EQ(said("[]"), "malformed message: not JSON: expected an object at byte 0");
  EXPECT_EQ(said("{\"type\":\"\xFF\"}"), "malformed message: not JSON: not UTF-8 at byte 9");
  EXPECT_EQ(said("{}"), "malformed message: no string 'type'");
  EXPECT_EQ(said(R"({"type":"success","stdout":1,"stderr":""})"), "malformed message: no string 'stdout'");
  EXPECT_EQ(said(R"({"type":"stdout"})"), "malformed message: no string 'data'");
  EXPECT_EQ(said(R"({"type":"tool_call","id":"c","execution_id":"e","tool_name":"echo","args":{},"kwargs":{}})"),
            "malformed message: a call without args or kwargs");
  EXPECT_EQ(said(R"({"type":"tool_call","id":")" + std::string(129, 'c') +
                 R"(","execution_id":"e","tool_name":"echo","args":[],"kwargs":{}})"),
            "malformed message: an id of more than 128 bytes");
  EXPECT_EQ(said(std::string(200, '[')), "malformed message: not JSON: expected an object at byte 0");
  EXPECT_THAT(tools_.calls, IsEmpty());
}

TEST_F(ClientTest, AdditiveFieldsOfAnotherShapeAreIgnored) {
  auto& result = run_bytes(
      kStreamHead +
      chunk(event(
          R"({"type":"success","stdout":"","stderr":"","run_id":1,"exit":[],"usage":{"wall_ms":-1,"cpu_ms":1e300,)"
          R"("memory_peak_bytes":1.5,"tool_calls":-1},"truncated":"no","denials":{},"value":null})")));
  ASSERT_TRUE(result) << result.error().context;
  EXPECT_EQ(result->usage.wall.count(), 0);
  EXPECT_EQ(result->usage.cpu.count(), 0);
  EXPECT_EQ(result->usage.memory_peak_bytes, 0U);
  EXPECT_FALSE(result->value);
}

TEST_F(ClientTest, AnEventWithoutEnd) {
  options_.max_event_bytes = 1000;
  EXPECT_EQ(complaint(kStreamHead + chunk("data: " + std::string(100'000, 'x'))),
            "server-sent event of more than 1000 bytes");
  std::string lines;
  for (int i = 0; i < 1000; ++i) lines += "data: x\n";
  EXPECT_EQ(complaint(kStreamHead + chunk(lines)), "server-sent event of more than 1000 bytes");
}

TEST_F(ClientTest, ASilentServerTimesOut) {
  options_.idle_timeout = 20ms;
  const Script silent = [](Peer& peer) -> awaitable<void> { co_await peer.wait_for_end(); };
  auto& without_head = run(silent);
  ASSERT_FALSE(without_head);
  EXPECT_EQ(without_head.error().code, errc::timed_out);
  EXPECT_EQ(without_head.error().context, url() + ": read: Connection timed out");
  auto& without_events = run([](Peer& peer) -> awaitable<void> {
    co_await peer.write(kStreamHead);
    co_await peer.wait_for_end();
  });
  ASSERT_FALSE(without_events);
  EXPECT_EQ(without_events.error().code, errc::timed_out);
}

TEST_F(ClientTest, CommentsDoNotKeepAServerAliveForEver) {
  options_.total_timeout = 50ms;
  auto& result = run([this](Peer& peer) -> awaitable<void> {
    co_await peer.write(kStreamHead);
    asio::steady_timer timer(io_);
    while (!result_) {
      co_await peer.write(chunk(":\n\n"));
      timer.expires_after(1ms);
      co_await timer.async_wait(asio::use_awaitable);
    }
  });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, errc::timed_out);
}

TEST_F(ClientTest, CancellingEndsCallsAndTheConnection) {
  bool has_seen_end = false;
  auto& result = run([&](Peer& peer) -> awaitable<void> {
    co_await peer.write(kStreamHead + chunk(tool_call("c1", "wait") + tool_call("c2", "echo")));
    co_await posts(1);
    cancel_.emit(asio::cancellation_type::terminal);
    has_seen_end = co_await peer.wait_for_end();
  });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, errc::operation_canceled);
  EXPECT_EQ(tools_.cancelled, 1);
  while (!has_seen_end && io_.run_one() > 0) {
  }
  EXPECT_TRUE(has_seen_end);
}

// --- TLS

struct Certificate {
  std::string certificate;
  std::string key;
};

// Signed by itself, for 127.0.0.1.
Certificate make_certificate(const char* names) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> made(X509_new(), &X509_free);
  X509_set_version(made.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), 3600);
  X509_set_pubkey(made.get(), key.get());
  X509_NAME* name = X509_get_subject_name(made.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
  X509_set_issuer_name(made.get(), name);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names);
  X509_add_ext(made.get(), extension, -1);
  X509_EXTENSION_free(extension);
  X509_sign(made.get(), key.get(), EVP_sha256());
  const auto pem = [](const std::function<void(BIO*)>& write) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), &BIO_free);
    write(memory.get());
    char* data = nullptr;
    const long size = BIO_get_mem_data(memory.get(), &data);
    return std::string(data, static_cast<std::size_t>(size));
  };
  return {pem([&](BIO* out) { PEM_write_bio_X509(out, made.get()); }),
          pem([&](BIO* out) { PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr); })};
}

class TlsClientTest : public ClientTest {
 protected:
  // Runs against a server with a certificate for `names`, which the client trusts or not.
  Result<RemoteOutcome>& run_tls(const char* names, bool is_trusted) {
    const Certificate certificate = make_certificate(names);
    context_.use_certificate(asio::buffer(certificate.certificate), asio::ssl::context::pem);
    context_.use_private_key(asio::buffer(certificate.key), asio::ssl::context::pem);
    const std::string file = testing::TempDir() + "progtc-client-test-" + std::to_string(::getpid()) + ".pem";
    std::ofstream(file) << certificate.certificate;
    if (is_trusted) options_.ca_file = file;
    script_ = [](Peer& peer) { return peer.write(kStreamHead + chunk(event(kSuccess)), 10); };
    asio::co_spawn(io_, accept_tls(), [](const std::exception_ptr& failure) { EXPECT_FALSE(failure); });
    start("https" + url().substr(4));
    auto& result = finish();
    std::filesystem::remove(file);
    return result;
  }

  awaitable<void> accept_tls() {
    auto [ec, socket] = co_await acceptor_.async_accept(use_result);
    if (ec) co_return;
    asio::ssl::stream<tcp::socket> stream(std::move(socket), context_);
    auto [refused] = co_await stream.async_handshake(asio::ssl::stream_base::server, use_result);
    if (refused) co_return;
    auto peer = std::make_shared<StreamPeer<asio::ssl::stream<tcp::socket>>>(std::move(stream));
    co_await serve(peer);
  }

  asio::ssl::context context_{asio::ssl::context::tls_server};
};

TEST_F(TlsClientTest, ATrustedCertificate) {
  auto& result = run_tls("IP:127.0.0.1", true);
  ASSERT_TRUE(result) << result.error().context;
  EXPECT_EQ(result->out, "hi\n");
}

TEST_F(TlsClientTest, ACertificateNobodyVouchesFor) {
  auto& result = run_tls("IP:127.0.0.1", false);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().context, HasSubstr("certificate verify failed"));
  EXPECT_EQ(executed_.head, "");
}

TEST_F(TlsClientTest, ACertificateOfAnotherHost) {
  auto& result = run_tls("IP:127.0.0.2,DNS:localhost", true);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().context, HasSubstr("certificate verify failed"));
}

TEST_F(TlsClientTest, AFileOfCertificatesThatIsNotThere) {
  options_.ca_file = "/nonexistent.pem";
  auto& result = run_tls("IP:127.0.0.1", false);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().context, HasSubstr("read certificates from '/nonexistent.pem'"));
}

// --- addresses

TEST(ServerAddressTest, Forms) {
  const auto http = parse_server_address("http://127.0.0.1:8000");
  ASSERT_TRUE(http);
  EXPECT_EQ(http->kind, ServerAddress::Kind::kHttp);
  EXPECT_EQ(http->host, "127.0.0.1");
  EXPECT_EQ(http->port, 8000);
  EXPECT_EQ(http->base_path, "");
  const auto https = parse_server_address("https://box.example/run/it/");
  ASSERT_TRUE(https);
  EXPECT_EQ(https->kind, ServerAddress::Kind::kHttps);
  EXPECT_EQ(https->port, 443);
  EXPECT_EQ(https->base_path, "/run/it");
  const auto ipv6 = parse_server_address("http://[::1]:8000/");
  ASSERT_TRUE(ipv6);
  EXPECT_EQ(ipv6->host, "::1");
  EXPECT_EQ(ipv6->port, 8000);
  for (const char* text : {"unix:/run/p.sock", "unix:///run/p.sock"}) {
    const auto unix_socket = parse_server_address(text);
    ASSERT_TRUE(unix_socket);
    EXPECT_EQ(unix_socket->socket_path, "/run/p.sock");
  }
}

TEST(ServerAddressTest, WhatIsRefused) {
  for (const std::string text : {"", "127.0.0.1:8000", "ftp://x", "http://", "http://:80", "http://x:", "http://x:0",
                                 "http://x:65536", "http://x:8a", "http://[::1", "http://[]:1", "http://[::1]8",
                                 "http://u@x", "http://x/?a", "http://x/#a", "http://x y", "http://x\r\ny", "unix:"})
    EXPECT_FALSE(parse_server_address(text)) << text;
  EXPECT_FALSE(parse_server_address("unix:/" + std::string(107, 'x')));
  EXPECT_FALSE(parse_server_address(std::string_view("unix:/a\0b", 9)));
  EXPECT_EQ(parse_server_address("x\n").error().context, "'x?': expected http://, https:// or unix:");
}

}  // namespace
}  // namespace progtc::bridge
