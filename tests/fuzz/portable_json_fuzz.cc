// What passes check_portable_json must be read by a reader of JSON that is not ours, whole, with unique keys and finite
// numbers.
#include <rapidjson/document.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/json.h"

namespace {

using namespace progtc::bridge;

void require(bool holds) {
  if (!holds) std::abort();
}

void require_portable(const rapidjson::Value& root) {
  std::vector<const rapidjson::Value*> open = {&root};
  while (!open.empty()) {
    const rapidjson::Value& value = *open.back();
    open.pop_back();
    if (value.IsDouble()) require(std::isfinite(value.GetDouble()));
    if (value.IsArray()) {
      for (const auto& item : value.GetArray()) open.push_back(&item);
    }
    if (!value.IsObject()) continue;
    std::set<std::string_view> keys;
    for (const auto& member : value.GetObject()) {
      require(keys.emplace(member.name.GetString(), member.name.GetStringLength()).second);
      open.push_back(&member.value);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (!check_portable_json(text)) return 0;
  require(check_json(text).has_value());
  rapidjson::Document document;
  constexpr unsigned kFlags =
      rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag | rapidjson::kParseFullPrecisionFlag;
  document.Parse<kFlags>(text.data(), text.size());
  require(!document.HasParseError());
  require_portable(document);
  return 0;
}
