#include "bridge/progtc/service.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "bridge/channel_session.h"
#include "bridge/json.h"
#include "bridge/progtc/event_stream.h"
#include "bridge/progtc/messages.h"
#include "bridge/progtc/remote_tools.h"
#include "bridge/progtc/request.h"
#include "bridge/progtc/turns.h"
#include "runner/pool.h"
#include "runner/root_plan.h"
#include "runner/run.h"
#include "runner/task_group.h"

namespace progtc::bridge {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
constexpr auto use_result = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kKeptOutput = 4 << 20;  // of each stream, in the final message
constexpr std::size_t kMaxParked = 64;        // of one policy
// Of answers that clients have not read. Above it an execution keeps its place until its own answer is written, so that
// what is held is at most this and one answer for each place.
constexpr std::size_t kUnreadBytes = 64UL << 20U;
constexpr std::size_t kUnauthorizedLines = 10;  // of the log, each second
const char* const kClientGone = "the client has gone";

double seconds(std::chrono::microseconds time) { return std::chrono::duration<double>(time).count(); }

std::string milliseconds(std::chrono::microseconds time) {
  const std::string micros = std::to_string(1000 + time.count() % 1000);
  return std::to_string(time.count() / 1000) + "." + micros.substr(1);
}

// Output as it comes, for a client that asked for it.
class OutputEvents final : public runner::OutputSink {
 public:
  OutputEvents(std::shared_ptr<EventStream> stream, OutputStream which) : stream_(std::move(stream)), which_(which) {}
  asio::awaitable<Result<void>> write(std::string_view bytes) override {
    std::string text = text_.push(bytes);
    if (text.empty()) co_return Result<void>{};
    auto sent = co_await stream_->send(encode_output(which_, text));
    if (!sent) co_return from_errno(EPIPE, "send output");  // as for any reader that has gone
    co_return sent;
  }
  asio::awaitable<void> finish() {
    std::string rest = text_.finish();
    if (rest.empty()) co_return;
    auto sent = co_await stream_->send(encode_output(which_, rest));
    (void)sent;  // the final message finds out
  }

 private:
  std::shared_ptr<EventStream> stream_;
  OutputStream which_;
  OutputText text_;
};

// A policy that requests may name, and its sandboxes. Runs hold it while it is replaced.
struct Kind {
  policy::Policy policy;
  std::shared_ptr<runner::SandboxPool> pool;
  bool has_started = false;
};

// One that waits for a place.
struct Waiter {
  explicit Waiter(const asio::any_io_executor& executor) : turn(executor, Clock::time_point::max()) {}
  asio::steady_timer turn;  // cancelled when it is its turn, or not to wait any longer
  Turns::Ticket ticket = 0;
  bool is_admitted = false;
  bool is_refused = false;
};

http::Response text_response(std::string body, std::string content_type) {
  http::Response response;
  response.content_type = std::move(content_type);
  response.body = std::move(body);
  return response;
}

http::Response unprocessable(const BodyProblems& problems) {
  http::Response response;
  response.status = 422;
  response.body = R"({"detail":)" + to_json(problems) + "}";
  return response;
}

BodyProblems problem(std::string key, std::string message, std::string type) {
  return {{BodyProblem{{std::string("body"), std::move(key)}, std::move(message), std::move(type), ""}}};
}

std::uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");  // proc(5): size resident …, in pages
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  file >> size >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

class Service::Core : public std::enable_shared_from_this<Service::Core> {
 public:
  Core(asio::any_io_executor executor, ServiceOptions options, const Policies& policies, Log log)
      : executor_(std::move(executor)),
        options_(std::move(options)),
        authentication_(options_.api_key),
        log_(std::move(log)),
        pools_(executor_),
        idle_(executor_, Clock::time_point::max()) {
    set_policies(policies);
    define_metrics();
  }

