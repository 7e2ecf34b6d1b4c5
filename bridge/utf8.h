#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace progtc::bridge {

// The length in bytes of the well-formed UTF-8 sequence `text` starts with, 0 if there is none (RFC 3629: no overlong
// forms, no surrogates, nothing above U+10FFFF).
std::size_t utf8_sequence_length(std::string_view text) noexcept;

bool is_utf8(std::string_view text) noexcept;

// `text` with every byte that belongs to no well-formed sequence replaced by U+FFFD.
std::string to_utf8(std::string_view text);

// At most `max_bytes` of well-formed `text`, cut between two characters, and "… (N more bytes)" when something was cut.
std::string shorten_utf8(std::string_view text, std::size_t max_bytes);

// For messages and logs: shortened, and control characters replaced, so that a hostile name cannot write to a terminal.
std::string printable(std::string_view text, std::size_t max_bytes = 100);

}  // namespace progtc::bridge
