// The bodies that a client posts. The first byte chooses the decoder and, for small inputs, tight limits.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "bridge/json.h"
#include "bridge/progtc/request.h"
#include "bridge/utf8.h"

namespace {

using namespace progtc::bridge;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_problems(const BodyProblems& problems) {
  require(!problems.list.empty() && problems.list.size() <= kMaxBodyProblems);
  require(check_json(to_json(problems)).has_value());
}

void check_execute(std::string_view body, const RequestLimits& limits) {
  const auto request = decode_execute_request(body, limits);
  if (!request) {
    check_problems(request.error());
    return;
  }
  require(request->tool_names.size() <= limits.tool_names && request->code.size() <= limits.code_bytes);
  require(is_utf8(request->code));
  require(!request->timeout || request->timeout->count() > 0);
  std::size_t bytes = 0;
  for (const auto& [path, content] : request->files) {
    require(!path.empty() && path.front() != '/' && path.find('\0') == std::string::npos);
    require(("/" + path + "/").find("/../") == std::string::npos);
    bytes += content.size();
  }
  require(request->files.size() <= limits.files && bytes <= limits.file_bytes);
  const auto again = decode_execute_request(encode_execute_request(*request), limits);
  require(again.has_value());
  require(again->tool_names == request->tool_names && again->code == request->code && again->files == request->files);
  require(again->timeout == request->timeout && again->policy == request->policy);
}

void check_result(std::string_view body, const RequestLimits& limits) {
  const auto request = decode_tool_result(body, limits);
  if (!request) {
    check_problems(request.error());
    return;
  }
  if (const auto* json = std::get_if<Json>(&request->outcome)) {
    require(check_json(json->text).has_value());
  } else {
    const auto& failure = std::get<ToolFailure>(request->outcome);
    require(is_tool_error_type(failure.type) && is_utf8(failure.message));
    const ToolFailure back = tool_failure_of(to_error(failure));
    require(back.type == failure.type && back.message == failure.message);
  }
  require(decode_tool_result(encode_tool_result(*request)).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  RequestLimits limits;
  if ((data[0] & 2U) != 0)
    limits = {.tool_names = 2, .code_bytes = 8, .files = 2, .file_bytes = 4, .error_message_bytes = 4};
  if ((data[0] & 1U) != 0) {
    check_result(body, limits);
  } else {
    check_execute(body, limits);
  }
  return 0;
}
