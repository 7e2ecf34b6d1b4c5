#include "bridge/tools/arguments.h"

#include <algorithm>

#include "bridge/tool_host.h"
#include "bridge/utf8.h"

namespace progtc::bridge {
namespace {

constexpr std::size_t kMaxArguments = 256;
constexpr std::size_t kMaxItems = 65'536;

Result<std::string> scalar_text(std::string_view json) {
  switch (kind_of(json)) {
    case JsonKind::kNull:
      return std::string("None");
    case JsonKind::kBoolean:
      return std::string(json == "true" ? "True" : "False");
    case JsonKind::kNumber:
      return std::string(json);
    case JsonKind::kString: {
      std::string text = decode_string(json);
      if (text.find('\0') != std::string::npos) return bad_arguments("it holds a NUL character");
      return text;
    }
    case JsonKind::kArray:
      return bad_arguments("a command line cannot hold a list in a list");
    case JsonKind::kObject:
      break;
  }
  return bad_arguments("a command line cannot hold a dict");
}

Result<Argument> decode_argument(std::string_view json) {
  Argument argument;
  argument.kind = kind_of(json);
  if (argument.is_missing()) return argument;
  if (!argument.is_list()) {
    PROGTC_TRY(argument.text, scalar_text(json));
    return argument;
  }
  PROGTC_TRY(const auto items, split_array(json, kMaxItems));
  for (const std::string_view item : items) {
    PROGTC_TRY(std::string text, scalar_text(item));
    argument.items.push_back(std::move(text));
  }
  return argument;
}

}  // namespace

bool Argument::is_true() const {
  switch (kind) {
    case JsonKind::kNull:
      return false;
    case JsonKind::kBoolean:
      return text == "True";
    case JsonKind::kNumber:  // zero however it is written: 0, -0, 0.0, 0e5
      return text.substr(0, text.find_first_of("eE")).find_first_of("123456789") != std::string::npos;
    case JsonKind::kString:
      return !text.empty();
    default:
      return !items.empty();
  }
}

const Argument* find_argument(const Arguments& arguments, std::string_view name) {
  const auto found =
      std::find_if(arguments.begin(), arguments.end(), [&](const NamedArgument& each) { return each.name == name; });
  return found == arguments.end() ? nullptr : &found->value;
}

bool is_number_text(std::string_view text) { return check_json(text) && kind_of(text) == JsonKind::kNumber; }

Result<void> check_no_option(const std::string& name, std::string_view item, bool may_be_number) {
  if (item.size() < 2 || item[0] != '-' || (may_be_number && is_number_text(item))) return {};
  return bad_arguments("argument '" + name + "': '" + printable(item) +
                       "' begins with '-', and the program would read it as an option");
}

Error bad_arguments(std::string message) { return Error{make_error_code(ToolErrc::kBadArguments), std::move(message)}; }

Result<Arguments> bind_arguments(std::string_view tool, std::string_view args_json, std::string_view kwargs_json,
                                 const std::vector<std::string>& positional, bool takes_extra) {
  const std::string call = std::string(tool) + "() ";
  if (args_json.size() + kwargs_json.size() > kMaxArgumentBytes)
    return bad_arguments(call + "got more than " + std::to_string(kMaxArgumentBytes) + " bytes of arguments");
  const auto args = split_array(args_json, kMaxArguments);
  if (!args) return bad_arguments(call + "got bad positional arguments: " + args.error().context);
  const auto kwargs = split_object(kwargs_json, kMaxArguments);
  if (!kwargs) return bad_arguments(call + "got bad keyword arguments: " + kwargs.error().context);
  if (args->size() > positional.size() && !takes_extra)
    return bad_arguments(call + "takes " + std::to_string(positional.size()) + " positional arguments but " +
                         std::to_string(args->size()) + " were given");
  Arguments bound;
  const auto bind = [&](const std::string& name, std::string_view json) -> Result<void> {
    auto value = decode_argument(json);
    if (!value) return bad_arguments(call + "argument '" + printable(name) + "': " + value.error().context);
    bound.push_back({name, std::move(*value)});
    return {};
  };
  for (std::size_t i = 0; i < args->size(); ++i)
    PROGTC_CHECK(bind(i < positional.size() ? positional[i] : std::string(), (*args)[i]));
  for (const JsonMember& member : *kwargs) {
    if (member.key.find('\0') != std::string::npos) return bad_arguments(call + "got a keyword with a NUL character");
    if (!member.key.empty() && find_argument(bound, member.key))
      return bad_arguments(call + "got multiple values for argument '" + printable(member.key) + "'");
    PROGTC_CHECK(bind(member.key, member.value));
  }
  return bound;
}

}  // namespace progtc::bridge
