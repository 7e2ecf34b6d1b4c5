#include "bridge/tools/tool_file.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <optional>

#include <boost/system/errc.hpp>

#include "bridge/json.h"
#include "bridge/tools/shell_words.h"
#include "bridge/tools/yaml.h"
#include "bridge/utf8.h"

namespace progtc::bridge {
namespace {

constexpr double kMaxTimeoutSeconds = 86'400;

Error bad(std::string what) {
  return Error{boost::system::errc::make_error_code(boost::system::errc::invalid_argument), std::move(what)};
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({changed, row[j] + 1, row[j - 1] + 1}));
    }
  }
  return row.back();
}

bool is_name(std::string_view text) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !text.empty() && text.size() <= 100 && is_letter(text[0]) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '-'; });
}

// A node and the path to it, as messages show it.
class Cursor {
 public:
  Cursor(std::string_view file, std::string path, const YamlNode& node)
      : file_(file), path_(std::move(path)), node_(&node) {}

  const YamlNode& node() const { return *node_; }

  std::string prefix() const {
    return std::string(file_) + ":" + node_->place() + ": " + (path_.empty() ? "" : path_ + ": ");
  }
  Error error(const std::string& what) const { return bad(prefix() + what); }
  Error expected(const std::string& what) const { return error("expected " + what + ", got " + node_->what()); }

  Cursor child(const std::string& key, const YamlNode& node) const {
    return {file_, path_.empty() ? key : path_ + "." + key, node};
  }
  Cursor item(std::size_t index, const YamlNode& node) const {
    return {file_, path_ + "[" + std::to_string(index) + "]", node};
  }

  Result<void> expect_mapping() const {
    if (node_->kind != YamlNode::Kind::kMapping) return expected("a mapping");
    for (std::size_t i = 0; i < node_->members.size(); ++i) {
      const YamlNode& key = node_->members[i].key;
      const Cursor at{file_, path_, key};
      if (key.kind != YamlNode::Kind::kScalar)
        return at.error("expected a key that is a string, got " + std::string(key.what()));
      for (std::size_t j = 0; j < i; ++j) {
        if (node_->members[j].key.text == key.text) return at.error("repeated key '" + printable(key.text) + "'");
      }
    }
    return {};
  }

  Result<void> expect_keys(std::initializer_list<std::string_view> known) const {
    PROGTC_CHECK(expect_mapping());
    for (const YamlMember& member : node_->members) {
      const std::string& key = member.key.text;
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      std::string message = "unknown key '" + printable(key) + "'";
      const auto near = std::min_element(known.begin(), known.end(), [&](std::string_view a, std::string_view b) {
        return edit_distance(key.substr(0, 40), a) < edit_distance(key.substr(0, 40), b);
      });
      if (edit_distance(key.substr(0, 40), *near) <= 2) message += "; did you mean '" + std::string(*near) + "'?";
      return Cursor(file_, path_, member.key).error(message);
    }
    return {};
  }

  std::optional<Cursor> find(const std::string& key) const {
    for (const YamlMember& member : node_->members) {
      if (member.key.text == key) return child(key, member.value);
    }
    return std::nullopt;
  }

  Result<std::string> string() const {
    if (!node_->is_string()) return expected("a string");
    return node_->text;
  }
  Result<std::string> string_at(const std::string& key, std::string otherwise) const {
    const auto at = find(key);
    if (!at) return otherwise;
    return at->string();
  }
  Result<bool> boolean_at(const std::string& key) const {
    const auto at = find(key);
    if (!at) return false;
    if (!at->node().is_boolean()) return at->expected("true or false");
    return at->node().is_true();
  }

 private:
  std::string_view file_;
  std::string path_;
  const YamlNode* node_;
};

