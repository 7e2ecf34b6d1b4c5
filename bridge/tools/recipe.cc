#include "bridge/tools/recipe.h"

#include <algorithm>

#include "bridge/utf8.h"

namespace progtc::bridge {
namespace {

bool same_name(std::string_view schema_name, std::string_view name) {
  return std::equal(schema_name.begin(), schema_name.end(), name.begin(), name.end(),
                    [](char a, char b) { return a == b || (a == '-' && b == '_'); });
}

void set(Arguments& arguments, const std::string& name, const Argument& value) {
  for (NamedArgument& each : arguments) {
    if (each.name == name) {
      each.value = value;
      return;
    }
  }
  arguments.push_back({name, value});
}

// A JSON number of the given type; text from the code counts too ("8080").
bool is_number(const std::string& text, bool is_whole) {
  return is_number_text(text) && (!is_whole || text.find_first_of(".eE") == std::string::npos);
}

Result<std::vector<std::string>> texts_of(const std::string& name, ParameterType type, const Argument& value) {
  if (value.is_list() && type != ParameterType::kArray)
    return bad_arguments("argument '" + name + "': expected one value, got a list");
  if (type == ParameterType::kInteger && !is_number(value.text, true))
    return bad_arguments("argument '" + name + "': expected an integer, got '" + printable(value.text) + "'");
  if (type == ParameterType::kNumber && !is_number(value.text, false))
    return bad_arguments("argument '" + name + "': expected a number, got '" + printable(value.text) + "'");
  if (value.is_list()) return value.items;
  return std::vector<std::string>{value.text};
}

Error missing(const std::string& name) { return bad_arguments("Required parameter '" + name + "' is missing"); }

// texts_of has checked that values of these types are numbers.
bool is_numeric(ParameterType type) { return type == ParameterType::kInteger || type == ParameterType::kNumber; }

Result<void> append_option(const SchemaOption& option, const Argument* value, std::vector<std::string>& argv) {
  if (!value || value->is_missing()) {
    if (option.is_required) return missing(option.name);
    return {};
  }
  const std::string flag = option.short_name.empty() ? "--" + option.name : "-" + option.short_name;
  if (option.type == ParameterType::kBoolean) {
    if (value->is_true()) argv.push_back(flag);
    return {};
  }
  PROGTC_TRY(std::vector<std::string> texts, texts_of(option.name, option.type, *value));
  for (std::string& text : texts) {
    if (option.has_item_for_value()) {
      PROGTC_CHECK(check_no_option(option.name, text, is_numeric(option.type)));
      argv.push_back(flag);
      argv.push_back(std::move(text));
    } else if (option.short_name.empty()) {
      argv.push_back(flag + "=" + text);
    } else if (text.empty()) {  // `-s` alone would take the next item, whatever that is
      argv.push_back(flag);
      argv.emplace_back();
    } else {
      argv.push_back(flag + text);
    }
  }
  return {};
}

Result<void> append_positional(const SchemaPositional& positional, bool may_begin_with_dash, const Argument* value,
                               std::vector<std::string>& argv) {
  if (!value || value->is_missing()) {
    if (positional.is_required) return missing(positional.name);
    return {};
  }
  PROGTC_TRY(std::vector<std::string> texts, texts_of(positional.name, positional.type, *value));
  for (std::string& text : texts) {
    if (!may_begin_with_dash) PROGTC_CHECK(check_no_option(positional.name, text, is_numeric(positional.type)));
    argv.push_back(std::move(text));
  }
  return {};
}

std::string known_names(const ToolSchema& schema) {
  std::string names;
  const auto add = [&](const std::string& name) { names += (names.empty() ? "" : ", ") + name; };
  for (const SchemaPositional& positional : schema.positionals) add(positional.name);
  for (const SchemaOption& option : schema.options) add(option.name);
  return names.empty() ? "none" : names;
}

}  // namespace

const char* to_string(ParameterType type) noexcept {
  switch (type) {
    case ParameterType::kString:
      return "string";
    case ParameterType::kBoolean:
      return "boolean";
    case ParameterType::kInteger:
      return "integer";
    case ParameterType::kNumber:
      return "number";
    case ParameterType::kArray:
      return "array";
  }
  return "?";
}

std::optional<std::string> ToolSchema::canonical(std::string_view name) const {
  for (const SchemaOption& option : options) {
    if (same_name(option.name, name)) return option.name;
  }
  for (const SchemaPositional& positional : positionals) {
    if (same_name(positional.name, name)) return positional.name;
  }
  return std::nullopt;
}

std::vector<std::string> positional_names(const ToolSchema& schema) {
  std::vector<std::string> names;
  for (const SchemaPositional& positional : schema.positionals) names.push_back(positional.name);
  return names;
}

std::vector<std::string> Recipe::positional_names(const ToolSchema& schema) const {
  if (parameters.empty()) return bridge::positional_names(schema);
  std::vector<std::string> names;
  for (const RecipeParameter& parameter : parameters) names.push_back(parameter.name);
  return names;
}

Result<std::vector<std::string>> build_argv(const ToolSchema& schema, const Recipe* recipe, const Arguments& given) {
  Arguments merged;
  if (recipe) {
    merged = recipe->preset;
    for (const RecipeParameter& parameter : recipe->parameters) {
      if (!parameter.default_value.is_missing()) set(merged, parameter.name, parameter.default_value);
    }
  }
  Arguments canonical;
  for (const NamedArgument& each : given) {
    const auto name = schema.canonical(each.name);
    if (!name)
      return bad_arguments("unexpected argument '" + printable(each.name) + "'; it takes: " + known_names(schema));
    if (find_argument(canonical, *name)) return bad_arguments("got multiple values for argument '" + *name + "'");
    canonical.push_back({*name, each.value});
  }
  for (const NamedArgument& each : canonical) set(merged, each.name, each.value);
  if (recipe) {
    for (const RecipeParameter& parameter : recipe->parameters) {
      const Argument* value = find_argument(merged, parameter.name);
      if (parameter.is_required && (!value || value->is_missing())) return missing(parameter.name);
    }
  }
  std::vector<std::string> argv;
  for (const SchemaOption& option : schema.options)
    PROGTC_CHECK(append_option(option, find_argument(merged, option.name), argv));
  std::vector<std::string> last;
  for (const SchemaPositional& positional : schema.positionals)
    PROGTC_CHECK(
        append_positional(positional, schema.has_end_of_options, find_argument(merged, positional.name), last));
  if (schema.has_end_of_options && !last.empty()) argv.emplace_back("--");
  for (std::string& text : last) argv.push_back(std::move(text));
  return argv;
}

}  // namespace progtc::bridge
