#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "bridge/tools/arguments.h"
#include "policy/result.h"

namespace progtc::bridge {

// `args: "-s '{url}' {flags}"` of a tool file. Parsed once; only then do values meet it, so no value is ever read as
// quoting. Pure.
//
// - Words are found as in split_words. `{{` and `}}` stand for braces.
// - A placeholder inside quotes becomes part of exactly one argv item, whatever the value holds. A list is an error.
// - A bare placeholder is split into argv items as split_words does it, the value on its own; what stands beside it in
//   the template joins the first and the last. A list gives one item each, unsplit.
// - A missing value (not given, or None) expands to nothing; a word that comes to nothing is no argv item.
class ArgumentTemplate {
 public:
  // Errors: invalid_argument: what split_words refuses; a placeholder that is not {name} (Python's {x!r}, {x:>5},
  // {x.y},
  // {}); a single brace; a backslash before a bare placeholder.
  static Result<ArgumentTemplate> parse(std::string_view text);

  // In the order of their first appearance.
  const std::vector<std::string>& names() const { return names_; }

  // Placeholders that begin a word, in quotes, and do not follow a `--`: a value of theirs that begins with '-' is
  // refused.
  std::vector<std::string> names_kept_from_options() const;

  // Placeholders whose value can become options though the template looks as if it were one option's: bare ones beside
  // text (`--user={user}`) or behind an option (`-u {user}`), and those right after dashes (`--'{x}'`).
  std::vector<std::string> names_open_to_options() const;

  // Before a `--`, an item whose first character came from a quoted placeholder must not begin with '-', unless it is
  // "-" or a number. A quoted value that is missing must not leave the option before it without a value, as that option
  // would take the next option (or the `--`) for its value.
  // Errors: kBadArguments, naming the argument.
  Result<std::vector<std::string>> expand(const Arguments& arguments) const;

 private:
  struct Piece {
    bool is_placeholder = false;
    bool is_quoted = false;
    std::string text;  // literal text, or the placeholder's name
  };
  using Word = std::vector<Piece>;

  class Parser;
  class Expansion;

  std::vector<Word> words_;
  std::vector<std::string> names_;
};

}  // namespace progtc::bridge
