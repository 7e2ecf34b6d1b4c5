#include "bridge/http/message.h"

#include <algorithm>

#include "bridge/json.h"
#include "bridge/utf8.h"

namespace progtc::bridge::http {
namespace {

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

std::optional<std::string_view> Headers::find(std::string_view name) const noexcept {
  for (const Field& field : fields_) {
    if (equals_ignoring_case(field.first, name)) return field.second;
  }
  return std::nullopt;
}

std::size_t Headers::count(std::string_view name) const noexcept {
  return static_cast<std::size_t>(std::count_if(
      fields_.begin(), fields_.end(), [&](const Field& field) { return equals_ignoring_case(field.first, name); }));
}

Response error_response(unsigned status, std::string_view detail) {
  Response response;
  response.status = status;
  response.body = "{\"detail\": " + encode_string(to_utf8(detail)) + "}";
  return response;
}

}  // namespace progtc::bridge::http
