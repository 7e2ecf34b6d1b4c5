#include "bridge/envelope.h"

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <optional>

#include <boost/system/errc.hpp>

#include "bridge/json.h"
#include "bridge/utf8.h"

namespace progtc::bridge {
namespace {

// More keys than any envelope has; `request` may carry keys of its namespace.
constexpr std::size_t kMaxEnvelopeKeys = 32;

Error malformed(std::string what) {
  return Error{boost::system::errc::make_error_code(boost::system::errc::bad_message), std::move(what)};
}

Result<void> check_portable(const char* path, std::string_view value) {
  if (auto checked = check_portable_json(value); !checked) return with_context(path, checked.error());
  return {};
}

// The members of one object and the path that messages start with.
class Envelope {
 public:
  static Result<Envelope> open(std::string path, std::string_view text) {
    auto members = split_object(text, kMaxEnvelopeKeys);
    if (!members) return with_context(path, members.error());
    return Envelope(std::move(path), std::move(*members));
  }

  Result<void> expect_keys(std::initializer_list<std::string_view> known) const {
    for (const JsonMember& member : members_) {
      if (std::find(known.begin(), known.end(), member.key) == known.end())
        return malformed(path_ + ": unknown key '" + printable(member.key) + "'");
    }
    return {};
  }

  // Nothing when there is no such key; an error when its value is of another kind.
  Result<std::optional<std::string_view>> find(std::string_view key, JsonKind kind) const {
    const auto value = find_any(key);
    if (value && kind_of(*value) != kind)
      return malformed(path_ + ": " + std::string(key) + ": expected " + to_string(kind) + ", got " +
                       to_string(kind_of(*value)));
    return value;
  }

  Result<std::string_view> require(std::string_view key, JsonKind kind) const {
    PROGTC_TRY(const auto value, find(key, kind));
    if (!value) return malformed(path_ + ": missing key '" + std::string(key) + "'");
    return *value;
  }

  std::optional<std::string_view> find_any(std::string_view key) const {
    for (const JsonMember& member : members_) {
      if (member.key == key) return member.value;
    }
    return std::nullopt;
  }

  Result<std::uint64_t> require_id() const {
    const auto value = find_any("id");
    if (!value) return malformed(path_ + ": missing key 'id'");
    const auto number = kind_of(*value) == JsonKind::kNumber ? decode_integer(*value) : std::nullopt;
    if (!number || *number < 0 || *number > kMaxCallId) {
      const std::string got = kind_of(*value) == JsonKind::kNumber ? printable(*value, 40) : to_string(kind_of(*value));
      return malformed(path_ + ": id: expected an integer in 0.." + std::to_string(kMaxCallId) + ", got " + got);
    }
    return static_cast<std::uint64_t>(*number);
  }

  Result<std::string> require_string(std::string_view key) const {
    PROGTC_TRY(const auto value, require(key, JsonKind::kString));
    return decode_string(value);
  }

 private:
  Envelope(std::string path, std::vector<JsonMember> members) : path_(std::move(path)), members_(std::move(members)) {}

