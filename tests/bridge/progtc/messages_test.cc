#include "bridge/progtc/messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bridge/json.h"
#include "bridge/utf8.h"

namespace progtc::bridge {
namespace {

using runner::OutcomeKind;
using runner::RunOutcome;
using std::chrono_literals::operator""us;

RunOutcome exited(int code) {
  RunOutcome outcome;
  outcome.run_id = "00112233445566778899aabbccddeeff";
  outcome.kind = OutcomeKind::kExited;
  outcome.exit_code = code;
  outcome.cause = code == 0 ? "the code ended" : "the code ended with status " + std::to_string(code);
  return outcome;
}

RunOutcome raised(const std::string& type, const std::string& message, const std::string& traceback) {
  RunOutcome outcome = exited(1);
  outcome.claim.emplace();
  outcome.claim->error_type = type;
  outcome.claim->error_message = message;
  outcome.claim->traceback = traceback;
  return outcome;
}

// One member of a message, as JSON; "" when there is none.
std::string part(const std::string& message, std::string_view key) {
  for (const JsonMember& member : split_object(message, 32).value()) {
    if (member.key == key) return std::string(member.value);
  }
  return "";
}

TEST(MessagesTest, AToolCall) {
  ToolCall call;
  call.id = "c1";
  call.tool = "git.log";
  call.args = Json{"[1, \"é\"]"};
  call.kwargs = Json{"{\"k\":null}"};
  EXPECT_EQ(encode_tool_call("e1", call),
            R"({"type":"tool_call","id":"c1","execution_id":"e1","tool_name":"git.log","args":[1, "é"],)"
            R"("kwargs":{"k":null}})");
}

TEST(MessagesTest, Output) {
  EXPECT_EQ(encode_output(OutputStream::kStdout, "a\n\"é"), "{\"type\":\"stdout\",\"data\":\"a\\n\\\"é\"}");
  EXPECT_EQ(encode_output(OutputStream::kStderr, ""), R"({"type":"stderr","data":""})");
}

TEST(MessagesTest, ASuccessIsTheSameInBothRevisions) {
  RunOutcome outcome = exited(0);
  outcome.out.bytes = "hi\xFF\n";
  outcome.err.bytes = "\xE2\x82";
  outcome.usage = {1'234'567us, 5us, 4096, 2, 3};
  outcome.claim.emplace();
  outcome.claim->ok = true;
  outcome.claim->value_json = "[42]";
  const std::string expected =
      "{\"type\":\"success\",\"stdout\":\"hi\uFFFD\\n\",\"stderr\":\"\uFFFD\uFFFD\","
      "\"run_id\":\"00112233445566778899aabbccddeeff\","
      R"("exit":{"kind":"exited","code":0,"signal":null,"cause":"the code ended"},)"
      R"("usage":{"wall_ms":1234.567,"cpu_ms":0.005,"memory_peak_bytes":4096,"tool_calls":3},)"
      R"("truncated":false,"denials":[],"value":[42]})";
  EXPECT_EQ(encode_final(outcome, Wire::kA), expected);
  EXPECT_EQ(encode_final(outcome, Wire::kC), expected);
}

TEST(MessagesTest, AnErrorInRevisionA) {
  RunOutcome outcome = raised("ValueError", "bad", "Traceback (most recent call last):\n…");
  outcome.err.truncated = true;
  outcome.denials = {{"socket(AF_INET)", "network: none", "network: \"host\"", 7}};
  const std::string message = encode_final(outcome, Wire::kA);
  EXPECT_EQ(part(message, "type"), R"("error")");
  EXPECT_EQ(part(message, "code"), R"("code_runtime_error")");
  EXPECT_EQ(part(message, "message"), R"("ValueError: bad")");
  EXPECT_EQ(part(message, "truncated"), "true");
  EXPECT_EQ(part(message, "value"), "null");
  EXPECT_EQ(part(message, "denials"),
            R"j([{"call":"socket(AF_INET)","rule":"network: none","fix":"network: \"host\"","count":7}])j");
}

TEST(MessagesTest, AnErrorInRevisionC) {
  const std::string message = encode_final(raised("ValueError", "", "Traceback"), Wire::kC);
  EXPECT_EQ(part(message, "type"), R"("runtime_error")");
  EXPECT_EQ(part(message, "code"), "");
  EXPECT_EQ(part(message, "message"), "");
}

