#include "bridge/http/connection.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <exception>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/system/errc.hpp>

#include "bridge/http/host_check.h"
#include "bridge/http/request_parser.h"
#include "bridge/utf8.h"

namespace progtc::bridge::http {
namespace {

namespace asio = boost::asio;
namespace errc = boost::system::errc;

constexpr std::size_t kReadBytes = 16UL * 1024;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";  // RFC 9110, section 5.6.2
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

bool is_field_value(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7F;
  });
}

Result<void> check_head(const Response& response) {
  constexpr std::array<std::string_view, 4> kOurs{"Content-Length", "Transfer-Encoding", "Connection", "Date"};
  const auto invalid = [](std::string what) {
    return Error{errc::make_error_code(errc::invalid_argument), "response: " + std::move(what)};
  };
  if (response.status < 200 || response.status > 599) return invalid("status " + std::to_string(response.status));
  if (!is_field_value(response.content_type)) return invalid("control character in Content-Type");
  for (const auto& [name, value] : response.headers) {
    if (!is_token(name)) return invalid("'" + printable(name) + "' is no header name");
    if (!is_field_value(value)) return invalid("control character in " + name);
    for (const std::string_view ours : kOurs) {
      if (equals_ignoring_case(name, ours)) return invalid(name + " is the server's to set");
    }
  }
  return {};
}

bool may_have_body(unsigned status) { return status != 204 && status != 304; }

// RFC 9110, section 5.6.7; strftime would follow the process's locale.
std::string date_text() {
  constexpr std::array<const char*, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<const char*, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  if (::gmtime_r(&now, &utc) == nullptr) return {};  // a year that does not fit
  const auto two = [](int number) { return std::to_string(100 + number).substr(1); };
  return std::string(kDays.at(static_cast<std::size_t>(utc.tm_wday))) + ", " + two(utc.tm_mday) + " " +
         kMonths.at(static_cast<std::size_t>(utc.tm_mon)) + " " + std::to_string(1900 + utc.tm_year) + " " +
         two(utc.tm_hour) + ":" + two(utc.tm_min) + ":" + two(utc.tm_sec) + " GMT";
}

std::string hex(std::size_t number) {
  std::array<char, 20> text{};
  const int length = std::snprintf(text.data(), text.size(), "%zx\r\n", number);
  return {text.data(), static_cast<std::size_t>(length)};
}

asio::const_buffer buffer_of(std::string_view text) { return {text.data(), text.size()}; }

std::string words_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception of no known type";
  }
}

Response overloaded(std::string_view detail) {
  Response response = error_response(503, detail);
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

}  // namespace

asio::awaitable<void> Wakeup::wait_until(std::chrono::steady_clock::time_point deadline) {
  timer_.expires_at(deadline);
  (void)co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
}

// The share of one request in what all bodies may hold.
class Connection::BodyHold {
 public:
  explicit BodyHold(Service& service) : service_(service) {}
  BodyHold(const BodyHold&) = delete;
  BodyHold& operator=(const BodyHold&) = delete;
  ~BodyHold() { service_.all_bodies_bytes -= bytes_; }

  // False above the limit.
  bool resize(std::size_t bytes) {
    service_.all_bodies_bytes = service_.all_bodies_bytes - bytes_ + bytes;
    bytes_ = bytes;
    return service_.all_bodies_bytes <= service_.limits.all_bodies_bytes;
  }

 private:
  Service& service_;
  std::size_t bytes_ = 0;
};

class Connection::Answer final : public Exchange {
 public:
  Answer(Connection& connection, Request request, bool is_http11)
      : connection_(connection), request_(std::move(request)), is_http11_(is_http11) {
    connection_.answer_ = this;
  }
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;
  ~Answer() override { connection_.answer_ = nullptr; }

  [[nodiscard]] const Request& request() const override { return request_; }

  asio::awaitable<Result<void>> respond(Response response) override {
    if (state_ != State::kNone) co_return out_of_order("respond");
    auto checked = check_head(response);
    if (!checked) co_return checked.error();
    state_ = State::kWhole;
    const bool has_body = may_have_body(response.status);
    const auto length = has_body ? std::optional(response.body.size()) : std::nullopt;
    const std::string head = connection_.head_of(response, length, is_http11_);
    const ConstBuffers buffers{buffer_of(head), buffer_of(has_body && !is_head() ? response.body : std::string_view()),
                               asio::const_buffer()};
    auto sent = co_await connection_.send(buffers);
    co_return sent;
  }

  Result<void> begin(Response head) override {
    if (state_ != State::kNone) return out_of_order("begin");
    PROGTC_CHECK(check_head(head));
    state_ = State::kBegun;
    has_body_ = may_have_body(head.status) && !is_head();
    if (has_body_ && !is_http11_) connection_.is_last_ = true;
    head_ = connection_.head_of(head, std::nullopt, is_http11_);
    if (is_http11_ && may_have_body(head.status)) head_.insert(head_.size() - 2, "Transfer-Encoding: chunked\r\n");
    return {};
  }

