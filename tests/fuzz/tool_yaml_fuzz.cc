// Tool files, and the command lines they lead to. The last line of the input is the call's kwargs.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "bridge/json.h"
#include "bridge/tools/tool_file.h"

namespace {

using namespace progtc::bridge;

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line = input.rfind('\n');
  const std::string_view yaml = line == std::string_view::npos ? input : input.substr(0, line + 1);
  const std::string_view kwargs = line == std::string_view::npos ? "{}" : input.substr(line + 1);
  const auto spec = decode_tool_file("x.yaml", yaml);
  if (!spec) {
    require(spec.error().context.starts_with("x.yaml:"));
    return 0;
  }
  for (const ToolInfo& info : describe(*spec)) {
    require(check_json(info.schema.text).has_value());
    const std::size_t dot = info.name.find('.');
    const std::string recipe = dot == std::string::npos ? "" : info.name.substr(dot + 1);
    const auto argv = command_line(*spec, recipe, "[]", kwargs);
    if (!argv) continue;
    require(argv->size() >= spec->command.size());
    require(std::equal(spec->command.begin(), spec->command.end(), argv->begin()));
    for (std::size_t i = spec->command.size(); i < argv->size(); ++i)
      require((*argv)[i].find('\0') == std::string::npos);
  }
  return 0;
}
