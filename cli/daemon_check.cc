#include "cli/daemon_check.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "bridge/progtc/client.h"
#include "cli/api_key.h"
#include "cli/text.h"

namespace progtc::cli {
namespace {

namespace asio = boost::asio;

Result<bridge::RemoteOutcome> execute(const bridge::ServerAddress& address, const bridge::ClientOptions& options) {
  bridge::ExecuteRequest request;
  request.code = "print(6 * 7)";
  bridge::NoTools tools;
  asio::io_context context(1);
  std::optional<Result<bridge::RemoteOutcome>> result;
  std::exception_ptr bug;
  asio::co_spawn(context, bridge::execute_remotely(context.get_executor(), address, options, request, tools, {}),
                 [&](std::exception_ptr thrown, Result<bridge::RemoteOutcome> outcome) {
                   bug = std::move(thrown);
                   result.emplace(std::move(outcome));
                 });
  context.run();
  if (bug) std::rethrow_exception(bug);
  return std::move(*result);
}

}  // namespace

int check_daemon(const std::string& text) {
  const auto say = [&](const char* status, const std::string& detail) {
    (void)std::printf("%sdaemon %s: %s\n", status, to_line(text).c_str(), to_line(detail).c_str());
  };
  const auto address = bridge::parse_server_address(text);
  if (!address) {
    say("failed  ", address.error().context);
    return 1;
  }
  bridge::ClientOptions options;
  if (const char* key = std::getenv("PROGTC_API_KEY")) {
    options.api_key = key;
  } else if (auto kept = stored_key(false)) {
    options.api_key = *kept;
  }
  const auto began = std::chrono::steady_clock::now();
  const auto outcome = execute(*address, options);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - began;
  if (!outcome) {
    say("failed  ", outcome.error().context);
    return 1;
  }
  if (outcome->ending != bridge::Ending::kSuccess || outcome->out != "42\n") {
    say("failed  ", outcome->exit_kind + ": " + outcome->cause);
    return 1;
  }
  char time[48];
  (void)std::snprintf(time, sizeof time, "executed one line in %.1f ms", took.count());
  say("ok      ", time);
  return 0;
}

}  // namespace progtc::cli
