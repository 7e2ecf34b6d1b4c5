#include "cli/text.h"

#include <algorithm>
#include <cstdio>

#include "bridge/utf8.h"

namespace progtc::cli {
namespace {

// Of the bytes as UTF-8, with U+FFFD for what is none.
template <typename Visit>
void for_each_character(std::string_view bytes, Visit visit) {
  const std::string text = bridge::to_utf8(bytes);
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t length = std::max<std::size_t>(1, bridge::utf8_sequence_length(rest));
    visit(rest.substr(0, length));
    rest.remove_prefix(length);
  }
}

unsigned code_point(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) return first;
  unsigned code = first & (0xFFU >> (character.size() + 1));
  for (const char c : character.substr(1)) code = code << 6 | (static_cast<unsigned char>(c) & 0x3FU);
  return code;
}

// Unicode Standard Annex 9, section 2: marks, embeddings, overrides and isolates.
bool is_bidirectional_mark(unsigned code) {
  return code == 0x061C || code == 0x200E || code == 0x200F || (code >= 0x202A && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069);
}

}  // namespace

std::string to_xml(std::string_view bytes) {
  std::string text;
  for_each_character(bytes, [&](std::string_view character) {
    const auto value = static_cast<unsigned char>(character[0]);
    // Neither are characters of XML 1.0, escaped or not: controls, U+FFFE and U+FFFF.
    const bool is_control = value < 0x20 && value != '\n' && value != '\t' && value != '\r';
    if (is_control || character == "\xEF\xBF\xBE" || character == "\xEF\xBF\xBF") {
      text += "\xEF\xBF\xBD";  // U+FFFD
    } else if (character == "&") {
      text += "&amp;";
    } else if (character == "<") {
      text += "&lt;";
    } else if (character == ">") {
      text += "&gt;";
    } else if (character == "\"") {
      text += "&quot;";
    } else {
      text += character;
    }
  });
  return text;
}

std::string to_line(std::string_view bytes) {
  std::string text;
  for_each_character(bytes, [&](std::string_view character) {
    const unsigned code = code_point(character);
    char escaped[16] = {};
    if (code == '\n' || code == '\t' || code == '\r') {
      text += code == '\n' ? "\\n" : code == '\t' ? "\\t" : "\\r";
      return;
    }
    if (code < 0x20 || (code >= 0x7F && code < 0xA0)) {
      (void)std::snprintf(escaped, sizeof escaped, "\\x%02x", code);
    } else if (code == 0x2028 || code == 0x2029 || is_bidirectional_mark(code)) {
      (void)std::snprintf(escaped, sizeof escaped, "\\u%04x", code);
    }
    if (escaped[0] != '\0')
      text += escaped;
    else
      text += character;
  });
  return text;
}

}  // namespace progtc::cli
