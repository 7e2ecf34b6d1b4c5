#pragma once
// What the daemon says on the event stream of an execution: one JSON object a message (docs/protocol.md). Pure.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/progtc/wire.h"
#include "bridge/tool_host.h"
#include "runner/outcome.h"

namespace progtc::bridge {

std::string encode_tool_call(std::string_view execution_id, const ToolCall& call);

enum class OutputStream : std::uint8_t { kStdout, kStderr };

// `text` must be UTF-8; see OutputText.
std::string encode_output(OutputStream stream, std::string_view text);

// The bytes of one stream, cut anywhere, as text. What is put together from all parts is to_utf8() of the whole: a
// character that is cut in two waits for its rest.
class OutputText {
 public:
  std::string push(std::string_view bytes);
  std::string finish();

 private:
  std::string held_;  // at most 3 bytes
};

// What the protocol knows of an ending.
enum class Ending : std::uint8_t {
  kSuccess,       // the code ended by itself with status 0
  kSyntaxError,   // the submitted code itself could not be compiled
  kRuntimeError,  // everything else
  kTimeout,       // limits.wall, or limits.cpu: to the reference's clients an endless loop is a timeout
};

// `job_filename` is what the code is called in its tracebacks: an error of the submitted code itself has no frame and
// starts with that name; one raised by exec() within it has a frame. Type and traceback are the code's own word.
Ending ending_of(const runner::RunOutcome& outcome, std::string_view job_filename = "<string>");

// What ended the code, as a line behind its stderr: "progtc: memory reached 256MiB (limits.memory)\n". Empty after
// status 0 and where the code has printed a traceback of its own. A client of revision C is told nothing else of the
// cause.
std::string ending_line(const runner::RunOutcome& outcome);

// The final message in revision `wire`, in pieces: one that is encoded at once keeps everybody else waiting when it is
// long. Bytes that are no UTF-8 become U+FFFD.
class FinalMessage {
 public:
  FinalMessage(runner::RunOutcome outcome, Wire wire, std::string_view job_filename = "<string>");
  // The next piece, made of about kPieceBytes and cut between two characters; empty behind the last one. What a piece
  // was made of is held until the part of the message that it belongs to (all of stdout, say) has been encoded.
  std::string next();
  static constexpr std::size_t kPieceBytes = 32UL << 10U;
  // What is held of the run.
  [[nodiscard]] std::size_t held_bytes() const noexcept;

 private:
  struct Part {
    bool is_bytes;  // the inside of a string; else JSON
    std::string text;
  };
  void json(std::string text);
  void bytes(const char* key, std::string text);

  std::vector<Part> parts_;
  std::size_t part_ = 0;
  std::size_t at_ = 0;  // in that part
  OutputText characters_;
};

// All of it.
std::string encode_final(const runner::RunOutcome& outcome, Wire wire, std::string_view job_filename = "<string>");

}  // namespace progtc::bridge
