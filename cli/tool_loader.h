#pragma once
#include <memory>
#include <string>

#include "bridge/tool_host.h"
#include "cli/console.h"
#include "policy/result.h"

namespace progtc::cli {

// The tools of a directory; null when `directory` is empty. What is wrong with single files is said on `console`, and
// the others load. Errors: the directory itself cannot be read.
Result<std::shared_ptr<bridge::ToolHost>> load_tools(const std::string& directory, const Console& console);

}  // namespace progtc::cli