  asio::awaitable<Result<void>> write(std::string_view bytes) override {
    if (state_ != State::kBegun) co_return out_of_order("write");
    auto sent = co_await send(bytes, std::string_view());
    co_return sent;
  }

  asio::awaitable<Result<void>> finish(std::string_view last) override {
    if (state_ != State::kBegun) co_return out_of_order("finish");
    state_ = State::kWhole;
    const std::string_view end = has_body_ && is_http11_ ? "0\r\n\r\n" : "";
    auto sent = co_await send(last, end);
    co_return sent;
  }

  void on_disconnect(std::function<void()> callback) override {
    if (is_disconnected()) {
      if (callback) callback();
      return;
    }
    callback_ = std::move(callback);
  }
  [[nodiscard]] bool is_disconnected() const override { return connection_.has_ended_ || connection_.is_cut_; }

  void forget_callback() { callback_ = nullptr; }
  void disconnected() {
    if (auto callback = std::exchange(callback_, nullptr)) callback();
  }
  [[nodiscard]] bool has_begun() const { return state_ == State::kBegun; }
  [[nodiscard]] bool is_answered() const { return state_ == State::kWhole; }
  [[nodiscard]] std::string name() const { return printable(request_.method + " " + request_.path); }

 private:
  enum class State : std::uint8_t { kNone, kBegun, kWhole };

  // The head, if it is still here, then `bytes` as a chunk (an empty one would be the last), then `end`.
  asio::awaitable<Result<void>> send(std::string_view bytes, std::string_view end) {
    std::string front = std::exchange(head_, {});
    std::string back;
    if (!has_body_) bytes = {};
    if (!bytes.empty() && is_http11_) {
      front += hex(bytes.size());
      back = "\r\n";
    }
    back += end;
    if (front.empty() && bytes.empty() && back.empty()) co_return Result<void>();
    const ConstBuffers buffers{buffer_of(front), buffer_of(bytes), buffer_of(back)};
    auto sent = co_await connection_.send(buffers);
    co_return sent;
  }

  [[nodiscard]] bool is_head() const { return request_.method == "HEAD"; }
  static Error out_of_order(const char* what) {
    return Error{errc::make_error_code(errc::operation_not_permitted),
                 std::string(what) + ": not in this state of the answer"};
  }

  Connection& connection_;
  Request request_;
  std::function<void()> callback_;
  std::string head_;  // of a begun answer, until it is sent
  State state_ = State::kNone;
  bool is_http11_;
  bool has_body_ = false;
};

Connection::Connection(asio::any_io_executor executor, std::shared_ptr<Service> service,
                       std::unique_ptr<Transport> transport, Peer peer, std::optional<std::string> local_address)
    : executor_(std::move(executor)),
      service_(std::move(service)),
      transport_(std::move(transport)),
      peer_(std::move(peer)),
      local_address_(std::move(local_address)),
      scratch_(std::make_unique_for_overwrite<char[]>(kReadBytes)),
      read_ahead_bytes_(std::max(service_->limits.header_bytes, kReadBytes)),
      data_(executor_),
      room_(executor_),
      watchdog_(executor_) {}

asio::awaitable<void> Connection::serve(std::shared_ptr<Connection> self) {
  bool goes_on = co_await self->open();
  while (goes_on) goes_on = co_await self->exchange();
  self->end(false);
}

asio::awaitable<void> Connection::turn_away(std::shared_ptr<Connection> self) {
  const bool is_open = co_await self->open();
  if (is_open) {
    Response response = overloaded("too many connections");
    co_await self->refuse(std::move(response), false);
  }
  self->end(false);
}

asio::awaitable<bool> Connection::open() {
  arm(service_->limits.header_time);
  const auto failed = co_await transport_->handshake();
  disarm();
  if (failed || is_cut_) co_return false;
  asio::co_spawn(executor_, read_ahead(shared_from_this()),
                 [self = shared_from_this()](const std::exception_ptr& failure) {
                   if (!failure) return;
                   self->service_->log(self->peer_.name + ": reading failed: " + words_of(failure));
                   self->cut();
                 });
  co_return true;
}

// --- input

asio::awaitable<void> Connection::read_ahead(std::shared_ptr<Connection> self) {
  while (!self->is_cut_) {
    const std::size_t held = self->pending().size();
    if (held >= self->read_ahead_bytes_) {
      self->watch_for_reset();
      co_await self->room_.wait_until(Clock::time_point::max());
      continue;
    }
    const asio::mutable_buffer into(self->scratch_.get(), std::min(kReadBytes, self->read_ahead_bytes_ - held));
    const IoResult read = co_await self->transport_->read_some(into);
    if (read.code) break;
    self->take_input(read.bytes);
  }
  self->input_has_ended();
}

