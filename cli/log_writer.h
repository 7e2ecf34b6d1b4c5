#pragma once
// Lines for a descriptor whose reader may be slow or stopped. Nobody who logs waits for it.
//
// Theory of operation. A thread of the writer's own takes lines from a bounded queue and writes them. Its writes may
// block: O_NONBLOCK belongs to the open file, which stderr shares with other processes. Lines that find the queue full
// are dropped and counted; a line with their number follows those that came before them.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace progtc::cli {

class LogWriter {
 public:
  struct Bounds {
    std::size_t queue_bytes = 256UL << 10U;  // of lines that wait; as much again may be on its way
  };
  // The line, with its end, that says how many were dropped. Called on the writer's thread.
  using DropNote = std::function<std::string(std::uint64_t dropped)>;

  LogWriter(int fd, DropNote note, Bounds bounds);
  // Waits for the queue to be written, but at most for kLastLines. A thread that is blocked in a write keeps what it
  // needs, and ends with the process.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // `line` comes with its end. Never waits. From any thread.
  void put(std::string_view line);
  // Lines dropped, ever.
  [[nodiscard]] std::uint64_t dropped() const;

 private:
  struct State;
  static void write_lines(const std::shared_ptr<State>& state);
  std::shared_ptr<State> state_;
};

}  // namespace progtc::cli
