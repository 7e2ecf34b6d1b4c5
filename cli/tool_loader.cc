#include "cli/tool_loader.h"

#include "bridge/tools/cli_tool_host.h"
#include "bridge/tools/tool_directory.h"
#include "cli/text.h"

namespace progtc::cli {

Result<std::shared_ptr<bridge::ToolHost>> load_tools(const std::string& directory, const Console& console) {
  if (directory.empty()) return std::shared_ptr<bridge::ToolHost>();
  auto found = bridge::load_tool_directory(directory);
  if (!found) return with_context("--tools", found.error());
  for (const std::string& problem : found->problems) console.note("tools: " + problem);
  for (const std::string& warning : found->warnings) console.note("tools: " + warning);
  return std::shared_ptr<bridge::ToolHost>(std::make_shared<bridge::CliToolHost>(std::move(found->tools)));
}

}  // namespace progtc::cli