void Connection::take_input(std::size_t bytes) {
  arrived_ += bytes;
  if (!is_discarding_) input_.append(scratch_.get(), bytes);
  data_.notify();
}

void Connection::input_has_ended() {
  if (!std::exchange(has_ended_, true) && answer_ != nullptr) answer_->disconnected();
  data_.notify();
}

// While nothing is read, a client that has gone would go unnoticed.
void Connection::watch_for_reset() {
  if (std::exchange(is_watching_, true)) return;
  transport_->watch_for_reset([self = shared_from_this()] {
    self->is_watching_ = false;
    self->input_has_ended();
  });
}

void Connection::consume(std::size_t bytes) {
  used_ += bytes;
  if (used_ == input_.size()) {
    input_.clear();
    used_ = 0;
  } else if (used_ > input_.size() / 2) {
    input_.erase(0, used_);
    used_ = 0;
  }
  room_.notify();
}

// --- one request

asio::awaitable<bool> Connection::wait_for_request() {
  const Limits& limits = service_->limits;
  const auto patience = std::exchange(is_first_, false) ? limits.header_time
                        : is_recognised_                ? limits.idle_time
                                                        : std::min(limits.idle_time, limits.stranger_idle_time);
  const auto deadline = Clock::now() + patience;
  for (;;) {
    // Old clients end a body with a line break too many (RFC 9112, section 2.2).
    while (pending().starts_with("\r\n")) consume(2);
    if (!pending().empty() && pending() != "\r") co_return true;
    if (has_ended_ || is_cut_ || is_closing_ || Clock::now() >= deadline) co_return false;
    co_await data_.wait_until(deadline);
  }
}

// Up to the end of the header, or of the request if that is known.
asio::awaitable<Connection::Fed> Connection::feed(RequestParser& parser, BodyHold& hold, Clock::time_point deadline) {
  const bool had_header = parser.has_header();
  for (;;) {
    const std::uint64_t seen = arrived_;
    consume(parser.put(pending()));
    if (!hold.resize(parser.body_size())) co_return Fed::kTooMuch;
    if (parser.failure() || (had_header ? parser.is_complete() : parser.has_header())) co_return Fed::kEnough;
    while (arrived_ == seen) {
      if (has_ended_ || is_cut_) co_return Fed::kEnded;
      if (Clock::now() >= deadline) co_return Fed::kTimedOut;
      co_await data_.wait_until(deadline);
    }
  }
}

// True: another may follow.
asio::awaitable<bool> Connection::exchange() {
  const bool has_come = co_await wait_for_request();
  if (!has_come) co_return false;
  const Limits& limits = service_->limits;
  RequestParser parser(limits.header_bytes, limits.body_bytes);
  BodyHold hold(*service_);
  Fed fed = co_await feed(parser, hold, Clock::now() + limits.header_time);
  std::optional<Response> refusal;
  const bool has_header = fed == Fed::kEnough && !parser.failure();
  parser.request().peer = peer_;
  if (has_header && service_->recogniser && service_->recogniser(parser.request())) is_recognised_ = true;
  if (has_header && local_address_) refusal = check_host(parser.request(), *local_address_, service_->allowed_hosts);
  if (has_header && !refusal && !parser.is_complete() && service_->gate &&
      (parser.expects_continue() || parser.has_large_body()))
    refusal = service_->gate(parser.request());
  if (has_header && !refusal && !parser.is_complete()) {
    if (parser.expects_continue() && pending().empty()) {
      const ConstBuffers buffers{buffer_of(kContinue), asio::const_buffer(), asio::const_buffer()};
      auto sent = co_await send(buffers);
      if (!sent) co_return false;
    }
    fed = co_await feed(parser, hold, Clock::now() + limits.body_time);
  }
  if (fed == Fed::kEnded) co_return false;
  if (fed == Fed::kTimedOut) refusal = error_response(408, "the request did not come in time");
  if (parser.failure()) refusal = error_response(parser.failure()->status, parser.failure()->detail);
  if (fed == Fed::kTooMuch) refusal = overloaded("too much is being uploaded");
  if (refusal) {
    co_await refuse(std::move(*refusal), parser.request().method == "HEAD");
    co_return false;
  }
  is_last_ = !parser.wants_keep_alive();
  const bool goes_on = co_await handle(std::move(parser.request()), parser.is_http11());
  waiting_since_ = Clock::now();
  co_return goes_on;
}

