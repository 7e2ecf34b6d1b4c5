#include "bridge/tools/argument_template.h"

#include <algorithm>

#include <boost/system/errc.hpp>

#include "bridge/tools/shell_words.h"
#include "bridge/utf8.h"

namespace progtc::bridge {
namespace {

Error bad(std::string what) {
  return Error{boost::system::errc::make_error_code(boost::system::errc::invalid_argument), std::move(what)};
}

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

}  // namespace

// Follows split_words state by state, with placeholders as one more kind of character.
class ArgumentTemplate::Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<ArgumentTemplate> parse() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '{' || c == '}') {
        PROGTC_CHECK(brace());
      } else if (quote_ != 0) {
        PROGTC_CHECK(quoted(c));
      } else {
        PROGTC_CHECK(bare(c));
      }
    }
    if (quote_ != 0) return bad("No closing quotation");
    end_word();
    return std::move(result_);
  }

 private:
  Result<void> brace() {
    const char c = text_[at_];
    if (at_ + 1 < text_.size() && text_[at_ + 1] == c) {
      literal(c);
      at_ += 2;
      return {};
    }
    if (c == '}') return bad("single '}'; write '}}' for a brace");
    const std::size_t close = text_.find('}', at_);
    if (close == std::string_view::npos) return bad("'{' without '}'; write '{{' for a brace");
    const std::string_view name = text_.substr(at_ + 1, close - at_ - 1);
    if (name.empty() || !std::all_of(name.begin(), name.end(), is_name_char))
      return bad("'{" + printable(name) + "}' is no placeholder; only {name} is, and '{{' stands for a brace");
    word_.push_back(Piece{true, quote_ != 0, std::string(name)});
    is_quote_empty_ = false;
    if (std::find(result_.names_.begin(), result_.names_.end(), name) == result_.names_.end())
      result_.names_.emplace_back(name);
    at_ = close + 1;
    return {};
  }

  Result<void> quoted(char c) {
    ++at_;
    if (c == quote_) {
      if (is_quote_empty_) word_.push_back(Piece{false, true, {}});  // '' is a word
      quote_ = 0;
    } else if (c == '\\' && quote_ == '"') {
      if (at_ == text_.size()) return bad("No escaped character");
      if (text_[at_] == '"' || text_[at_] == '\\') {
        literal(text_[at_++]);
      } else {
        literal('\\');
      }
    } else {
      literal(c);
    }
    return {};
  }

  Result<void> bare(char c) {
    ++at_;
    if (is_space(c)) {
      end_word();
    } else if (c == '\'' || c == '"') {
      quote_ = c;
      is_quote_empty_ = true;
    } else if (c == '\\') {
      if (at_ == text_.size()) return bad("No escaped character");
      if (text_[at_] == '{' || text_[at_] == '}')
        return bad("a backslash stands before a brace; write '{{' for a brace");
      literal(text_[at_++]);
    } else {
      literal(c);
    }
    return {};
  }

  void literal(char c) {
    is_quote_empty_ = false;
    if (word_.empty() || word_.back().is_placeholder) word_.push_back(Piece{});
    word_.back().text += c;
  }

  void end_word() {
    if (!word_.empty()) result_.words_.push_back(std::exchange(word_, {}));
  }

  std::string_view text_;
  std::size_t at_ = 0;
  char quote_ = 0;
  bool is_quote_empty_ = false;
  Word word_;
  ArgumentTemplate result_;
};

Result<ArgumentTemplate> ArgumentTemplate::parse(std::string_view text) { return Parser(text).parse(); }

