#include "bridge/progtc/client.h"

#include <sys/un.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <deque>
#include <exception>
#include <limits>
#include <memory>
#include <set>
#include <unordered_set>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

#include "bridge/http/sse.h"
#include "bridge/json.h"
#include "bridge/utf8.h"

namespace progtc::bridge {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace errc = boost::system::errc;
using Clock = std::chrono::steady_clock;
constexpr auto use_result = asio::as_tuple(asio::use_awaitable);

constexpr std::size_t kReadBytes = 16UL << 10;
constexpr std::size_t kMaxUnparsed = 256UL << 10;  // a header, or what surrounds a chunk
constexpr std::size_t kMaxHeaderBytes = 64UL << 10;
constexpr std::size_t kMaxAnswerBytes = 64UL << 10;  // of answers that are no event stream
constexpr std::size_t kMaxErrorText = 64UL << 10;
constexpr std::size_t kMaxMessageKeys = 64;
constexpr std::size_t kMaxIdBytes = 128;
constexpr std::size_t kMaxDenials = 1000;

Error failed(errc::errc_t code, std::string context) { return Error{errc::make_error_code(code), std::move(context)}; }

Error from_code(boost::system::error_code code, const std::string& attempted) {
  if (code == beast::error::timeout) code = errc::make_error_code(errc::timed_out);
  return Error{code, attempted + ": " + code.message()};
}

// --- the stream of bytes

// A socket, with or without TLS. One operation at a time.
class Transport {
 public:
  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;
  virtual void expires_at(Clock::time_point deadline) = 0;
  virtual asio::awaitable<Result<std::size_t>> read_some(asio::mutable_buffer buffer) = 0;  // 0: the end
  virtual asio::awaitable<Result<void>> write(std::string_view bytes) = 0;
  // Ends the operation under way, too.
  virtual void close() = 0;
};

using SocketStream = beast::basic_stream<asio::generic::stream_protocol>;
using TlsStream = asio::ssl::stream<SocketStream>;

template <typename Stream>
class StreamTransport final : public Transport {
 public:
  explicit StreamTransport(Stream stream) : stream_(std::move(stream)) {}

  void expires_at(Clock::time_point deadline) override { beast::get_lowest_layer(stream_).expires_at(deadline); }

  asio::awaitable<Result<std::size_t>> read_some(asio::mutable_buffer buffer) override {
    auto [ec, count] = co_await stream_.async_read_some(buffer, use_result);
    // Without TLS's own goodbye the end is still the end: what had to come says whether it was too early.
    if (ec == asio::error::eof || ec == asio::ssl::error::stream_truncated) co_return std::size_t{0};
    if (ec) co_return from_code(ec, "read");
    co_return count;
  }

  asio::awaitable<Result<void>> write(std::string_view bytes) override {
    auto [ec, count] = co_await asio::async_write(stream_, asio::buffer(bytes.data(), bytes.size()), use_result);
    if (ec) co_return from_code(ec, "write");
    co_return Result<void>{};
  }

  void close() override { beast::get_lowest_layer(stream_).close(); }

