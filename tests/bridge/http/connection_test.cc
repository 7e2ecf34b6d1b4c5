// A connection over an in-memory stream: what is on the wire, byte by byte.
#include "bridge/http/connection.h"

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/_experimental/test/stream.hpp>

namespace progtc::bridge::http {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using Stream = boost::beast::test::stream;

// Answers with what it was asked: "GET /x?q [body]".
asio::awaitable<void> echo(Exchange& exchange) {
  const Request& request = exchange.request();
  Response response;
  response.content_type = "text/plain";
  response.body = request.method + " " + request.path + "?" + request.query + " [" + request.body + "]";
  auto sent = co_await exchange.respond(std::move(response));
  EXPECT_TRUE(sent) << sent.error().context;
}

class HttpConnectionTest : public testing::Test {
 protected:
  HttpConnectionTest() : client_(context_) {
    service_->handler = echo;
    service_->logger = [this](std::string_view line) { log_.emplace_back(line); };
    service_->limits.header_time = 200ms;  // whoever waits for one of these waits for the event, not for the time
    service_->limits.body_time = 200ms;
    service_->limits.idle_time = 200ms;
    service_->limits.linger_time = 200ms;
  }

  void start(std::optional<std::string> local_address = "127.0.0.1") {
    Stream server(context_);
    client_.connect(server);
    connection_ = std::make_shared<Connection>(context_.get_executor(), service_,
                                               std::make_unique<StreamTransport<Stream>>(std::move(server)),
                                               Peer{.is_unix = false, .name = "test"}, std::move(local_address));
    asio::co_spawn(context_, Connection::serve(connection_), [this](const std::exception_ptr& failure) {
      is_over_ = true;
      if (failure) std::rethrow_exception(failure);
    });
  }

  void send(std::string_view bytes) {
    boost::system::error_code ec;
    client_.write_some(asio::const_buffer(bytes.data(), bytes.size()), ec);
    ASSERT_FALSE(ec);
  }

  bool run_until(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + 20s;
    context_.restart();
    while (!condition() && std::chrono::steady_clock::now() < end) context_.run_one_for(1s);
    return condition();
  }

  // Everything that was written, without the dates.
  std::string received() {
    std::string text(client_.str());
    for (std::size_t at = 0; (at = text.find("Date: ", at)) != std::string::npos;)
      text.erase(at, text.find("\r\n", at) + 2 - at);
    return text;
  }

  // The answers to `bytes`, after which the client sends no more.
  std::string talk(std::string_view bytes) {
    start();
    send(bytes);
    client_.close();
    EXPECT_TRUE(run_until([&] { return is_over_; }));
    return received();
  }

  // The answers to `bytes`, after which the client waits until the server has had enough.
  std::string talk_and_wait(std::string_view bytes) {
    start();
    send(bytes);
    EXPECT_TRUE(run_until([&] { return is_over_; }));
    return received();
  }

