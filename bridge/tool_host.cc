#include "bridge/tool_host.h"

namespace progtc::bridge {
namespace {

class ToolCategory final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "tool"; }
  std::string message(int code) const override {
    switch (static_cast<ToolErrc>(code)) {
      case ToolErrc::kNotFound:
        return "no such tool";
      case ToolErrc::kBadArguments:
        return "the tool does not take these arguments";
      case ToolErrc::kFailed:
        return "the tool failed";
      case ToolErrc::kTimeout:
        return "the tool timed out";
      case ToolErrc::kDenied:
        return "the policy denies this call";
      case ToolErrc::kCancelled:
        return "the call was cancelled";
      case ToolErrc::kRaised:
        return "the tool raised an error";
    }
    return "unknown tool error";
  }
};

}  // namespace

const boost::system::error_category& tool_category() noexcept {
  static const ToolCategory kCategory;
  return kCategory;
}

boost::system::error_code make_error_code(ToolErrc code) noexcept { return {static_cast<int>(code), tool_category()}; }

bool is_tool_error_type(std::string_view text) noexcept {
  if (text.size() > kMaxToolErrorType) return false;
  bool is_start = true;  // of a part
  for (const char c : text) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (c == '.') {
      if (is_start) return false;
      is_start = true;
    } else if (is_letter || (!is_start && c >= '0' && c <= '9')) {
      is_start = false;
    } else {
      return false;
    }
  }
  return !is_start;
}

Error to_error(ToolFailure failure) {
  if (!is_tool_error_type(failure.type)) failure.type = "ToolCallError";
  return Error{make_error_code(ToolErrc::kRaised), failure.type + ": " + failure.message};
}

ToolFailure tool_failure_of(const Error& error) {
  constexpr std::string_view kBetween = ": ";
  if (error.code.category() != tool_category()) return {"ToolCallError", error.context};
  switch (static_cast<ToolErrc>(error.code.value())) {
    case ToolErrc::kNotFound:
      return {"ToolNotFoundError", error.context};
    case ToolErrc::kBadArguments:
      return {"TypeError", error.context};
    case ToolErrc::kFailed:
      break;
    case ToolErrc::kTimeout:
      return {"TimeoutError", error.context};
    case ToolErrc::kDenied:
      return {"ToolDenied", error.context};
    case ToolErrc::kCancelled:
      return {"ToolCancelledError", error.context};
    case ToolErrc::kRaised: {
      const std::size_t end = error.context.find(kBetween);
      if (end == std::string::npos || !is_tool_error_type(std::string_view(error.context).substr(0, end))) break;
      return {error.context.substr(0, end), error.context.substr(end + kBetween.size())};
    }
  }
  return {"ToolCallError", error.context};
}

boost::asio::awaitable<Result<Json>> NoTools::call(ToolCall call) {
  co_return Error{make_error_code(ToolErrc::kNotFound), "no tool is called '" + call.tool + "'"};
}

}  // namespace progtc::bridge
