#include "policy/json_cursor.h"

#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <set>

#include "policy/near_match.h"

namespace progtc::policy {
namespace {

// Hands everything on to the document and stops at the first bracket too many: what is deep is also slow to walk later.
class DepthLimit {
 public:
  explicit DepthLimit(rapidjson::Document& next) : next_(next) {}
  bool is_exceeded() const { return depth_ > kDeepestJson; }

  bool Null() { return next_.Null(); }
  bool Bool(bool b) { return next_.Bool(b); }
  bool Int(int i) { return next_.Int(i); }
  bool Uint(unsigned i) { return next_.Uint(i); }
  bool Int64(std::int64_t i) { return next_.Int64(i); }
  bool Uint64(std::uint64_t i) { return next_.Uint64(i); }
  bool Double(double d) { return next_.Double(d); }
  bool RawNumber(const char* s, rapidjson::SizeType n, bool copy) { return next_.RawNumber(s, n, copy); }
  bool String(const char* s, rapidjson::SizeType n, bool copy) { return next_.String(s, n, copy); }
  bool Key(const char* s, rapidjson::SizeType n, bool copy) { return next_.Key(s, n, copy); }
  bool StartObject() { return ++depth_ <= kDeepestJson && next_.StartObject(); }
  bool EndObject(rapidjson::SizeType n) { return --depth_, next_.EndObject(n); }
  bool StartArray() { return ++depth_ <= kDeepestJson && next_.StartArray(); }
  bool EndArray(rapidjson::SizeType n) { return --depth_, next_.EndArray(n); }

 private:
  rapidjson::Document& next_;
  std::size_t depth_ = 0;
};

std::string line_and_column(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const std::size_t last_break = before.rfind('\n');
  const std::string_view on_line = last_break == std::string_view::npos ? before : before.substr(last_break + 1);
  const auto column = 1 + std::count_if(on_line.begin(), on_line.end(), [](char c) {  // characters, not bytes
                        return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
                      });
  return std::to_string(line) + ":" + std::to_string(column);
}

bool is_plain_key(std::string_view key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
           c == '-';
  });
}

std::string key_of(const rapidjson::Value::Member& member) {
  return std::string(member.name.GetString(), member.name.GetStringLength());
}

}  // namespace

Result<JsonDocument> JsonDocument::parse(std::string_view file, std::string_view text) {
  const auto syntax = [&](std::size_t offset, std::string_view what) {
    return Error{make_error_code(PolicyErrc::kSyntax),
                 std::string(file) + ":" + line_and_column(text, offset) + ": " + std::string(what)};
  };
  if (text.size() > kLargestJson) {
    return Error{make_error_code(PolicyErrc::kTooLarge),
                 std::string(file) + ": " + std::to_string(text.size()) + " bytes, at most 1MiB is read"};
  }
  // RapidJSON takes a zero byte for the end of the text and would ignore whatever comes after it.
  if (const std::size_t zero = text.find('\0'); zero != std::string_view::npos) return syntax(zero, "a zero byte");

  auto state = std::make_unique<State>();
  state->file = std::string(file);
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  const std::size_t skipped = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  rapidjson::MemoryStream stream(text.data() + skipped, text.size() - skipped);
  rapidjson::ParseResult result;
  bool is_too_deep = false;
  auto generate = [&](rapidjson::Document& document) {
    // Not kParseFullPrecisionFlag: it is undefined for "0e70" (DiyFp::Normalize of 0, RapidJSON 1.1.0), and numbers of
    // up to 15 digits are exact without it.
    constexpr unsigned kFlags = rapidjson::kParseIterativeFlag | rapidjson::kParseCommentsFlag |
                                rapidjson::kParseTrailingCommasFlag | rapidjson::kParseValidateEncodingFlag;
    rapidjson::Reader reader;
    DepthLimit limit(document);
    result = reader.Parse<kFlags>(stream, limit);
    is_too_deep = limit.is_exceeded();
    return !result.IsError();
  };
  state->document.Populate(generate);
  if (result.IsError()) {
    const std::size_t offset = result.Offset() + skipped;
    if (is_too_deep) return syntax(offset, "nested deeper than " + std::to_string(kDeepestJson) + " levels");
    return syntax(offset, rapidjson::GetParseError_En(result.Code()));
  }
  return JsonDocument(std::move(state));
}

