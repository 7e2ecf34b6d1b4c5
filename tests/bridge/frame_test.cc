#include "bridge/frame.h"

#include <gtest/gtest.h>

namespace progtc::bridge {
namespace {

using std::string_literals::operator""s;

TEST(FrameTest, EveryCutOfTheStreamGivesTheSameFrames) {
  const std::string stream = encode_frame(FrameKind::kReady, "{}") + encode_frame(FrameKind::kCall, "") +
                             encode_frame(FrameKind::kDone, "{\"ok\":true}");
  for (std::size_t first = 0; first <= stream.size(); ++first) {
    for (std::size_t second = first; second <= stream.size(); ++second) {
      FrameDecoder decoder(FrameSource::kGuest, 100);
      std::vector<Frame> frames;
      for (std::string_view part :
           {std::string_view(stream).substr(0, first), std::string_view(stream).substr(first, second - first),
            std::string_view(stream).substr(second)}) {
        for (;;) {
          auto frame = decoder.next(part);
          ASSERT_TRUE(frame) << frame.error().context;
          if (!frame->has_value()) break;
          frames.push_back(std::move(**frame));
        }
        EXPECT_TRUE(part.empty());
      }
      ASSERT_EQ(frames.size(), 3U) << first << " " << second;
      EXPECT_EQ(frames[0].kind, FrameKind::kReady);
      EXPECT_EQ(frames[0].payload, "{}");
      EXPECT_EQ(frames[1].kind, FrameKind::kCall);
      EXPECT_EQ(frames[1].payload, "");
      EXPECT_EQ(frames[2].payload, "{\"ok\":true}");
      EXPECT_TRUE(decoder.finish());
    }
  }
}

TEST(FrameTest, RefusesAFourGibibyteLengthBeforeStoringAnything) {
  FrameDecoder decoder(FrameSource::kGuest, 1 << 20);
  const std::string header = "\xFF\xFF\xFF\xFF\x02"s;
  std::string_view bytes = header;
  EXPECT_EQ(decoder.next(bytes).error().context, "frame of 4294967295 bytes, above limits.frame (1048576)");
}

TEST(FrameTest, TakesAFrameOfExactlyTheCap) {
  FrameDecoder decoder(FrameSource::kGuest, 4);
  const std::string four = encode_frame(FrameKind::kCall, "1234");
  std::string_view bytes = four;
  EXPECT_TRUE(decoder.next(bytes).value().has_value());
  const std::string five = encode_frame(FrameKind::kCall, "12345");
  bytes = five;
  EXPECT_FALSE(decoder.next(bytes));
}

TEST(FrameTest, RefusesUnknownKindsAndThoseOfTheOtherSide) {
  for (int kind = 0; kind < 256; ++kind) {
    const std::string frame = encode_frame(static_cast<FrameKind>(kind), "");
    std::string_view to_host = frame;
    FrameDecoder of_guest(FrameSource::kGuest, 10);
    EXPECT_EQ(of_guest.next(to_host).has_value(), kind >= 1 && kind <= 5) << kind;
    std::string_view to_guest = frame;
    FrameDecoder of_host(FrameSource::kHost, 10);
    EXPECT_EQ(of_host.next(to_guest).has_value(), kind >= 16 && kind <= 18) << kind;
  }
}

TEST(FrameTest, SaysHowMuchOfTheLastFrameCame) {
  const std::string frame = encode_frame(FrameKind::kCall, "{\"id\":1}");
  for (std::size_t cut = 1; cut < frame.size(); ++cut) {
    FrameDecoder decoder(FrameSource::kGuest, 100);
    std::string_view bytes = std::string_view(frame).substr(0, cut);
    ASSERT_FALSE(decoder.next(bytes).value().has_value());
    EXPECT_EQ(decoder.finish().error().context,
              cut < kFrameHeaderBytes
                  ? "end of file inside a frame's header"
                  : "end of file inside a frame: " + std::to_string(cut - kFrameHeaderBytes) + " of 8 bytes");
  }
}

}  // namespace
}  // namespace progtc::bridge
