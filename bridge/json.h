#pragma once
// Just enough JSON for a layer that passes other people's JSON on: a strict check, and slices of what was checked.
//
// RapidJSON serves where a document is read as a whole. Here it does not fit: 1.1 takes a lone low surrogate
// ("\udc00"), stops silently at a NUL byte, and refuses whole numbers above 1.8e308 although RFC 8259 and Python have
// them (an RSA key is one). A slice also costs no copy. Tests hold this scanner against RapidJSON where the two must
// agree.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/result.h"

namespace progtc::bridge {

inline constexpr unsigned kMaxJsonDepth = 128;

enum class JsonKind : std::uint8_t { kNull, kBoolean, kNumber, kString, kArray, kObject };
const char* to_string(JsonKind kind) noexcept;  // "null", "a boolean", "a number", "a string", …

struct JsonMember {
  std::string key;         // decoded
  std::string_view value;  // checked; a slice of the text that was split
};

struct JsonFault {
  std::string what;    // "expected ':'"
  std::size_t at = 0;  // byte
};

// Checks that `text` is one JSON value (RFC 8259): well-formed UTF-8, escapes without lone surrogates, at most
// `max_depth` levels of nesting (no more than kMaxJsonDepth). Iterative; allocates nothing.
// Errors: bad_message, with what is wrong and at which byte.
Result<void> check_json(std::string_view text, unsigned max_depth = kMaxJsonDepth);

// Integers of more digits are refused where every reader must take them: most hold numbers as doubles, which end here.
inline constexpr std::size_t kMaxPortableDigits = 308;

// check_json(), and what RFC 8259 leaves to its readers, who then differ or fail: no key twice in an object, however it
// is written; no number beyond a double (Python's reader makes 1e400 an infinity); no integer of more than
// kMaxPortableDigits digits, so that those which pass stay exact. For all that begins in the sandbox and leaves the
// host: reports, messages, events. Memory: 24 bytes for each
// key of the objects that are open at one time, and the text of keys with escapes.
Result<void> check_portable_json(std::string_view text, unsigned max_depth = kMaxJsonDepth);

// The same check, for callers whose answer has a place for the byte; nothing when `text` is well.
std::optional<JsonFault> find_json_fault(std::string_view text, unsigned max_depth = kMaxJsonDepth);

// The same check, and the value's parts. Repeated keys and more than `max_parts` parts are errors.
Result<std::vector<JsonMember>> split_object(std::string_view text, std::size_t max_parts,
                                             unsigned max_depth = kMaxJsonDepth);
Result<std::vector<std::string_view>> split_array(std::string_view text, std::size_t max_parts,
                                                  unsigned max_depth = kMaxJsonDepth);

// The following take checked text (a slice from above) and have no errors left to report.
JsonKind kind_of(std::string_view checked) noexcept;
std::string decode_string(std::string_view checked);  // of a kString

// A number written as a whole one ("7", not "7.0" or "7e0") that fits; nothing for all others.
std::optional<std::int64_t> decode_integer(std::string_view checked) noexcept;

// Appends `text`, which must be UTF-8, in quotes; append_escaped() leaves the quotes out.
void append_escaped(std::string& out, std::string_view text);
void append_string(std::string& out, std::string_view text);
std::string encode_string(std::string_view text);

}  // namespace progtc::bridge