  asio::io_context context_{1};
  std::shared_ptr<Service> service_ = std::make_shared<Service>();
  std::shared_ptr<Connection> connection_;
  Stream client_;
  std::vector<std::string> log_;
  bool is_over_ = false;
};

TEST_F(HttpConnectionTest, AnswersAndKeepsTheConnection) {
  start();
  send("GET /a?b HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const std::string first = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n\r\nGET /a?b []";
  ASSERT_TRUE(run_until([&] { return received() == first; })) << received();
  client_.clear();
  send("POST /c HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi");
  const std::string second = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nPOST /c? [hi]";
  ASSERT_TRUE(run_until([&] { return received() == second; })) << received();
  EXPECT_FALSE(is_over_);
}

TEST_F(HttpConnectionTest, SendsADate) {
  start();
  send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(run_until([&] { return !client_.str().empty(); }));
  EXPECT_THAT(std::string(client_.str()),
              testing::ContainsRegex("Date: [A-Z][a-z][a-z], [0-9][0-9] [A-Z][a-z][a-z] 20[0-9][0-9] [0-9:]+ GMT\r\n"));
}

TEST_F(HttpConnectionTest, AnswersPipelinedRequestsInOrder) {
  std::string many;
  for (int i = 0; i < 1000; ++i)
    many += "POST /" + std::to_string(i) + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc\r\n";
  const std::string answers = talk(many);
  std::size_t at = 0;
  for (int i = 0; i < 1000; ++i) {
    at = answers.find("\r\n\r\nPOST /" + std::to_string(i) + "? [abc]HTTP", at);
    if (i == 999) break;
    ASSERT_NE(at, std::string::npos) << i;
  }
  EXPECT_THAT(answers, EndsWith("POST /999? [abc]"));
}

TEST_F(HttpConnectionTest, ClosesWhenAskedTo) {
  const std::string answers = talk(
      "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\nGET /never HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(answers, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_THAT(answers, EndsWith("GET /? []"));
}

TEST_F(HttpConnectionTest, KeepsAnOldClientsConnectionWhenAskedTo) {
  EXPECT_THAT(talk("GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /2 HTTP/1.0\r\n\r\nGET /3 HTTP/1.0\r\n\r\n"),
              "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\nConnection: keep-alive\r\n\r\n"
              "GET /1? []"
              "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\nConnection: close\r\n\r\n"
              "GET /2? []");
}

TEST_F(HttpConnectionTest, HeadGetsTheHeadersOnly) {
  EXPECT_EQ(talk("HEAD /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 11\r\nConnection: close\r\n\r\n");
}

TEST_F(HttpConnectionTest, HeadGetsTheHeadersOfARefusalOnly) {
  EXPECT_THAT(talk("HEAD /a HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
              testing::AllOf(StartsWith("HTTP/1.1 421 "), EndsWith("\r\nConnection: close\r\n\r\n")));
}

TEST_F(HttpConnectionTest, ReadsChunkedBodies) {
  EXPECT_THAT(
      talk("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n"),
      EndsWith("POST /? [hi!]"));
}

TEST_F(HttpConnectionTest, SaysContinueBeforeItReadsTheBody) {
  start();
  send("POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  ASSERT_TRUE(run_until([&] { return received() == "HTTP/1.1 100 Continue\r\n\r\n"; }));
  send("hi");
  ASSERT_TRUE(run_until([&] { return received().ends_with("[hi]"); }));
}

TEST_F(HttpConnectionTest, DoesNotSayContinueToABodyThatHasCome) {
  EXPECT_THAT(talk("POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi"),
              StartsWith("HTTP/1.1 200 OK"));
}

TEST_F(HttpConnectionTest, RefusesWhatIsExpectedInVainWithoutReadingIt) {
  service_->limits.body_bytes = 10;
  EXPECT_THAT(talk("POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n"),
              StartsWith("HTTP/1.1 413 Payload Too Large\r\n"));
}

TEST_F(HttpConnectionTest, RefusesAnUnknownExpectation) {
  EXPECT_THAT(talk("POST / HTTP/1.1\r\nHost: localhost\r\nExpect: much\r\nContent-Length: 11\r\n\r\n"),
              StartsWith("HTTP/1.1 417 Expectation Failed\r\n"));
}

TEST_F(HttpConnectionTest, RefusesAMalformedRequestAndCloses) {
  EXPECT_EQ(
      talk("GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"
           "xGET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
      "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 61\r\nConnection: close\r\n\r\n"
      "{\"detail\": \"malformed request: more than one Content-Length\"}");
}

TEST_F(HttpConnectionTest, RefusesForeignHostsUnlessItIsAUnixSocket) {
  const std::string request = "GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
  EXPECT_THAT(talk(request), StartsWith("HTTP/1.1 421 "));
  is_over_ = false;
  client_ = Stream(context_);
  start(std::nullopt);
  send(request);
  client_.close();
  ASSERT_TRUE(run_until([&] { return is_over_; }));
  EXPECT_THAT(received(), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpConnectionTest, RefusesForeignPagesBeforeTheirBody) {
  EXPECT_THAT(talk("POST / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\nExpect: 100-continue\r\n"
                   "Content-Length: 5\r\n\r\n"),
              StartsWith("HTTP/1.1 403 Forbidden\r\n"));
}

TEST_F(HttpConnectionTest, HeaderMustComeInTime) {
  const std::string answers = talk_and_wait("GET / HTTP/1.1\r\nHost: loc");
  EXPECT_THAT(answers, StartsWith("HTTP/1.1 408 Request Timeout\r\n"));
}

TEST_F(HttpConnectionTest, BodyMustComeInTime) {
  const std::string answers = talk_and_wait("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhi");
  EXPECT_THAT(answers, StartsWith("HTTP/1.1 408 Request Timeout\r\n"));
}

TEST_F(HttpConnectionTest, SilenceIsClosedWithoutAWord) { EXPECT_EQ(talk_and_wait("\r\n\r"), ""); }

TEST_F(HttpConnectionTest, IdleConnectionIsClosed) {
  EXPECT_THAT(talk_and_wait("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), EndsWith("GET /? []"));
}

TEST_F(HttpConnectionTest, AllBodiesTogetherAreBounded) {
  service_->limits.all_bodies_bytes = 10;
  service_->all_bodies_bytes = 8;  // other connections'
  const std::string answers = talk("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_THAT(answers, StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_THAT(answers, HasSubstr("\r\nRetry-After: 1\r\n"));
  EXPECT_EQ(service_->all_bodies_bytes, 8U);
}

TEST_F(HttpConnectionTest, GivesBackWhatABodyHeld) {
  service_->handler = [this](Exchange& exchange) -> asio::awaitable<void> {
    EXPECT_EQ(service_->all_bodies_bytes, 5U);
    co_await echo(exchange);
  };
  EXPECT_THAT(talk("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"), EndsWith("[hello]"));
  EXPECT_EQ(service_->all_bodies_bytes, 0U);
}

asio::awaitable<void> stream_two(Exchange& exchange) {
  Response head;
  head.content_type = "text/event-stream";
  head.headers.emplace_back("Cache-Control", "no-store");
  auto begun = exchange.begin(std::move(head));
  EXPECT_TRUE(begun);
  const std::string long_piece(20, 'x');
  for (const std::string_view piece : {std::string_view("one"), std::string_view(), std::string_view(long_piece)}) {
    auto written = co_await exchange.write(piece);
    EXPECT_TRUE(written);
  }
  auto finished = co_await exchange.finish();
  EXPECT_TRUE(finished);
}

TEST_F(HttpConnectionTest, StreamsInChunks) {
  service_->handler = stream_two;
  EXPECT_EQ(talk("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
            "Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n14\r\nxxxxxxxxxxxxxxxxxxxx\r\n0\r\n\r\n");
}

TEST_F(HttpConnectionTest, StreamsToAnOldClientUntilItCloses) {
  service_->handler = stream_two;
  EXPECT_EQ(talk("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
            "onexxxxxxxxxxxxxxxxxxxx");
}

TEST_F(HttpConnectionTest, StreamsNothingToHead) {
  service_->handler = stream_two;
  EXPECT_EQ(talk("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
            "Transfer-Encoding: chunked\r\n\r\n");
}

TEST_F(HttpConnectionTest, SomeStatusesHaveNoBody) {
  service_->handler = [](Exchange& exchange) -> asio::awaitable<void> {
    Response response;
    response.status = 204;
    response.body = "dropped";
    auto sent = co_await exchange.respond(std::move(response));
    EXPECT_TRUE(sent);
  };
  EXPECT_EQ(talk("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), "HTTP/1.1 204 No Content\r\n\r\n");
}

TEST_F(HttpConnectionTest, HandlerThatThrowsIsAnsweredForAndLogged) {
  service_->handler = [](Exchange&) -> asio::awaitable<void> {
    throw std::runtime_error("broken");
    co_return;
  };
  const std::string answers =
      talk("GET /x HTTP/1.1\r\nHost: localhost\r\n\r\nGET /y HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(answers, StartsWith("HTTP/1.1 500 Internal Server Error\r\n"));
  EXPECT_THAT(answers, EndsWith("{\"detail\": \"internal error\"}"));
  EXPECT_THAT(log_, ElementsAre("GET /x: the handler failed: broken", "GET /y: the handler failed: broken"));
}

TEST_F(HttpConnectionTest, HandlerWithoutAnAnswerIsAnsweredFor) {
  service_->handler = [](Exchange&) -> asio::awaitable<void> { co_return; };
  start();
  send("GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(run_until([&] { return received().ends_with("{\"detail\": \"internal error\"}"); }));
  EXPECT_THAT(log_, ElementsAre("GET /x: the handler gave no answer"));
}

TEST_F(HttpConnectionTest, UnfinishedAnswerIsNotMadeToLookWhole) {
  service_->handler = [](Exchange& exchange) -> asio::awaitable<void> {
    auto begun = exchange.begin(Response());
    EXPECT_TRUE(begun);
    auto written = co_await exchange.write("half");
    EXPECT_TRUE(written);
  };
  const std::string answers = talk_and_wait("GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(answers, EndsWith("\r\n\r\n4\r\nhalf\r\n"));
  EXPECT_THAT(log_, ElementsAre("GET /x: the handler left its answer unfinished"));
}

TEST_F(HttpConnectionTest, NothingThatBreaksTheHeaderIsSent) {
  service_->handler = [](Exchange& exchange) -> asio::awaitable<void> {
    using Field = std::pair<std::string, std::string>;
    for (const Field& field : {Field("X", "a\r\nY: b"), Field("X\r\n", "a"), Field("", "a"), Field("X Y", "a"),
                               Field("content-length", "1"), Field("Connection", "close"), Field("X", "a\nb")}) {
      Response response;
      response.headers.push_back(field);
      auto sent = co_await exchange.respond(std::move(response));
      EXPECT_FALSE(sent);
      EXPECT_TRUE(sent || sent.error().code == boost::system::errc::invalid_argument);
    }
    Response odd_type;
    odd_type.content_type = "a\r\nb";
    auto sent = exchange.begin(std::move(odd_type));
    EXPECT_FALSE(sent);
    Response odd_status;
    odd_status.status = 100;
    auto status_sent = co_await exchange.respond(std::move(odd_status));
    EXPECT_FALSE(status_sent);
    co_await echo(exchange);
  };
  EXPECT_EQ(talk("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nGET /? []");
}

TEST_F(HttpConnectionTest, AnswersAreGivenOnceAndInOrder) {
  service_->handler = [](Exchange& exchange) -> asio::awaitable<void> {
    auto early = co_await exchange.write("x");
    EXPECT_FALSE(early);
    auto early_end = co_await exchange.finish();
    EXPECT_FALSE(early_end);
    co_await echo(exchange);
    auto again = co_await exchange.respond(Response());
    EXPECT_FALSE(again);
    EXPECT_EQ(again ? "" : again.error().context, "respond: not in this state of the answer");
    auto begun = exchange.begin(Response());
    EXPECT_FALSE(begun);
  };
  EXPECT_THAT(talk("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), EndsWith("\r\n\r\nGET /? []"));
}

asio::awaitable<void> stream_whatever_happens(Exchange& exchange) {
  auto begun = exchange.begin(Response());
  if (!begun) co_return;
  auto written = co_await exchange.write("x");
  if (!written) co_return;
  auto finished = co_await exchange.finish();
  EXPECT_TRUE(finished || exchange.is_disconnected());
}

// A handler that waits until it is told that its client has gone.
class Waiting {
 public:
  explicit Waiting(asio::io_context& context) : timer_(context, std::chrono::steady_clock::time_point::max()) {}
  asio::awaitable<void> handle(Exchange& exchange) {
    is_at_work = true;
    exchange.on_disconnect([this] {
      ++calls;
      timer_.cancel();
    });
    boost::system::error_code ec;
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    EXPECT_TRUE(exchange.is_disconnected());
    exchange.on_disconnect([this] { ++calls; });
  }
  bool is_at_work = false;
  int calls = 0;

 private:
  asio::steady_timer timer_;
};

TEST_F(HttpConnectionTest, HandlerIsToldThatItsClientHasGone) {
  Waiting waiting(context_);
  service_->handler = [&](Exchange& exchange) { return waiting.handle(exchange); };
  start();
  send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET /pipe");
  ASSERT_TRUE(run_until([&] { return waiting.is_at_work; }));
  EXPECT_EQ(waiting.calls, 0);
  client_.close();
  ASSERT_TRUE(run_until([&] { return is_over_; }));
  EXPECT_EQ(waiting.calls, 2);  // each callback once: when it happened, and at once as it had happened
}

// The connection outlives the handler: it waits for the client to close.
TEST_F(HttpConnectionTest, HandlerThatHasReturnedIsToldNothing) {
  bool is_back = false;
  int calls = 0;
  bool throws = false;
  service_->handler = [&](Exchange& exchange) -> asio::awaitable<void> {
    exchange.on_disconnect([&] { ++calls; });
    if (throws) throw std::runtime_error("no");
    co_await echo(exchange);
    is_back = true;
  };
  start();
  send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  ASSERT_TRUE(run_until([&] { return is_back; }));
  context_.poll();
  EXPECT_FALSE(is_over_);
  client_.close();
  ASSERT_TRUE(run_until([&] { return is_over_; }));
  EXPECT_EQ(calls, 0);

  throws = true;
  is_over_ = false;
  start();
  send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  ASSERT_TRUE(run_until([&] { return !log_.empty(); }));
  client_.close();
  ASSERT_TRUE(run_until([&] { return is_over_; }));
  EXPECT_EQ(calls, 0);
}

TEST_F(HttpConnectionTest, HandlerIsToldThatTheServerCutsTheConnection) {
  Waiting waiting(context_);
  service_->handler = [&](Exchange& exchange) { return waiting.handle(exchange); };
  start();
  send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(run_until([&] { return waiting.is_at_work; }));
  connection_->close_when_idle();
  context_.poll();
  EXPECT_EQ(waiting.calls, 0);
  connection_->cut();
  EXPECT_EQ(waiting.calls, 1);
  ASSERT_TRUE(run_until([&] { return is_over_; }));
}

TEST_F(HttpConnectionTest, ReadAheadIsBounded) {
  service_->limits.header_bytes = 16UL * 1024;
  Waiting waiting(context_);
  service_->handler = [&](Exchange& exchange) { return waiting.handle(exchange); };
  start();
  send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" + std::string(1U << 20U, 'x'));
  ASSERT_TRUE(run_until([&] { return waiting.is_at_work; }));
  while (context_.poll() > 0) {
  }
  EXPECT_FALSE(is_over_);
  connection_->cut();
  ASSERT_TRUE(run_until([&] { return is_over_; }));
}

TEST_F(HttpConnectionTest, ClosesAnIdleConnectionAtOnceWhenDraining) {
  service_->limits.idle_time = 1h;
  start();
  send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(run_until([&] { return received().ends_with("GET /? []"); }));
  context_.poll();
  connection_->close_when_idle();
  EXPECT_TRUE(run_until([&] { return is_over_; }));
}

TEST_F(HttpConnectionTest, SurvivesAFailureOfEveryReadAndWrite) {
  for (int failing = 1; failing < 30; ++failing) {
    boost::beast::test::fail_count fails(static_cast<std::size_t>(failing));
    Stream server(context_, fails);
    client_ = Stream(context_);
    client_.connect(server);
    is_over_ = false;
    service_->handler = stream_whatever_happens;
    auto connection = std::make_shared<Connection>(context_.get_executor(), service_,
                                                   std::make_unique<StreamTransport<Stream>>(std::move(server)),
                                                   Peer{.is_unix = false, .name = "test"}, "127.0.0.1");
    asio::co_spawn(context_, Connection::serve(connection), [this](const std::exception_ptr& failure) {
      is_over_ = true;
      EXPECT_FALSE(failure);
    });
    send("POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    context_.restart();
    context_.poll();
    send("hiGET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client_.close();
    ASSERT_TRUE(run_until([&] { return is_over_; })) << failing;
  }
}

}  // namespace
}  // namespace progtc::bridge::http
