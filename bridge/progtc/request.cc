#include "bridge/progtc/request.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <unordered_set>
#include <utility>

#include "bridge/json.h"
#include "bridge/tool_rules.h"
#include "bridge/utf8.h"

namespace progtc::bridge {
namespace {

constexpr std::size_t kMaxKeys = 64;  // of a body; finding repeated ones takes the square of it
constexpr std::size_t kMaxPathBytes = 1024;
constexpr std::size_t kMaxPathPart = 255;  // NAME_MAX
constexpr std::size_t kMaxPathDepth = 16;
constexpr std::size_t kMaxNameBytes = 128;  // of policies, sessions and ids
constexpr std::chrono::hours kMaxTimeout{24 * 365};

using Loc = std::vector<BodyProblem::Step>;

// Takes values out of one body and notes what is wrong with them.
class Reader {
 public:
  explicit Reader(std::string_view body) {
    if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) {
      missing({"body"});
      return;
    }
    if (auto fault = find_json_fault(body)) {
      problems_.list.push_back({{"body", fault->at}, "JSON decode error", "json_invalid", std::move(fault->what)});
      return;
    }
    body.remove_prefix(body.find_first_not_of(" \t\r\n"));
    if (kind_of(body) != JsonKind::kObject) {
      problem({"body"}, "model_attributes_type", "Input should be a valid dictionary or object to extract fields from");
      return;
    }
    auto members = split_object(body, kMaxKeys);
    if (members) {
      members_ = std::move(*members);
      is_open_ = true;
    } else {
      value_error({"body"}, members.error().context);
    }
  }

  // Whether the fields can be looked at.
  bool is_open() const { return is_open_; }
  bool is_well() const { return problems_.list.empty(); }
  BodyProblems take_problems() { return std::move(problems_); }

  std::optional<std::string_view> find(std::string_view key) const {
    for (const JsonMember& member : members_) {
      if (member.key == key) return member.value;
    }
    return std::nullopt;
  }

  std::optional<std::string_view> find_unless_null(std::string_view key) const {
    const auto value = find(key);
    return value && kind_of(*value) == JsonKind::kNull ? std::nullopt : value;
  }

  std::optional<std::string_view> require(const char* key) {
    const auto value = find(key);
    if (!value) missing({"body", key});
    return value;
  }

  // A string of at most `max_bytes`; nothing when there is a problem.
  std::optional<std::string> string(const Loc& loc, std::string_view value, std::size_t max_bytes) {
    if (kind_of(value) != JsonKind::kString) {
      problem(loc, "string_type", "Input should be a valid string");
      return std::nullopt;
    }
    std::string text = decode_string(value);
    if (text.size() <= max_bytes) return text;
    problem(loc, "string_too_long", "String should have at most " + std::to_string(max_bytes) + " bytes");
    return std::nullopt;
  }

  std::string required_string(const char* key, std::size_t max_bytes) {
    const auto value = require(key);
    return value ? string({"body", key}, *value, max_bytes).value_or(std::string()) : std::string();
  }

  void missing(Loc loc) { problem(std::move(loc), "missing", "Field required"); }
  void value_error(Loc loc, const std::string& what) {
    if (is_full()) return;
    problems_.list.push_back({std::move(loc), "Value error, " + what, "value_error", what});
  }
  void problem(Loc loc, const char* type, std::string msg) {
    if (is_full()) return;
    problems_.list.push_back({std::move(loc), std::move(msg), type, {}});
  }

 private:
  bool is_full() const { return problems_.list.size() >= kMaxBodyProblems; }

