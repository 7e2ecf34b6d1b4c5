#include "bridge/http/sse.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

#include <boost/system/errc.hpp>

#include "bridge/utf8.h"

namespace progtc::bridge::http {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

std::string sse_piece(std::string_view json) {
  std::string out;
  out.reserve(json.size() + 8);
  std::size_t clean = 0;  // start of what is not yet appended and needs no change
  const auto replace = [&](std::size_t at, std::size_t length, std::string_view by) {
    out += json.substr(clean, at - clean);
    out += by;
    clean = at + length;
  };
  for (std::size_t at = 0; at < json.size(); at = std::max(at + 1, clean)) {
    switch (json[at]) {
      case '\r':
        replace(at, json.substr(at).starts_with("\r\n") ? 2 : 1, "\ndata: ");
        break;
      case '\n':
        replace(at, 1, "\ndata: ");
        break;
      case '\xC2':
        if (json.substr(at).starts_with("\xC2\x85")) replace(at, 2, "\\u0085");
        break;
      case '\xE2':
        if (json.substr(at).starts_with("\xE2\x80\xA8")) replace(at, 3, "\\u2028");
        if (json.substr(at).starts_with("\xE2\x80\xA9")) replace(at, 3, "\\u2029");
        break;
      default:
        break;
    }
  }
  out += json.substr(clean);
  return out;
}

std::string sse_event(std::string_view json) {
  std::string out(kSseStart);
  out += sse_piece(json);
  out += kSseEnd;
  return out;
}

std::string sse_comment() { return ":\n\n"; }

Result<std::optional<SseEvent>> SseParser::next(std::string_view& bytes) {
  while (!bytes.empty()) {
    if (std::exchange(is_after_cr_, false) && bytes.front() == '\n') {
      bytes.remove_prefix(1);
      continue;
    }
    const std::size_t end = std::min(bytes.find_first_of("\r\n"), bytes.size());
    const std::size_t held = line_.size() + data_.size() + event_type_.size();
    if (end > max_bytes_ || held > max_bytes_ - end) {
      return Error{boost::system::errc::make_error_code(boost::system::errc::message_size),
                   "server-sent event of more than " + std::to_string(max_bytes_) + " bytes"};
    }
    line_ += bytes.substr(0, end);
    if (end == bytes.size()) {
      bytes = {};
      break;
    }
    is_after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    if (auto event = end_line()) return event;
  }
  return std::optional<SseEvent>();
}

std::optional<SseEvent> SseParser::end_line() {
  const std::string whole = std::exchange(line_, {});
  std::string_view line = whole;
  if (std::exchange(is_first_line_, false) && line.starts_with(kByteOrderMark))
    line.remove_prefix(kByteOrderMark.size());
  if (line.empty()) {
    const std::string type = std::exchange(event_type_, {});
    std::string data = std::exchange(data_, {});
    if (data.empty()) return std::nullopt;
    data.pop_back();
    SseEvent event;
    if (!type.empty()) event.event = to_utf8(type);
    event.data = std::move(data);
    event.last_event_id = last_event_id_;
    return event;
  }
  const std::size_t colon = std::min(line.find(':'), line.size());
  std::string_view value = line.substr(std::min(colon + 1, line.size()));
  if (value.starts_with(' ')) value.remove_prefix(1);
  take_field(line.substr(0, colon), value);
  return std::nullopt;
}

void SseParser::take_field(std::string_view name, std::string_view value) {
  if (name == "data") {
    data_ += value;
    data_ += '\n';
  } else if (name == "event") {
    event_type_ = std::string(value);
  } else if (name == "id") {
    if (value.find('\0') == std::string_view::npos) last_event_id_ = to_utf8(value);
  } else if (name == "retry") {
    std::uint32_t time = 0;  // what does not fit is no time that anybody waits
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), time);
    if (error == std::errc{} && end == value.data() + value.size()) retry_ = std::chrono::milliseconds(time);
  }
}

}  // namespace progtc::bridge::http