  std::string path_;
  std::vector<JsonMember> members_;
};

Result<void> decode_claimed_error(std::string_view text, runner::GuestClaim& claim) {
  PROGTC_TRY(const Envelope error, Envelope::open("done: error", text));
  PROGTC_CHECK(error.expect_keys({"type", "message", "traceback", "errno", "filename"}));
  PROGTC_TRY(claim.error_type, error.require_string("type"));
  PROGTC_TRY(claim.error_message, error.require_string("message"));
  PROGTC_TRY(claim.traceback, error.require_string("traceback"));
  PROGTC_TRY(const auto number, error.find("errno", JsonKind::kNumber));
  // Any int of Python's can stand here, as user code can raise OSError(10**30): out of range means "none of errno's".
  const auto value = number ? decode_integer(*number).value_or(0) : 0;
  if (value >= 0 && value <= std::numeric_limits<int>::max()) claim.error_errno = static_cast<int>(value);
  PROGTC_TRY(const auto filename, error.find("filename", JsonKind::kString));
  if (filename) claim.error_filename = decode_string(*filename);
  return {};
}

}  // namespace

Result<void> decode_ready(std::string_view payload) {
  PROGTC_TRY(const Envelope ready, Envelope::open("ready", payload));
  return ready.expect_keys({});
}

Result<CallFrame> decode_call(std::string_view payload) {
  PROGTC_TRY(const Envelope envelope, Envelope::open("call", payload));
  PROGTC_CHECK(envelope.expect_keys({"id", "tool", "args", "kwargs"}));
  CallFrame call;
  PROGTC_TRY(call.id, envelope.require_id());
  PROGTC_TRY(call.tool, envelope.require_string("tool"));
  PROGTC_TRY(call.args, envelope.require("args", JsonKind::kArray));
  PROGTC_TRY(call.kwargs, envelope.require("kwargs", JsonKind::kObject));
  PROGTC_CHECK(check_portable("call: args", call.args));
  PROGTC_CHECK(check_portable("call: kwargs", call.kwargs));
  return call;
}

Result<RequestFrame> decode_request(std::string_view payload) {
  PROGTC_TRY(const Envelope envelope, Envelope::open("request", payload));
  RequestFrame request;
  PROGTC_TRY(request.id, envelope.require_id());
  PROGTC_TRY(request.name_space, envelope.require_string("namespace"));
  PROGTC_TRY(request.op, envelope.require_string("op"));
  return request;
}

Result<runner::GuestClaim> decode_done(std::string_view payload) {
  PROGTC_TRY(const Envelope envelope, Envelope::open("done", payload));
  PROGTC_CHECK(envelope.expect_keys({"ok", "value", "error"}));
  runner::GuestClaim claim;
  PROGTC_TRY(const std::string_view is_ok, envelope.require("ok", JsonKind::kBoolean));
  claim.ok = is_ok == "true";
  if (const auto value = envelope.find_any("value")) {
    PROGTC_CHECK(check_portable("done: value", *value));
    claim.value_json = std::string(*value);
  }
  PROGTC_TRY(const auto error, envelope.find("error", JsonKind::kObject));
  if (error && claim.ok) return malformed("done: ok is true, yet there is an error");
  if (error) PROGTC_CHECK(decode_claimed_error(*error, claim));
  return claim;
}

Result<int> decode_leave(std::string_view payload) {
  PROGTC_TRY(const Envelope envelope, Envelope::open("leave", payload));
  PROGTC_CHECK(envelope.expect_keys({"status"}));
  PROGTC_TRY(const std::string_view number, envelope.require("status", JsonKind::kNumber));
  const auto status = decode_integer(number);
  if (!status || *status < 0 || *status > 255) return malformed("leave: status: expected an integer in 0..255");
  return static_cast<int>(*status);
}

std::string encode_job(std::string_view job_json) { return encode_frame(FrameKind::kJob, job_json); }

std::string encode_result(std::uint64_t id, std::string_view result_json) {
  std::string payload = "{\"id\":" + std::to_string(id) + ",\"result\":";
  payload.reserve(payload.size() + result_json.size() + 1);
  payload += result_json;
  payload += '}';
  return encode_frame(FrameKind::kReply, payload);
}

std::string encode_error(std::uint64_t id, const ReplyError& error) {
  std::string payload = "{\"id\":" + std::to_string(id) + ",\"error\":{\"kind\":";
  append_string(payload, to_utf8(error.kind));
  payload += ",\"type\":";
  append_string(payload, to_utf8(error.type));
  payload += ",\"message\":";
  append_string(payload, to_utf8(error.message));
  payload += "}}";
  return encode_frame(FrameKind::kReply, payload);
}

std::string encode_cancel(std::uint64_t id) {
  return encode_frame(FrameKind::kCancel, "{\"id\":" + std::to_string(id) + "}");
}

}  // namespace progtc::bridge