 private:
  Stream stream_;
};

asio::awaitable<Result<std::vector<asio::generic::stream_protocol::endpoint>>> resolve(asio::any_io_executor executor,
                                                                                       const ServerAddress& address) {
  std::vector<asio::generic::stream_protocol::endpoint> endpoints;
  if (address.kind == ServerAddress::Kind::kUnix) {
    endpoints.emplace_back(asio::local::stream_protocol::endpoint(address.socket_path));
    co_return endpoints;
  }
  boost::system::error_code not_literal;
  const auto literal = asio::ip::make_address(address.host, not_literal);
  if (!not_literal) {
    endpoints.emplace_back(asio::ip::tcp::endpoint(literal, address.port));
    co_return endpoints;
  }
  asio::ip::tcp::resolver resolver(executor);
  const std::string port = std::to_string(address.port);
  auto [ec, found] = co_await resolver.async_resolve(address.host, port, use_result);
  if (ec) co_return from_code(ec, "look up '" + address.host + "'");
  for (const auto& entry : found) endpoints.emplace_back(entry.endpoint());
  co_return endpoints;
}

asio::awaitable<Result<std::unique_ptr<Transport>>> start_tls(SocketStream socket, const ServerAddress& address,
                                                              const ClientOptions& options) {
  using Transports = Result<std::unique_ptr<Transport>>;
  boost::system::error_code ec;
  asio::ssl::context context(asio::ssl::context::tls_client);
  context.set_options(
      asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1, ec);
  if (!ec) context.set_default_verify_paths(ec);
  if (ec) co_return from_code(ec, "set up TLS");
  if (!options.ca_file.empty()) context.load_verify_file(options.ca_file, ec);
  if (ec) co_return from_code(ec, "read certificates from '" + options.ca_file + "'");
  TlsStream stream(std::move(socket), context);  // keeps what it needs of the context
  stream.set_verify_mode(asio::ssl::verify_peer, ec);
  if (!ec) stream.set_verify_callback(asio::ssl::host_name_verification(address.host), ec);
  if (ec) co_return from_code(ec, "set up TLS");
  boost::system::error_code not_literal;
  (void)asio::ip::make_address(address.host, not_literal);
  // RFC 6066 section 3: no literal addresses in SNI.
  if (not_literal && SSL_set_tlsext_host_name(stream.native_handle(), address.host.c_str()) != 1)
    co_return failed(errc::not_enough_memory, "set up TLS: the host's name");
  auto [handshake] = co_await stream.async_handshake(asio::ssl::stream_base::client, use_result);
  if (handshake) co_return from_code(handshake, "TLS");
  co_return Transports(std::make_unique<StreamTransport<TlsStream>>(std::move(stream)));
}

asio::awaitable<Result<std::unique_ptr<Transport>>> connect(asio::any_io_executor executor,
                                                            const ServerAddress& address,
                                                            const ClientOptions& options) {
  using Transports = Result<std::unique_ptr<Transport>>;
  auto endpoints = co_await resolve(executor, address);
  if (!endpoints) co_return endpoints.error();
  Error last = failed(errc::host_unreachable, "the name has no address");
  for (const auto& endpoint : *endpoints) {
    SocketStream socket(executor);
    socket.expires_after(options.connect_timeout);
    auto [ec] = co_await socket.async_connect(endpoint, use_result);
    if (ec) {
      last = from_code(ec, "connect");
      continue;
    }
    if (address.kind != ServerAddress::Kind::kUnix) {
      boost::system::error_code ignored;  // a socket without it is slower, no more
      socket.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
    }
    if (address.kind != ServerAddress::Kind::kHttps)
      co_return Transports(std::make_unique<StreamTransport<SocketStream>>(std::move(socket)));
    auto secured = co_await start_tls(std::move(socket), address, options);
    co_return secured;
  }
  co_return last;
}

// --- HTTP

struct Head {
  unsigned status = 0;
  std::string content_type;
};

// One connection, for requests one after another. Deadlines: `idle_timeout` for every wait, `end` for all.
class Connection {
 public:
  Connection(asio::any_io_executor executor, const ServerAddress& address, const ClientOptions& options,
             Clock::time_point end)
      : executor_(std::move(executor)), address_(address), options_(options), end_(end) {}

  bool is_open() const { return transport_ != nullptr && !is_closed_; }

  // Ends the operation under way. The connection is of no further use.
  void close() {
    is_closed_ = true;
    if (transport_) transport_->close();
  }

  // For the next request on a new connection.
  void drop() {
    if (transport_) transport_->close();
    transport_.reset();
  }

  // Sends a request, connecting before it where there is no connection, and reads the answer's head.
  asio::awaitable<Result<Head>> request(std::string text) {
    if (is_closed_) co_return failed(errc::operation_canceled, "the connection is closed");
    if (!transport_) {
      auto connected = co_await connect(executor_, address_, options_);
      if (!connected) co_return connected.error();
      if (is_closed_) co_return failed(errc::operation_canceled, "the connection is closed");
      transport_ = std::move(*connected);
      unparsed_.clear();
    }
    parser_.emplace();
    parser_->header_limit(kMaxHeaderBytes);
    parser_->body_limit(boost::none);  // what reads the body bounds it
    set_deadline();
    auto written = co_await transport_->write(text);
    // A server that refuses a large body may answer without having read it all: the answer says more than EPIPE.
    const bool is_cut = !written;
    if (is_cut && written.error().code == errc::timed_out) co_return written.error();
    while (!parser_->is_header_done()) {
      if (auto parsed = parse(); !parsed) co_return parsed.error();
      if (parser_->is_header_done()) break;
      auto more = co_await fill();
      if (!more) co_return is_cut ? written.error() : more.error();
      if (!*more) co_return failed(errc::connection_aborted, "the server closed the connection without an answer");
    }
    const auto& message = parser_->get();
    co_return Head{message.result_int(), std::string(message[http::field::content_type])};
  }