  void set_policies(const Policies& policies) {
    std::map<std::string, std::shared_ptr<Kind>> kinds;
    for (const auto& [name, policy] : policies) {
      const auto old = kinds_.find(name);
      const bool is_known = old != kinds_.end();
      if (is_known && old->second->policy == policy) {
        kinds[name] = std::move(old->second);
        continue;
      }
      auto kind = std::make_shared<Kind>();
      kind->policy = policy;
      runner::SandboxPool::Options pool;
      pool.policy = kind->policy;
      pool.site = options_.site;
      pool.guest_dir = options_.guest_dir;
      pool.allow_degraded = options_.allow_degraded;
      pool.least = std::min(options_.pool, kMaxParked);
      pool.most = std::clamp(options_.max_concurrent, pool.least, kMaxParked);
      kind->pool = std::make_shared<runner::SandboxPool>(executor_, std::move(pool));
      if (is_known && old->second->has_started) start_pool(*kind);
      kinds[name] = std::move(kind);
    }
    kinds_.swap(kinds);
    for (auto& [name, kind] : kinds)
      if (kind) pools_.start(retire(std::move(kind)));  // what was kept has been moved out of it
  }

  asio::awaitable<Result<void>> start() {
    const auto kind = kinds_.at(options_.default_policy);
    start_pool(*kind);
    auto ready = co_await kind->pool->ready();
    co_return ready;
  }

  [[nodiscard]] bool recognises(const http::Request& request) const { return came_with(request) != AuthHeader::kNone; }

  // What the header alone decides.
  std::optional<http::Response> refuse(const http::Request& request) {
    const Route* route = find_route(request.path);
    if (!route) return http::error_response(404, "Not Found");
    if (request.method == "OPTIONS") {
      http::Response response;
      response.status = 204;
      response.content_type.clear();
      response.headers = {{"Allow", route->methods}};
      return response;
    }
    if (!has_word(route->methods, request.method)) {
      http::Response response = http::error_response(405, "Method Not Allowed");
      response.headers.emplace_back("Allow", route->methods);
      return response;
    }
    if (route->needs_key && !recognises(request)) {
      note_unauthorized(request.peer);
      http::Response response = http::error_response(401, "Unauthorized");
      response.headers.emplace_back("WWW-Authenticate", "Bearer");
      return response;
    }
    return std::nullopt;
  }

  asio::awaitable<void> handle(http::Exchange& exchange) {
    const http::Request& request = exchange.request();
    auto response = refuse(request);
    if (!response) {
      const Route* route = find_route(request.path);
      if (!route->answer) {
        co_await execute(exchange, came_with(request));
        co_return;
      }
      response = co_await (this->*route->answer)(request);
    }
    auto sent = co_await exchange.respond(std::move(*response));
    (void)sent;  // a client that has gone needs no answer
  }

  asio::awaitable<void> stop(Clock::time_point deadline) {
    is_stopping_ = true;
    for (const auto& waiter : std::vector(waiters_)) send_away(*waiter);
    asio::steady_timer timer(executor_, deadline);
    timer.async_wait([this](const boost::system::error_code& cancelled) {
      if (cancelled) return;
      for (const auto& handle : handles_) handle->cancel(0, "the daemon is shutting down");
    });
    while (at_work_ > 0) {
      auto [woken] = co_await idle_.async_wait(use_result);
      (void)woken;
    }
    timer.cancel();
    for (auto& [name, kind] : kinds_) co_await kind->pool->stop();
    co_await pools_.join();
  }

  Metrics& metrics() { return metrics_; }

 private:
  struct Route {
    const char* path;
    const char* methods;
    bool needs_key;
    asio::awaitable<http::Response> (Core::*answer)(const http::Request&);  // null: execute()
  };
  static const Route* find_route(std::string_view path) {
    static constexpr Route kRoutes[] = {{"/ping", "GET, HEAD, OPTIONS", false, &Core::ping},
                                        {"/health", "GET, HEAD, OPTIONS", false, &Core::health},
                                        {"/metrics", "GET, HEAD, OPTIONS", true, &Core::render_metrics},
                                        {"/tool-results", "POST, OPTIONS", true, &Core::take_result},
                                        {"/execute-code", "POST, OPTIONS", true, nullptr}};
    const auto* found =
        std::find_if(std::begin(kRoutes), std::end(kRoutes), [&](const Route& each) { return path == each.path; });
    return found == std::end(kRoutes) ? nullptr : found;
  }

  AuthHeader came_with(const http::Request& request) const {
    return authentication_.check(request.header("Authorization"), request.header("X-Progtc-API-Key"));
  }