// A value of the file as an argument: what a call could have given.
Result<Argument> decode_value(const Cursor& at) {
  const auto scalar = [](const YamlNode& node, Argument& argument) {
    if (node.kind != YamlNode::Kind::kScalar) return false;
    argument.kind = node.is_boolean() ? JsonKind::kBoolean : node.is_number() ? JsonKind::kNumber : JsonKind::kString;
    argument.text = node.is_boolean() ? (node.is_true() ? "True" : "False") : node.text;
    return true;
  };
  Argument value;
  const YamlNode& node = at.node();
  if (node.kind == YamlNode::Kind::kNull) return value;
  if (scalar(node, value)) return value;
  if (node.kind != YamlNode::Kind::kSequence) return at.expected("a string, a number, a boolean or a list of them");
  value.kind = JsonKind::kArray;
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    Argument item;
    if (!scalar(node.items[i], item)) return at.item(i, node.items[i]).expected("a string, a number or a boolean");
    value.items.push_back(std::move(item.text));
  }
  return value;
}

Result<std::vector<std::string>> decode_tags(const Cursor& root) {
  std::vector<std::string> tags;
  const auto at = root.find("tags");
  if (!at) return tags;
  if (at->node().kind != YamlNode::Kind::kSequence) return at->expected("a list of strings");
  for (std::size_t i = 0; i < at->node().items.size(); ++i) {
    PROGTC_TRY(std::string tag, at->item(i, at->node().items[i]).string());
    tags.push_back(std::move(tag));
  }
  return tags;
}