JsonCursor JsonCursor::member(const std::string& key, const rapidjson::Value& value) const {
  return JsonCursor(value, is_plain_key(key) ? path_ + "." + key : path_ + "[" + quoted(key) + "]", *file_);
}

Result<void> JsonCursor::expect_keys(std::span<const std::string> known) const {
  if (!value_->IsObject()) return expected("an object");
  std::set<std::string, std::less<>> seen;
  for (const auto& entry : value_->GetObject()) {
    const std::string key = key_of(entry);
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      std::string what = "unknown key " + quoted(key);
      const std::string near = did_you_mean(key, known);
      if (near.empty()) {
        what += "; expected one of ";
        for (std::size_t i = 0; i < known.size(); ++i) what += (i > 0 ? ", " : "") + known[i];
      }
      return error(PolicyErrc::kUnknownKey, what + near);
    }
    if (!seen.insert(key).second) return error(PolicyErrc::kRepeatedKey, "the key " + quoted(key) + " occurs twice");
  }
  return Result<void>{};
}

std::optional<JsonCursor> JsonCursor::find(std::string_view key) const {
  if (!value_->IsObject()) return std::nullopt;
  for (const auto& entry : value_->GetObject()) {
    if (key_of(entry) == key) return member(std::string(key), entry.value);
  }
  return std::nullopt;
}

Result<std::vector<JsonCursor>> JsonCursor::elements() const {
  if (!value_->IsArray()) return expected("an array");
  std::vector<JsonCursor> all;
  for (const auto& entry : value_->GetArray()) {
    all.emplace_back(entry, path_ + "[" + std::to_string(all.size()) + "]", *file_);
  }
  return all;
}

Result<std::vector<std::pair<std::string, JsonCursor>>> JsonCursor::members() const {
  if (!value_->IsObject()) return expected("an object");
  std::vector<std::pair<std::string, JsonCursor>> all;
  std::set<std::string, std::less<>> seen;
  for (const auto& entry : value_->GetObject()) {
    std::string key = key_of(entry);
    if (!seen.insert(key).second) return error(PolicyErrc::kRepeatedKey, "the key " + quoted(key) + " occurs twice");
    JsonCursor at = member(key, entry.value);
    all.emplace_back(std::move(key), std::move(at));
  }
  return all;
}

Result<std::string> JsonCursor::string(std::string_view what) const {
  if (!value_->IsString()) return expected(what);
  return std::string(value_->GetString(), value_->GetStringLength());
}

Result<bool> JsonCursor::boolean() const {
  if (!value_->IsBool()) return expected("true or false");
  return value_->GetBool();
}

Result<std::uint64_t> JsonCursor::u64(std::uint64_t least, std::uint64_t most) const {
  const std::string range = "a whole number in " + std::to_string(least) + ".." + std::to_string(most);
  if (!value_->IsNumber()) return expected(range);
  if (!value_->IsUint64() || value_->GetUint64() < least || value_->GetUint64() > most) {
    return error(PolicyErrc::kRange, "expected " + range + ", got " + got());
  }
  return value_->GetUint64();
}

std::string JsonCursor::got() const {
  switch (value_->GetType()) {
    case rapidjson::kNullType:
      return "null";
    case rapidjson::kFalseType:
      return "false";
    case rapidjson::kTrueType:
      return "true";
    case rapidjson::kObjectType:
      return "an object";
    case rapidjson::kArrayType:
      return "an array";
    case rapidjson::kStringType:
      return quoted(std::string_view(value_->GetString(), value_->GetStringLength()));
    case rapidjson::kNumberType:
      break;
  }
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  value_->Accept(writer);
  return buffer.GetString();
}

Error JsonCursor::error(PolicyErrc code, std::string_view what) const {
  return Error{make_error_code(code), *file_ + ": " + path_ + ": " + std::string(what)};
}

Error JsonCursor::expected(std::string_view what) const {
  return error(PolicyErrc::kType, "expected " + std::string(what) + ", got " + got());
}

Error JsonCursor::error(const Error& inner) const {
  return Error{inner.code, *file_ + ": " + path_ + ": " + inner.context};
}

}  // namespace progtc::policy
