#include "bridge/progtc/messages.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <optional>
#include <utility>

#include "bridge/json.h"
#include "bridge/utf8.h"

namespace progtc::bridge {
namespace {

constexpr std::size_t kMaxCauseBytes = 4096;

// Puts an object together. Keys are ours: they need no escapes.
class Object {
 public:
  void raw(const char* key, std::string_view json) {
    begin(key);
    out_ += json;
  }
  void text(const char* key, std::string_view utf8) {
    begin(key);
    append_string(out_, utf8);
  }
  void bytes(const char* key, std::string_view bytes) { text(key, to_utf8(bytes)); }
  void number(const char* key, std::uint64_t number) { raw(key, std::to_string(number)); }
  void milliseconds(const char* key, std::chrono::microseconds time) {
    std::array<char, 32> text{};
    const long long count = std::max<long long>(time.count(), 0);
    (void)std::snprintf(text.data(), text.size(), "%lld.%03lld", count / 1000, count % 1000);
    raw(key, text.data());
  }
  std::string take() && { return std::move(out_) + "}"; }

 private:
  void begin(const char* key) {
    if (out_.size() > 1) out_ += ',';
    out_ += '"';
    out_ += key;
    out_ += "\":";
  }

  std::string out_ = "{";
};

// How many bytes at the end of `bytes` are the beginning of a character.
std::size_t unfinished_bytes(std::string_view bytes) noexcept {
  for (std::size_t count = 1; count <= 3 && count <= bytes.size(); ++count) {
    const auto byte = static_cast<unsigned char>(bytes[bytes.size() - count]);
    if ((byte & 0xC0U) == 0x80U) continue;  // of a character that begins further left
    const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC2 ? 2 : 1;
    return length > count ? count : 0;
  }
  return 0;
}

bool is_own_syntax_error(const runner::GuestClaim& claim, std::string_view filename) {
  if (claim.error_type != "SyntaxError" && claim.error_type != "IndentationError" && claim.error_type != "TabError")
    return false;
  return claim.traceback.starts_with("  File \"" + std::string(filename) + "\", line ");
}

const char* type_of(Ending ending, Wire wire) {
  switch (ending) {
    case Ending::kSuccess:
      return "success";
    case Ending::kSyntaxError:
      return wire == Wire::kA ? "code_compilation_error" : "syntax_error";
    case Ending::kRuntimeError:
      return wire == Wire::kA ? "code_runtime_error" : "runtime_error";
    case Ending::kTimeout:
      return wire == Wire::kA ? "code_timeout_error" : "timeout_error";
  }
  return "";
}

std::string message_of(const runner::RunOutcome& outcome) {
  if (outcome.kind != runner::OutcomeKind::kExited || !outcome.claim || outcome.claim->ok ||
      outcome.claim->error_type.empty())
    return outcome.cause;
  const std::string& message = outcome.claim->error_message;
  return outcome.claim->error_type + (message.empty() ? "" : ": " + message);
}

std::string exit_json(const runner::RunOutcome& outcome) {
  Object exit;
  exit.text("kind", runner::to_string(outcome.kind));
  exit.raw("code", outcome.kind == runner::OutcomeKind::kExited ? std::to_string(outcome.exit_code) : "null");
  exit.raw("signal", outcome.signal != 0 ? std::to_string(outcome.signal) : "null");
  exit.bytes("cause", outcome.cause);
  return std::move(exit).take();
}

std::string usage_json(const runner::Usage& used) {
  Object usage;
  usage.milliseconds("wall_ms", used.wall);
  usage.milliseconds("cpu_ms", used.cpu);
  usage.number("memory_peak_bytes", used.memory_peak_bytes);
  usage.number("tool_calls", used.tool_calls);
  return std::move(usage).take();
}

std::string denials_json(const std::vector<runner::Denial>& denials) {
  std::string out = "[";
  for (const runner::Denial& denial : denials) {
    Object one;
    one.bytes("call", denial.call);
    one.bytes("rule", denial.rule);
    one.bytes("fix", denial.fix);
    one.number("count", denial.count);
    if (out.size() > 1) out += ',';
    out += std::move(one).take();
  }
  return out + "]";
}

}  // namespace

std::string encode_tool_call(std::string_view execution_id, const ToolCall& call) {
  Object message;
  message.text("type", "tool_call");
  message.text("id", call.id);
  message.text("execution_id", execution_id);
  message.text("tool_name", call.tool);
  message.raw("args", call.args.text);
  message.raw("kwargs", call.kwargs.text);
  return std::move(message).take();
}

std::string encode_output(OutputStream stream, std::string_view text) {
  Object message;
  message.text("type", stream == OutputStream::kStdout ? "stdout" : "stderr");
  message.text("data", text);
  return std::move(message).take();
}

std::string OutputText::push(std::string_view bytes) {
  held_ += bytes;
  const std::size_t ready = held_.size() - unfinished_bytes(held_);
  std::string text = to_utf8(std::string_view(held_).substr(0, ready));
  held_.erase(0, ready);
  return text;
}

std::string OutputText::finish() { return to_utf8(std::exchange(held_, {})); }

Ending ending_of(const runner::RunOutcome& outcome, std::string_view job_filename) {
  switch (outcome.kind) {
    case runner::OutcomeKind::kExited:
      if (outcome.exit_code == 0) return Ending::kSuccess;
      return outcome.claim && !outcome.claim->ok && is_own_syntax_error(*outcome.claim, job_filename)
                 ? Ending::kSyntaxError
                 : Ending::kRuntimeError;
    case runner::OutcomeKind::kTimeout:
    case runner::OutcomeKind::kCpuLimit:
      return Ending::kTimeout;
    default:
      return Ending::kRuntimeError;
  }
}

std::string ending_line(const runner::RunOutcome& outcome) {
  if (outcome.kind == runner::OutcomeKind::kExited &&
      (outcome.exit_code == 0 || (outcome.claim && !outcome.claim->ok && !outcome.claim->traceback.empty())))
    return "";
  const bool is_in_line = !outcome.err.bytes.empty() && outcome.err.bytes.back() != '\n';
  return (is_in_line ? "\nprogtc: " : "progtc: ") + printable(to_utf8(outcome.cause), kMaxCauseBytes) + "\n";
}

FinalMessage::FinalMessage(runner::RunOutcome outcome, Wire wire, std::string_view job_filename) {
  const Ending ending = ending_of(outcome, job_filename);
  const bool is_error = wire == Wire::kA && ending != Ending::kSuccess;
  json(std::string(R"({"type":")") + (is_error ? "error" : type_of(ending, wire)) + '"');
  if (is_error) {
    json(std::string(R"(,"code":")") + type_of(ending, wire) + '"');
    bytes("message", message_of(outcome));
  }
  if (wire == Wire::kC) outcome.err.bytes += ending_line(outcome);
  bytes("stdout", std::move(outcome.out.bytes));
  bytes("stderr", std::move(outcome.err.bytes));
  json(R"(,"run_id":)" + encode_string(outcome.run_id));
  json(R"(,"exit":)" + exit_json(outcome));
  json(R"(,"usage":)" + usage_json(outcome.usage));
  json(std::string(R"(,"truncated":)") + (outcome.out.truncated || outcome.err.truncated ? "true" : "false"));
  json(R"(,"denials":)" + denials_json(outcome.denials));
  const bool has_value = outcome.claim && outcome.claim->ok && outcome.claim->value_json;
  json(R"(,"value":)");
  json(has_value ? std::move(*outcome.claim->value_json) : std::string("null"));
  json("}");
}

void FinalMessage::json(std::string text) { parts_.push_back({false, std::move(text)}); }

void FinalMessage::bytes(const char* key, std::string text) {
  json(std::string(",\"") + key + "\":\"");
  parts_.push_back({true, std::move(text)});
  json("\"");
}

std::string FinalMessage::next() {
  std::string piece;
  while (part_ < parts_.size() && piece.size() < kPieceBytes) {
    Part& part = parts_[part_];
    const std::string_view rest = std::string_view(part.text).substr(at_);
    // At least a whole character, or a piece that is nearly full would never grow.
    std::size_t size = std::min(rest.size(), std::max(kPieceBytes - piece.size(), std::size_t{4}));
    const bool is_end = size == rest.size();
    if (part.is_bytes) {
      append_escaped(piece, characters_.push(rest.substr(0, size)));
      if (is_end) append_escaped(piece, characters_.finish());
    } else {
      if (!is_end) size -= unfinished_bytes(rest.substr(0, size));
      piece += rest.substr(0, size);
    }
    at_ += size;
    if (!is_end) continue;
    std::string().swap(part.text);  // an assignment would keep the memory
    ++part_;
    at_ = 0;
  }
  return piece;
}

std::size_t FinalMessage::held_bytes() const noexcept {
  std::size_t bytes = 0;
  for (const Part& part : parts_) bytes += part.text.capacity();
  return bytes;
}

std::string encode_final(const runner::RunOutcome& outcome, Wire wire, std::string_view job_filename) {
  FinalMessage message(outcome, wire, job_filename);
  std::string whole;
  for (std::string piece = message.next(); !piece.empty(); piece = message.next()) whole += piece;
  return whole;
}

}  // namespace progtc::bridge