Result<std::chrono::milliseconds> decode_timeout(const Cursor& at) {
  if (!at.node().is_number()) return at.expected("a number of seconds");
  double seconds = 0;
  const std::string& text = at.node().text;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (ec != std::errc{} || end != text.data() + text.size() || seconds < 0.001 || seconds > kMaxTimeoutSeconds)
    return at.error("expected a number of seconds in 0.001..86400, got " + printable(text));
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

Result<std::map<std::string, std::string>> decode_env(const Cursor& at) {
  std::map<std::string, std::string> env;
  PROGTC_CHECK(at.expect_mapping());
  for (const YamlMember& member : at.node().members) {
    const std::string& name = member.key.text;
    const Cursor value = at.child(name, member.value);
    if (name.empty() || name.find('=') != std::string::npos) return value.error("no name for an environment variable");
    // 8080 and true are as clear here as in a shell.
    if (member.value.kind != YamlNode::Kind::kScalar) return value.expected("a string");
    env[name] = member.value.text;
  }
  return env;
}

Result<ParameterType> decode_type(const Cursor& at) {
  PROGTC_TRY(const std::string name, at.string_at("type", "string"));
  for (const ParameterType type : {ParameterType::kString, ParameterType::kBoolean, ParameterType::kInteger,
                                   ParameterType::kNumber, ParameterType::kArray}) {
    if (name == to_string(type)) return type;
  }
  return at.find("type")->error("expected string, boolean, integer, number or array, got '" + printable(name) + "'");
}

Result<SchemaOption> decode_option(const Cursor& at, const std::string& name) {
  SchemaOption option;
  option.name = name;
  PROGTC_CHECK(at.expect_keys({"type", "short", "separate", "description", "default", "required"}));
  PROGTC_TRY(option.type, decode_type(at));
  PROGTC_TRY(option.description, at.string_at("description", ""));
  PROGTC_TRY(option.is_required, at.boolean_at("required"));
  PROGTC_TRY(option.is_separate, at.boolean_at("separate"));
  if (const auto letter = at.find("short")) {
    // `short: 4` is the option -4; `short: n` is -n, though YAML 1.1 has words for booleans that begin so.
    if (letter->node().kind != YamlNode::Kind::kScalar) return letter->expected("a string");
    option.short_name = letter->node().text;
    if (option.short_name.empty() || option.short_name[0] == '-' ||
        option.short_name.find_first_of(" \t\r\n") != std::string::npos)
      return letter->error("expected the option without its '-', such as \"s\", got '" + printable(option.short_name) +
                           "'");
  }
  return option;
}

Result<ToolSchema> decode_schema(const Cursor& at) {
  ToolSchema schema;
  PROGTC_CHECK(at.expect_keys({"options", "positional", "end_of_options"}));
  PROGTC_TRY(schema.has_end_of_options, at.boolean_at("end_of_options"));
  if (const auto options = at.find("options"); options && options->node().kind != YamlNode::Kind::kNull) {
    PROGTC_CHECK(options->expect_mapping());
    for (const YamlMember& member : options->node().members) {
      const std::string& name = member.key.text;
      const Cursor option_at = options->child(name, member.value);
      // The option's name becomes `--name`.
      const bool is_option_name =
          !name.empty() && name[0] != '-' && name.find_first_of(" \t\r\n=") == std::string::npos;
      if (!is_option_name) return option_at.error("no name for an option");
      if (schema.canonical(name)) return option_at.error("another option is called so");
      PROGTC_TRY(SchemaOption option, decode_option(option_at, name));
      schema.options.push_back(std::move(option));
    }
  }
  if (const auto positionals = at.find("positional");
      positionals && positionals->node().kind != YamlNode::Kind::kNull) {
    if (positionals->node().kind != YamlNode::Kind::kSequence) return positionals->expected("a list");
    for (std::size_t i = 0; i < positionals->node().items.size(); ++i) {
      const Cursor positional_at = positionals->item(i, positionals->node().items[i]);
      PROGTC_CHECK(positional_at.expect_keys({"name", "type", "required", "description"}));
      SchemaPositional positional;
      PROGTC_TRY(positional.name, positional_at.string_at("name", ""));
      if (positional.name.empty()) return positional_at.error("missing key 'name'");
      if (schema.canonical(positional.name))
        return positional_at.error("'" + printable(positional.name) + "' is taken");
      PROGTC_TRY(positional.type, decode_type(positional_at));
      PROGTC_TRY(positional.is_required, positional_at.boolean_at("required"));
      PROGTC_TRY(positional.description, positional_at.string_at("description", ""));
      schema.positionals.push_back(std::move(positional));
    }
  }
  return schema;
}

Result<std::string> canonical_name(const Cursor& at, const ToolSchema& schema, const std::string& name) {
  const auto canonical = schema.canonical(name);
  if (!canonical) return at.error("the schema has neither an option nor a positional of this name");
  return *canonical;
}

Result<Recipe> decode_recipe(const Cursor& at, const std::string& name, const ToolSchema& schema) {
  Recipe recipe;
  recipe.name = name;
  if (!is_name(name)) return at.error("no name for a recipe: letters, digits, '_' and '-', starting with a letter");
  PROGTC_CHECK(at.expect_keys({"description", "preset", "params"}));
  PROGTC_TRY(recipe.description, at.string_at("description", ""));
  if (const auto preset = at.find("preset"); preset && preset->node().kind != YamlNode::Kind::kNull) {
    PROGTC_CHECK(preset->expect_mapping());
    for (const YamlMember& member : preset->node().members) {
      const Cursor value_at = preset->child(member.key.text, member.value);
      PROGTC_TRY(std::string canonical, canonical_name(value_at, schema, member.key.text));
      if (find_argument(recipe.preset, canonical)) return value_at.error("repeated");
      PROGTC_TRY(Argument value, decode_value(value_at));
      recipe.preset.push_back({std::move(canonical), std::move(value)});
    }
  }
  const auto params = at.find("params");
  if (!params || params->node().kind == YamlNode::Kind::kNull) return recipe;
  PROGTC_CHECK(params->expect_mapping());
  for (const YamlMember& member : params->node().members) {
    const Cursor param_at = params->child(member.key.text, member.value);
    RecipeParameter parameter;
    PROGTC_TRY(parameter.name, canonical_name(param_at, schema, member.key.text));
    for (const RecipeParameter& other : recipe.parameters) {
      if (other.name == parameter.name) return param_at.error("repeated");
    }
    if (member.value.kind != YamlNode::Kind::kNull) {  // `target:` alone just names it
      PROGTC_CHECK(param_at.expect_keys({"default", "required", "type", "description"}));
      PROGTC_TRY([[maybe_unused]] const ParameterType type, decode_type(param_at));  // the schema's type decides
      PROGTC_TRY(parameter.is_required, param_at.boolean_at("required"));
      PROGTC_TRY(parameter.description, param_at.string_at("description", ""));
      if (const auto value = param_at.find("default")) {
        PROGTC_TRY(parameter.default_value, decode_value(*value));
      }
    }
    recipe.parameters.push_back(std::move(parameter));
  }
  return recipe;
}

Result<SchemaArguments> decode_schema_arguments(const Cursor& root) {
  SchemaArguments arguments;
  if (const auto schema = root.find("schema")) {
    PROGTC_TRY(arguments.schema, decode_schema(*schema));
  }
  const auto recipes = root.find("recipes");
  if (!recipes) return arguments;
  PROGTC_CHECK(recipes->expect_mapping());
  for (const YamlMember& member : recipes->node().members) {
    const Cursor recipe_at = recipes->child(member.key.text, member.value);
    PROGTC_TRY(Recipe recipe, decode_recipe(recipe_at, member.key.text, arguments.schema));
    arguments.recipes.push_back(std::move(recipe));
  }
  return arguments;
}

// Options whose value is an item of its own: where the program takes none, the value is read as something else.
void warn_of_separate_values(const Cursor& root, const ToolSchema& schema, std::vector<std::string>& warnings) {
  const auto at = root.find("schema");
  const auto options = at ? at->find("options") : std::nullopt;
  if (!options) return;
  for (const SchemaOption& option : schema.options) {
    const auto place = options->find(option.name);
    if (!place || !option.has_item_for_value()) continue;
    const std::string flag = option.short_name.empty() ? "--" + option.name : "-" + option.short_name;
    warnings.push_back(place->prefix() + "the value is an item of its own after '" + printable(flag) +
                       "', so one that begins with '-' is refused; leave it joined if the program understands '" +
                       (option.short_name.size() == 1 ? flag + "VALUE" : "--" + option.name + "=VALUE") + "'");
  }
}

void warn_of_template(const Cursor& args, const ArgumentTemplate& parsed, std::vector<std::string>& warnings) {
  for (const std::string& name : parsed.names_kept_from_options()) {
    warnings.push_back(args.prefix() + "a value of '{" + name +
                       "}' that begins with '-' is refused, as the program would read it as an option; put `--` "
                       "before it if the program understands that");
  }
  for (const std::string& name : parsed.names_open_to_options()) {
    warnings.push_back(args.prefix() + "a value of '{" + name +
                       "}' can become options of the program: it is split into items, or follows a '-'; write "
                       "--option='{" +
                       name + "}'");
  }
}

Result<void> decode_arguments(const Cursor& root, ToolSpec& spec) {
  const auto args = root.find("args");
  const bool has_schema = root.find("schema") || root.find("recipes");
  if (args && has_schema) return args->error("a tool has either args, or schema and recipes");
  if (has_schema) {
    PROGTC_TRY(SchemaArguments arguments, decode_schema_arguments(root));
    warn_of_separate_values(root, arguments.schema, spec.warnings);
    spec.arguments = std::move(arguments);
    return {};
  }
  if (!args) return {};
  PROGTC_TRY(const std::string text, args->string());
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) return {};  // as the reference: none
  auto parsed = ArgumentTemplate::parse(text);
  if (!parsed) return args->error(parsed.error().context);
  warn_of_template(*args, *parsed, spec.warnings);
  spec.arguments = std::move(*parsed);
  return {};
}

