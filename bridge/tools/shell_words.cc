#include "bridge/tools/shell_words.h"

#include <boost/system/errc.hpp>

namespace progtc::bridge {
namespace {

Error bad(const char* what) {
  return Error{boost::system::errc::make_error_code(boost::system::errc::invalid_argument), what};
}

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

}  // namespace

Result<std::vector<std::string>> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool has_begun = false;  // '' is a word too
  char quote = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (quote != 0) {
      if (c == quote) {
        quote = 0;
      } else if (c == '\\' && quote == '"') {
        if (++at == text.size()) return bad("No escaped character");
        if (text[at] != '"' && text[at] != '\\') word += '\\';
        word += text[at];
      } else {
        word += c;
      }
    } else if (is_space(c)) {
      if (has_begun) words.push_back(std::exchange(word, {}));
      has_begun = false;
    } else {
      has_begun = true;
      if (c == '\'' || c == '"') {
        quote = c;
      } else if (c == '\\') {
        if (++at == text.size()) return bad("No escaped character");
        word += text[at];
      } else {
        word += c;
      }
    }
  }
  if (quote != 0) return bad("No closing quotation");
  if (has_begun) words.push_back(std::move(word));
  return words;
}

}  // namespace progtc::bridge
