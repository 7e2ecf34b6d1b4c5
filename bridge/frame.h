#pragma once
// The framing of the channel (docs/protocol.md): u32 little-endian payload length, u8 kind, payload. Pure.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "policy/result.h"

namespace progtc::bridge {

enum class FrameKind : std::uint8_t {
  kReady = 1,
  kCall = 2,
  kRequest = 3,
  kDone = 4,
  kLeave = 5,
  kJob = 16,
  kReply = 17,
  kCancel = 18,
};
inline constexpr std::size_t kFrameHeaderBytes = 5;

struct Frame {
  FrameKind kind{};
  std::string payload;
};

// Who wrote the bytes a decoder reads; the kinds of the other side are unknown to it.
enum class FrameSource : std::uint8_t { kGuest, kHost };

// Turns bytes, cut anywhere, into frames. Memory follows what has arrived, never what a header announces.
class FrameDecoder {
 public:
  FrameDecoder(FrameSource source, std::uint64_t max_payload_bytes)
      : source_(source), max_payload_(max_payload_bytes) {}

  // Consumes the front of `bytes` up to the end of one frame, which it returns; nothing means that `bytes` is used up
  // and more are needed. After an error the decoder is of no further use.
  // Errors: bad_message, for a payload above the cap (before any of it is stored) and for an unknown kind.
  Result<std::optional<Frame>> next(std::string_view& bytes);

  // At the end of the stream. Errors: bad_message when a frame has begun.
  Result<void> finish() const;

 private:
  FrameSource source_;
  std::uint64_t max_payload_;
  std::string header_;        // what has come of it
  std::string payload_;       // likewise
  std::uint32_t length_ = 0;  // once the header is whole
};

// A whole frame: header and payload. The payload must be shorter than 4 GiB.
std::string encode_frame(FrameKind kind, std::string_view payload);

}  // namespace progtc::bridge
