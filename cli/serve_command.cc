#include "cli/serve_command.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include "bridge/http/server.h"
#include "bridge/progtc/service.h"
#include "cli/api_key.h"
#include "cli/installation.h"
#include "cli/policy_loader.h"
#include "cli/run_options.h"
#include "cli/serve_log.h"
#include "policy/decode.h"
#include "runner/cgroup.h"
#include "runner/sys/file.h"
#include "runner/sys/unique_fd.h"

namespace progtc::cli {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// What clients get to take their last answers in, of executions that were ended at the shutdown's deadline.
constexpr std::chrono::milliseconds kLastAnswers{500};
constexpr int kFirstPassedFd = 3;  // sd_listen_fds(3)

Error invalid(const std::string& what) { return Error{make_error_code(boost::system::errc::invalid_argument), what}; }

std::chrono::milliseconds from_seconds(double seconds) {
  return std::chrono::milliseconds(std::llround(seconds * 1000));
}

bool is_loopback(const std::string& host) {
  boost::system::error_code failed;
  const auto address = asio::ip::make_address(host, failed);
  return failed ? host == "localhost" : address.is_loopback();
}

// ---- the key ----

Result<std::string> find_key(const ServeOptions& options) {
  std::string key = options.api_key;
  bool is_given = options.has_api_key;
  if (!is_given) {
    if (const char* variable = std::getenv("PROGTC_API_KEY")) {
      key = variable;
      is_given = true;
      ::unsetenv("PROGTC_API_KEY");  // no policy may pass it on
    }
  }
  if (is_given) {
    if (key.empty()) return invalid("the API key is empty: give one, or leave the option and PROGTC_API_KEY out");
    return key;
  }
  if (!options.has_no_tcp && !is_loopback(options.host))
    return invalid("--host " + options.host + " is more than this machine: give a key by --api-key or PROGTC_API_KEY");
  return stored_key(true);
}

// ---- policies ----

// What a request may call a policy: its name, or a file's without directory and ending.
std::string name_of(const std::string& policy) {
  return policy.ends_with(".json") ? fs::path(policy).stem().string() : policy;
}

Result<bridge::Policies> load_policies(const ServeOptions& options) {
  std::vector<std::string> wanted = options.allow_policy;
  wanted.insert(wanted.begin(), options.policy);
  bridge::Policies policies;
  std::set<std::string> seen;
  for (const std::string& each : wanted) {
    if (!seen.insert(each).second) continue;
    PROGTC_TRY(auto policy, load_policy(each));
    PROGTC_CHECK(apply_interpreter(policy.python, options.python, options.venv));
    policy.python.preload.insert(policy.python.preload.end(), options.preload.begin(), options.preload.end());
    if (!policies.emplace(name_of(each), std::move(policy)).second)
      return invalid("two policies are called '" + name_of(each) + "'");
  }
  return policies;
}

// ---- systemd ----

// Sockets that systemd has opened for us (sd_listen_fds(3)); none of them is for a child.
int count_passed_sockets() {
  const char* pid = std::getenv("LISTEN_PID");
  const char* count = std::getenv("LISTEN_FDS");
  if (!pid || !count || std::strtol(pid, nullptr, 10) != ::getpid()) return 0;
  const int sockets = static_cast<int>(std::clamp(std::strtol(count, nullptr, 10), 0L, 64L));
  for (int fd = kFirstPassedFd; fd < kFirstPassedFd + sockets; ++fd) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  ::unsetenv("LISTEN_PID");
  ::unsetenv("LISTEN_FDS");
  return sockets;
}

// sd_notify(3), whose protocol is one datagram. Without systemd nobody listens.
void tell_systemd(std::string_view state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (!path || (path[0] != '/' && path[0] != '@')) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string_view name(path);
  if (name.size() >= sizeof address.sun_path) return;
  name.copy(address.sun_path, name.size());
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const sys::UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  (void)::sendto(socket.get(), state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                 reinterpret_cast<const sockaddr*>(&address), size);
}

// Each execution takes about a dozen descriptors.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == -1) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);  // then fewer connections are served
}

// ---- the daemon ----

class Daemon {
 public:
  explicit Daemon(const ServeOptions& options)
      : options_(options), log_(STDERR_FILENO, options.log_format == "json"), signals_(context_) {}

  int run() {
    if (auto ready = set_up(); !ready) {
      log_.say(ready.error().context);
      return 1;
    }
    asio::co_spawn(context_, start(), [](const std::exception_ptr& bug) { rethrow(bug); });
    context_.run();
    return status_;
  }

 private:
  static void rethrow(const std::exception_ptr& bug) {
    if (bug) std::rethrow_exception(bug);
  }