  std::vector<JsonMember> members_;
  bool is_open_ = false;
  BodyProblems problems_;
};

// The code point of a well-formed sequence of two bytes or more.
char32_t code_point(std::string_view sequence) noexcept {
  const auto lead = static_cast<unsigned char>(sequence[0]);
  char32_t point = lead & (0xFFU >> (sequence.size() + 1));
  for (const char c : sequence.substr(1)) point = (point << 6U) | (static_cast<unsigned char>(c) & 0x3FU);
  return point;
}

bool may_be_letter(char32_t point) noexcept {
  if (point < 0xAA) return false;                                               // controls, punctuation
  if (point >= 0x2000 && point <= 0x206F) return false;                         // spaces, directions, punctuation
  if (point == 0x3000 || point == 0xFEFF) return false;                         // ideographic space, byte order mark
  return (point & 0xFFFEU) != 0xFFFE && !(point >= 0xFDD0 && point <= 0xFDEF);  // noncharacters
}

bool is_dotted_identifier(std::string_view text) noexcept {
  bool is_start = true;
  while (!text.empty()) {
    const std::size_t length = utf8_sequence_length(text);
    const char c = text.front();
    const bool is_ascii_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    const bool is_digit = c >= '0' && c <= '9';
    if (c == '.') {
      if (is_start) return false;
      is_start = true;
    } else if (is_ascii_letter || (is_digit && !is_start) ||
               (length > 1 && may_be_letter(code_point(text.substr(0, length))))) {
      is_start = false;
    } else {
      return false;
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return !is_start;
}

bool is_plain_name(std::string_view text) noexcept {
  if (text.empty() || text.size() > kMaxNameBytes) return false;
  for (const char c : text) {
    const bool is_plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
    if (!is_plain) return false;
  }
  return true;
}

// What is wrong with `path`; null when nothing is.
const char* path_fault(std::string_view path) noexcept {
  if (path.empty()) return "the path is empty";
  if (path.size() > kMaxPathBytes) return "the path is too long";
  if (path.find('\0') != std::string_view::npos) return "the path holds a NUL";
  if (path.front() == '/') return "the path is absolute";
  std::size_t depth = 0;
  for (std::size_t start = 0; start <= path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    const std::string_view part = path.substr(start, end - start);
    if (part.empty() || part == "." || part == "..") return "the path has a part that is empty, '.' or '..'";
    if (part.size() > kMaxPathPart) return "a part of the path is too long";
    if (++depth > kMaxPathDepth) return "the path is too deep";
    start = end + 1;
  }
  return nullptr;
}

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNoDigit = 0xFF;

constexpr std::array<std::uint8_t, 256> base64_digits() {
  std::array<std::uint8_t, 256> digits{};
  digits.fill(kNoDigit);
  for (std::size_t at = 0; at < kBase64.size(); ++at)
    digits[static_cast<unsigned char>(kBase64[at])] = static_cast<std::uint8_t>(at);
  return digits;
}

// Strict: padded, nothing but digits, no bits left over.
std::optional<std::string> decode_base64(std::string_view text) {
  static constexpr auto kDigits = base64_digits();
  if (text.size() % 4 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (std::size_t at = 0; at < text.size(); at += 4) {
    const bool is_last = at + 4 == text.size();
    const std::size_t padding = !is_last || text[at + 3] != '=' ? 0 : text[at + 2] == '=' ? 2 : 1;
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const std::uint8_t digit = i >= 4 - padding ? std::uint8_t{0} : kDigits[static_cast<unsigned char>(text[at + i])];
      if (digit == kNoDigit) return std::nullopt;
      group = (group << 6U) | digit;
    }
    if ((padding == 1 && (group & 0xFFU) != 0) || (padding == 2 && (group & 0xFFFFU) != 0)) return std::nullopt;
    bytes += static_cast<char>(group >> 16U);
    if (padding < 2) bytes += static_cast<char>((group >> 8U) & 0xFFU);
    if (padding < 1) bytes += static_cast<char>(group & 0xFFU);
  }
  return bytes;
}

std::string encode_base64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i)
      group = (group << 8U) | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    for (std::size_t i = 0; i < 4; ++i) text += i <= count ? kBase64[(group >> (18U - 6U * i)) & 0x3FU] : '=';
  }
  return text;
}

void read_tool_names(Reader& reader, const RequestLimits& limits, ExecuteRequest& request) {
  const auto value = reader.require("tool_names");
  if (!value) return;
  if (kind_of(*value) != JsonKind::kArray) {
    reader.problem({"body", "tool_names"}, "list_type", "Input should be a valid list");
    return;
  }
  const auto items = split_array(*value, limits.tool_names);
  if (!items) {  // it has been checked: only the number is left to be wrong
    reader.problem({"body", "tool_names"}, "too_long",
                   "List should have at most " + std::to_string(limits.tool_names) + " items after validation");
    return;
  }
  std::unordered_set<std::string> seen;
  for (std::size_t index = 0; index < items->size(); ++index) {
    const Loc loc{"body", "tool_names", index};
    auto name = reader.string(loc, (*items)[index], kMaxToolNameBytes);
    if (!name) continue;
    if (!is_dotted_identifier(*name)) {
      reader.value_error(loc, "'" + printable(*name) + "' is not a Python name");
    } else if (seen.insert(*name).second) {
      request.tool_names.push_back(std::move(*name));
    }
  }
}

void read_stream(Reader& reader, ExecuteRequest& request) {
  const auto value = reader.find_unless_null("stream");
  if (!value) return;
  if (kind_of(*value) == JsonKind::kBoolean) {
    request.stream = value->front() == 't';
  } else {
    reader.problem({"body", "stream"}, "bool_type", "Input should be a valid boolean");
  }
}

