#include "bridge/json.h"

#include <algorithm>
#include <bitset>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include <boost/system/errc.hpp>

#include "bridge/utf8.h"

namespace progtc::bridge {
namespace {

constexpr int kEnd = -1;

std::optional<unsigned> hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

// Four hex digits at `at`; the caller knows they are there and are hex digits, or gets nothing.
std::optional<unsigned> hex4(std::string_view text, std::size_t at) noexcept {
  if (text.size() - at < 4) return std::nullopt;
  unsigned value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto digit = hex_digit(text[at + i]);
    if (!digit) return std::nullopt;
    value = value * 16 + *digit;
  }
  return value;
}

bool is_high_surrogate(unsigned unit) noexcept { return unit >= 0xD800 && unit <= 0xDBFF; }
bool is_low_surrogate(unsigned unit) noexcept { return unit >= 0xDC00 && unit <= 0xDFFF; }

// The keys of the objects that are open, the innermost last.
class OpenKeys {
 public:
  void open() { starts_.push_back(keys_.size()); }

  // `quoted` has been checked, and must outlive the object.
  void add(std::string_view quoted) {
    const std::string_view plain = quoted.substr(1, quoted.size() - 2);
    if (plain.find('\\') == std::string_view::npos) {
      keys_.push_back({plain.data(), 0, plain.size()});
      return;
    }
    const std::string decoded = decode_string(quoted);
    keys_.push_back({nullptr, decoded_.size(), decoded.size()});
    decoded_ += decoded;
  }

  // Whether all keys of the innermost object differ. Sorting, as a hash that the code knows can be made to collide.
  bool close() {
    const auto first = keys_.begin() + static_cast<std::ptrdiff_t>(starts_.back());
    const auto text = [this](const Key& key) { return text_of(key); };
    std::sort(first, keys_.end(), [&](const Key& a, const Key& b) { return text(a) < text(b); });
    const auto twin =
        std::adjacent_find(first, keys_.end(), [&](const Key& a, const Key& b) { return text(a) == text(b); });
    const bool is_unique = twin == keys_.end();
    keys_.erase(first, keys_.end());
    starts_.pop_back();
    if (starts_.empty()) decoded_.clear();
    return is_unique;
  }

 private:
  struct Key {
    const char* text;  // or null
    std::size_t at;    // then in decoded_
    std::size_t size;
  };
  std::string_view text_of(const Key& key) const { return {key.text ? key.text : decoded_.data() + key.at, key.size}; }

  std::vector<Key> keys_;
  std::vector<std::size_t> starts_;
  std::string decoded_;
};

// Whether a double, in which most readers hold a number, has a value for it.
bool is_portable_number(std::string_view number) {
  if (number.find_first_of(".eE") == std::string_view::npos)
    return number.size() - (number.front() == '-' ? 1 : 0) <= kMaxPortableDigits;
  double value = 0;
  const auto parsed = std::from_chars(number.data(), number.data() + number.size(), value);
  // from_chars leaves a number beyond a double's range alone; strtod says on which side it lies.
  if (parsed.ec == std::errc::result_out_of_range) value = std::strtod(std::string(number).c_str(), nullptr);
  return std::isfinite(value);
}

// Walks over text and remembers the first thing wrong with it.
class Scanner {
 public:
  Scanner(std::string_view text, unsigned max_depth, OpenKeys* keys = nullptr)
      : text_(text), max_depth_(std::min(max_depth, kMaxJsonDepth)), keys_(keys) {}

  std::size_t position() const { return at_; }
  std::string_view since(std::size_t start) const { return text_.substr(start, at_ - start); }
  int peek() const { return at_ < text_.size() ? static_cast<unsigned char>(text_[at_]) : kEnd; }

  bool take(char expected) {
    if (peek() != expected) return false;
    ++at_;
    return true;
  }

  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r'))
      ++at_;
  }

  bool fail(const char* what) {
    if (!what_) what_ = what;
    return false;
  }

  JsonFault fault() const { return {what_ ? what_ : "unexpected byte", at_}; }

  Error error() const {
    const JsonFault found = fault();
    return Error{boost::system::errc::make_error_code(boost::system::errc::bad_message),
                 "not JSON: " + found.what + " at byte " + std::to_string(found.at)};
  }

