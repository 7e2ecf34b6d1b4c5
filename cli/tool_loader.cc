#include "cli/tool_loader.h"

namespace progtc::cli {

Result<std::shared_ptr<bridge::ToolHost>> load_tools(const boost::asio::any_io_executor&, const std::string& directory,
                                                     const Console&) {
  if (directory.empty()) return std::shared_ptr<bridge::ToolHost>();
  return from_errno(ENOSYS, "--tools");
}

}  // namespace progtc::cli
