#include "bridge/frame.h"

#include <algorithm>

#include <boost/system/errc.hpp>

namespace progtc::bridge {
namespace {

Error violation(std::string what) {
  return Error{boost::system::errc::make_error_code(boost::system::errc::bad_message), std::move(what)};
}

bool is_known(unsigned kind, FrameSource source) {
  return source == FrameSource::kGuest ? kind >= 1 && kind <= 5 : kind >= 16 && kind <= 18;
}

}  // namespace

Result<std::optional<Frame>> FrameDecoder::next(std::string_view& bytes) {
  if (header_.size() < kFrameHeaderBytes) {
    const std::size_t taken = std::min(kFrameHeaderBytes - header_.size(), bytes.size());
    header_.append(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
    if (header_.size() < kFrameHeaderBytes) return std::optional<Frame>{};
    length_ = 0;
    for (std::size_t i = 4; i-- > 0;) length_ = (length_ << 8U) | static_cast<unsigned char>(header_[i]);
    const auto kind = static_cast<unsigned char>(header_[4]);
    if (!is_known(kind, source_)) return violation("frame of unknown kind " + std::to_string(kind));
    if (length_ > max_payload_) {
      return violation("frame of " + std::to_string(length_) + " bytes, above limits.frame (" +
                       std::to_string(max_payload_) + ")");
    }
  }
  const std::size_t taken = std::min<std::size_t>(length_ - payload_.size(), bytes.size());
  payload_.append(bytes.substr(0, taken));
  bytes.remove_prefix(taken);
  if (payload_.size() < length_) return std::optional<Frame>{};
  Frame frame{static_cast<FrameKind>(header_[4]), std::move(payload_)};
  payload_.clear();
  header_.clear();
  return std::optional<Frame>(std::move(frame));
}

Result<void> FrameDecoder::finish() const {
  if (header_.empty()) return {};
  if (header_.size() < kFrameHeaderBytes) return violation("end of file inside a frame's header");
  return violation("end of file inside a frame: " + std::to_string(payload_.size()) + " of " + std::to_string(length_) +
                   " bytes");
}

std::string encode_frame(FrameKind kind, std::string_view payload) {
  std::string frame;
  frame.reserve(kFrameHeaderBytes + payload.size());
  for (unsigned shift = 0; shift < 32; shift += 8) frame += static_cast<char>((payload.size() >> shift) & 0xFFU);
  frame += static_cast<char>(kind);
  frame += payload;
  return frame;
}

}  // namespace progtc::bridge
