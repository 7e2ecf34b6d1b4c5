#pragma once
#include <string>
#include <vector>

#include "cli/console.h"
#include "cli/progtc_options.h"
#include "policy/result.h"

// progtc tools list, check and call; each prints to stdout and returns the exit status.
namespace progtc::cli {

int list_tools(const Console& console, const std::string& directory);
int check_tools(const Console& console, const std::string& directory);
int call_tool(const Console& console, const ProgtcOptions& options);

// "k=v" words as a JSON object. A value is JSON where it reads as a number, true, false, null, a list or an object, and
// text otherwise, or where `schema` (JSON Schema of the tool's arguments) asks for a string. Errors: a word without
// "=", a name given twice.
Result<std::string> to_kwargs(const std::vector<std::string>& words, const std::string& schema);

}  // namespace progtc::cli