  // One value, white space before it included. `outer` levels are already open around it.
  bool value(unsigned outer) {
    std::bitset<kMaxJsonDepth> is_object;
    unsigned depth = 0;
    for (;;) {
      skip_space();
      bool is_closed = true;
      switch (peek()) {
        case '{':
        case '[':
          if (outer + depth >= max_depth_) return fail("nested too deeply");
          is_object[depth] = peek() == '{';
          ++at_;
          skip_space();
          if (take(is_object[depth] ? '}' : ']')) break;
          if (keys_ && is_object[depth]) keys_->open();
          ++depth;
          if (is_object[depth - 1] && !key()) return false;
          is_closed = false;
          break;
        case '"':
          if (!string()) return false;
          break;
        case 't':
          if (!word("true")) return false;
          break;
        case 'f':
          if (!word("false")) return false;
          break;
        case 'n':
          if (!word("null")) return false;
          break;
        case kEnd:
          return fail("unexpected end");
        default:
          if (!number()) return false;
      }
      while (is_closed) {
        if (depth == 0) return true;
        skip_space();
        if (take(',')) {
          skip_space();
          if (is_object[depth - 1] && !key()) return false;
          is_closed = false;
        } else if (take(is_object[depth - 1] ? '}' : ']')) {
          --depth;
          if (keys_ && is_object[depth] && !keys_->close()) return fail("an object with a repeated key ends");
        } else {
          return fail(is_object[depth - 1] ? "expected ',' or '}'" : "expected ',' or ']'");
        }
      }
    }
  }

  // "name" and the colon.
  bool key() {
    if (peek() != '"') return fail("expected a key");
    const std::size_t start = at_;
    if (!string()) return false;
    if (keys_) keys_->add(since(start));
    skip_space();
    return take(':') || fail("expected ':'");
  }

  bool string() {
    ++at_;  // the opening quote
    for (;;) {
      const int c = peek();
      if (c == kEnd) return fail("string without an end");
      if (c == '"') {
        ++at_;
        return true;
      }
      if (c < 0x20) return fail("control character in a string");
      if (c == '\\') {
        if (!escape()) return false;
      } else if (c < 0x80) {
        ++at_;
      } else {
        const std::size_t length = utf8_sequence_length(text_.substr(at_, 4));
        if (length == 0) return fail("not UTF-8");
        at_ += length;
      }
    }
  }

 private:
  bool word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) return fail("unexpected word");
    at_ += expected.size();
    return true;
  }

  bool digits() {
    const std::size_t start = at_;
    while (peek() >= '0' && peek() <= '9') ++at_;
    return at_ > start || fail("expected a digit");
  }

  bool number() {
    const std::size_t start = at_;
    if (!scan_number()) return false;
    return !keys_ || is_portable_number(since(start)) || fail("a number that a double cannot hold ends");
  }

  bool scan_number() {
    take('-');
    const int first = peek();
    if (first < '0' || first > '9') return fail("unexpected character");
    if (first == '0') {
      ++at_;
    } else if (!digits()) {
      return false;
    }
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      return digits();
    }
    return true;
  }

  bool escape() {
    const std::size_t left = text_.size() - at_;
    if (left < 2) return fail("string without an end");
    if (text_[at_ + 1] != 'u') {
      if (std::string_view("\"\\/bfnrt").find(text_[at_ + 1]) == std::string_view::npos) return fail("unknown escape");
      at_ += 2;
      return true;
    }
    const auto unit = hex4(text_, at_ + 2);
    if (!unit) return fail("expected four hex digits after \\u");
    if (is_low_surrogate(*unit)) return fail("lone surrogate");
    if (is_high_surrogate(*unit)) {
      if (left < 12 || text_[at_ + 6] != '\\' || text_[at_ + 7] != 'u') return fail("lone surrogate");
      const auto low = hex4(text_, at_ + 8);
      if (!low || !is_low_surrogate(*low)) return fail("lone surrogate");
      at_ += 6;
    }
    at_ += 6;
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  unsigned max_depth_;
  OpenKeys* keys_;  // if the text must be portable
  const char* what_ = nullptr;
};

bool at_end(Scanner& scanner) {
  scanner.skip_space();
  return scanner.peek() == kEnd || scanner.fail("something follows the value");
}

void append_utf8(std::string& out, unsigned point) {
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xC0U | (point >> 6U));
    out += static_cast<char>(0x80U | (point & 0x3FU));
  } else if (point < 0x10000) {
    out += static_cast<char>(0xE0U | (point >> 12U));
    out += static_cast<char>(0x80U | ((point >> 6U) & 0x3FU));
    out += static_cast<char>(0x80U | (point & 0x3FU));
  } else {
    out += static_cast<char>(0xF0U | (point >> 18U));
    out += static_cast<char>(0x80U | ((point >> 12U) & 0x3FU));
    out += static_cast<char>(0x80U | ((point >> 6U) & 0x3FU));
    out += static_cast<char>(0x80U | (point & 0x3FU));
  }
}

}  // namespace

const char* to_string(JsonKind kind) noexcept {
  switch (kind) {
    case JsonKind::kNull:
      return "null";
    case JsonKind::kBoolean:
      return "a boolean";
    case JsonKind::kNumber:
      return "a number";
    case JsonKind::kString:
      return "a string";
    case JsonKind::kArray:
      return "an array";
    case JsonKind::kObject:
      return "an object";
  }
  return "?";
}

Result<void> check_json(std::string_view text, unsigned max_depth) {
  Scanner scanner(text, max_depth);
  if (!scanner.value(0) || !at_end(scanner)) return scanner.error();
  return {};
}

Result<void> check_portable_json(std::string_view text, unsigned max_depth) {
  OpenKeys keys;
  Scanner scanner(text, max_depth, &keys);
  if (!scanner.value(0) || !at_end(scanner)) return scanner.error();
  return {};
}