void read_timeout(Reader& reader, ExecuteRequest& request) {
  const auto value = reader.find_unless_null("timeout");
  if (!value) return;
  const Loc loc{"body", "timeout"};
  if (kind_of(*value) != JsonKind::kNumber) {
    reader.problem(loc, "float_type", "Input should be a valid number");
    return;
  }
  double seconds = 0;
  const auto parsed = std::from_chars(value->data(), value->data() + value->size(), seconds);
  // from_chars leaves a number beyond a double's range alone; strtod says on which side it lies.
  if (parsed.ec == std::errc::result_out_of_range) seconds = std::strtod(std::string(*value).c_str(), nullptr);
  if (std::isinf(seconds) && seconds > 0) {
    reader.problem(loc, "finite_number", "Input should be a finite number");
    return;
  }
  if (!(seconds > 0)) {
    reader.problem(loc, "greater_than", "Input should be greater than 0");
    return;
  }
  const double most = std::chrono::duration<double>(kMaxTimeout).count();
  const double milliseconds = std::ceil(std::min(seconds, most) * 1000.0);
  request.timeout = std::chrono::milliseconds(static_cast<std::int64_t>(milliseconds));
}

std::optional<std::string> read_name(Reader& reader, const char* key) {
  const auto value = reader.find_unless_null(key);
  if (!value) return std::nullopt;
  auto name = reader.string({"body", key}, *value, kMaxNameBytes);
  if (name && !is_plain_name(*name)) {
    reader.value_error({"body", key}, "expected letters, digits, '_', '-' and '.'");
    return std::nullopt;
  }
  return name;
}

// A file that is also the directory of another one could only be noticed half-way through copying.
void check_no_file_is_a_directory(Reader& reader, const std::map<std::string, std::string>& files) {
  for (const auto& [path, bytes] : files) {
    for (std::size_t at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1)) {
      if (!files.contains(path.substr(0, at))) continue;
      reader.value_error({"body", "files", path}, "'" + printable(path.substr(0, at)) + "' is a file, too");
      break;
    }
  }
}

void read_files(Reader& reader, const RequestLimits& limits, ExecuteRequest& request) {
  const auto value = reader.find_unless_null("files");
  if (!value) return;
  if (kind_of(*value) != JsonKind::kObject) {
    reader.problem({"body", "files"}, "dict_type", "Input should be a valid dictionary");
    return;
  }
  const auto members = split_object(*value, limits.files);
  if (!members) {
    reader.value_error({"body", "files"},
                       members.error().context + " (at most " + std::to_string(limits.files) + " files, each once)");
    return;
  }
  std::size_t total = 0;
  for (const JsonMember& member : *members) {
    const Loc loc{"body", "files", shorten_utf8(member.key, kMaxPathBytes)};
    if (const char* fault = path_fault(member.key)) {
      reader.value_error(loc, fault);
      continue;
    }
    const auto text = reader.string(loc, member.value, std::numeric_limits<std::size_t>::max());
    if (!text) continue;
    auto bytes = decode_base64(*text);
    if (!bytes) {
      reader.value_error(loc, "not base64");
      continue;
    }
    total += bytes->size();
    request.files.emplace(member.key, std::move(*bytes));
  }
  if (total > limits.file_bytes) {
    reader.value_error({"body", "files"}, std::to_string(total) + " bytes, more than the " +
                                              std::to_string(limits.file_bytes) + " that all files may have");
  }
  check_no_file_is_a_directory(reader, request.files);
}

ToolFailure read_failure(Reader& reader, const RequestLimits& limits, std::string_view value) {
  if (kind_of(value) != JsonKind::kObject) {
    reader.problem({"body", "error"}, "model_attributes_type",
                   "Input should be a valid dictionary or object to extract fields from");
    return {};
  }
  const auto members = split_object(value, kMaxKeys);
  if (!members) {
    reader.value_error({"body", "error"}, members.error().context);
    return {};
  }
  ToolFailure failure;
  bool has_type = false;
  bool has_message = false;
  for (const JsonMember& member : *members) {
    const Loc loc{"body", "error", member.key};
    if (member.key == "type") {
      has_type = true;
      failure.type = reader.string(loc, member.value, kMaxToolErrorType).value_or("X");
      if (!is_tool_error_type(failure.type)) reader.value_error(loc, "not the name of an error");
    } else if (member.key == "message") {
      has_message = true;
      const auto text = reader.string(loc, member.value, std::numeric_limits<std::size_t>::max());
      failure.message = shorten_utf8(text.value_or(std::string()), limits.error_message_bytes);
    }
  }
  if (!has_type) reader.missing({"body", "error", "type"});
  if (!has_message) reader.missing({"body", "error", "message"});
  return failure;
}

