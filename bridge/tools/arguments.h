#pragma once
// The arguments of one call on their way to a command line. Pure.
#include <string>
#include <string_view>
#include <vector>

#include "bridge/json.h"
#include "policy/result.h"

namespace progtc::bridge {

// One value as a command line can carry it: text as Python's str() shows it (True, 7, 1.5), or a list of such texts.
struct Argument {
  JsonKind kind = JsonKind::kNull;  // never kObject; kNull is "no value"
  std::string text;                 // scalars
  std::vector<std::string> items;   // kArray

  bool is_missing() const { return kind == JsonKind::kNull; }
  bool is_list() const { return kind == JsonKind::kArray; }
  bool is_true() const;  // as Python's bool()
  bool operator==(const Argument&) const = default;
};

struct NamedArgument {
  std::string name;
  Argument value;
  bool operator==(const NamedArgument&) const = default;
};
using Arguments = std::vector<NamedArgument>;  // in the order given, without repetitions

const Argument* find_argument(const Arguments& arguments, std::string_view name);

// What a call may bring: beyond this no command line could hold it (MAX_ARG_STRLEN is 128 KiB, ARG_MAX 2 MiB), and what
// is decoded stays a small multiple of it.
inline constexpr std::size_t kMaxArgumentBytes = 1024UL * 1024;

// Python's binding of f(*args, **kwargs): args[i] goes to `positional[i]`, and to "" when there are more and
// `takes_extra`. Errors: ToolErrc::kBadArguments, in the words of a Python TypeError, starting "`tool`() …": too many,
// given twice, an object or a list in a list (no command line can hold it), a NUL byte, above kMaxArgumentBytes.
Result<Arguments> bind_arguments(std::string_view tool, std::string_view args_json, std::string_view kwargs_json,
                                 const std::vector<std::string>& positional, bool takes_extra);

// A JSON number: what a value that begins with '-' may be without being taken for an option.
bool is_number_text(std::string_view text);

// Errors: kBadArguments, if a program would read `item` as an option: it begins with '-', and is neither "-" nor, where
// `may_be_number`, a number. `name` is the argument that it came from.
Result<void> check_no_option(const std::string& name, std::string_view item, bool may_be_number);

// ToolErrc::kBadArguments.
Error bad_arguments(std::string message);

}  // namespace progtc::bridge
