#pragma once
#include <string>
#include <string_view>

namespace progtc::cli {

// For text and attributes of XML 1.0: escaped, and what XML cannot hold (control characters, odd bytes) replaced by
// U+FFFD.
std::string to_xml(std::string_view bytes);
// For a terminal, from a hostile source: control characters become "\x1b", except line ends and tabs; what turns the
// direction of text around becomes "\u202e".
std::string to_terminal(std::string_view bytes);

}  // namespace progtc::cli
