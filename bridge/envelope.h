#pragma once
// What stands in the payloads of the channel (docs/protocol.md). Pure. Envelopes are read, big values are not: they are
// checked (check_portable_json) and handed on as slices of the payload they came in. Nothing of the code's leaves the
// host as JSON but through here, so what leaves is JSON that every reader takes.
#include <cstdint>
#include <string>
#include <string_view>

#include "bridge/frame.h"
#include "policy/result.h"
#include "runner/outcome.h"

namespace progtc::bridge {

inline constexpr std::int64_t kMaxCallId = std::int64_t{1} << 53;

struct CallFrame {
  std::uint64_t id = 0;
  std::string tool;
  std::string_view args;    // an array, inside the payload
  std::string_view kwargs;  // an object, inside the payload
};

struct RequestFrame {
  std::uint64_t id = 0;
  std::string name_space;
  std::string op;
};

// Errors of all decoders: bad_message with what is wrong: "call: unknown key 'x'", "call: id: expected an integer in
// 0..9007199254740992, got a string", "done: not JSON: lone surrogate at byte 12".
Result<void> decode_ready(std::string_view payload);
Result<CallFrame> decode_call(std::string_view payload);  // its slices live as long as `payload`
Result<RequestFrame> decode_request(std::string_view payload);
Result<runner::GuestClaim> decode_done(std::string_view payload);
Result<int> decode_leave(std::string_view payload);  // the status, 0..255

// How a call failed, as the code sees it.
struct ReplyError {
  std::string kind;  // "tool_error", "timeout", "denied"
  std::string type;  // the name of the exception: "ToolCallError"
  std::string message;
};

// Whole frames. `result_json` must have been checked; texts of a ReplyError may hold any bytes.
std::string encode_job(std::string_view job_json);
std::string encode_result(std::uint64_t id, std::string_view result_json);
std::string encode_error(std::uint64_t id, const ReplyError& error);
std::string encode_cancel(std::uint64_t id);

}  // namespace progtc::bridge
