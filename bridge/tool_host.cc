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
    }
    return "unknown tool error";
  }
};

}  // namespace

const boost::system::error_category& tool_category() noexcept {
  static const ToolCategory category;
  return category;
}

boost::system::error_code make_error_code(ToolErrc code) noexcept { return {static_cast<int>(code), tool_category()}; }

}  // namespace progtc::bridge
