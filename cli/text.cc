#include "cli/text.h"

#include <cstdio>

#include "bridge/utf8.h"

namespace progtc::cli {

std::string to_xml(std::string_view bytes) {
  std::string text;
  for (const char c : bridge::to_utf8(bytes)) {
    switch (c) {
      case '&': text += "&amp;"; break;
      case '<': text += "&lt;"; break;
      case '>': text += "&gt;"; break;
      case '"': text += "&quot;"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' && c != '\r') {
          text += "\xEF\xBF\xBD";  // U+FFFD
        } else {
          text += c;
        }
    }
  }
  return text;
}

std::string to_terminal(std::string_view bytes) {
  std::string text;
  for (const char c : bridge::to_utf8(bytes)) {
    const auto value = static_cast<unsigned char>(c);
    if ((value < 0x20 && c != '\n' && c != '\t') || value == 0x7F) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\x%02x", value);
      text += escaped;
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace progtc::cli