  // The next bytes of the body, into `buffer`; 0 at its end.
  asio::awaitable<Result<std::size_t>> read_body(asio::mutable_buffer buffer) {
    for (;;) {
      if (parser_->is_done()) co_return std::size_t{0};
      if (unparsed_.size() > 0) {
        auto& body = parser_->get().body();
        body.data = buffer.data();
        body.size = buffer.size();
        const std::size_t before = unparsed_.size();
        if (auto parsed = parse(); !parsed) co_return parsed.error();
        if (const std::size_t count = buffer.size() - body.size; count > 0) co_return count;
        if (unparsed_.size() != before) continue;
      }
      auto more = co_await fill();
      if (!more) co_return more.error();
      if (*more) continue;
      boost::system::error_code ec;
      parser_->put_eof(ec);
      if (ec) co_return failed(errc::connection_aborted, "the server closed the connection within its answer");
      co_return std::size_t{0};
    }
  }

  // The rest of the body, where it is short; what is beyond `max_bytes` is left unread and the connection dropped.
  asio::awaitable<Result<std::string>> read_short_body(std::size_t max_bytes) {
    std::string body;
    std::array<char, 4096> part{};
    for (;;) {
      auto count = co_await read_body(asio::buffer(part));
      if (!count) co_return count.error();
      if (*count == 0) break;
      body.append(part.data(), std::min(*count, max_bytes - body.size()));
      if (body.size() == max_bytes) {
        drop();
        co_return body;
      }
    }
    if (!parser_->keep_alive()) drop();
    co_return body;
  }

 private:
  void set_deadline() { transport_->expires_at(std::min(Clock::now() + options_.idle_timeout, end_)); }

  // Parses what is there; that more is needed is no error.
  Result<void> parse() {
    if (unparsed_.size() == 0) return {};
    boost::system::error_code ec;
    const std::size_t used = parser_->put(unparsed_.data(), ec);
    unparsed_.consume(used);
    if (ec && ec != http::error::need_more && ec != http::error::need_buffer)
      return failed(errc::protocol_error, "the server's answer is not HTTP: " + ec.message());
    return {};
  }

  // Reads more; false at the end of the connection.
  asio::awaitable<Result<bool>> fill() {
    if (unparsed_.size() + kReadBytes > kMaxUnparsed)
      co_return failed(errc::protocol_error, "the server's answer is not HTTP: too much between two chunks");
    set_deadline();
    auto count = co_await transport_->read_some(unparsed_.prepare(kReadBytes));
    if (!count) co_return count.error();
    unparsed_.commit(*count);
    co_return *count > 0;
  }

