#pragma once
// The one interface behind every tool: a program of the user's, a server, a function, the client at the end of a
// stream.
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
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
// kRaised carries a type of the tool's own, see ToolFailure.
enum class ToolErrc { kNotFound = 1, kBadArguments, kFailed, kTimeout, kDenied, kCancelled, kRaised };
const boost::system::error_category& tool_category() noexcept;
boost::system::error_code make_error_code(ToolErrc code) noexcept;

// The error that a tool raised, where it has a name: the code gets ToolError(type, message).
struct ToolFailure {
  std::string type;  // a Python name, perhaps dotted: "ValueError", "requests.HTTPError"
  std::string message;
};
inline constexpr std::size_t kMaxToolErrorType = 128;

// ASCII letters, digits and underscores in parts joined by dots, at most kMaxToolErrorType bytes.
bool is_tool_error_type(std::string_view text) noexcept;

// A failure as an Error: a kRaised whose context is "type: message", in which the type ends at the first colon because
// no type has one. A type that is not an is_tool_error_type() becomes "ToolCallError".
Error to_error(ToolFailure failure);

// What the code sees of any error of a tool: to_error() undone for a kRaised, else the context under a name of ours
// ("TimeoutError", "ToolDenied"; "ToolCallError" for what has no name).
ToolFailure tool_failure_of(const Error& error);

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

// For a run that has none.
class NoTools final : public ToolHost {
 public:
  std::vector<ToolInfo> list() const override { return {}; }
  boost::asio::awaitable<Result<Json>> call(ToolCall call) override;
};

}  // namespace progtc::bridge
