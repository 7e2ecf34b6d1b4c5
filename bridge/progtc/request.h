#pragma once
// The bodies of the progtc protocol's two requests. Pure. A body is hostile until it is decoded; a body that is refused
// is answered with 422 and every problem it has, in the shape that the protocol's clients know from pydantic.
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <boost/system/result.hpp>

#include "bridge/tool_host.h"

namespace progtc::bridge {

struct ExecuteRequest {
  std::vector<std::string> tool_names;  // as they came, without repetitions
  std::string code;
  bool stream = false;                               // events for output as it happens
  std::optional<std::chrono::milliseconds> timeout;  // of the run; the server's own may be shorter
  std::optional<std::string> policy;
  std::map<std::string, std::string> files;  // path in the working directory -> bytes
  std::optional<std::string> session;
};

struct ToolResultRequest {
  std::string execution_id;
  std::string tool_call_id;
  std::variant<Json, ToolFailure> outcome;
};

// What is refused beyond what the protocol itself refuses.
struct RequestLimits {
  std::size_t tool_names = 1024;
  std::size_t code_bytes = 4UL << 20;
  std::size_t files = 256;
  std::size_t file_bytes = 8UL << 20;  // of all files together, decoded
  std::size_t error_message_bytes = 64UL << 10;
};

struct BodyProblem {
  using Step = std::variant<std::string, std::size_t>;  // a key, or an index
  std::vector<Step> loc;                                // "body" first
  std::string msg;
  std::string type;
  std::string ctx_error;  // empty: the problem has no "ctx"
};

struct BodyProblems {
  std::vector<BodyProblem> list;  // at most kMaxBodyProblems; never empty
};
inline constexpr std::size_t kMaxBodyProblems = 32;

// Called by boost::system::result when value() is taken from a failed result: always a bug of the caller.
[[noreturn]] void throw_exception_from_error(const BodyProblems& problems, const boost::source_location&);

template <typename T>
struct [[nodiscard]] Decoded : boost::system::result<T, BodyProblems> {
  using boost::system::result<T, BodyProblems>::result;
};

// Keys that are not known are ignored, as the protocol's own server does; an optional one that is null is not there.
// Repeated keys are problems. `body` is any bytes.
//
// Tool names: identifiers, or identifiers joined by dots, at most kMaxToolNameBytes. Beyond ASCII every character but
// spaces and invisible ones passes for a letter: a name that Python would not take is one the code cannot import.
// Files: relative paths without "." and "..", base64 of RFC 4648 section 4 with its padding, no path below another
// file.
Decoded<ExecuteRequest> decode_execute_request(std::string_view body, const RequestLimits& limits = {});

// `result` may be null but must be there, unless `error` is.
Decoded<ToolResultRequest> decode_tool_result(std::string_view body, const RequestLimits& limits = {});

// The list that goes under "detail".
std::string to_json(const BodyProblems& problems);

// The other direction, for the client. Texts must be UTF-8.
std::string encode_execute_request(const ExecuteRequest& request);
std::string encode_tool_result(const ToolResultRequest& result);

}  // namespace progtc::bridge
