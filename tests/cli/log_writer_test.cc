#include "cli/log_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "runner/sys/unique_fd.h"

namespace progtc::cli {
namespace {

using sys::UniqueFd;

struct Pipe {
  Pipe() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    out = UniqueFd(ends[0]);
    in = UniqueFd(ends[1]);
    EXPECT_EQ(::fcntl(in.get(), F_SETPIPE_SZ, 4096), 4096);
  }
  // Line by line until `is_last` says so, or the end of the stream.
  std::vector<std::string> read_lines(const std::function<bool(const std::string&)>& is_last) const {
    std::vector<std::string> lines;
    std::string line;
    char byte = 0;
    while (::read(out.get(), &byte, 1) == 1) {
      line += byte;
      if (byte != '\n') continue;
      lines.push_back(std::exchange(line, {}));
      if (is_last(lines.back())) break;
    }
    return lines;
  }
  UniqueFd out;
  UniqueFd in;
};

std::string note(std::uint64_t dropped) { return std::to_string(dropped) + " lines dropped\n"; }

std::string line(int number) { return std::to_string(1'000'000 + number) + std::string(92, '.') + "\n"; }  // 100 bytes

TEST(LogWriterTest, LinesComeInOrder) {
  Pipe pipe;
  auto writer = std::make_unique<LogWriter>(pipe.in.get(), note, LogWriter::Bounds{});
  writer->put("one\n");
  writer->put("two\n");
  writer.reset();
  pipe.in.reset();
  EXPECT_EQ(pipe.read_lines([](const std::string&) { return false; }), (std::vector<std::string>{"one\n", "two\n"}));
}

TEST(LogWriterTest, AReaderThatStopsHoldsNobodyUp) {
  Pipe pipe;
  LogWriter writer(pipe.in.get(), note, {.queue_bytes = 10'000});
  for (int number = 0; number < 1'000; ++number) writer.put(line(number));  // 100 KB: would wait for ever
  const std::uint64_t dropped = writer.dropped();
  EXPECT_GE(dropped, 1'000U - 41U - 100U - 100U);  // in the pipe, on their way, in the queue
  EXPECT_LE(dropped, 900U);
  // The reader is back: what was kept comes in order, and the number of lines that were not.
  std::uint64_t said = 0;
  std::size_t notes = 0;
  const auto lines = pipe.read_lines([&](const std::string& each) {
    if (!each.ends_with(" lines dropped\n")) return false;
    ++notes;
    said += std::stoull(each);
    return said >= dropped;
  });
  EXPECT_EQ(said, dropped);
  EXPECT_EQ(lines.size() - notes, 1'000 - dropped);
  EXPECT_EQ(lines[0], line(0));
}

TEST(LogWriterTest, TheEndDoesNotWaitForAReader) {
  Pipe pipe;
  {
    LogWriter writer(pipe.in.get(), note, LogWriter::Bounds{});
    for (int number = 0; number < 100; ++number) writer.put(line(number));
  }
  (void)pipe.out.release();  // the thread is still blocked on it, up to the end of the process
  (void)pipe.in.release();
}

TEST(LogWriterTest, ADescriptorThatDoesNotBlockLosesNothing) {
  Pipe pipe;
  ASSERT_EQ(::fcntl(pipe.in.get(), F_SETFL, O_NONBLOCK), 0);
  LogWriter writer(pipe.in.get(), note, LogWriter::Bounds{});
  for (int number = 0; number < 200; ++number) writer.put(line(number));
  EXPECT_EQ(pipe.read_lines([](const std::string& each) { return each == line(199); }).size(), 200U);
  EXPECT_EQ(writer.dropped(), 0U);
}

}  // namespace
}  // namespace progtc::cli
