// What a guest can write to its channel, cut anywhere: frames and envelopes. The first byte chooses the cuts.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "bridge/envelope.h"
#include "bridge/frame.h"
#include "bridge/json.h"
#include "bridge/utf8.h"

namespace {

using namespace progtc::bridge;

void require(bool holds) {
  if (!holds) std::abort();
}

bool is_inside(std::string_view slice, std::string_view whole) {
  return slice.data() >= whole.data() && slice.data() + slice.size() <= whole.data() + whole.size();
}

// False ends the conversation.
bool take(const Frame& frame) {
  switch (frame.kind) {
    case FrameKind::kReady:
      return decode_ready(frame.payload).has_value();
    case FrameKind::kRequest:
      return decode_request(frame.payload).has_value();
    case FrameKind::kLeave: {
      const auto status = decode_leave(frame.payload);
      require(!status || (*status >= 0 && *status <= 255));
      return status.has_value();
    }
    case FrameKind::kDone: {
      const auto claim = decode_done(frame.payload);
      if (!claim) return false;
      if (claim->value_json) require(check_portable_json(*claim->value_json).has_value());
      for (const std::string& text :
           {claim->error_type, claim->error_message, claim->traceback, claim->error_filename}) {
        require(is_utf8(text));
      }
      return true;
    }
    case FrameKind::kCall: {
      const auto call = decode_call(frame.payload);
      if (!call) return false;
      require(is_utf8(call->tool));
      require(is_inside(call->args, frame.payload) && is_inside(call->kwargs, frame.payload));
      require(check_portable_json(call->args).has_value() && kind_of(call->args) == JsonKind::kArray);
      require(check_portable_json(call->kwargs).has_value() && kind_of(call->kwargs) == JsonKind::kObject);
      // What goes back is whole frames of valid JSON, whatever the guest wrote.
      require(check_json(encode_result(call->id, call->args).substr(kFrameHeaderBytes)).has_value());
      const std::string refused = encode_error(call->id, ReplyError{"tool_error", "E", frame.payload});
      require(check_json(refused.substr(kFrameHeaderBytes)).has_value());
      return true;
    }
    default:
      std::abort();  // the decoder lets no other kind through
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t step = data[0] == 0 ? size : data[0];
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  FrameDecoder decoder(FrameSource::kGuest, 64 * 1024);
  for (std::size_t at = 0; at < input.size(); at += step) {
    std::string_view part = input.substr(at, step);
    for (;;) {
      auto frame = decoder.next(part);
      if (!frame) return 0;
      if (!frame->has_value()) break;
      if (!take(**frame)) return 0;
    }
    require(part.empty());
  }
  (void)decoder.finish().has_value();
  return 0;
}
