// The server on real sockets: loopback and Unix.
#include "bridge/http/server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "runner/sys/unique_fd.h"

namespace progtc::bridge::http {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using sys::UniqueFd;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

const std::string kGet = "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n";

asio::awaitable<void> name_the_peer(Exchange& exchange) {
  Response response;
  response.body = exchange.request().peer.name;
  auto sent = co_await exchange.respond(std::move(response));
  (void)sent.has_value();  // its client may have gone
}

UniqueFd connect_to(std::uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0) << std::strerror(errno);
  EXPECT_EQ(::fcntl(fd.get(), F_SETFL, O_NONBLOCK), 0);
  return fd;
}

sockaddr_un unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

UniqueFd connect_to(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = unix_address(path);
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0)
      << std::strerror(errno);
  EXPECT_EQ(::fcntl(fd.get(), F_SETFL, O_NONBLOCK), 0);
  return fd;
}

void send_all(const UniqueFd& fd, const std::string& bytes) {
  EXPECT_EQ(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
}

// What has arrived; false at the end of the stream.
bool receive(const UniqueFd& fd, std::string& into) {
  for (;;) {
    char buffer[4096];
    const ssize_t count = ::recv(fd.get(), buffer, sizeof buffer, 0);
    if (count > 0) into.append(buffer, static_cast<std::size_t>(count));
    if (count <= 0) return count != 0 && errno == EAGAIN;
  }
}

class HttpServerTest : public testing::Test {
 protected:
  HttpServerTest() {
    char pattern[] = "/tmp/progtc-http-XXXXXX";
    folder_ = ::mkdtemp(pattern);
  }
  ~HttpServerTest() override {
    server_.reset();
    context_.restart();
    context_.run_for(5s);
    std::filesystem::remove_all(folder_);
  }

  void start(Limits limits = {}, Handler handler = name_the_peer) {
    auto server = Server::create(context_.get_executor(), limits, std::move(handler));
    ASSERT_TRUE(server) << server.error().context;
    server_ = std::move(*server);
    server_->set_logger([this](std::string_view line) { log_.emplace_back(line); });
  }

  void start_on_loopback(Limits limits = {}, Handler handler = name_the_peer) {
    start(limits, std::move(handler));
    auto port = server_->listen_tcp("127.0.0.1", 0);
    ASSERT_TRUE(port) << port.error().context;
    port_ = *port;
  }

  bool run_until(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + 30s;
    context_.restart();
    while (!condition() && std::chrono::steady_clock::now() < end) {
      if (context_.stopped()) context_.restart();
      context_.run_one_for(1ms);  // a client of ours is no event of the loop's
    }
    return condition();
  }

  // The answer to `request`, up to `end`.
  std::string ask(const UniqueFd& client, const std::string& request, const std::string& end) {
    send_all(client, request);
    std::string answer;
    EXPECT_TRUE(run_until([&] {
      receive(client, answer);
      return answer.ends_with(end);
    })) << answer;
    return answer;
  }

  std::string read_to_end(const UniqueFd& client) {
    std::string answer;
    EXPECT_TRUE(run_until([&] { return !receive(client, answer); })) << answer;
    return answer;
  }

  asio::io_context context_{1};
  std::string folder_;
  std::vector<std::string> log_;
  std::unique_ptr<Server> server_;
  std::uint16_t port_ = 0;
};

std::uint16_t port_of(const UniqueFd& fd) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  return ntohs(address.sin_port);
}

TEST_F(HttpServerTest, ServesTcpAndNamesThePeer) {
  start_on_loopback();
  const UniqueFd client = connect_to(port_);
  const std::string name = "127.0.0.1:" + std::to_string(port_of(client));
  EXPECT_THAT(ask(client, kGet, name), StartsWith("HTTP/1.1 200 OK\r\n"));
  ask(client, kGet, name);
  EXPECT_EQ(server_->counters().open, 1U);
  EXPECT_EQ(server_->counters().total, 1U);
}