Result<std::vector<std::string>> decode_command(const Cursor& root, const ToolSpec& spec) {
  const auto at = root.find("command");
  if (!at) return std::vector<std::string>{spec.name};
  PROGTC_TRY(std::string text, at->string());
  if (text.empty()) return at->error("expected a program, got nothing");
  if (std::holds_alternative<SchemaArguments>(spec.arguments)) return std::vector<std::string>{std::move(text)};
  auto words = split_words(text);
  if (!words) return at->error(words.error().context);
  if (words->empty() || words->front().empty()) return at->error("expected a program, got nothing");
  return std::move(*words);
}

void append_property(std::string& out, bool& is_first, std::string_view name, const char* type,
                     std::string_view description) {
  if (!std::exchange(is_first, false)) out += ',';
  append_string(out, name);
  out += ":{\"type\":\"" + std::string(type) + "\"";
  if (!description.empty()) {
    out += ",\"description\":";
    append_string(out, description);
  }
  out += '}';
}

std::string object_schema(const std::string& properties, const std::vector<std::string>& required, bool is_open) {
  std::string out = "{\"type\":\"object\",\"properties\":{" + properties + "}";
  if (!required.empty()) {
    out += ",\"required\":[";
    for (std::size_t i = 0; i < required.size(); ++i) {
      if (i > 0) out += ',';
      append_string(out, required[i]);
    }
    out += ']';
  }
  return out + (is_open ? "}" : ",\"additionalProperties\":false}");
}