  asio::any_io_executor executor_;
  const ServerAddress& address_;
  const ClientOptions& options_;
  Clock::time_point end_;
  std::unique_ptr<Transport> transport_;
  bool is_closed_ = false;
  beast::flat_buffer unparsed_{kMaxUnparsed};
  std::optional<http::response_parser<http::buffer_body>> parser_;
};

bool fits_header(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

std::string post_text(const ServerAddress& address, const ClientOptions& options, const char* path,
                      std::string_view body) {
  const bool is_ipv6 = address.host.find(':') != std::string::npos;
  std::string host = address.kind == ServerAddress::Kind::kUnix ? "localhost"
                     : is_ipv6                                  ? "[" + address.host + "]"
                                                                : address.host;
  if (address.port != 0) host += ":" + std::to_string(address.port);
  std::string text = "POST " + address.base_path + path + " HTTP/1.1\r\nHost: " + host +
                     "\r\nUser-Agent: progtc-run/" PROGTC_VERSION
                     "\r\nAccept: text/event-stream, application/json\r\nContent-Type: application/json\r\n"
                     "X-Progtc-Wire: a\r\n";  // whose stderr is the code's alone
  // Either revision's server finds its header.
  if (!options.api_key.empty())
    text += "X-Progtc-API-Key: " + options.api_key + "\r\nAuthorization: Bearer " + options.api_key + "\r\n";
  text += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  return text.append(body);
}

// --- messages

// The members of a message, by what is expected of them.
class Message {
 public:
  static Result<Message> open(std::string_view text) {
    auto members = split_object(text, kMaxMessageKeys);
    if (!members) return failed(errc::protocol_error, "malformed message: " + members.error().context);
    return Message(std::move(*members));
  }

  std::optional<std::string_view> find(std::string_view key, JsonKind kind) const {
    for (const JsonMember& member : members_) {
      if (member.key == key && kind_of(member.value) == kind) return member.value;
    }
    return std::nullopt;
  }
  std::optional<std::string> string(std::string_view key) const {
    const auto value = find(key, JsonKind::kString);
    if (!value) return std::nullopt;
    return decode_string(*value);
  }
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t least, std::int64_t most) const {
    const auto value = find(key, JsonKind::kNumber);
    const auto number = value ? decode_integer(*value) : std::nullopt;
    return number && *number >= least && *number <= most ? number : std::nullopt;
  }
  std::chrono::microseconds milliseconds(std::string_view key) const {
    const auto value = find(key, JsonKind::kNumber);
    double number = 0;
    if (!value || std::from_chars(value->data(), value->data() + value->size(), number).ec != std::errc{}) return {};
    constexpr double kMost = 1e12;
    if (!(number > 0) || number > kMost) return {};
    return std::chrono::microseconds(std::llround(number * 1000.0));
  }
  Result<std::string> require_string(const char* key) const {
    auto text = string(key);
    if (!text) return failed(errc::protocol_error, std::string("malformed message: no string '") + key + "'");
    return std::move(*text);
  }
  // A member that is an object; an empty one where there is none.
  Message object(std::string_view key) const {
    const auto value = find(key, JsonKind::kObject);
    auto members = value ? split_object(*value, kMaxMessageKeys) : Result<std::vector<JsonMember>>();
    return Message(members ? std::move(*members) : std::vector<JsonMember>());
  }
  const std::vector<JsonMember>& members() const { return members_; }

 private:
  explicit Message(std::vector<JsonMember> members) : members_(std::move(members)) {}
  std::vector<JsonMember> members_;
};

// The ending that the type of a final message means; nothing for all other messages.
std::optional<Ending> ending_named(std::string_view type, const Message& message) {
  if (type == "success") return Ending::kSuccess;
  if (type == "syntax_error") return Ending::kSyntaxError;
  if (type == "runtime_error") return Ending::kRuntimeError;
  if (type == "timeout_error") return Ending::kTimeout;
  if (type != "error") return std::nullopt;
  const std::string code = message.string("code").value_or(std::string());
  if (code == "code_compilation_error") return Ending::kSyntaxError;
  if (code == "code_timeout_error") return Ending::kTimeout;
  return Ending::kRuntimeError;
}

Result<RemoteOutcome> decode_final(Ending ending, const Message& message) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  RemoteOutcome outcome;
  outcome.ending = ending;
  PROGTC_TRY(outcome.out, message.require_string("stdout"));
  PROGTC_TRY(outcome.err, message.require_string("stderr"));
  outcome.message = message.string("message").value_or(std::string());
  outcome.run_id = message.string("run_id").value_or(std::string());
  const Message exit = message.object("exit");
  outcome.exit_kind = exit.string("kind").value_or(std::string());
  if (const auto code = exit.integer("code", 0, 255)) outcome.exit_code = static_cast<int>(*code);
  if (const auto signal = exit.integer("signal", 1, 127)) outcome.signal = static_cast<int>(*signal);
  outcome.cause = exit.string("cause").value_or(std::string());
  const Message usage = message.object("usage");
  outcome.usage.wall = usage.milliseconds("wall_ms");
  outcome.usage.cpu = usage.milliseconds("cpu_ms");
  outcome.usage.memory_peak_bytes =
      static_cast<std::uint64_t>(usage.integer("memory_peak_bytes", 0, kMost).value_or(0));
  outcome.usage.tool_calls = static_cast<std::uint64_t>(usage.integer("tool_calls", 0, kMost).value_or(0));
  if (const auto truncated = message.find("truncated", JsonKind::kBoolean))
    outcome.is_truncated = truncated->front() == 't';
  if (const auto denials = message.find("denials", JsonKind::kArray)) {
    const auto items = split_array(*denials, kMaxDenials);
    if (!items) return failed(errc::protocol_error, "malformed message: denials: " + items.error().context);
    for (const std::string_view item : *items) {
      PROGTC_TRY(const Message one, Message::open(item));
      outcome.denials.push_back({one.string("call").value_or(std::string()), one.string("rule").value_or(std::string()),
                                 one.string("fix").value_or(std::string()),
                                 static_cast<std::uint64_t>(one.integer("count", 1, kMost).value_or(1))});
    }
  }
  for (const JsonMember& member : message.members()) {
    if (member.key == "value" && kind_of(member.value) != JsonKind::kNull)
      outcome.value = Json{std::string(member.value)};
  }
  return outcome;
}

