#include "bridge/http/sse.h"

#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace progtc::bridge::http {
namespace {

using testing::ElementsAre;

std::vector<SseEvent> read(SseParser& parser, std::string_view bytes, std::size_t step = 1U << 20U) {
  std::vector<SseEvent> events;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    std::string_view part = bytes.substr(at, step);
    for (;;) {
      auto event = parser.next(part);
      if (!event) {
        ADD_FAILURE() << event.error().context;
        return events;
      }
      if (!event->has_value()) break;
      events.push_back(**event);
    }
    EXPECT_TRUE(part.empty());
  }
  return events;
}

std::vector<std::string> data_of(std::string_view bytes) {
  std::vector<std::string> whole;
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    SseParser parser(1000);
    std::vector<std::string> data;
    for (const SseEvent& event : read(parser, bytes, step)) data.push_back(event.data);
    if (step > 1) {
      EXPECT_EQ(data, whole) << "cut every " << step << " bytes";
    }
    whole = data;
  }
  return whole;
}

TEST(SseTest, EncodesAnEvent) {
  EXPECT_EQ(sse_event(R"({"type":"x"})"), "data: {\"type\":\"x\"}\n\n");
  EXPECT_EQ(sse_event(""), "data: \n\n");
  EXPECT_EQ(sse_event("{\n1\r2\r\n}"), "data: {\ndata: 1\ndata: 2\ndata: }\n\n");
}

// Python's str.splitlines(), by which httpx reads lines, takes these for line breaks, too.
TEST(SseTest, WhatSomeReadersTakeForALineBreakIsEscaped) {
  EXPECT_EQ(sse_event("[\"a\xC2\x85\xE2\x80\xA8\xE2\x80\xA9z\"]"), "data: [\"a\\u0085\\u2028\\u2029z\"]\n\n");
  EXPECT_EQ(sse_event("\"\xC2\x86\xE2\x80\xAA\xE2\x81\xA8\""), "data: \"\xC2\x86\xE2\x80\xAA\xE2\x81\xA8\"\n\n");
  EXPECT_EQ(std::string(kSseStart) + sse_piece("{\"a\":") + sse_piece("\n1}") + std::string(kSseEnd),
            "data: {\"a\":\ndata: 1}\n\n");
}

TEST(SseTest, ReadsWhatItEncodes) {
  EXPECT_THAT(data_of(sse_event("{}") + sse_comment() + sse_event("[1,\n2]") + sse_event("")),
              ElementsAre("{}", "[1,\n2]", ""));
}

TEST(SseTest, LinesEndInThreeWays) {
  EXPECT_THAT(data_of("data: a\n\ndata: b\r\rdata: c\r\n\r\ndata: d\ndata: e\rdata: f\r\n\n"),
              ElementsAre("a", "b", "c", "d\ne\nf"));
}

TEST(SseTest, FollowsTheExamplesOfTheStandard) {
  EXPECT_THAT(data_of("data: YHOO\ndata: +2\ndata: 10\n\n"), ElementsAre("YHOO\n+2\n10"));
  EXPECT_THAT(data_of("data\n\ndata\ndata\n\ndata:"), ElementsAre("", "\n"));
  EXPECT_THAT(data_of("data:test\n\ndata: test\n\ndata:  two\n\n"), ElementsAre("test", "test", " two"));
}

TEST(SseTest, SkipsCommentsAndUnknownFields) {
  EXPECT_THAT(data_of(": hello\n\n:\nfoo: bar\nbaz\nDATA: no\n data: no\ndata: x\n:more\n\n"), ElementsAre("x"));
}

TEST(SseTest, SkipsOneByteOrderMark) {
  EXPECT_THAT(data_of("\xEF\xBB\xBF"
                      "data: x\n\n"),
              ElementsAre("x"));
  EXPECT_THAT(data_of("\xEF\xBB\xBF\xEF\xBB\xBF"
                      "data: x\n\n\xEF\xBB\xBF"
                      "data: y\n\n"),
              ElementsAre());
}

TEST(SseTest, ReadsTypesAndIds) {
  SseParser parser(1000);
  const auto events = read(parser,
                           "event: add\nid: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\nid: 2\n\nevent: x\n\ndata: d\n\n"
                           "event: p\nevent: q\nid: 3\xFF\ndata: \xC3\n\n");
  ASSERT_EQ(events.size(), 5U);
  EXPECT_EQ(events[0].event, "add");
  EXPECT_EQ(events[0].last_event_id, "1");
  EXPECT_EQ(events[1].event, "message");
  EXPECT_EQ(events[1].last_event_id, "1");  // kept
  EXPECT_EQ(events[2].last_event_id, "");   // reset
  EXPECT_EQ(events[3].event, "message");    // a type without data is forgotten
  EXPECT_EQ(events[3].last_event_id, "2");  // an id is not
  EXPECT_EQ(events[4].event, "q");
  EXPECT_EQ(events[4].last_event_id, "3\xEF\xBF\xBD");
  EXPECT_EQ(events[4].data, "\xC3");
  EXPECT_EQ(parser.last_event_id(), "3\xEF\xBF\xBD");
  read(parser, std::string_view("id: a\0b\n\n", 9));
  EXPECT_EQ(parser.last_event_id(), "3\xEF\xBF\xBD");
}

TEST(SseTest, ReadsRetryTimes) {
  SseParser parser(1000);
  EXPECT_EQ(parser.retry(), std::nullopt);
  read(parser, "retry: 1500\n");
  EXPECT_EQ(parser.retry(), std::chrono::milliseconds(1500));
  read(parser, "retry: 1.5\nretry: -1\nretry:\nretry\nretry: 99999999999999999999\nretry: 7s\n");
  EXPECT_EQ(parser.retry(), std::chrono::milliseconds(1500));
}

TEST(SseTest, IsBounded) {
  const auto refused = [](std::string_view bytes) {
    SseParser parser(100);
    for (;;) {
      const auto event = parser.next(bytes);
      if (!event) {
        EXPECT_EQ(event.error().context, "server-sent event of more than 100 bytes");
        return true;
      }
      if (!event->has_value()) return false;
    }
  };
  const std::string line(60, 'x');
  EXPECT_FALSE(refused("data: " + line + "\n\ndata: " + line + "\n\n"));
  EXPECT_TRUE(refused("data: " + line + "\ndata: " + line + "\n\n"));
  EXPECT_TRUE(refused(line + line));
  EXPECT_TRUE(refused(":" + line + line + "\n"));
  std::string empty_lines;
  for (int i = 0; i < 200; ++i) empty_lines += "data\n";
  EXPECT_TRUE(refused(empty_lines));
}

// Found by sse_fuzz: the part of a line that had come before was not counted together with the data.
TEST(SseTest, LimitDoesNotDependOnTheCuts) {
  const std::string bytes = "data: " + std::string(50, 'x') + "\ndata: " + std::string(50, 'x') + "\n\n";
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    SseParser parser(100);
    bool has_failed = false;
    for (std::size_t at = 0; at < bytes.size() && !has_failed; at += step) {
      std::string_view part = std::string_view(bytes).substr(at, step);
      has_failed = !parser.next(part);
    }
    EXPECT_TRUE(has_failed) << step;
  }
}

}  // namespace
}  // namespace progtc::bridge::http