Json schema_of(const ToolSchema& schema, const Recipe* recipe) {
  std::string properties;
  std::vector<std::string> required;
  bool is_first = true;
  const auto add = [&](const std::string& name, ParameterType type, const std::string& description, bool is_required) {
    const RecipeParameter* parameter = nullptr;
    if (recipe) {
      for (const RecipeParameter& each : recipe->parameters) {
        if (each.name == name) parameter = &each;
      }
    }
    const std::string& text = parameter && !parameter->description.empty() ? parameter->description : description;
    append_property(properties, is_first, name, to_string(type), text);
    const bool has_value =
        (recipe && find_argument(recipe->preset, name)) || (parameter && !parameter->default_value.is_missing());
    if ((is_required || (parameter && parameter->is_required)) && !has_value) required.push_back(name);
  };
  for (const SchemaPositional& each : schema.positionals) add(each.name, each.type, each.description, each.is_required);
  for (const SchemaOption& each : schema.options) add(each.name, each.type, each.description, each.is_required);
  return Json{object_schema(properties, required, false)};
}

Result<std::vector<std::string>> free_argv(const Arguments& given) {
  std::vector<std::string> argv;
  for (const NamedArgument& each : given) {
    if (each.value.is_missing()) continue;
    if (each.value.is_list()) {
      argv.insert(argv.end(), each.value.items.begin(), each.value.items.end());
    } else if (each.name.empty()) {
      argv.push_back(each.value.text);
    } else if (each.value.kind == JsonKind::kBoolean) {
      if (each.value.is_true()) argv.push_back("--" + each.name);
    } else {
      argv.push_back("--" + each.name + "=" + each.value.text);
    }
  }
  return argv;
}

}  // namespace

const Recipe* ToolSpec::find_recipe(std::string_view recipe) const {
  const auto* schema = std::get_if<SchemaArguments>(&arguments);
  if (!schema) return nullptr;
  for (const Recipe& each : schema->recipes) {
    if (each.name == recipe) return &each;
  }
  return nullptr;
}

Result<ToolSpec> decode_tool_file(std::string_view file, std::string_view text) {
  auto parsed = parse_yaml(text);
  if (!parsed) return bad(std::string(file) + ":" + parsed.error().context);
  const Cursor root(file, "", *parsed);
  if (parsed->kind == YamlNode::Kind::kNull) return root.error("the file is empty");
  PROGTC_CHECK(root.expect_mapping());
  PROGTC_TRY(const std::string type, root.string_at("type", "cli"));
  if (type == "mcp" || type == "http") return root.find("type")->error("'" + type + "' is not supported yet");
  if (type != "cli") return root.find("type")->error("expected cli, mcp or http, got '" + printable(type) + "'");
  PROGTC_CHECK(root.expect_keys({"name", "type", "command", "args", "description", "tags", "timeout", "parse_json",
                                 "working_dir", "env", "schema", "recipes"}));
  ToolSpec spec;
  spec.file = file;
  const auto name = root.find("name");
  if (!name) return root.error("missing key 'name'");
  PROGTC_TRY(spec.name, name->string());
  if (!is_name(spec.name))
    return name->error("expected letters, digits, '_' and '-', starting with a letter, got '" + printable(spec.name) +
                       "'");
  PROGTC_CHECK(decode_arguments(root, spec));
  PROGTC_TRY(spec.command, decode_command(root, spec));
  if (const auto description = root.find("description");
      description && description->node().kind != YamlNode::Kind::kNull) {
    PROGTC_TRY(spec.description, description->string());
  }
  if (spec.description.empty()) spec.description = "Run " + spec.name + " command";
  PROGTC_TRY(spec.tags, decode_tags(root));
  if (const auto timeout = root.find("timeout")) {
    PROGTC_TRY(spec.timeout, decode_timeout(*timeout));
  }
  PROGTC_TRY(spec.parse_json, root.boolean_at("parse_json"));
  PROGTC_TRY(spec.working_directory, root.string_at("working_dir", ""));
  if (const auto env = root.find("env"); env && env->node().kind != YamlNode::Kind::kNull) {
    PROGTC_TRY(spec.env, decode_env(*env));
  }
  return spec;
}

