// What a client can write to a connection, cut anywhere. The first byte chooses the cuts, the second what the handler
// does. Every answer must be well-formed, and every connection must end.
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/_experimental/test/stream.hpp>

#include "bridge/http/connection.h"

namespace {

namespace asio = boost::asio;
using namespace progtc::bridge::http;
using Stream = boost::beast::test::stream;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_request(const Request& request) {
  require(!request.method.empty() && !request.path.empty());
  require(request.path.find_first_of(std::string_view(" \r\n\0?", 5)) == std::string::npos);
  require(request.headers.count("Content-Length") + request.headers.count("Transfer-Encoding") <= 1);
  require(request.headers.count("Host") <= 1);
  for (const auto& [name, value] : request.headers.fields()) {
    require(!name.empty() && name.find_first_of(std::string_view(" :\r\n\0", 5)) == std::string::npos);
    require(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
  }
  require(request.body.size() <= 1024);
}

asio::awaitable<void> echo(Exchange& exchange, std::vector<bool>& heads) {
  check_request(exchange.request());
  heads.push_back(exchange.request().method == "HEAD");
  Response response;
  response.body = exchange.request().body;
  auto sent = co_await exchange.respond(std::move(response));
  require(sent.has_value());
}

asio::awaitable<void> stream(Exchange& exchange) {
  check_request(exchange.request());
  auto begun = exchange.begin(Response());
  require(begun.has_value());
  for (int i = 0; i < 3; ++i) {
    auto written = co_await exchange.write(exchange.request().body);
    require(written.has_value());
  }
  auto finished = co_await exchange.finish();
  require(finished.has_value());
}

asio::awaitable<void> fail(Exchange& exchange) {
  check_request(exchange.request());
  auto refused = co_await exchange.respond(Response{.status = 999, .content_type = "", .body = "", .headers = {}});
  require(!refused);
}

// Removes a prefix of `text` up to and with `end`.
std::string_view take_to(std::string_view& text, std::string_view end) {
  const std::size_t at = text.find(end);
  require(at != std::string_view::npos);
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(at + end.size());
  return taken;
}

// The answers of the server that echoes: a status line, a length, and that much; nothing behind the head where HEAD was
// asked. One more may follow those of the handler: a refusal.
void check_answers(std::string_view text, const std::vector<bool>& handled_heads) {
  std::size_t answered = 0;
  while (!text.empty()) {
    require(text.starts_with("HTTP/1.1 "));
    const std::string_view head = take_to(text, "\r\n\r\n");
    if (head == "HTTP/1.1 100 Continue") continue;
    std::string_view length = head;
    take_to(length, "\r\nContent-Length: ");
    std::size_t bytes = 0;
    std::from_chars(length.data(), length.data() + length.size(), bytes);
    const bool is_refusal = answered == handled_heads.size();
    if (is_refusal && text.empty()) return;  // of HEAD
    if (is_refusal || !handled_heads[answered++]) {
      require(text.size() >= bytes);
      text.remove_prefix(bytes);
    }
    require(!is_refusal || text.empty());
  }
  require(answered == handled_heads.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::size_t step = data[0] == 0 ? input.size() + 1 : data[0];
  asio::io_context context(1);
  auto service = std::make_shared<Service>();
  service->limits.header_bytes = 512;
  service->limits.body_bytes = 1024;
  std::vector<bool> heads;
  const bool echoes = data[1] % 3 == 0;
  service->handler = data[1] % 3 == 1 ? stream : fail;
  if (echoes) service->handler = [&heads](Exchange& exchange) { return echo(exchange, heads); };
  Stream client(context);
  Stream server(context);
  client.connect(server);
  const auto local = data[1] >= 128 ? std::optional<std::string>("127.0.0.1") : std::nullopt;
  auto connection = std::make_shared<Connection>(
      context.get_executor(), service, std::make_unique<StreamTransport<Stream>>(std::move(server)), Peer(), local);
  bool is_over = false;
  asio::co_spawn(context, Connection::serve(connection), [&](const std::exception_ptr& failure) {
    require(!failure);
    is_over = true;
  });
  for (std::size_t at = 0; at < input.size(); at += step) {
    const std::string_view part = input.substr(at, step);
    boost::system::error_code ec;
    client.write_some(asio::const_buffer(part.data(), part.size()), ec);
    context.poll();
    context.restart();
  }
  client.close();
  context.poll();
  require(is_over);
  require(service->all_bodies_bytes == 0);
  if (echoes) check_answers(std::string_view(client.str().data(), client.str().size()), heads);
  return 0;
}