TEST(MessagesTest, TheMessageIsTheErrorOrTheCause) {
  EXPECT_EQ(part(encode_final(raised("KeyError", "", ""), Wire::kA), "message"), R"("KeyError")");
  EXPECT_EQ(part(encode_final(exited(3), Wire::kA), "message"), R"("the code ended with status 3")");
  RunOutcome outcome = raised("ValueError", "what the code says is no evidence", "");
  outcome.kind = OutcomeKind::kMemoryLimit;
  outcome.signal = 9;
  outcome.cause = "memory reached 64 MiB (limits.memory)";
  const std::string message = encode_final(outcome, Wire::kA);
  EXPECT_EQ(part(message, "message"), R"j("memory reached 64 MiB (limits.memory)")j");
  EXPECT_EQ(part(message, "exit"),
            R"j({"kind":"memory_limit","code":null,"signal":9,"cause":"memory reached 64 MiB (limits.memory)"})j");
}

TEST(MessagesTest, RevisionCSaysInStderrWhatEndedTheCode) {
  for (const OutcomeKind kind :
       {OutcomeKind::kMemoryLimit, OutcomeKind::kOutputLimit, OutcomeKind::kSignaled, OutcomeKind::kTimeout,
        OutcomeKind::kCpuLimit, OutcomeKind::kProtocolViolation, OutcomeKind::kSetupFailed, OutcomeKind::kCancelled}) {
    // Whatever the code says of itself.
    RunOutcome outcome = raised("ValueError", "", "Traceback");
    outcome.kind = kind;
    outcome.cause = "memory reached 64MiB (limits.memory)";
    outcome.err.bytes = "words\n";
    EXPECT_EQ(part(encode_final(outcome, Wire::kC), "stderr"),
              R"j("words\nprogtc: memory reached 64MiB (limits.memory)\n")j");
    EXPECT_EQ(part(encode_final(outcome, Wire::kA), "stderr"), R"("words\n")");
  }
}

TEST(MessagesTest, AStatusWithoutATracebackIsNamedInStderr) {
  RunOutcome outcome = exited(3);
  outcome.err.bytes = "no line end";
  EXPECT_EQ(part(encode_final(outcome, Wire::kC), "stderr"),
            R"("no line end\nprogtc: the code ended with status 3\n")");
  EXPECT_EQ(ending_line(raised("SystemExit", "3", "")), "progtc: the code ended with status 1\n");
  EXPECT_EQ(ending_line(raised("ValueError", "", "Traceback")), "");
  EXPECT_EQ(ending_line(exited(0)), "");
}

TEST(MessagesTest, ACauseIsOneLine) {
  RunOutcome outcome = exited(0);
  outcome.kind = OutcomeKind::kSetupFailed;
  outcome.cause = "the interpreter ended, saying: one\nprogtc: two\x1b[2J\xFF";
  const std::string line = ending_line(outcome);
  EXPECT_EQ(line.find('\n'), line.size() - 1) << line;
  EXPECT_EQ(line.find('\x1b'), std::string::npos) << line;
  EXPECT_TRUE(is_utf8(line));
}

TEST(MessagesTest, OnlyTheSubmittedCodesOwnSyntaxErrorIsOne) {
  const std::string own = "  File \"<string>\", line 1\n    x=\n      ^\nSyntaxError: invalid syntax\n";
  for (const char* type : {"SyntaxError", "IndentationError", "TabError"}) {
    EXPECT_EQ(ending_of(raised(type, "", own)), Ending::kSyntaxError) << type;
    EXPECT_EQ(part(encode_final(raised(type, "", own), Wire::kA), "code"), R"("code_compilation_error")");
    EXPECT_EQ(part(encode_final(raised(type, "", own), Wire::kC), "type"), R"("syntax_error")");
  }
  EXPECT_EQ(ending_of(raised("SyntaxError", "", "Traceback (most recent call last):\n" + own)), Ending::kRuntimeError);
  EXPECT_EQ(ending_of(raised("SyntaxError", "", own), "job.py"), Ending::kRuntimeError);
  EXPECT_EQ(ending_of(raised("ValueError", "", own)), Ending::kRuntimeError);
  RunOutcome killed = raised("SyntaxError", "", own);
  killed.kind = OutcomeKind::kSignaled;
  EXPECT_EQ(ending_of(killed), Ending::kRuntimeError);
  RunOutcome well = raised("SyntaxError", "", own);
  well.exit_code = 0;
  EXPECT_EQ(ending_of(well), Ending::kSuccess);
}

