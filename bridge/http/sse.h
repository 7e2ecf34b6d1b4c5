#pragma once
// Server-sent events (WHATWG HTML, section 9.2), both directions. Pure.
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "policy/result.h"

namespace progtc::bridge::http {

// "data: <json>\n\n". A line break in `json`, which is blank space there, starts another data line: what was split is
// joined by the reader. U+0085, U+2028 and U+2029, which JSON has in strings only, are sent as escapes: a reader that
// takes them for line breaks (Python's str.splitlines(), on which httpx is built) would cut the event there.
std::string sse_event(std::string_view json);

// The same event in pieces: the first behind kSseStart, the last before kSseEnd, each through sse_piece(). Pieces are
// cut between two characters.
inline constexpr std::string_view kSseStart = "data: ";
inline constexpr std::string_view kSseEnd = "\n\n";
std::string sse_piece(std::string_view json);

// A line that readers skip: it shows both ends that the other is there.
std::string sse_comment();

struct SseEvent {
  std::string event = "message";
  // As it came: bytes that are no UTF-8 are for the decoder of the data to refuse, as U+FFFD in their place would be
  // other data.
  std::string data;
  std::string last_event_id;  // of this event or of the last before it that had one
};

// Turns bytes, cut anywhere, into events. An event that the stream ends in is no event: drop the parser.
class SseParser {
 public:
  // `max_event_bytes`: of an event's type and data, and the line that comes in addition to them.
  explicit SseParser(std::size_t max_event_bytes) : max_bytes_(max_event_bytes) {}

  // Consumes the front of `bytes` up to the end of one event, which it returns; nothing means that `bytes` is used up.
  // After an error the parser is of no further use. Errors: message_size.
  Result<std::optional<SseEvent>> next(std::string_view& bytes);

  // What the server asked for, once it has.
  [[nodiscard]] std::optional<std::chrono::milliseconds> retry() const noexcept { return retry_; }
  [[nodiscard]] const std::string& last_event_id() const noexcept { return last_event_id_; }

 private:
  std::optional<SseEvent> end_line();
  void take_field(std::string_view name, std::string_view value);

  std::size_t max_bytes_;
  std::string line_;        // what has come of it
  std::string data_;        // of the event under way; every line's end included
  std::string event_type_;  // likewise
  std::string last_event_id_;
  std::optional<std::chrono::milliseconds> retry_;
  bool is_first_line_ = true;
  bool is_after_cr_ = false;  // a LF now ends no line of its own
};

}  // namespace progtc::bridge::http
