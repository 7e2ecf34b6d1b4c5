#pragma once
// The one interface behind every tool: a program of the user's, a server, a function, the client at the end of a
// stream.
#include <chrono>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "policy/result.h"

namespace progtc::bridge {

// JSON that has been checked for syntax, encoding and depth and is passed on as bytes.
struct Json {
  std::string text;
};

struct ToolCall {
  std::string id;    // 32 hex digits, minted by the host; what the guest calls it never leaves the channel
  std::string tool;  // as the code named it: "nmap", "git.log"
  Json args;         // an array
  Json kwargs;       // an object
  std::chrono::milliseconds timeout{0};  // what the policy allows this call; the host of the tool ends it by then
};

// What the code sees when a tool fails: ToolError(type, message), or TimeoutError for kToolTimeout.
enum class ToolErrc { kNotFound = 1, kBadArguments, kFailed, kTimeout, kDenied, kCancelled };
const boost::system::error_category& tool_category() noexcept;
boost::system::error_code make_error_code(ToolErrc code) noexcept;

struct ToolInfo {
  std::string name;
  std::string description;
  Json schema;  // JSON Schema of the keyword arguments
  std::vector<std::string> tags;
};

class ToolHost {
 public:
  virtual ~ToolHost() = default;
  // The tools that exist, sorted by name.
  virtual std::vector<ToolInfo> list() const = 0;
  // Runs one call; many may be under way at once. Cancelling the coroutine ends the tool.
  // Errors: a ToolErrc; `context` is the message the code gets.
  virtual boost::asio::awaitable<Result<Json>> call(ToolCall call) = 0;
};

}  // namespace progtc::bridge