// What a server says in an answer that is no event stream.
std::string detail_of(const std::string& body) {
  std::string text = body;
  if (const auto members = split_object(body, kMaxMessageKeys)) {
    for (const JsonMember& member : *members) {
      if (member.key != "detail") continue;
      text = kind_of(member.value) == JsonKind::kString ? decode_string(member.value) : std::string(member.value);
    }
  }
  return printable(shorten_utf8(to_utf8(text), 500), 600);
}

Error refusal(unsigned status, const std::string& body) {
  const std::string answered = " (" + std::to_string(status) + ")";
  if (status == 401 || status == 403)
    return failed(errc::permission_denied, "the server refused the API key" + answered);
  if (status == 404)
    return failed(errc::protocol_error, "nothing is at /execute-code there" + answered + ": is it a progtc server?");
  const errc::errc_t code = status == 422                    ? errc::invalid_argument
                            : status == 429 || status == 503 ? errc::resource_unavailable_try_again
                                                             : errc::protocol_error;
  const std::string detail = detail_of(body);
  return failed(code, "the server answered " + std::to_string(status) + (detail.empty() ? "" : ": " + detail));
}

// --- one execution

// What coroutines wait on for a change that another one makes; the waiter looks at the state first.
class Wakeup {
 public:
  explicit Wakeup(const asio::any_io_executor& executor) : timer_(executor, Clock::time_point::max()) {}
  void notify() { timer_.cancel(); }
  asio::awaitable<void> wait() { (void)co_await timer_.async_wait(use_result); }

 private:
  asio::steady_timer timer_;
};

// Shared by the reader of events, the calls and the poster of results, so that none outlives what it uses.
class Execution : public std::enable_shared_from_this<Execution> {
 public:
  Execution(asio::any_io_executor executor, ServerAddress address, ClientOptions options, ExecuteRequest request,
            ToolHost& tools, RemoteOutput output)
      : executor_(std::move(executor)),
        address_(std::move(address)),
        options_(std::move(options)),
        request_(std::move(request)),
        offered_(request_.tool_names.begin(), request_.tool_names.end()),
        tools_(tools),
        output_(std::move(output)),
        events_(executor_, address_, options_, Clock::now() + options_.total_timeout),
        posts_(executor_, address_, options_, Clock::now() + options_.total_timeout),
        poster_wakeup_(executor_),
        idle_(executor_) {}

  static asio::awaitable<Result<RemoteOutcome>> run(std::shared_ptr<Execution> self) {
    // Cancellation is looked at, not thrown: the calls under way have to be waited for.
    co_await asio::this_coro::throw_if_cancelled(false);
    auto outcome = co_await self->converse();
    const auto state = co_await asio::this_coro::cancellation_state;
    const bool is_cancelled = state.cancelled() != asio::cancellation_type::none;
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    self->end();
    while (self->busy_ > 0) co_await self->idle_.wait();
    if (is_cancelled) co_return self->named(failed(errc::operation_canceled, "cancelled"));
    // What ended the events from outside says more than that they ended.
    if (!outcome) co_return self->named(self->failure_ ? *self->failure_ : outcome.error());
    outcome->streamed_bytes = self->streamed_bytes_;
    outcome->late_results = self->late_results_;
    co_return outcome;
  }

