#pragma once
// The daemon behind its HTTP server: the progtc protocol's endpoints, each execution in a sandbox of a pool's.
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "bridge/http/exchange.h"
#include "bridge/metrics.h"
#include "bridge/progtc/wire.h"
#include "policy/model.h"
#include "runner/bounds.h"

namespace progtc::bridge {

// A line of the log: an event and its fields. Never a key, code, output or a tool's payload.
using LogFields = std::vector<std::pair<std::string, std::string>>;
using Log = std::function<void(const std::string& event, const LogFields& fields)>;

// Name → policy. Requests may name those, and no other.
using Policies = std::map<std::string, policy::Policy>;

struct ServiceOptions {
  std::string api_key;
  std::optional<Wire> wire;  // --wire: what the client's header would decide otherwise
  std::chrono::milliseconds tool_call_timeout{10'000};
  std::chrono::milliseconds code_execution_timeout{30'000};  // a request may ask for less
  std::size_t pool = 2;                                      // parked sandboxes of each policy, at least
  std::size_t max_concurrent = 16;                           // executions at work; more wait
  std::size_t queue = 64;                                    // and no more than so many of them; then 503
  std::string default_policy;                                // one of the policies
  std::string guest_dir;
  runner::CgroupSite site;
  runner::GivenUp allow_degraded;
};

// Everything runs on `executor`, which must not run two handlers at once.
class Service {
 public:
  Service(boost::asio::any_io_executor executor, ServiceOptions options, const Policies& policies, Log log);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // Begins to fill the pools, and waits for the first sandbox of the default policy. Errors: why there is none.
  boost::asio::awaitable<Result<void>> start();
  // Whether the header alone is reason enough to refuse a request: the server's gate.
  std::optional<http::Response> refuse(const http::Request& request);
  // Whether the header has the key: the server's recogniser.
  bool recognises(const http::Request& request) const;
  // Answers one request: the server's handler.
  boost::asio::awaitable<void> handle(http::Exchange& exchange);
  // From now on requests are served under these; executions under way go on under theirs. `default_policy` has to be
  // among them.
  void set_policies(const Policies& policies);
  // New executions are refused from now on. Executions under way have until `deadline` and are ended then; returns when
  // nothing is left of any sandbox.
  boost::asio::awaitable<void> stop(std::chrono::steady_clock::time_point deadline);
  Metrics& metrics();

 private:
  class Core;
  std::shared_ptr<Core> core_;
};

}  // namespace progtc::bridge
