#pragma once
// JSON that says where it is: a value, its path and the name of its file, so that every message is
//   policies/x.json: $.limits.memory: expected a size such as "256MiB", got -1
// A bare RapidJSON accessor on the wrong type asserts in debug builds and is undefined in release.
#include <rapidjson/document.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/decode.h"
#include "policy/result.h"

namespace progtc::policy {

inline constexpr std::size_t kDeepestJson = 64;
inline constexpr std::size_t kLargestJson = std::size_t{1} << 20;  // bytes of one policy file

// Borrows from its JsonDocument.
class JsonCursor {
 public:
  JsonCursor(const rapidjson::Value& value, std::string path, const std::string& file)
      : value_(&value), path_(std::move(path)), file_(&file) {}

  const std::string& path() const { return path_; }
  const rapidjson::Value& value() const { return *value_; }

  // Refuses what is not an object, keys beyond `known` (naming near matches) and keys that occur twice, of which
  // FindMember would silently take the first.
  Result<void> expect_keys(std::span<const std::string> known) const;
  std::optional<JsonCursor> find(std::string_view key) const;  // nothing, too, when this is no object

  Result<std::vector<JsonCursor>> elements() const;
  Result<std::vector<std::pair<std::string, JsonCursor>>> members() const;  // any keys, but none twice

  bool is_null() const { return value_->IsNull(); }
  bool is_string() const { return value_->IsString(); }
  bool is_number() const { return value_->IsNumber(); }
  bool is_object() const { return value_->IsObject(); }
  Result<std::string> string(std::string_view expected = "a string") const;
  Result<bool> boolean() const;
  Result<std::uint64_t> u64(std::uint64_t least, std::uint64_t most) const;

  std::string got() const;  // the value as messages show it: -1, "text", an array
  Error error(PolicyErrc code, std::string_view what) const;
  Error expected(std::string_view what) const;  // kType, "expected …, got …"
  Error error(const Error& inner) const;        // its code; its text behind file and path

 private:
  JsonCursor member(const std::string& key, const rapidjson::Value& value) const;

  const rapidjson::Value* value_;
  std::string path_;
  const std::string* file_;
};

// A parsed file: JSON with comments and trailing commas, UTF-8 checked, no deeper than kDeepestJson.
class JsonDocument {
 public:
  // Errors: kSyntax as "file:line:column: what is wrong"; kTooLarge.
  static Result<JsonDocument> parse(std::string_view file, std::string_view text);
  JsonCursor root() const { return JsonCursor(state_->document, "$", state_->file); }

 private:
  struct State {
    std::string file;
    rapidjson::Document document;
  };
  explicit JsonDocument(std::unique_ptr<State> state) : state_(std::move(state)) {}
  std::unique_ptr<State> state_;  // cursors point into it, so it must not move
};

}  // namespace progtc::policy