 private:
  struct LiveCall {
    std::string execution_id;
    std::string id;
    asio::cancellation_signal cancel;
    bool is_answered = false;
  };
  using LiveCallPtr = std::shared_ptr<LiveCall>;

  Error named(const Error& error) const { return with_context(address_.text, error); }

  asio::awaitable<Result<RemoteOutcome>> converse() {
    if (!fits_header(options_.api_key))
      co_return failed(errc::invalid_argument, "the API key holds characters that do not fit a header");
    request_.stream = true;
    const std::string body = encode_execute_request(request_);
    std::string text = post_text(address_, options_, "/execute-code", body);
    auto head = co_await events_.request(std::move(text));
    if (!head) co_return head.error();
    if (head->status != 200) {
      auto answer = co_await events_.read_short_body(kMaxAnswerBytes);
      co_return refusal(head->status, answer ? *answer : std::string());
    }
    if (!head->content_type.starts_with("text/event-stream"))
      co_return failed(errc::protocol_error,
                       "the server answered with '" + printable(head->content_type) + "' instead of an event stream");
    bridge::http::SseParser parser(options_.max_event_bytes);
    std::vector<char> buffer(kReadBytes);
    for (;;) {
      auto count = co_await events_.read_body(asio::buffer(buffer));
      const bool is_cut =
          !count && (count.error().code == errc::connection_aborted || count.error().code == errc::connection_reset);
      if (!count && !is_cut) co_return count.error();
      if (is_cut || *count == 0)
        co_return failed(errc::connection_aborted, "the server closed the stream before the final message");
      std::string_view bytes(buffer.data(), *count);
      for (;;) {
        auto event = parser.next(bytes);
        if (!event) co_return event.error();
        if (!event->has_value()) break;
        auto final_one = take((*event)->data);
        if (!final_one) co_return final_one.error();
        if (final_one->has_value()) co_return std::move(**final_one);
      }
    }
  }

  // One message. Returns the outcome once it is the final one.
  Result<std::optional<RemoteOutcome>> take(const std::string& data) {
    PROGTC_TRY(const Message message, Message::open(data));
    PROGTC_TRY(const std::string type, message.require_string("type"));
    if (type == "tool_call") {
      PROGTC_CHECK(take_call(message));
    } else if (type == "stdout" || type == "stderr") {
      PROGTC_TRY(const std::string text, message.require_string("data"));
      const auto& callback = type == "stdout" ? output_.on_stdout : output_.on_stderr;
      streamed_bytes_ += text.size();
      if (callback && !text.empty()) callback(text);
    } else if (const auto ending = ending_named(type, message)) {
      PROGTC_TRY(RemoteOutcome outcome, decode_final(*ending, message));
      return std::optional<RemoteOutcome>(std::move(outcome));
    }
    return std::optional<RemoteOutcome>();  // a type that is not known is for clients that know it
  }

  Result<void> take_call(const Message& message) {
    auto live = std::make_shared<LiveCall>();
    ToolCall call;
    PROGTC_TRY(live->execution_id, message.require_string("execution_id"));
    PROGTC_TRY(live->id, message.require_string("id"));
    PROGTC_TRY(call.tool, message.require_string("tool_name"));
    const auto args = message.find("args", JsonKind::kArray);
    const auto kwargs = message.find("kwargs", JsonKind::kObject);
    if (!args || !kwargs) return failed(errc::protocol_error, "malformed message: a call without args or kwargs");
    if (live->execution_id.size() > kMaxIdBytes || live->id.size() > kMaxIdBytes)
      return failed(errc::protocol_error,
                    "malformed message: an id of more than " + std::to_string(kMaxIdBytes) + " bytes");
    // Results that nobody fetches fill memory as calls do.
    if (live_.size() + results_.size() >= options_.max_pending_calls)
      return failed(errc::protocol_error,
                    "the server sent more than " + std::to_string(options_.max_pending_calls) + " calls at one time");
    if (!offered_.contains(call.tool)) {
      answer(live, ToolFailure{"ToolNotFoundError", "no tool '" + printable(call.tool) + "'"});
      return {};
    }
    call.id = live->id;
    call.args = Json{std::string(*args)};
    call.kwargs = Json{std::string(*kwargs)};
    call.timeout = options_.tool_timeout;
    ++busy_;
    live_.insert(live);
    asio::co_spawn(executor_, run_call(shared_from_this(), live, std::move(call)),
                   asio::bind_cancellation_slot(live->cancel.slot(),
                                                [self = shared_from_this(), live](const std::exception_ptr& failure) {
                                                  self->call_ended(live, failure);
                                                }));
    return {};
  }