TEST(MessagesTest, EveryKindOfOutcomeHasAnEnding) {
  for (const OutcomeKind kind : {OutcomeKind::kSignaled, OutcomeKind::kMemoryLimit, OutcomeKind::kOutputLimit,
                                 OutcomeKind::kProtocolViolation, OutcomeKind::kSetupFailed, OutcomeKind::kCancelled}) {
    RunOutcome outcome = exited(0);
    outcome.kind = kind;
    EXPECT_EQ(ending_of(outcome), Ending::kRuntimeError) << runner::to_string(kind);
  }
  for (const OutcomeKind kind : {OutcomeKind::kTimeout, OutcomeKind::kCpuLimit}) {
    RunOutcome outcome = exited(0);
    outcome.kind = kind;
    EXPECT_EQ(part(encode_final(outcome, Wire::kA), "code"), R"("code_timeout_error")");
    EXPECT_EQ(part(encode_final(outcome, Wire::kC), "type"), R"("timeout_error")");
  }
}

TEST(FinalMessageTest, APieceIsBoundedWhateverTheOutputIs) {
  // 4 MiB of what needs the longest escapes, and of characters that may not be cut.
  for (const std::string& unit :
       {std::string("\x01"), std::string("\xFF"), std::string("\U0001F600"), std::string("x")}) {
    RunOutcome outcome = exited(0);
    while (outcome.out.bytes.size() < (4U << 20U)) outcome.out.bytes += unit;
    outcome.claim = runner::GuestClaim{};
    outcome.claim->ok = true;
    outcome.claim->value_json = "\"" + std::string(1U << 20U, 'v') + "é\"";
    const std::size_t output = outcome.out.bytes.size();
    FinalMessage message(outcome, Wire::kC);
    EXPECT_GE(message.held_bytes(), output);
    std::string whole;
    std::size_t pieces = 0;
    for (std::string piece = message.next(); !piece.empty(); piece = message.next()) {
      EXPECT_LE(piece.size(), 8 * FinalMessage::kPieceBytes);
      EXPECT_TRUE(is_utf8(piece));
      whole += piece;
      ++pieces;
    }
    EXPECT_GT(pieces, 100U);
    EXPECT_EQ(message.next(), "");
    EXPECT_LT(message.held_bytes(), 1024U);
    EXPECT_FALSE(find_json_fault(whole));
    std::string quoted = "\"";
    append_escaped(quoted, to_utf8(outcome.out.bytes));
    EXPECT_TRUE(part(whole, "stdout") == quoted + "\"");
    EXPECT_EQ(part(whole, "value"), *outcome.claim->value_json);
  }
}

TEST(FinalMessageTest, AShortOneIsOnePiece) {
  FinalMessage message(exited(0), Wire::kA);
  EXPECT_THAT(message.next(), testing::EndsWith("}"));
  EXPECT_EQ(message.next(), "");
}

TEST(OutputTextTest, CutAnywhereItIsTheSameText) {
  const std::string bytes = "aé€\U0001F600\xFF\xE2\x82x\xF0\x9F\x98\xC3\xC3(\x80\xED\xA0\x80\xE2\x82";
  for (std::size_t first = 0; first <= bytes.size(); ++first) {
    for (std::size_t second = first; second <= bytes.size(); ++second) {
      OutputText text;
      std::string whole;
      for (const std::string& piece :
           {text.push(bytes.substr(0, first)), text.push(bytes.substr(first, second - first)),
            text.push(bytes.substr(second)), text.finish()}) {
        EXPECT_TRUE(is_utf8(piece));
        whole += piece;
      }
      EXPECT_EQ(whole, to_utf8(bytes)) << first << " " << second;
    }
  }
}

TEST(OutputTextTest, ACompleteCharacterDoesNotWait) {
  OutputText text;
  EXPECT_EQ(text.push("é"), "é");
  EXPECT_EQ(text.push("\xE2\x82"), "");
  EXPECT_EQ(text.push("\xAC"), "€");
  EXPECT_EQ(text.finish(), "");
}

}  // namespace
}  // namespace progtc::bridge