  // Whoever can connect can have this logged: some lines a second, and the number of those that were left out.
  void note_unauthorized(const http::Peer& peer) {
    unauthorized_->add();
    const auto now = Clock::now();
    if (now - unauthorized_since_ >= std::chrono::seconds(1)) {
      unauthorized_since_ = now;
      unauthorized_logged_ = 0;
    }
    if (++unauthorized_logged_ > kUnauthorizedLines) {
      ++unauthorized_unlogged_;
      return;
    }
    LogFields fields = {{"peer", peer.name}};
    if (const auto left_out = std::exchange(unauthorized_unlogged_, 0); left_out > 0)
      fields.emplace_back("left_out", std::to_string(left_out));
    log_("unauthorized", fields);
  }

  static bool has_word(std::string_view list, std::string_view word) {
    for (std::size_t from = 0; from < list.size();) {
      const std::size_t to = std::min(list.find(", ", from), list.size());
      if (list.substr(from, to - from) == word) return true;
      from = to + 2;
    }
    return false;
  }

  static void start_pool(Kind& kind) {
    if (std::exchange(kind.has_started, true) || kind.policy.python.is_fresh) return;
    kind.pool->start();
  }

  // Executions under way keep the kind, and each tells when it has ended.
  asio::awaitable<void> retire(std::shared_ptr<Kind> kind) {
    while (kind.use_count() > 1) {
      auto [woken] = co_await idle_.async_wait(use_result);
      (void)woken;
    }
    co_await kind->pool->stop();
  }

  void define_metrics() {
    runs_ = &metrics_.counter("progtc_runs_total", "Executions, by how they ended", {"outcome"});
    refused_ = &metrics_.counter("progtc_refused_total", "Executions refused because the queue was full");
    unauthorized_ = &metrics_.counter("progtc_unauthorized_total", "Requests without a key that is right");
    denials_ = &metrics_.counter("progtc_denials_total", "System calls that a policy has denied, by rule", {"rule"});
    tool_calls_ = &metrics_.counter("progtc_tool_calls_total", "Calls of tools, by outcome", {"outcome"});
    const std::vector<double> bounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
    wall_ = &metrics_.histogram("progtc_run_seconds", "From the job to the end of the code", bounds);
    request_ = &metrics_.histogram("progtc_request_seconds", "From the request to its final message", bounds);
    tool_time_ = &metrics_.histogram("progtc_tool_call_seconds", "From a call of a tool to its result", bounds);
    metrics_.gauge("progtc_runs_active", "Executions at work",
                   [this] { return static_cast<double>(turns_.running()); });
    metrics_.gauge("progtc_runs_queued", "Executions that wait for a place",
                   [this] { return static_cast<double>(turns_.waiting()); });
    metrics_.gauge("progtc_pool_parked", "Sandboxes that are ready", [this] {
      std::size_t parked = 0;
      for (const auto& [name, kind] : kinds_) parked += kind->pool->numbers().parked;
      return static_cast<double>(parked);
    });
    metrics_.gauge("progtc_pool_wanted", "Sandboxes that the pools keep ready", [this] {
      std::size_t wanted = 0;
      for (const auto& [name, kind] : kinds_)
        if (kind->has_started) wanted += kind->pool->numbers().wanted;
      return static_cast<double>(wanted);
    });
    metrics_.gauge("progtc_answers_unread_bytes", "Final messages that clients have not read",
                   [this] { return static_cast<double>(unread_bytes_); });
    metrics_.gauge("process_resident_memory_bytes", "Memory of the daemon itself",
                   [] { return static_cast<double>(resident_bytes()); });
  }

  asio::awaitable<http::Response> ping(const http::Request&) { co_return text_response("null", "application/json"); }

