#pragma once
#include <string>
#include <string_view>

namespace progtc::cli {

// For text and attributes of XML 1.0: escaped, and what XML cannot hold (control characters, odd bytes) replaced by
// U+FFFD.
std::string to_xml(std::string_view bytes);
// One line for a terminal, a log or a comment, from a hostile source: no character of it begins a line, moves the
// cursor or turns the direction of text around. Control characters become "\n", "\t", "\x1b"; line and paragraph
// separators and the marks of Unicode's bidirectional algorithm become "\u202e"; a byte that is no UTF-8 becomes
// U+FFFD. Every printer of the command line puts each of its lines through this.
std::string to_line(std::string_view bytes);

}  // namespace progtc::cli