  static asio::awaitable<void> run_call(std::shared_ptr<Execution> self, LiveCallPtr live, ToolCall call) {
    auto result = co_await self->tools_.call(std::move(call));
    if (result) {
      self->answer(live, std::move(*result));
    } else {
      self->answer(live, tool_failure_of(result.error()));
    }
  }

  void call_ended(const LiveCallPtr& live, const std::exception_ptr& failure) {
    if (!live->is_answered) {
      std::string what = "the call was cancelled";
      try {
        if (failure) std::rethrow_exception(failure);
      } catch (const std::exception& error) {
        what = std::string("the tool host failed: ") + error.what();
      } catch (...) {
        what = "the tool host failed";
      }
      answer(live, ToolFailure{"ToolCallError", std::move(what)});
    }
    live_.erase(live);
    ended_one();
  }

  void answer(const LiveCallPtr& live, std::variant<Json, ToolFailure> outcome) {
    live->is_answered = true;
    if (is_over_) return;
    if (auto* failure = std::get_if<ToolFailure>(&outcome)) {
      if (!is_tool_error_type(failure->type)) failure->type = "ToolCallError";
      failure->message = shorten_utf8(to_utf8(failure->message), kMaxErrorText);
    }
    results_.push_back({live->execution_id, live->id, std::move(outcome)});
    if (!std::exchange(has_poster_, true)) {
      ++busy_;
      asio::co_spawn(executor_, post_results(shared_from_this()),
                     asio::bind_cancellation_slot(poster_cancel_.slot(),
                                                  [self = shared_from_this()](const std::exception_ptr& failure) {
                                                    if (failure)
                                                      self->fail(failed(errc::io_error, "posting results failed"));
                                                    self->ended_one();
                                                  }));
    }
    poster_wakeup_.notify();
  }

  static asio::awaitable<void> post_results(std::shared_ptr<Execution> self) {
    while (!self->is_over_) {
      if (self->results_.empty()) {
        co_await self->poster_wakeup_.wait();
        continue;
      }
      ToolResultRequest result = std::move(self->results_.front());
      self->results_.pop_front();
      auto posted = co_await self->post(std::move(result));
      if (!posted) self->fail(with_context("post a tool's result", posted.error()));
    }
  }

  asio::awaitable<Result<void>> post(ToolResultRequest result) {
    auto status = co_await post_once(result);
    if (!status) co_return status.error();
    const bool is_refused = *status != 200 && *status != 404 && *status != 409;
    if (is_refused && std::holds_alternative<Json>(result.outcome)) {
      // The code gets an error instead of waiting for its timeout; a result that is too large is such a case.
      const std::string what = "the server refused the result (" + std::to_string(*status) + ")";
      result.outcome = ToolFailure{"ResultRefused", what};
      status = co_await post_once(result);
      if (!status) co_return status.error();
    }
    if (*status == 404 || *status == 409) {
      ++late_results_;  // the call has timed out, or the execution is over: nobody waits for it
    } else if (*status != 200) {
      co_return refusal(*status, "");
    }
    co_return Result<void>{};
  }

  asio::awaitable<Result<unsigned>> post_once(const ToolResultRequest& result) {
    const std::string text = post_text(address_, options_, "/tool-results", encode_tool_result(result));
    const bool was_open = posts_.is_open();
    auto head = co_await posts_.request(text);
    if (!head && was_open && !is_over_) {
      // The server may have closed an idle connection. Should it have read the result all the same, it answers 409.
      posts_.drop();
      head = co_await posts_.request(text);
    }
    if (!head) co_return head.error();
    auto body = co_await posts_.read_short_body(kMaxAnswerBytes);
    if (!body) co_return body.error();
    co_return head->status;
  }

  // Ends the execution for what went wrong beside the stream of events.
  void fail(Error error) {
    if (is_over_) return;
    failure_ = std::move(error);
    end();
  }

