#include "cli/tools_commands.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <set>

#include <rapidjson/document.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "bridge/json.h"
#include "bridge/tools/cli_tool_host.h"
#include "bridge/tools/tool_directory.h"
#include "bridge/utf8.h"
#include "cli/text.h"
#include "policy/decode.h"
#include "policy/units.h"

namespace progtc::cli {
namespace {

namespace asio = boost::asio;

int fail(const Console& console, const Error& failure) {
  console.error(failure.context);
  return 1;
}

void print(const std::string& text) { (void)std::fputs(text.c_str(), stdout); }

Error usage_error(const std::string& text) { return from_errno(EINVAL, text); }

bool wants_text(const rapidjson::Document& schema, const std::string& name) {
  if (!schema.IsObject()) return false;
  const auto properties = schema.FindMember("properties");
  if (properties == schema.MemberEnd() || !properties->value.IsObject()) return false;
  const auto property = properties->value.FindMember(name);
  if (property == properties->value.MemberEnd() || !property->value.IsObject()) return false;
  const auto type = property->value.FindMember("type");
  return type != property->value.MemberEnd() && type->value.IsString() &&
         std::string(type->value.GetString()) == "string";
}

}  // namespace

Result<std::string> to_kwargs(const std::vector<std::string>& words, const std::string& schema_text) {
  rapidjson::Document schema;
  schema.Parse<rapidjson::kParseIterativeFlag>(schema_text);
  if (schema.HasParseError()) schema.SetNull();
  std::set<std::string> seen;
  std::string json = "{";
  for (const std::string& word : words) {
    const auto equals = word.find('=');
    if (equals == std::string::npos || equals == 0) return usage_error("expected NAME=VALUE, got '" + word + "'");
    const std::string name = word.substr(0, equals);
    const std::string value = word.substr(equals + 1);
    if (!seen.insert(name).second) return usage_error("'" + name + "' is given twice");
    if (!bridge::is_utf8(word)) return usage_error("'" + name + "' is not UTF-8");
    const bool is_json =
        !wants_text(schema, name) && bridge::check_json(value) && bridge::kind_of(value) != bridge::JsonKind::kString;
    json += (json.size() == 1 ? "" : ", ") + bridge::encode_string(name) + ": " +
            (is_json ? value : bridge::encode_string(value));
  }
  return json + "}";
}

int list_tools(const Console& console, const std::string& directory) {
  auto found = bridge::load_tool_directory(directory);
  if (!found) return fail(console, found.error());
  for (const std::string& problem : found->problems) console.note(problem);
  const bridge::CliToolHost host(std::move(found->tools));
  const auto tools = host.list();
  std::size_t width = 0;
  for (const bridge::ToolInfo& tool : tools) width = std::max(width, tool.name.size());
  for (const bridge::ToolInfo& tool : tools) {
    std::string described = tool.description.substr(0, tool.description.find('\n'));
    print(to_line(tool.name + std::string(width - tool.name.size() + 2, ' ') + described) + "\n");
  }
  return 0;
}

int check_tools(const Console& console, const std::string& directory) {
  const auto found = bridge::load_tool_directory(directory);
  if (!found) return fail(console, found.error());
  for (const bridge::ToolSpec& tool : found->tools) print(to_line(tool.file + ": ok: " + tool.name) + "\n");
  for (const std::string& warning : found->warnings) print(to_line(warning) + " (loaded)\n");
  for (const std::string& problem : found->problems) print(to_line(problem) + "\n");
  if (found->tools.empty() && found->problems.empty()) console.note("no *.yaml file in '" + directory + "'");
  return found->problems.empty() ? 0 : 1;
}

int call_tool(const Console& console, const ProgtcOptions& options) {
  auto found = bridge::load_tool_directory(options.directory);
  if (!found) return fail(console, found.error());
  for (const std::string& problem : found->problems) console.note(problem);
  bridge::CliToolHost host(std::move(found->tools));
  bridge::ToolCall call;
  call.id = std::string(32, '0');
  call.tool = options.tool;
  call.args.text = "[]";
  call.timeout = std::chrono::seconds(60);
  if (!options.timeout.empty()) {
    const auto timeout = policy::parse_duration(options.timeout);
    if (!timeout) return fail(console, with_context("--timeout", timeout.error()));
    call.timeout = *timeout;
  }
  std::string schema;
  for (const bridge::ToolInfo& tool : host.list())
    if (tool.name == options.tool) schema = tool.schema.text;
  auto kwargs = to_kwargs(options.values, schema);
  if (!kwargs) return fail(console, kwargs.error());
  call.kwargs.text = std::move(*kwargs);
  if (!options.json.empty()) {
    if (!options.values.empty()) return fail(console, usage_error("--json and NAME=VALUE exclude each other"));
    if (auto checked = bridge::check_json(options.json); !checked)
      return fail(console, with_context("--json", checked.error()));
    const std::string text = options.json.substr(options.json.find_first_not_of(" \t\r\n"));
    switch (bridge::kind_of(text)) {
      case bridge::JsonKind::kObject:
        call.kwargs.text = text;
        break;
      case bridge::JsonKind::kArray:
        call.args.text = text;
        break;
      default:
        return fail(console, usage_error("--json: expected an object or an array"));
    }
  }
  asio::io_context context(1);
  std::optional<Result<bridge::Json>> result;
  std::exception_ptr bug;
  auto calling = host.call(std::move(call));
  asio::co_spawn(context, std::move(calling), [&](std::exception_ptr failure, Result<bridge::Json> outcome) {
    bug = std::move(failure);
    result = std::move(outcome);
  });
  context.run();
  if (bug) std::rethrow_exception(bug);
  if (!*result) return fail(console, result->error());
  const std::string& text = (*result)->text;
  const bool is_text = bridge::kind_of(text) == bridge::JsonKind::kString;
  const std::string shown = is_text ? bridge::decode_string(text) : text;
  (void)std::fwrite(shown.data(), 1, shown.size(), stdout);
  if (!shown.ends_with('\n')) print("\n");
  return 0;
}

}  // namespace progtc::cli