std::optional<JsonFault> find_json_fault(std::string_view text, unsigned max_depth) {
  Scanner scanner(text, max_depth);
  if (!scanner.value(0) || !at_end(scanner)) return scanner.fault();
  return std::nullopt;
}

Result<std::vector<JsonMember>> split_object(std::string_view text, std::size_t max_parts, unsigned max_depth) {
  Scanner scanner(text, max_depth);
  std::vector<JsonMember> members;
  scanner.skip_space();
  if (!scanner.take('{')) {
    scanner.fail("expected an object");
    return scanner.error();
  }
  scanner.skip_space();
  if (!scanner.take('}')) {
    for (;;) {
      scanner.skip_space();
      const std::size_t key_start = scanner.position();
      if (!scanner.key()) return scanner.error();
      std::string_view name = scanner.since(key_start);
      name = name.substr(0, name.rfind('"') + 1);  // without the colon
      if (members.size() == max_parts) {
        scanner.fail("too many keys");
        return scanner.error();
      }
      JsonMember member{decode_string(name), {}};
      for (const JsonMember& other : members) {
        if (other.key == member.key) {
          scanner.fail("repeated key");
          Error error = scanner.error();
          error.context += ": '" + printable(member.key) + "'";
          return error;
        }
      }
      scanner.skip_space();
      const std::size_t start = scanner.position();
      if (!scanner.value(1)) return scanner.error();
      member.value = scanner.since(start);
      members.push_back(std::move(member));
      scanner.skip_space();
      if (scanner.take('}')) break;
      if (!scanner.take(',')) {
        scanner.fail("expected ',' or '}'");
        return scanner.error();
      }
    }
  }
  if (!at_end(scanner)) return scanner.error();
  return members;
}

Result<std::vector<std::string_view>> split_array(std::string_view text, std::size_t max_parts, unsigned max_depth) {
  Scanner scanner(text, max_depth);
  std::vector<std::string_view> items;
  scanner.skip_space();
  if (!scanner.take('[')) {
    scanner.fail("expected an array");
    return scanner.error();
  }
  scanner.skip_space();
  if (!scanner.take(']')) {
    for (;;) {
      if (items.size() == max_parts) {
        scanner.fail("too many items");
        return scanner.error();
      }
      scanner.skip_space();
      const std::size_t start = scanner.position();
      if (!scanner.value(1)) return scanner.error();
      items.push_back(scanner.since(start));
      scanner.skip_space();
      if (scanner.take(']')) break;
      if (!scanner.take(',')) {
        scanner.fail("expected ',' or ']'");
        return scanner.error();
      }
    }
  }
  if (!at_end(scanner)) return scanner.error();
  return items;
}

JsonKind kind_of(std::string_view checked) noexcept {
  switch (checked.empty() ? 'n' : checked.front()) {
    case '{':
      return JsonKind::kObject;
    case '[':
      return JsonKind::kArray;
    case '"':
      return JsonKind::kString;
    case 't':
    case 'f':
      return JsonKind::kBoolean;
    case 'n':
      return JsonKind::kNull;
    default:
      return JsonKind::kNumber;
  }
}

std::string decode_string(std::string_view checked) {
  std::string out;
  if (checked.size() < 2) return out;
  const std::string_view body = checked.substr(1, checked.size() - 2);
  out.reserve(body.size());
  for (std::size_t at = 0; at < body.size();) {
    if (body[at] != '\\') {
      out += body[at++];
      continue;
    }
    const char escaped = body[at + 1];
    at += 2;
    switch (escaped) {
      case 'b':
        out += '\b';
        break;
      case 'f':
        out += '\f';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 't':
        out += '\t';
        break;
      case 'u': {
        unsigned point = hex4(body, at).value_or(0xFFFD);
        at += 4;
        if (is_high_surrogate(point)) {
          point = 0x10000 + ((point - 0xD800) << 10U) + (hex4(body, at + 2).value_or(0xDC00) - 0xDC00);
          at += 6;
        }
        append_utf8(out, point);
        break;
      }
      default:
        out += escaped;
    }
  }
  return out;
}

std::optional<std::int64_t> decode_integer(std::string_view checked) noexcept {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(checked.data(), checked.data() + checked.size(), value);
  if (error != std::errc{} || end != checked.data() + checked.size()) return std::nullopt;
  return value;
}

void append_escaped(std::string& out, std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::size_t clean = 0;  // start of what needs no escape and is not yet appended
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    out += text.substr(clean, at - clean);
    clean = at + 1;
    switch (byte) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        out += "\\u00";
        out += kHex[byte >> 4U];
        out += kHex[byte & 15U];
    }
  }
  out += text.substr(clean);
}

void append_string(std::string& out, std::string_view text) {
  out += '"';
  append_escaped(out, text);
  out += '"';
}

std::string encode_string(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  append_string(out, text);
  return out;
}

}  // namespace progtc::bridge