std::vector<ToolInfo> describe(const ToolSpec& spec) {
  std::vector<ToolInfo> infos;
  ToolInfo info{.name = spec.name, .description = spec.description, .schema = {}, .tags = spec.tags};
  if (const auto* parsed = std::get_if<ArgumentTemplate>(&spec.arguments)) {
    std::string properties;
    bool is_first = true;
    for (const std::string& name : parsed->names()) append_property(properties, is_first, name, "string", "");
    info.schema.text = object_schema(properties, {}, false);
  } else if (const auto* schema = std::get_if<SchemaArguments>(&spec.arguments)) {
    info.schema = schema_of(schema->schema, spec.find_recipe(spec.name));
  } else {
    info.schema.text = object_schema("", {}, true);
  }
  infos.push_back(std::move(info));
  if (const auto* schema = std::get_if<SchemaArguments>(&spec.arguments)) {
    for (const Recipe& recipe : schema->recipes) {
      infos.push_back(ToolInfo{.name = spec.name + "." + recipe.name,
                               .description = recipe.description.empty() ? spec.description : recipe.description,
                               .schema = schema_of(schema->schema, &recipe),
                               .tags = spec.tags});
    }
  }
  return infos;
}

Result<std::vector<std::string>> command_line(const ToolSpec& spec, std::string_view recipe_name,
                                              std::string_view args_json, std::string_view kwargs_json) {
  const std::string called = spec.name + (recipe_name.empty() ? "" : "." + std::string(recipe_name));
  const Recipe* recipe = spec.find_recipe(recipe_name.empty() ? std::string_view(spec.name) : recipe_name);
  if (!recipe && !recipe_name.empty()) {
    std::string message = "Tool '" + spec.name + "' has no recipe '" + printable(recipe_name) + "'";
    if (const auto* schema = std::get_if<SchemaArguments>(&spec.arguments)) {
      for (std::size_t i = 0; i < schema->recipes.size(); ++i)
        message += (i == 0 ? ". Available: " : ", ") + schema->recipes[i].name;
    }
    return Error{make_error_code(ToolErrc::kNotFound), std::move(message)};
  }
  Result<std::vector<std::string>> rest = std::vector<std::string>{};
  if (const auto* parsed = std::get_if<ArgumentTemplate>(&spec.arguments)) {
    PROGTC_TRY(const Arguments given, bind_arguments(called, args_json, kwargs_json, parsed->names(), false));
    for (const NamedArgument& each : given) {
      const auto& names = parsed->names();
      if (std::find(names.begin(), names.end(), each.name) != names.end()) continue;
      std::string known;
      for (const std::string& name : names) known += (known.empty() ? "" : ", ") + name;
      return bad_arguments(called + "() got an unexpected argument '" + printable(each.name) +
                           "'; it takes: " + (known.empty() ? "none" : known));
    }
    rest = parsed->expand(given);
  } else if (const auto* schema = std::get_if<SchemaArguments>(&spec.arguments)) {
    const auto names = recipe ? recipe->positional_names(schema->schema) : positional_names(schema->schema);
    PROGTC_TRY(const Arguments given, bind_arguments(called, args_json, kwargs_json, names, false));
    rest = build_argv(schema->schema, recipe, given);
  } else {
    PROGTC_TRY(const Arguments given, bind_arguments(called, args_json, kwargs_json, {}, true));
    rest = free_argv(given);
  }
  if (!rest) return with_context(called + "()", rest.error());
  std::vector<std::string> argv = spec.command;
  argv.insert(argv.end(), std::make_move_iterator(rest->begin()), std::make_move_iterator(rest->end()));
  return argv;
}

}  // namespace progtc::bridge
