// What a call of a host function costs the code, with nothing between them but the channel: a cold run whose code times
// each of its calls. Prints the microseconds of each as a JSON array.
//     host_call GUEST_DIR [CALLS]
#include <charconv>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "bridge/channel_session.h"
#include "bridge/tool_host.h"
#include "policy/decode.h"
#include "policy/seccomp_program.h"
#include "runner/run.h"

namespace {

namespace asio = boost::asio;
using namespace progtc;

class HostFunction final : public bridge::ToolHost {
 public:
  std::vector<bridge::ToolInfo> list() const override { return {}; }
  asio::awaitable<Result<bridge::Json>> call(bridge::ToolCall call) override { co_return std::move(call.args); }
};

constexpr const char* kCode = R"(
from time import perf_counter_ns
walls = []
for number in range(COUNT):
    begin = perf_counter_ns()
    tools.f(number)
    walls.append((perf_counter_ns() - begin) / 1000)
walls
)";

int fail(const std::string& what) {
  std::cerr << "host_call: " << what << '\n';
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return fail("usage: host_call GUEST_DIR [CALLS]");
  unsigned calls = 2000;
  if (argc > 2 && std::from_chars(argv[2], argv[2] + std::strlen(argv[2]), calls).ec != std::errc{})
    return fail(std::string("'") + argv[2] + "' is no number of calls");
  const auto source = policy::resolve_shipped("strict", "");
  if (!source) return fail(source.error().context);
  auto strict = policy::decode_policy(*source, policy::resolve_shipped);
  if (!strict) return fail(strict.error().context);
  strict->python.interpreter = "/usr/bin/python3";
  strict->tools.allow = {"f"};
  strict->tools.calls = calls;

  runner::RunRequest request;
  request.policy = *strict;
  request.guest_dir = argv[1];
  request.project_dir = "/";
  request.job.code = kCode;
  request.job.code.replace(request.job.code.find("COUNT"), std::strlen("COUNT"), std::to_string(calls));
  request.job.argv = {"-c"};
  request.job.cwd = policy::kWorkPath;
  request.job.tools = std::vector<std::string>{"f"};

  asio::io_context context(1);
  bridge::ChannelSession session(context.get_executor(), strict->tools, strict->limits.frame_bytes,
                                 std::make_shared<HostFunction>());
  std::optional<runner::RunOutcome> outcome;
  asio::co_spawn(
      context, runner::run(context.get_executor(), std::move(request), session, std::make_shared<runner::RunHandle>()),
      [&](const std::exception_ptr& bug, runner::RunOutcome ended) {
        if (bug) std::rethrow_exception(bug);
        outcome = std::move(ended);
      });
  context.run();
  if (!outcome || !outcome->claim || !outcome->claim->value_json)
    return fail(outcome ? outcome->cause + "\n" + outcome->err.bytes : "the run never ended");
  std::cout << *outcome->claim->value_json << '\n';
  return 0;
}