  Result<void> set_up() {
    if (std::signal(SIGPIPE, SIG_IGN) == SIG_ERR) return from_errno(errno, "ignore SIGPIPE");
    raise_descriptor_limit();
    const int passed = count_passed_sockets();
    if (options_.has_no_tcp && options_.unix_path.empty() && passed == 0)
      return invalid("--no-tcp without --unix leaves nothing to listen on");
    if (options_.tls_certificate.empty() != options_.tls_key.empty())
      return invalid("--tls-cert and --tls-key go together");
    bridge::ServiceOptions service;
    PROGTC_TRY(service.api_key, find_key(options_));
    PROGTC_TRY(auto policies, load_policies(options_));
    service.default_policy = name_of(options_.policy);
    service.wire = bridge::parse_wire(options_.wire);
    service.tool_call_timeout = from_seconds(options_.tool_call_timeout);
    service.code_execution_timeout = from_seconds(options_.code_execution_timeout);
    service.pool = options_.pool;
    service.max_concurrent = options_.max_concurrent;
    service.queue = options_.queue;
    service.allow_degraded = {options_.allow_degraded.begin(), options_.allow_degraded.end()};
    service.guest_dir = guest_directory();
    if (service.guest_dir.empty())
      return invalid("the guest runtime is not beside this program (../lib/progtc/guest); install it again");

    bridge::http::Limits limits;
    limits.connections = std::max<std::size_t>(limits.connections, 2 * (options_.max_concurrent + options_.queue));
    PROGTC_TRY(server_,
               bridge::http::Server::create(context_.get_executor(), limits, [this](bridge::http::Exchange& exchange) {
                 return service_->handle(exchange);
               }));
    server_->set_gate([this](const bridge::http::Request& request) { return service_->refuse(request); });
    server_->set_recogniser([this](const bridge::http::Request& request) { return service_->recognises(request); });
    server_->set_logger([this](std::string_view text) { log_.error(std::string(text)); });
    server_->set_allowed_hosts({options_.allow_host.begin(), options_.allow_host.end()});
    if (!options_.tls_certificate.empty()) PROGTC_CHECK(server_->use_tls({options_.tls_certificate, options_.tls_key}));
    // Before anything is made: a second daemon of the same address ends here.
    for (int fd = kFirstPassedFd; fd < kFirstPassedFd + passed; ++fd) {
      PROGTC_CHECK(server_->adopt(fd));
      listening_.push_back("socket " + std::to_string(fd) + " of systemd's");
    }
    if (!options_.has_no_tcp && passed == 0) {
      PROGTC_TRY(const auto port, server_->listen_tcp(options_.host, options_.port));
      const std::string host = options_.host.find(':') == std::string::npos ? options_.host : "[" + options_.host + "]";
      listening_.push_back((options_.tls_certificate.empty() ? "http://" : "https://") + host + ":" +
                           std::to_string(port));
    }
    if (!options_.unix_path.empty()) {
      PROGTC_CHECK(server_->listen_unix(options_.unix_path));
      listening_.push_back("unix:" + options_.unix_path);
    }
    if (!service.allow_degraded.contains("cgroup")) {
      service.site = runner::find_cgroup_site();
      runner::sweep_cgroups(service.site);
    }
    service_ = std::make_unique<bridge::Service>(
        context_.get_executor(), std::move(service), policies,
        [this](const std::string& event, const ServeLog::Fields& fields) { log_.event(event, fields); });
    define_metrics(service_->metrics());
    return {};
  }

  void define_metrics(bridge::Metrics& metrics) {
    metrics.count("progtc_log_lines_dropped_total", "Lines of the log that its reader did not take in time",
                  [this] { return static_cast<double>(log_.dropped()); });
    metrics.gauge("progtc_connections_open", "Connections of clients",
                  [this] { return static_cast<double>(server_->counters().open); });
    metrics.count("progtc_connections_total", "Connections that were served",
                  [this] { return static_cast<double>(server_->counters().total); });
    metrics.count("progtc_connections_refused_total", "Connections that got 503, as there were too many",
                  [this] { return static_cast<double>(server_->counters().refused); });
    metrics.count("progtc_connections_displaced_total", "Connections without a key that made room for others",
                  [this] { return static_cast<double>(server_->counters().displaced); });
  }

  asio::awaitable<void> start() {
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) signals_.add(signal);
    wait_for_signal();
    auto ready = co_await service_->start();
    if (is_stopping_) co_return;  // by a signal, which has seen to it
    if (!ready) {
      log_.say("no sandbox can be made: " + ready.error().context);
      status_ = 1;
      co_await stop();
      co_return;
    }
    for (const std::string& where : listening_) log_.say("listening on " + where);
    tell_systemd("READY=1");
  }

  void wait_for_signal() {
    signals_.async_wait([this](const boost::system::error_code& cancelled, int signal) {
      if (cancelled) return;
      if (signal == SIGHUP) {
        reload();
      } else if (!std::exchange(is_stopping_, true)) {
        log_.event("stopping", {});
        tell_systemd("STOPPING=1");
        asio::co_spawn(context_, stop(), [](const std::exception_ptr& bug) { rethrow(bug); });
      } else {
        context_.stop();  // asked twice: everything in a sandbox dies with this process
        return;
      }
      wait_for_signal();
    });
  }

  void reload() {
    auto policies = load_policies(options_);
    if (!policies) {
      log_.event("policies kept", {{"problem", policies.error().context}});
      return;
    }
    service_->set_policies(*policies);
    log_.event("policies read again", {});
  }

  // Results of tools still come in while executions finish, so the listeners stay until they have. A client that does
  // not read its answer keeps nothing alive beyond the deadline.
  asio::awaitable<void> stop() {
    const auto last = Clock::now() + from_seconds(options_.shutdown_timeout) + kLastAnswers;
    asio::steady_timer cutter(context_, last);
    cutter.async_wait([this](const boost::system::error_code& cancelled) {
      if (!cancelled) server_->cut_all();
    });
    co_await service_->stop(last - kLastAnswers);
    co_await server_->drain(std::min(last, Clock::now() + std::chrono::seconds(1)));
    cutter.cancel();
    signals_.cancel();
    context_.stop();
  }

  const ServeOptions& options_;
  ServeLog log_;
  asio::io_context context_{1};
  asio::signal_set signals_;
  std::unique_ptr<bridge::Service> service_;
  std::unique_ptr<bridge::http::Server> server_;
  std::vector<std::string> listening_;
  bool is_stopping_ = false;
  int status_ = 0;
};

}  // namespace

int serve(const ServeOptions& options) {
  Daemon daemon(options);
  return daemon.run();
}

}  // namespace progtc::cli