  void end() {
    if (std::exchange(is_over_, true)) return;
    results_.clear();
    events_.close();
    posts_.close();
    poster_wakeup_.notify();
    poster_cancel_.emit(asio::cancellation_type::terminal);  // it may be connecting
    // A copy: a tool host may end its call at once, and that changes live_.
    const std::vector<LiveCallPtr> calls(live_.begin(), live_.end());
    for (const LiveCallPtr& live : calls) live->cancel.emit(asio::cancellation_type::terminal);
  }

  void ended_one() {
    --busy_;
    if (busy_ == 0) idle_.notify();
  }

  asio::any_io_executor executor_;
  ServerAddress address_;
  ClientOptions options_;
  ExecuteRequest request_;
  std::set<std::string, std::less<>> offered_;
  ToolHost& tools_;
  RemoteOutput output_;
  Connection events_;
  Connection posts_;

  bool is_over_ = false;
  std::optional<Error> failure_;
  std::unordered_set<LiveCallPtr> live_;
  std::deque<ToolResultRequest> results_;
  bool has_poster_ = false;
  std::uint64_t busy_ = 0;  // coroutines besides the reader
  std::uint64_t streamed_bytes_ = 0;
  std::uint64_t late_results_ = 0;
  asio::cancellation_signal poster_cancel_;
  Wakeup poster_wakeup_;
  Wakeup idle_;
};

Error bad_address(std::string_view text, const char* what) {
  return failed(errc::invalid_argument, "'" + printable(text) + "': " + what);
}

}  // namespace

Result<ServerAddress> parse_server_address(std::string_view text) {
  ServerAddress address;
  address.text = printable(text, 500);
  std::string_view rest = text;
  const auto take = [&](std::string_view prefix) {
    if (!rest.starts_with(prefix)) return false;
    rest.remove_prefix(prefix.size());
    return true;
  };
  if (take("unix:")) {
    (void)take("//");
    address.kind = ServerAddress::Kind::kUnix;
    if (rest.empty()) return bad_address(text, "no path of a socket");
    if (rest.size() >= sizeof(sockaddr_un::sun_path)) return bad_address(text, "the path of the socket is too long");
    if (rest.find('\0') != std::string_view::npos) return bad_address(text, "the path of the socket holds a NUL");
    address.socket_path = rest;
    return address;
  }
  if (take("https://")) {
    address.kind = ServerAddress::Kind::kHttps;
  } else if (!take("http://")) {
    return bad_address(text, "expected http://, https:// or unix:");
  }
  address.port = address.kind == ServerAddress::Kind::kHttps ? 443 : 80;
  if (!fits_header(rest) || rest.find_first_of("?#@\\") != std::string_view::npos)
    return bad_address(text, "only a host, a port and a path can be given");
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  address.base_path = rest.substr(slash);
  while (address.base_path.ends_with('/')) address.base_path.pop_back();
  std::string_view authority = rest.substr(0, slash);
  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) return bad_address(text, "no ']'");
    address.host = authority.substr(1, close - 1);
    port = authority.substr(close + 1);
  } else {
    const std::size_t colon = std::min(authority.find(':'), authority.size());
    address.host = authority.substr(0, colon);
    port = authority.substr(colon);
  }
  if (address.host.empty()) return bad_address(text, "no host");
  if (port.empty()) return address;
  const auto parsed = std::from_chars(port.data() + 1, port.data() + port.size(), address.port);
  if (port.front() != ':' || parsed.ec != std::errc{} || parsed.ptr != port.data() + port.size() || address.port == 0)
    return bad_address(text, "the port is not a number in 1..65535");
  return address;
}

asio::awaitable<Result<RemoteOutcome>> execute_remotely(asio::any_io_executor executor, ServerAddress address,
                                                        ClientOptions options, ExecuteRequest request, ToolHost& tools,
                                                        RemoteOutput output) {
  auto execution = std::make_shared<Execution>(executor, std::move(address), std::move(options), std::move(request),
                                               tools, std::move(output));
  // A coroutine chain of its own: a caller that is cancelled waits for it to clean up.
  co_return co_await asio::co_spawn(executor, Execution::run(execution), asio::use_awaitable);
}

}  // namespace progtc::bridge
