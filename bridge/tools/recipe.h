#pragma once
// Tools described by a schema of options and positionals, with recipes: named calls with some of them set. Pure.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/tools/arguments.h"
#include "policy/result.h"

namespace progtc::bridge {

enum class ParameterType : std::uint8_t { kString, kBoolean, kInteger, kNumber, kArray };
const char* to_string(ParameterType type) noexcept;  // as JSON Schema has it: "string", …

struct SchemaOption {
  std::string name{};        // "--name"; a call may write '_' for '-'
  std::string short_name{};  // "-s", or empty
  ParameterType type = ParameterType::kString;
  std::string description{};
  bool is_required = false;
  bool is_separate = false;  // the program wants the value as an item of its own

  // The value is the item after the option, not a part of it.
  bool has_item_for_value() const { return type != ParameterType::kBoolean && (is_separate || short_name.size() > 1); }
};

struct SchemaPositional {
  std::string name{};
  ParameterType type = ParameterType::kString;
  std::string description{};
  bool is_required = false;
};

struct ToolSchema {
  std::vector<SchemaOption> options{};
  std::vector<SchemaPositional> positionals{};
  // The program understands `--`: it is put in front of the positionals, and then they may begin with '-'.
  bool has_end_of_options = false;

  // The name as the schema writes it: "max-time" for "max_time". Nothing if there is none.
  std::optional<std::string> canonical(std::string_view name) const;
};

struct RecipeParameter {
  std::string name{};  // canonical
  Argument default_value{};
  std::string description{};
  bool is_required = false;
};

struct Recipe {
  std::string name{};
  std::string description{};
  Arguments preset{};  // canonical names
  std::vector<RecipeParameter> parameters{};

  // What positional arguments of a call are bound to: its parameters, or the schema's positionals if it has none.
  std::vector<std::string> positional_names(const ToolSchema& schema) const;
};
std::vector<std::string> positional_names(const ToolSchema& schema);

// The argv items after the command. `recipe` may be null: the tool called directly. What a call gives wins over the
// recipe's defaults, and those over its presets: a recipe is a starting point, not a fence.
//
// Options come in the order of the schema: `-sVALUE` or `--name=VALUE`, one item, so that no value can become an option
// where the program takes none. A boolean is its flag when true; a list repeats the option. Positionals come last.
//
// A positional that begins with '-' would be read as an option by the program, and so may the value of an option that
// is_separate or whose short name has several letters (`-name VALUE`). It is refused, except "-" itself and numbers
// where the schema says integer or number; positionals may be anything if the tool has_end_of_options.
//
// Errors: kBadArguments: "Required parameter 'x' is missing", an unknown name, a list where one value is expected,
// text where a number is.
Result<std::vector<std::string>> build_argv(const ToolSchema& schema, const Recipe* recipe, const Arguments& given);

}  // namespace progtc::bridge