namespace {

// A word that most programs take the next item as the value of.
bool is_option_word(std::string_view word) {
  return word.size() > 1 && word[0] == '-' && word != "--" && word.find('=') == std::string_view::npos;
}

void add_once(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

}  // namespace

std::vector<std::string> ArgumentTemplate::names_kept_from_options() const {
  std::vector<std::string> names;
  for (const Word& word : words_) {
    if (word.size() == 1 && !word[0].is_placeholder && word[0].text == "--") break;
    if (word[0].is_placeholder && word[0].is_quoted) add_once(names, word[0].text);
  }
  return names;
}

std::vector<std::string> ArgumentTemplate::names_open_to_options() const {
  std::vector<std::string> names;
  bool follows_option = false;
  for (const Word& word : words_) {
    const bool is_literal = word.size() == 1 && !word[0].is_placeholder;
    if (is_literal && word[0].text == "--") break;
    for (std::size_t i = 0; i < word.size(); ++i) {
      if (!word[i].is_placeholder) continue;
      const bool follows_dashes =
          i == 1 && !word[0].text.empty() && word[0].text.find_first_not_of('-') == std::string::npos;
      if (follows_dashes || (!word[i].is_quoted && (word.size() > 1 || follows_option))) add_once(names, word[i].text);
    }
    follows_option = is_literal && is_option_word(word[0].text);
  }
  return names;
}

// One call's argv in the making.
class ArgumentTemplate::Expansion {
 public:
  explicit Expansion(const Arguments& arguments) : arguments_(arguments) {}

  Result<void> add(const Word& word) {
    item_.clear();
    has_begun_ = false;
    opened_by_ = nullptr;
    for (const Piece& piece : word) {
      PROGTC_CHECK(add(piece));
    }
    if (has_begun_) {
      PROGTC_CHECK(finish_item());
      // Only one of the template's own: behind an option of a bare value, `--` may be that option's value.
      if (word.size() == 1 && !word[0].is_placeholder && word[0].text == "--") is_after_options_ = true;
      return {};
    }
    const bool is_quoted = std::all_of(word.begin(), word.end(), [](const Piece& piece) { return piece.is_quoted; });
    if (is_quoted && !argv_.empty() && is_option_word(argv_.back())) missing_ = &word[0].text;
    return {};
  }

  std::vector<std::string> take() { return std::move(argv_); }

 private:
  Result<void> add(const Piece& piece) {
    if (!piece.is_placeholder) {
      item_ += piece.text;
      has_begun_ = true;
      return {};
    }
    const Argument* value = find_argument(arguments_, piece.text);
    if (!value || value->is_missing()) return {};
    if (!piece.is_quoted) return add_bare(piece, *value);
    if (value->is_list())
      return bad_arguments("argument '" + piece.text + "': expected one value, got a list (it stands in quotes)");
    if (item_.empty() && !value->text.empty()) opened_by_ = &piece.text;
    item_ += value->text;
    has_begun_ = true;
    return {};
  }

  Result<void> add_bare(const Piece& piece, const Argument& value) {
    std::vector<std::string> items;
    if (value.is_list()) {
      items = value.items;
    } else {
      auto split = split_words(value.text);
      if (!split) return bad_arguments("argument '" + piece.text + "': " + split.error().context);
      items = std::move(*split);
    }
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) PROGTC_CHECK(finish_item());
      item_ += items[i];
      has_begun_ = true;
    }
    return {};
  }

  Result<void> finish_item() {
    if (opened_by_ && !is_after_options_) PROGTC_CHECK(check_no_option(*opened_by_, item_, true));
    if (missing_ && item_.size() > 1 && item_[0] == '-')
      return bad_arguments("argument '" + *missing_ + "' is missing, and '" + printable(argv_.back()) +
                           "' would take '" + printable(item_) + "' for its value");
    missing_ = nullptr;
    argv_.push_back(std::exchange(item_, {}));
    opened_by_ = nullptr;
    return {};
  }

  const Arguments& arguments_;
  std::vector<std::string> argv_;
  std::string item_;
  bool has_begun_ = false;
  const std::string* opened_by_ = nullptr;  // the quoted placeholder that gave the item's first character
  const std::string* missing_ = nullptr;    // the one that came to nothing right behind an option
  bool is_after_options_ = false;
};

Result<std::vector<std::string>> ArgumentTemplate::expand(const Arguments& arguments) const {
  Expansion expansion(arguments);
  for (const Word& word : words_) {
    PROGTC_CHECK(expansion.add(word));
  }
  return expansion.take();
}

}  // namespace progtc::bridge