void append_loc(std::string& out, const std::vector<BodyProblem::Step>& loc) {
  out += '[';
  for (std::size_t at = 0; at < loc.size(); ++at) {
    if (at != 0) out += ',';
    if (const auto* key = std::get_if<std::string>(&loc[at])) {
      append_string(out, *key);
    } else {
      out += std::to_string(std::get<std::size_t>(loc[at]));
    }
  }
  out += ']';
}

}  // namespace

void throw_exception_from_error(const BodyProblems& problems, const boost::source_location&) {
  throw std::logic_error("the body was refused: " + to_json(problems));
}

Decoded<ExecuteRequest> decode_execute_request(std::string_view body, const RequestLimits& limits) {
  Reader reader(body);
  ExecuteRequest request;
  if (reader.is_open()) {
    read_tool_names(reader, limits, request);
    request.code = reader.required_string("code", limits.code_bytes);
    read_stream(reader, request);
    read_timeout(reader, request);
    request.policy = read_name(reader, "policy");
    read_files(reader, limits, request);
    request.session = read_name(reader, "session");
  }
  if (!reader.is_well()) return reader.take_problems();
  return request;
}

Decoded<ToolResultRequest> decode_tool_result(std::string_view body, const RequestLimits& limits) {
  Reader reader(body);
  ToolResultRequest request;
  if (reader.is_open()) {
    request.execution_id = reader.required_string("execution_id", kMaxNameBytes);
    request.tool_call_id = reader.required_string("tool_call_id", kMaxNameBytes);
    const auto result = reader.find("result");
    if (const auto error = reader.find_unless_null("error")) {
      request.outcome = read_failure(reader, limits, *error);
      if (reader.find_unless_null("result")) reader.value_error({"body"}, "'result' and 'error' exclude each other");
    } else if (result) {
      request.outcome = Json{std::string(*result)};
    } else {
      reader.missing({"body", "result"});
    }
  }
  if (!reader.is_well()) return reader.take_problems();
  return request;
}

std::string to_json(const BodyProblems& problems) {
  std::string out = "[";
  for (const BodyProblem& problem : problems.list) {
    if (out.size() > 1) out += ',';
    out += "{\"type\":";
    append_string(out, problem.type);
    out += ",\"loc\":";
    append_loc(out, problem.loc);
    out += ",\"msg\":";
    append_string(out, problem.msg);
    if (!problem.ctx_error.empty()) {
      out += ",\"ctx\":{\"error\":";
      append_string(out, problem.ctx_error);
      out += '}';
    }
    out += '}';
  }
  return out + "]";
}

std::string encode_execute_request(const ExecuteRequest& request) {
  std::string out = "{\"tool_names\":[";
  for (const std::string& name : request.tool_names) {
    if (out.back() != '[') out += ',';
    append_string(out, name);
  }
  out += "],\"code\":";
  append_string(out, request.code);
  if (request.stream) out += ",\"stream\":true";
  if (request.timeout) {
    const std::string milliseconds = std::to_string(1000 + request.timeout->count() % 1000).substr(1);
    out += ",\"timeout\":" + std::to_string(request.timeout->count() / 1000) + "." + milliseconds;
  }
  const auto put = [&](const char* key, const std::optional<std::string>& text) {
    if (!text) return;
    out += std::string(",\"") + key + "\":";
    append_string(out, *text);
  };
  put("policy", request.policy);
  put("session", request.session);
  if (!request.files.empty()) {
    out += ",\"files\":{";
    for (const auto& [path, bytes] : request.files) {
      if (out.back() != '{') out += ',';
      append_string(out, path);
      out += ":\"" + encode_base64(bytes) + "\"";
    }
    out += '}';
  }
  return out + "}";
}

std::string encode_tool_result(const ToolResultRequest& result) {
  std::string out = "{\"execution_id\":";
  append_string(out, result.execution_id);
  out += ",\"tool_call_id\":";
  append_string(out, result.tool_call_id);
  if (const auto* json = std::get_if<Json>(&result.outcome)) {
    out += ",\"result\":" + json->text;
  } else {
    const auto& failure = std::get<ToolFailure>(result.outcome);
    out += ",\"error\":{\"type\":";
    append_string(out, failure.type);
    out += ",\"message\":";
    append_string(out, failure.message);
    out += '}';
  }
  return out + "}";
}

}  // namespace progtc::bridge
