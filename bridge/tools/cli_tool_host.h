#pragma once
// Tools that are programs of the user's (docs/tools.md).
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "bridge/tool_host.h"
#include "bridge/tools/tool_file.h"

namespace progtc::bridge {

class CliToolHost final : public ToolHost {
 public:
  // Of two tools with one name the later counts (tool_directory.h reports that case).
  explicit CliToolHost(std::vector<ToolSpec> tools, std::size_t max_stdout_bytes = 16UL * 1024 * 1024);

  std::vector<ToolInfo> list() const override;

  // Result: the program's stdout as a JSON string, or as it is for `parse_json`. It has the shorter of the tool's own
  // timeout and the call's. Errors: kNotFound "Tool 'x' not found. Available: a, b (and 3 more)"; kBadArguments;
  // kTimeout; kFailed "Command failed: <stderr>" or "Command failed: Exit code 3"; kCancelled.
  boost::asio::awaitable<Result<Json>> call(ToolCall call) override;

 private:
  std::map<std::string, ToolSpec, std::less<>> tools_;
  std::size_t max_stdout_bytes_;
};

}  // namespace progtc::bridge
