#include "bridge/tools/cli_tool_host.h"

#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "bridge/json.h"
#include "bridge/tools/process.h"
#include "bridge/utf8.h"

namespace progtc::bridge {
namespace {

constexpr std::size_t kNamesInMessage = 5;

Error failed(std::string message) { return Error{make_error_code(ToolErrc::kFailed), std::move(message)}; }

std::vector<std::string> merged_environment(const std::map<std::string, std::string>& over) {
  std::vector<std::string> env;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (!over.contains(std::string(text.substr(0, text.find('='))))) env.emplace_back(text);
  }
  for (const auto& [name, value] : over) env.push_back(name + "=" + value);
  return env;
}

std::string seconds_text(std::chrono::milliseconds duration) {
  std::string text = std::to_string(duration.count() / 1000);
  if (const auto rest = duration.count() % 1000; rest != 0) {
    std::string digits = std::to_string(1000 + rest).substr(1);
    digits.erase(digits.find_last_not_of('0') + 1);
    text += "." + digits;
  }
  return text + "s";
}

Error not_found(std::string_view name, const std::map<std::string, ToolSpec, std::less<>>& tools) {
  std::string message = "Tool '" + printable(name) + "' not found. Available: ";
  std::size_t shown = 0;
  for (const auto& [each, spec] : tools) {
    if (shown == kNamesInMessage) break;
    message += (shown++ == 0 ? "" : ", ") + each;
  }
  if (tools.empty()) message += "none";
  if (tools.size() > shown) message += " (and " + std::to_string(tools.size() - shown) + " more)";
  return Error{make_error_code(ToolErrc::kNotFound), std::move(message)};
}

Result<Json> result_of(const ToolSpec& spec, const ProcessEnd& end, std::chrono::milliseconds timeout,
                       std::size_t max_stdout_bytes) {
  switch (end.cause) {
    case ProcessEnd::Cause::kTimedOut:
      return Error{make_error_code(ToolErrc::kTimeout),
                   "Tool '" + spec.name + "' timed out after " + seconds_text(timeout)};
    case ProcessEnd::Cause::kCancelled:
      return Error{make_error_code(ToolErrc::kCancelled), "the call was cancelled"};
    case ProcessEnd::Cause::kTooMuchOutput:
      return failed("Command failed: more than " + std::to_string(max_stdout_bytes) + " bytes of output");
    case ProcessEnd::Cause::kSignaled:
    case ProcessEnd::Cause::kExited:
      break;
  }
  if (end.cause == ProcessEnd::Cause::kSignaled || end.exit_code != 0) {
    std::string reason = to_utf8(end.err);
    reason.erase(reason.find_last_not_of(" \t\r\n") + 1);
    if (reason.empty() && end.cause == ProcessEnd::Cause::kSignaled) {
      const char* name = ::sigabbrev_np(end.signal);
      reason = "killed by " + (name ? "SIG" + std::string(name) : "signal " + std::to_string(end.signal));
    }
    if (reason.empty()) reason = "Exit code " + std::to_string(end.exit_code);
    return failed("Command failed: " + reason);
  }
  if (!spec.parse_json) {
    if (!is_utf8(end.out)) return failed("the output of '" + spec.name + "' is not UTF-8");
    return Json{encode_string(end.out)};
  }
  if (auto checked = check_json(end.out); !checked) return failed("Invalid JSON output: " + checked.error().context);
  return Json{end.out};
}

}  // namespace

CliToolHost::CliToolHost(std::vector<ToolSpec> tools, std::size_t max_stdout_bytes)
    : max_stdout_bytes_(max_stdout_bytes) {
  for (ToolSpec& spec : tools) {
    std::string name = spec.name;
    tools_.insert_or_assign(std::move(name), std::move(spec));
  }
}

std::vector<ToolInfo> CliToolHost::list() const {
  std::vector<ToolInfo> infos;
  for (const auto& [name, spec] : tools_) {
    for (ToolInfo& info : describe(spec)) infos.push_back(std::move(info));
  }
  std::sort(infos.begin(), infos.end(), [](const ToolInfo& a, const ToolInfo& b) { return a.name < b.name; });
  return infos;
}

boost::asio::awaitable<Result<Json>> CliToolHost::call(ToolCall call) {
  const std::size_t dot = call.tool.find('.');
  const std::string_view name = std::string_view(call.tool).substr(0, dot);
  const std::string_view recipe = dot == std::string::npos ? "" : std::string_view(call.tool).substr(dot + 1);
  const auto found = tools_.find(name);
  if (found == tools_.end() || (dot != std::string::npos && recipe.empty())) co_return not_found(call.tool, tools_);
  const ToolSpec& spec = found->second;
  auto argv = command_line(spec, recipe, call.args.text, call.kwargs.text);
  if (!argv) co_return argv.error();
  ProcessPlan plan;
  plan.argv = std::move(*argv);
  plan.env = merged_environment(spec.env);
  plan.working_directory = spec.working_directory;
  plan.timeout = call.timeout.count() > 0 ? std::min(spec.timeout, call.timeout) : spec.timeout;
  plan.max_stdout_bytes = max_stdout_bytes_;
  const auto timeout = plan.timeout;
  auto end = co_await run_process(std::move(plan));
  if (!end) co_return failed("Command failed: " + end.error().context);
  co_return result_of(spec, *end, timeout, max_stdout_bytes_);
}

}  // namespace progtc::bridge