TEST_F(HttpServerTest, ServesIpv6Loopback) {
  start();
  auto port = server_->listen_tcp("::1", 0);
  if (!port && port.error().code == boost::system::errc::address_not_available) GTEST_SKIP() << "no IPv6 loopback here";
  ASSERT_TRUE(port) << port.error().context;
  const UniqueFd client(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(*port);
  address.sin6_addr = in6addr_loopback;
  const int connected = ::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  ASSERT_TRUE(connected == 0 || errno == EINPROGRESS);
  send_all(client, "GET / HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(read_to_end(client), HasSubstr("[::1]:"));
}

TEST_F(HttpServerTest, AddressInUseIsNamed) {
  start_on_loopback();
  const auto again = server_->listen_tcp("127.0.0.1", port_);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, boost::system::errc::address_in_use);
  EXPECT_EQ(again.error().context, "listen on 127.0.0.1:" + std::to_string(port_) +
                                       ": Address already in use (another daemon may be running there)");
  EXPECT_FALSE(server_->listen_tcp("192.0.2.1", 0));  // TEST-NET-1: nobody's
}

TEST_F(HttpServerTest, ServesAUnixSocketWithCredentials) {
  std::optional<ucred> seen;
  start({}, [&](Exchange& exchange) -> asio::awaitable<void> {
    seen = exchange.request().peer.credentials;
    EXPECT_TRUE(exchange.request().peer.is_unix);
    co_await name_the_peer(exchange);
  });
  const std::string path = folder_ + "/socket";
  const auto listening = server_->listen_unix(path);
  ASSERT_TRUE(listening) << listening.error().context;
  struct stat found {};
  ASSERT_EQ(::lstat(path.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode, static_cast<mode_t>(S_IFSOCK | 0600));
  const UniqueFd client = connect_to(path);
  // Host and Origin do not matter here.
  ask(client, "GET / HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\n\r\n",
      "unix:uid=" + std::to_string(::getuid()));
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->pid, ::getpid());
  EXPECT_EQ(seen->uid, ::getuid());
  server_.reset();
  EXPECT_EQ(::lstat(path.c_str(), &found), -1);
}

TEST_F(HttpServerTest, StaleUnixSocketIsReplaced) {
  const std::string path = folder_ + "/socket";
  const sockaddr_un address = unix_address(path);
  {
    const UniqueFd gone(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(gone.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  start();
  const auto listening = server_->listen_unix(path);
  ASSERT_TRUE(listening) << listening.error().context;
  ask(connect_to(path), kGet, "unix:uid=" + std::to_string(::getuid()));
}

TEST_F(HttpServerTest, LiveUnixSocketAndOtherFilesAreLeftAlone) {
  start();
  const std::string path = folder_ + "/socket";
  ASSERT_TRUE(server_->listen_unix(path));
  auto second = Server::create(context_.get_executor(), {}, name_the_peer);
  ASSERT_TRUE(second);
  const auto in_use = (*second)->listen_unix(path);
  ASSERT_FALSE(in_use);
  EXPECT_EQ(in_use.error().context,
            "listen on '" + path + "': Address already in use (another daemon is running there)");
  const std::string file = folder_ + "/file";
  std::ofstream(file) << "kept";
  const auto no_socket = (*second)->listen_unix(file);
  ASSERT_FALSE(no_socket);
  EXPECT_EQ(no_socket.error().context, "listen on '" + file + "': this is no socket: File exists");
  ASSERT_EQ(::symlink(path.c_str(), (folder_ + "/link").c_str()), 0);
  EXPECT_FALSE((*second)->listen_unix(folder_ + "/link"));
  EXPECT_FALSE((*second)->listen_unix(folder_ + "/" + std::string(200, 'x')));
  EXPECT_FALSE((*second)->listen_unix(folder_ + "/missing/socket"));
  second->reset();
  ask(connect_to(path), kGet, "unix:uid=" + std::to_string(::getuid()));  // still there
}

TEST_F(HttpServerTest, UnixSocketOfAnotherDaemonIsNotUnlinked) {
  start();
  const std::string path = folder_ + "/socket";
  ASSERT_TRUE(server_->listen_unix(path));
  ASSERT_EQ(::rename(path.c_str(), (folder_ + "/old").c_str()), 0);
  const UniqueFd other(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = unix_address(path);
  ASSERT_EQ(::bind(other.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  server_->stop_accepting();
  struct stat found {};
  EXPECT_EQ(::lstat(path.c_str(), &found), 0);
}

TEST_F(HttpServerTest, AdoptsListeningSocketsOnly) {
  start();
  UniqueFd passed(::socket(AF_INET, SOCK_STREAM, 0));
  const auto too_early = server_->adopt(passed.get());
  ASSERT_FALSE(too_early);
  EXPECT_THAT(too_early.error().context, HasSubstr("is no listening TCP or Unix socket"));
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(passed.get(), reinterpret_cast<sockaddr*>(&any), sizeof any), 0);
  ASSERT_EQ(::listen(passed.get(), 5), 0);
  const std::uint16_t port = port_of(passed);
  const auto adopted = server_->adopt(passed.get());
  ASSERT_TRUE(adopted) << adopted.error().context;
  const int fd = passed.release();
  EXPECT_EQ(::fcntl(fd, F_GETFD), FD_CLOEXEC);
  const UniqueFd client = connect_to(port);
  ask(client, kGet, ":" + std::to_string(port_of(client)));
  int pipes[2];
  ASSERT_EQ(::pipe2(pipes, O_CLOEXEC), 0);
  const UniqueFd reading(pipes[0]);
  const UniqueFd writing(pipes[1]);
  EXPECT_FALSE(server_->adopt(reading.get()));
  EXPECT_FALSE(server_->adopt(-1));
}

TEST_F(HttpServerTest, TooManyConnectionsAreTurnedAway) {
  Limits limits;
  limits.connections = 2;
  start_on_loopback(limits);
  server_->set_recogniser([](const Request&) { return true; });
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 2; ++i) {
    clients.push_back(connect_to(port_));
    ask(clients.back(), kGet, std::to_string(port_of(clients.back())));
  }
  const UniqueFd surplus = connect_to(port_);
  send_all(surplus, kGet);
  const std::string answer = read_to_end(surplus);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nRetry-After: 1\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_EQ(server_->counters().refused, 1U);
  EXPECT_EQ(server_->counters().open, 2U);
  clients.pop_back();
  ASSERT_TRUE(run_until([&] { return server_->counters().open == 1; }));
  const UniqueFd next = connect_to(port_);
  ask(next, kGet, std::to_string(port_of(next)));
  EXPECT_EQ(server_->counters().total, 3U);
}

TEST_F(HttpServerTest, StrangersMakeRoomForOthers) {
  Limits limits;
  limits.connections = 3;
  start_on_loopback(limits);
  server_->set_recogniser([](const Request& request) { return request.header("Key").has_value(); });
  const std::string with_key = "GET /x HTTP/1.1\r\nHost: localhost\r\nKey: k\r\n\r\n";
  const UniqueFd known = connect_to(port_);
  ask(known, with_key, std::to_string(port_of(known)));
  const UniqueFd silent = connect_to(port_);
  ASSERT_TRUE(run_until([&] { return server_->counters().open == 2; }));
  const UniqueFd slow = connect_to(port_);
  ask(slow, kGet, std::to_string(port_of(slow)));
  send_all(slow, "GET /x HT");

  const UniqueFd one = connect_to(port_);
  ask(one, with_key, std::to_string(port_of(one)));
  EXPECT_EQ(read_to_end(silent), "");
  const UniqueFd two = connect_to(port_);
  ask(two, with_key, std::to_string(port_of(two)));
  std::string rest;
  EXPECT_TRUE(run_until([&] { return !receive(slow, rest); }));
  EXPECT_EQ(server_->counters().displaced, 2U);
  EXPECT_EQ(server_->counters().open, 3U);

  // No stranger is left.
  const UniqueFd surplus = connect_to(port_);
  send_all(surplus, with_key);
  EXPECT_THAT(read_to_end(surplus), StartsWith("HTTP/1.1 503 "));
  ask(known, with_key, std::to_string(port_of(known)));
}

TEST_F(HttpServerTest, ThePeerWithTheMostStrangersMakesRoom) {
  Limits limits;
  limits.connections = 3;
  start_on_loopback(limits);
  const std::string path = folder_ + "/socket";
  ASSERT_TRUE(server_->listen_unix(path));
  const UniqueFd first = connect_to(path);
  ASSERT_TRUE(run_until([&] { return server_->counters().open == 1; }));
  std::vector<UniqueFd> flood;
  for (std::size_t number = 0; number < 10; ++number) {
    flood.push_back(connect_to(port_));
    ASSERT_TRUE(run_until([&] { return server_->counters().total == 2 + number; }));
  }
  EXPECT_EQ(server_->counters().displaced, 8U);
  ask(first, kGet, "unix:uid=" + std::to_string(::geteuid()));
}

TEST_F(HttpServerTest, AcceptGoesOnWhenDescriptorsAreBack) {
  start_on_loopback();
  const UniqueFd before = connect_to(port_);
  ask(before, kGet, std::to_string(port_of(before)));
  const UniqueFd client = connect_to(port_);  // in the backlog: it is accepted by run_until
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  const rlimit none{3, old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const bool has_complained = run_until([&] { return !log_.empty(); });
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
  ASSERT_TRUE(has_complained);
  EXPECT_THAT(log_, ElementsAre("accept: Too many open files; trying again"));
  ask(client, kGet, std::to_string(port_of(client)));
}

// A handler that waits for its client's end.
class Waiting {
 public:
  explicit Waiting(asio::io_context& context) : timer_(context, std::chrono::steady_clock::time_point::max()) {}
  Handler handler() {
    return [this](Exchange& exchange) { return handle(exchange); };
  }
  void let_go() { timer_.cancel(); }

  bool is_at_work = false;
  bool is_told = false;
  bool is_over = false;

 private:
  asio::awaitable<void> handle(Exchange& exchange) {
    is_at_work = true;
    exchange.on_disconnect([this] {
      is_told = true;
      timer_.cancel();
    });
    boost::system::error_code ec;
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    co_await name_the_peer(exchange);
    is_over = true;
  }

  asio::steady_timer timer_;
};

TEST_F(HttpServerTest, EndOfFileReachesTheHandler) {
  Waiting waiting(context_);
  start_on_loopback({}, waiting.handler());
  UniqueFd client = connect_to(port_);
  send_all(client, kGet);
  ASSERT_TRUE(run_until([&] { return waiting.is_at_work; }));
  client.reset();
  EXPECT_TRUE(run_until([&] { return waiting.is_over && server_->counters().open == 0; }));
  EXPECT_TRUE(waiting.is_told);
}

TEST_F(HttpServerTest, ResetReachesTheHandlerBehindAFullReadAhead) {
  Waiting waiting(context_);
  start_on_loopback({}, waiting.handler());
  UniqueFd client = connect_to(port_);
  send_all(client, kGet);
  ASSERT_TRUE(run_until([&] { return waiting.is_at_work; }));
  const std::string junk(64UL * 1024, 'x');  // until the kernel takes no more, as nobody reads
  ASSERT_TRUE(run_until([&] { return ::send(client.get(), junk.data(), junk.size(), MSG_NOSIGNAL) < 0; }));
  EXPECT_FALSE(waiting.is_told);
  const linger at_once{1, 0};
  ASSERT_EQ(::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
  client.reset();
  ASSERT_TRUE(run_until([&] { return waiting.is_over; }));
  EXPECT_TRUE(waiting.is_told);
}

TEST_F(HttpServerTest, ClientThatHasShutItsSendingSideGetsItsAnswer) {
  start_on_loopback();
  const UniqueFd client = connect_to(port_);
  send_all(client, kGet);
  ASSERT_EQ(::shutdown(client.get(), SHUT_WR), 0);
  EXPECT_THAT(read_to_end(client), EndsWith(std::to_string(port_of(client))));
}

TEST_F(HttpServerTest, ClientThatDoesNotReadIsCutOff) {
  Limits limits;
  limits.write_time = 200ms;
  bool is_over = false;
  Error error;
  start_on_loopback(limits, [&](Exchange& exchange) -> asio::awaitable<void> {
    auto begun = exchange.begin(Response());
    EXPECT_TRUE(begun);
    const std::string piece(1U << 20U, 'x');
    for (;;) {
      auto written = co_await exchange.write(piece);
      if (written) continue;
      error = written.error();
      break;
    }
    EXPECT_TRUE(exchange.is_disconnected());
    is_over = true;
  });
  const UniqueFd client = connect_to(port_);
  send_all(client, kGet);
  ASSERT_TRUE(run_until([&] { return is_over; }));
  EXPECT_EQ(error.code, boost::system::errc::timed_out);
  EXPECT_THAT(error.context, EndsWith("the client does not read"));
  EXPECT_TRUE(run_until([&] { return server_->counters().open == 0; }));
}

TEST_F(HttpServerTest, LargeBodiesGoBothWays) {
  start_on_loopback({}, [](Exchange& exchange) -> asio::awaitable<void> {
    Response response;
    response.body = exchange.request().body;
    auto sent = co_await exchange.respond(std::move(response));
    EXPECT_TRUE(sent);
  });
  const UniqueFd client = connect_to(port_);
  const std::string body(8UL << 20U, 'b');
  const std::string request =
      "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  std::size_t sent = 0;
  std::string answer;
  ASSERT_TRUE(run_until([&] {
    const ssize_t count = ::send(client.get(), request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
    if (count > 0) sent += static_cast<std::size_t>(count);
    receive(client, answer);
    return answer.size() > body.size();
  }));
  EXPECT_THAT(answer.substr(0, 20), StartsWith("HTTP/1.1 200 OK"));
  EXPECT_TRUE(answer.ends_with("\r\n\r\n" + body));
}

TEST_F(HttpServerTest, RefusalReachesAClientThatIsStillSending) {
  Limits limits;
  limits.body_bytes = 1000;
  start_on_loopback(limits);
  const UniqueFd client = connect_to(port_);
  send_all(client, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n" + std::string(100'000, 'x'));
  EXPECT_THAT(read_to_end(client), StartsWith("HTTP/1.1 413 "));
}

TEST_F(HttpServerTest, AllowedHostsAreServed) {
  start_on_loopback();
  server_->set_allowed_hosts({"Sandbox.Example"});
  const std::string rest = "\r\nConnection: close\r\n\r\n";
  for (const auto& [host, status] : std::vector<std::pair<std::string, std::string>>{
           {"sandbox.example:80", "200"}, {"other.example", "421"}, {"127.0.0.1", "200"}}) {
    const UniqueFd client = connect_to(port_);
    send_all(client, "GET / HTTP/1.1\r\nHost: " + host + rest);
    EXPECT_THAT(read_to_end(client), StartsWith("HTTP/1.1 " + status)) << host;
  }
}

TEST_F(HttpServerTest, DrainWaitsForAnswersAndClosesTheRest) {
  Waiting waiting(context_);
  bool hold = false;
  start_on_loopback({},
                    [&](Exchange& exchange) { return hold ? waiting.handler()(exchange) : name_the_peer(exchange); });
  const UniqueFd idle = connect_to(port_);
  ask(idle, kGet, std::to_string(port_of(idle)));
  hold = true;
  const UniqueFd busy = connect_to(port_);
  send_all(busy, kGet);
  ASSERT_TRUE(run_until([&] { return waiting.is_at_work; }));
  bool is_drained = false;
  asio::co_spawn(context_, server_->drain(std::chrono::steady_clock::now() + 1h),
                 [&](const std::exception_ptr& failure) { is_drained = !failure; });
  EXPECT_EQ(read_to_end(idle), "");
  EXPECT_FALSE(is_drained);
  EXPECT_FALSE(waiting.is_told);
  waiting.let_go();
  std::string answer;
  ASSERT_TRUE(run_until([&] { return !receive(busy, answer); }));
  EXPECT_THAT(answer, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_TRUE(run_until([&] { return is_drained; }));
  EXPECT_EQ(server_->counters().open, 0U);
  const UniqueFd late(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port_);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(late.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), -1);
  EXPECT_FALSE(server_->listen_tcp("127.0.0.1", 0));
}

TEST_F(HttpServerTest, DrainCutsWhatIsLeftAtTheDeadline) {
  Waiting waiting(context_);
  start_on_loopback({}, waiting.handler());
  const UniqueFd client = connect_to(port_);
  send_all(client, kGet);
  ASSERT_TRUE(run_until([&] { return waiting.is_at_work; }));
  bool is_drained = false;
  asio::co_spawn(context_, server_->drain(std::chrono::steady_clock::now()),
                 [&](const std::exception_ptr& failure) { is_drained = !failure; });
  EXPECT_TRUE(run_until([&] { return is_drained; }));
  EXPECT_TRUE(waiting.is_told);
  EXPECT_TRUE(waiting.is_over);
  EXPECT_EQ(read_to_end(client), "");
}

TEST_F(HttpServerTest, HandlerMayOutlastTheServer) {
  Waiting waiting(context_);
  start_on_loopback({}, waiting.handler());
  const UniqueFd client = connect_to(port_);
  send_all(client, kGet);
  ASSERT_TRUE(run_until([&] { return waiting.is_at_work; }));
  server_.reset();
  EXPECT_TRUE(waiting.is_told);
  EXPECT_TRUE(run_until([&] { return waiting.is_over; }));
}

TEST_F(HttpServerTest, SenselessLimitsAreRefused) {
  for (const auto& spoil : std::vector<std::function<void(Limits&)>>{
           [](Limits& limits) { limits.header_bytes = 10; }, [](Limits& limits) { limits.header_bytes = 1UL << 30U; },
           [](Limits& limits) { limits.connections = 0; }, [](Limits& limits) { limits.write_time = 0ms; },
           [](Limits& limits) { limits.idle_time = std::chrono::milliseconds::max(); }}) {
    Limits limits;
    spoil(limits);
    EXPECT_FALSE(Server::create(context_.get_executor(), limits, name_the_peer));
  }
}

TEST_F(HttpServerTest, ServesManyClientsAtOnce) {
  start_on_loopback();
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 200; ++i) {
    clients.push_back(connect_to(port_));
    send_all(clients.back(), kGet);
  }
  for (const UniqueFd& client : clients) {
    std::string answer;
    ASSERT_TRUE(run_until([&] {
      receive(client, answer);
      return answer.ends_with(":" + std::to_string(port_of(client)));
    }));
  }
}

}  // namespace
}  // namespace progtc::bridge::http