  asio::awaitable<http::Response> health(const http::Request&) {
    std::string body = R"({"status":")";
    body += is_stopping_ ? "stopping" : "ok";
    body += R"(","version":")" PROGTC_VERSION R"(","runs":)" + std::to_string(turns_.running()) + R"(,"queued":)" +
            std::to_string(turns_.waiting()) + "}";
    co_return text_response(std::move(body), "application/json");
  }

  asio::awaitable<http::Response> render_metrics(const http::Request&) {
    co_return text_response(metrics_.render(), "text/plain; version=0.0.4; charset=utf-8");
  }

  asio::awaitable<http::Response> take_result(const http::Request& request) {
    auto decoded = decode_tool_result(request.body);
    if (!decoded) co_return unprocessable(decoded.error());
    const Delivery delivery =
        registry_.deliver(decoded->execution_id, decoded->tool_call_id, std::move(decoded->outcome));
    switch (delivery) {
      case Delivery::kDelivered:
        co_return text_response("null", "application/json");
      case Delivery::kUnknownExecution:
        co_return http::error_response(404, "no execution of that id is under way");
      case Delivery::kUnknownCall:
        co_return http::error_response(404, "that execution has no tool call of that id");
      case Delivery::kAlreadyAnswered:
        break;
    }
    co_return http::error_response(409, "that tool call is over: answered, timed out or cancelled");
  }

  class AtWork {
   public:
    explicit AtWork(Core& core) : core_(core) { ++core_.at_work_; }
    AtWork(const AtWork&) = delete;
    AtWork& operator=(const AtWork&) = delete;
    ~AtWork() {
      --core_.at_work_;
      core_.idle_.cancel();
    }

   private:
    Core& core_;
  };

  // A place for one execution of a client, given back when this goes.
  class Place {
   public:
    Place(Core& core, std::string client) : core_(core), client_(std::move(client)) {}
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() {
      if (!is_held_) return;
      core_.turns_.end(client_);
      const auto next = core_.turns_.next();
      if (!next) return;
      for (const auto& waiter : core_.waiters_) {
        if (waiter->ticket != *next) continue;
        waiter->is_admitted = true;
        waiter->turn.cancel();
      }
    }
    void hold() { is_held_ = true; }

   private:
    Core& core_;
    std::string client_;
    bool is_held_ = false;
  };

  // What one answer holds until it is written.
  class Unread {
   public:
    Unread(std::size_t& total, std::size_t bytes) : total_(total), bytes_(bytes) { total_ += bytes_; }
    Unread(const Unread&) = delete;
    Unread& operator=(const Unread&) = delete;
    ~Unread() { total_ -= bytes_; }

   private:
    std::size_t& total_;
    std::size_t bytes_;
  };

  // Who shares the places fairly: a user of this machine, or another machine.
  static std::string client_of(const http::Peer& peer) {
    return peer.is_unix ? peer.name : peer.name.substr(0, peer.name.rfind(':'));
  }

  // From the queue, if it stands there.
  void send_away(Waiter& waiter) {
    waiter.is_refused = true;
    turns_.forget(waiter.ticket);
    waiter.turn.cancel();
  }

  asio::awaitable<void> execute(http::Exchange& exchange, AuthHeader came) {
    const auto keep = shared_from_this();
    const auto began = Clock::now();
    const http::Request& http_request = exchange.request();
    std::optional<http::Response> refusal;
    auto wire = choose_wire(http_request.header("X-Progtc-Wire"), options_.wire, came);
    auto decoded = decode_execute_request(http_request.body);
    std::shared_ptr<Kind> kind;
    if (!wire) {
      refusal = http::error_response(422, "X-Progtc-Wire is neither 'a' nor 'c'");
    } else if (!decoded) {
      refusal = unprocessable(decoded.error());
    } else if (decoded->session) {
      refusal = unprocessable(problem("session", "this daemon keeps no sessions", "unsupported"));
    } else if (const auto named = kinds_.find(decoded->policy.value_or(options_.default_policy));
               named == kinds_.end()) {
      refusal = unprocessable(problem("policy", "this daemon does not allow that policy: start it with --allow-policy",
                                      "policy_not_allowed"));
    } else if (is_stopping_) {
      refusal = http::error_response(503, "the daemon is shutting down");
      refusal->headers.emplace_back("Retry-After", "1");
    } else if (turns_.running() >= options_.max_concurrent && turns_.waiting() >= options_.queue) {
      refused_->add();
      refusal = http::error_response(503, "too many executions at work and waiting");
      refusal->headers.emplace_back("Retry-After", "1");
    } else {
      kind = named->second;
    }
    if (refusal) {
      auto sent = co_await exchange.respond(std::move(*refusal));
      (void)sent;  // a client that has gone needs no answer
      co_return;
    }
    start_pool(*kind);

    auto stream = std::make_shared<EventStream>(executor_, exchange);
    auto waiter = std::make_shared<Waiter>(executor_);
    auto handle = std::make_shared<runner::RunHandle>();
    const RunRegistry::Entry entry = registry_.open(
        executor_, decoded->tool_names,
        [stream](std::string json) -> asio::awaitable<Result<void>> { return stream->send(std::move(json)); });
    const bool is_streaming = decoded->stream;
    bool is_gone = false;
    exchange.on_disconnect([&] {
      is_gone = true;
      send_away(*waiter);
      handle->cancel(0, kClientGone);
    });
    const AtWork at_work(*this);
    runner::RunOutcome outcome;
    const std::string client = client_of(http_request.peer);
    std::optional<Place> place(std::in_place, *this, client);
    {
      const bool has_room = turns_.running() < options_.max_concurrent;
      if (has_room) {
        turns_.begin(client);
        place->hold();
      } else {
        waiters_.push_back(waiter);
        waiter->ticket = turns_.wait(client);
      }
      const auto opened = stream->open();
      while (opened && !has_room && !waiter->is_admitted && !waiter->is_refused) {
        auto [woken] = co_await waiter->turn.async_wait(use_result);
        (void)woken;
      }
      if (waiter->is_admitted) place->hold();
      turns_.forget(waiter->ticket);
      std::erase(waiters_, waiter);
      if (!opened || is_gone || (!has_room && !waiter->is_admitted)) {
        outcome.run_id = runner::new_run_id();
        outcome.policy_name = kind->policy.name;
        outcome.kind = runner::OutcomeKind::kCancelled;
        outcome.cause = is_gone || !opened ? kClientGone : "the daemon is shutting down";
      } else {
        handles_.insert(handle);
        outcome = co_await run(*kind, std::move(*decoded), entry.tools(), stream, handle);
        handles_.erase(handle);
      }
    }
    request_->observe(seconds(std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - began)));
    note(outcome, http_request.peer.name);
    if (is_streaming && *wire == Wire::kC) co_await send_ending(*stream, outcome);
    FinalMessage message(std::move(outcome), *wire);
    const Unread unread(unread_bytes_, message.held_bytes());
    if (unread_bytes_ <= kUnreadBytes) place.reset();
    std::function<std::string()> next = [&message] { return message.next(); };
    auto closed = co_await stream->close(std::move(next));
    (void)closed;  // that a client has gone is in the log, by the outcome
  }

  // The events of a stream are all that its final message holds.
  static asio::awaitable<void> send_ending(EventStream& stream, const runner::RunOutcome& outcome) {
    const std::string line = ending_line(outcome);
    if (line.empty()) co_return;
    auto sent = co_await stream.send(encode_output(OutputStream::kStderr, line));
    (void)sent;  // the final message finds out
  }

  asio::awaitable<runner::RunOutcome> run(Kind& kind, ExecuteRequest wanted, std::shared_ptr<RemoteTools> tools,
                                          std::shared_ptr<EventStream> stream,
                                          std::shared_ptr<runner::RunHandle> handle) {
    runner::RunRequest request;
    request.policy = kind.policy;
    policy::Limits& limits = request.policy.limits;
    limits.wall = std::min({limits.wall, options_.code_execution_timeout, wanted.timeout.value_or(limits.wall)});
    request.policy.tools.timeout = std::min(request.policy.tools.timeout, options_.tool_call_timeout);
    request.guest_dir = options_.guest_dir;
    request.project_dir = "/";
    request.allow_degraded = options_.allow_degraded;
    request.capture_bytes = kKeptOutput;
    for (auto& [path, bytes] : wanted.files) request.files.push_back({"", path, std::move(bytes)});
    request.job.mode = runner::Job::Mode::kCode;
    request.job.code = std::move(wanted.code);
    request.job.argv = {"-c"};
    request.place = [](const runner::RootPlan& plan, runner::Job& job) -> Result<void> {
      job.cwd = plan.work_dir;
      job.path = {plan.work_dir};
      return {};
    };
    request.job.env = runner::environment_of(kind.policy);
    request.job.tools = std::move(wanted.tool_names);

    OutputEvents out(stream, OutputStream::kStdout);
    OutputEvents err(stream, OutputStream::kStderr);
    if (wanted.stream) {
      request.out = &out;
      request.err = &err;
      request.job.is_line_buffered = true;
    }
    ChannelSession session(executor_, request.policy.tools, limits.frame_bytes, std::move(tools));
    session.observe([this](const ToolCallReport& call) {
      tool_calls_->add({call.outcome});
      tool_time_->observe(seconds(call.duration));
    });
    runner::RunOutcome outcome;
    if (kind.policy.python.is_fresh) {
      outcome = co_await runner::run(executor_, std::move(request), session, std::move(handle));
    } else {
      outcome = co_await kind.pool->run(std::move(request), session, std::move(handle));
    }
    if (wanted.stream) {
      co_await out.finish();
      co_await err.finish();
    }
    co_return outcome;
  }

  void note(const runner::RunOutcome& outcome, const std::string& peer) {
    const char* kind = runner::to_string(outcome.kind);
    runs_->add({kind});
    wall_->observe(seconds(outcome.usage.wall));
    std::uint64_t denied = 0;
    for (const runner::Denial& denial : outcome.denials) {
      denials_->add({denial.rule}, denial.count);
      denied += denial.count;
    }
    LogFields fields = {{"run_id", outcome.run_id},
                        {"policy", outcome.policy_name},
                        {"outcome", kind},
                        {"wall_ms", milliseconds(outcome.usage.wall)},
                        {"cpu_ms", milliseconds(outcome.usage.cpu)},
                        {"memory_peak_bytes", std::to_string(outcome.usage.memory_peak_bytes)},
                        {"tool_calls", std::to_string(outcome.usage.tool_calls)},
                        {"denials", std::to_string(denied)},
                        {"peer", peer}};
    if (outcome.kind == runner::OutcomeKind::kExited)
      fields.emplace_back("exit_code", std::to_string(outcome.exit_code));
    if (outcome.kind == runner::OutcomeKind::kSetupFailed) fields.emplace_back("cause", outcome.cause);
    log_("run", fields);
  }

  asio::any_io_executor executor_;
  ServiceOptions options_;
  Authentication authentication_;
  Log log_;
  std::map<std::string, std::shared_ptr<Kind>> kinds_;
  runner::TaskGroup pools_;  // those that are being retired
  RunRegistry registry_;
  std::vector<std::shared_ptr<Waiter>> waiters_;  // in the queue
  std::set<std::shared_ptr<runner::RunHandle>> handles_;
  Turns turns_;
  std::size_t unread_bytes_ = 0;
  std::size_t at_work_ = 0;  // requests for an execution, waiting ones included
  asio::steady_timer idle_;  // cancelled whenever one has ended
  bool is_stopping_ = false;
  Clock::time_point unauthorized_since_{};  // the second that is under way
  std::size_t unauthorized_logged_ = 0;     // in it
  std::uint64_t unauthorized_unlogged_ = 0;
  Metrics metrics_;
  Counter* runs_ = nullptr;
  Counter* refused_ = nullptr;
  Counter* unauthorized_ = nullptr;
  Counter* denials_ = nullptr;
  Counter* tool_calls_ = nullptr;
  Histogram* wall_ = nullptr;
  Histogram* request_ = nullptr;
  Histogram* tool_time_ = nullptr;
};

Service::Service(asio::any_io_executor executor, ServiceOptions options, const Policies& policies, Log log)
    : core_(std::make_shared<Core>(std::move(executor), std::move(options), policies, std::move(log))) {}
Service::~Service() = default;
asio::awaitable<Result<void>> Service::start() { return core_->start(); }
asio::awaitable<void> Service::handle(http::Exchange& exchange) { return core_->handle(exchange); }
bool Service::recognises(const http::Request& request) const { return core_->recognises(request); }
std::optional<http::Response> Service::refuse(const http::Request& request) { return core_->refuse(request); }
void Service::set_policies(const Policies& policies) { core_->set_policies(policies); }
asio::awaitable<void> Service::stop(Clock::time_point deadline) { return core_->stop(deadline); }
Metrics& Service::metrics() { return core_->metrics(); }

}  // namespace progtc::bridge
