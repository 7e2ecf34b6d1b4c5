#pragma once
// YAML with positions and without surprises in size: yaml-cpp's parser, our tree. Pure.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/result.h"

namespace progtc::bridge {

struct YamlMember;

struct YamlNode {
  enum class Kind : std::uint8_t { kNull, kScalar, kSequence, kMapping };
  Kind kind = Kind::kNull;
  std::string text;       // kScalar
  bool is_plain = false;  // kScalar: without quotes, so that `true` and `5` are no strings
  std::vector<YamlNode> items;
  std::vector<YamlMember> members;
  int line = 1;
  int column = 1;

  // "null", "a string", "a boolean", "a number", "a list", "a mapping"
  const char* what() const;
  bool is_boolean() const;  // true, false, yes, no, on, off (YAML 1.1, as PyYAML reads them)
  bool is_true() const;
  bool is_number() const;  // as JSON writes one; 007 and 1_000 are strings
  bool is_string() const;
  std::string place() const;  // "3:5"
};

struct YamlMember {
  YamlNode key;
  YamlNode value;
};

inline constexpr std::size_t kMaxYamlBytes = 256UL * 1024;

// One document. Errors: invalid_argument, "3:5: …": syntax, above kMaxYamlBytes, nested deeper than 32 levels, aliases
// that stand for more than 10,000 nodes or 1 MiB in all, an alias inside what it stands for, a second document.
// An empty text is a kNull node.
Result<YamlNode> parse_yaml(std::string_view text);

}  // namespace progtc::bridge
