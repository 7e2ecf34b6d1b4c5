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

std::vector<std::string> ArgumentTemplate::names_open_to_options() const {
  std::vector<std::string> names;
  for (const Word& word : words_) {
    if (word.size() == 1 && !word[0].is_placeholder && word[0].text == "--") break;
    if (word[0].is_placeholder && word[0].is_quoted) names.push_back(word[0].text);
  }
  return names;
}

Result<std::vector<std::string>> ArgumentTemplate::expand(const Arguments& arguments) const {
  std::vector<std::string> argv;
  for (const Word& word : words_) {
    std::string item;
    bool has_begun = false;
    for (const Piece& piece : word) {
      if (!piece.is_placeholder) {
        item += piece.text;
        has_begun = true;
        continue;
      }
      const Argument* value = find_argument(arguments, piece.text);
      if (!value || value->is_missing()) continue;
      if (piece.is_quoted) {
        if (value->is_list())
          return bad_arguments("argument '" + piece.text + "': expected one value, got a list (it stands in quotes)");
        item += value->text;
        has_begun = true;
        continue;
      }
      std::vector<std::string> items;
      if (value->is_list()) {
        items = value->items;
      } else {
        auto split = split_words(value->text);
        if (!split) return bad_arguments("argument '" + piece.text + "': " + split.error().context);
        items = std::move(*split);
      }
      for (std::size_t i = 0; i < items.size(); ++i) {
        if (i > 0) argv.push_back(std::exchange(item, {}));
        item += items[i];
        has_begun = true;
      }
    }
    if (has_begun) argv.push_back(std::move(item));
  }
  return argv;
}

}  // namespace progtc::bridge
