#pragma once
// A tool file (docs/tools.md): YAML text to a checked ToolSpec. Opens nothing. Pure.
#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bridge/tool_host.h"
#include "bridge/tools/argument_template.h"
#include "bridge/tools/recipe.h"
#include "policy/result.h"

namespace progtc::bridge {

// Neither args nor schema: every keyword argument is passed as `--key=value` (True: `--key`; False: nothing; a list and
// positional arguments: bare items). The whole command line is the code's.
struct FreeArguments {};

struct SchemaArguments {
  ToolSchema schema;
  std::vector<Recipe> recipes;  // in the order of the file
};

struct ToolSpec {
  std::string name;
  std::string file;  // where it was defined, for messages
  std::string description;
  std::vector<std::string> tags;
  std::vector<std::string> command;  // at least the program
  std::variant<FreeArguments, ArgumentTemplate, SchemaArguments> arguments;
  std::chrono::milliseconds timeout{60'000};
  bool parse_json = false;                 // stdout is JSON; else it is a string
  std::string working_directory;           // empty: the host's
  std::map<std::string, std::string> env;  // over the host's environment
  std::vector<std::string> warnings;       // "tools/x.yaml:3:7: …": loaded, and yet worth a look

  const Recipe* find_recipe(std::string_view recipe) const;
};

// Errors: invalid_argument: "tools/x.yaml:3:5: args: expected a string, got a list". A key that is not known is refused
// with the near one: a misspelt `args` would hand the whole command line to the code.
Result<ToolSpec> decode_tool_file(std::string_view file, std::string_view text);

// How the tool, and each of its recipes ("name.recipe"), present themselves.
std::vector<ToolInfo> describe(const ToolSpec& spec);

// The argv of one call, the command included. `recipe` is what follows the dot of "name.recipe", or empty; a direct
// call of a tool that has a recipe of its own name means that recipe. Errors: kNotFound for the recipe, kBadArguments,
// each starting with what was called: "nmap.quick(): …".
Result<std::vector<std::string>> command_line(const ToolSpec& spec, std::string_view recipe, std::string_view args_json,
                                              std::string_view kwargs_json);

}  // namespace progtc::bridge