asio::awaitable<bool> Connection::handle(Request request, bool is_http11) {
  Answer answer(*this, std::move(request), is_http11);
  std::exception_ptr failure;
  try {
    co_await service_->handler(answer);
  } catch (...) {
    failure = std::current_exception();
  }
  answer.forget_callback();  // what it refers to went with the handler
  if (failure) service_->log(answer.name() + ": the handler failed: " + words_of(failure));
  if (answer.has_begun()) {
    if (!failure && !answer.is_disconnected())
      service_->log(answer.name() + ": the handler left its answer unfinished");
    cut();
    co_return false;
  }
  if (!answer.is_answered()) {
    if (!failure && !answer.is_disconnected()) service_->log(answer.name() + ": the handler gave no answer");
    Response response = error_response(500, "internal error");
    auto sent = co_await answer.respond(std::move(response));
    if (!sent) co_return false;
  }
  if (is_cut_) co_return false;
  if (!is_last_ && !is_closing_) co_return true;
  co_await linger();
  co_return false;
}

// --- output

asio::awaitable<void> Connection::refuse(Response response, bool is_head) {
  is_last_ = true;
  const std::string head = head_of(response, response.body.size(), true);
  const std::string_view body = is_head ? std::string_view() : std::string_view(response.body);
  const ConstBuffers buffers{buffer_of(head), buffer_of(body), asio::const_buffer()};
  auto sent = co_await send(buffers);
  if (sent) co_await linger();
}

asio::awaitable<void> Connection::linger() {
  is_discarding_ = true;
  consume(pending().size());
  arm(service_->limits.linger_time);
  co_await transport_->shut_send();
  const std::uint64_t enough = arrived_ + service_->limits.linger_bytes;
  while (!has_ended_ && !is_cut_ && arrived_ < enough) co_await data_.wait_until(Clock::time_point::max());
  disarm();
}

asio::awaitable<Result<void>> Connection::send(ConstBuffers buffers) {
  std::size_t left = asio::buffer_size(buffers);
  while (left > 0 && !is_cut_) {
    arm(service_->limits.write_time);
    const IoResult written = co_await transport_->write_some(buffers);
    disarm();
    if (is_cut_) break;
    if (written.code) {
      cut();
      co_return Error{written.code, "write to " + peer_.name + ": " + written.code.message()};
    }
    left -= written.bytes;
    std::size_t done = written.bytes;
    for (asio::const_buffer& buffer : buffers) {
      const std::size_t part = std::min(done, buffer.size());
      buffer += part;
      done -= part;
    }
  }
  if (is_timed_out_)
    co_return Error{errc::make_error_code(errc::timed_out), "write to " + peer_.name + ": the client does not read"};
  if (is_cut_) co_return Error{errc::make_error_code(errc::not_connected), "write to " + peer_.name + ": closed"};
  co_return Result<void>();
}

std::string Connection::head_of(const Response& response, std::optional<std::size_t> length, bool is_http11) const {
  const auto reason = boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(response.status));
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + " ";
  head.append(reason.data(), reason.size());
  head += "\r\nDate: " + date_text() + "\r\n";
  if (!response.content_type.empty() && may_have_body(response.status))
    head += "Content-Type: " + response.content_type + "\r\n";
  if (length) head += "Content-Length: " + std::to_string(*length) + "\r\n";
  for (const auto& [name, value] : response.headers) head += name + ": " + value + "\r\n";
  if (is_last_ || is_closing_) {
    head += "Connection: close\r\n";
  } else if (!is_http11) {
    head += "Connection: keep-alive\r\n";
  }
  return head + "\r\n";
}

// --- the end

void Connection::close_when_idle() {
  is_closing_ = true;
  data_.notify();
}

void Connection::cut() { end(true); }

void Connection::end(bool is_reset) {
  if (std::exchange(is_cut_, true)) return;
  transport_->close(is_reset);
  disarm();
  watchdog_.cancel();
  input_has_ended();
  room_.notify();
}

// One timer serves all that needs an end: arming it for later than it is set to costs nothing.
void Connection::arm(std::chrono::milliseconds time) {
  io_deadline_ = Clock::now() + time;
  if (watchdog_at_ <= io_deadline_) return;
  watchdog_at_ = io_deadline_;
  watchdog_.expires_at(watchdog_at_);
  watchdog_.async_wait([weak = weak_from_this()](boost::system::error_code ec) {
    if (ec) return;
    if (auto self = weak.lock()) self->watchdog_fired();
  });
}

void Connection::disarm() { io_deadline_ = Clock::time_point::max(); }

void Connection::watchdog_fired() {
  watchdog_at_ = Clock::time_point::max();
  if (io_deadline_ == Clock::time_point::max()) return;
  const auto now = Clock::now();
  if (now < io_deadline_) {
    arm(std::chrono::duration_cast<std::chrono::milliseconds>(io_deadline_ - now) + std::chrono::milliseconds(1));
    return;
  }
  is_timed_out_ = !is_discarding_;
  end(is_timed_out_);  // what the kernel still holds of a whole answer is left to it
}

}  // namespace progtc::bridge::http
