#include "bridge/envelope.h"

#include <gtest/gtest.h>

#include "bridge/json.h"

namespace progtc::bridge {
namespace {

std::string why_call(std::string_view payload) {
  const auto call = decode_call(payload);
  return call ? "taken" : call.error().context;
}

std::string why_done(std::string_view payload) {
  const auto done = decode_done(payload);
  return done ? "taken" : done.error().context;
}

TEST(EnvelopeTest, ACallKeepsItsPayloadsAsSlices) {
  const std::string payload = R"({"kwargs":{"port":80, "x":[1]},"id":7,"args":[ "a" ],"tool":"nm\u0061p"})";
  const auto call = decode_call(payload);
  ASSERT_TRUE(call) << call.error().context;
  EXPECT_EQ(call->id, 7U);
  EXPECT_EQ(call->tool, "nmap");
  EXPECT_EQ(call->args, "[ \"a\" ]");
  EXPECT_EQ(call->kwargs, R"({"port":80, "x":[1]})");
  EXPECT_GE(call->args.data(), payload.data());
  EXPECT_LT(call->args.data(), payload.data() + payload.size());
}

TEST(EnvelopeTest, ALeaveHasAStatus) {
  EXPECT_EQ(*decode_leave(R"({"status":255})"), 255);
  for (const char* none : {R"({"status":256})", R"({"status":-1})", R"({"status":0.5})", R"({"status":1e400})"})
    EXPECT_EQ(decode_leave(none).error().context, "leave: status: expected an integer in 0..255") << none;
  EXPECT_EQ(decode_leave("{}").error().context, "leave: missing key 'status'");
  EXPECT_EQ(decode_leave(R"({"status":0,"x":1})").error().context, "leave: unknown key 'x'");
}

TEST(EnvelopeTest, ACallHasExactlyItsKeys) {
  EXPECT_EQ(why_call(R"({"id":1,"tool":"t","args":[],"kwargs":{},"x":1})"), "call: unknown key 'x'");
  EXPECT_EQ(why_call(R"({"id":1,"tool":"t","args":[]})"), "call: missing key 'kwargs'");
  EXPECT_EQ(why_call(R"({"id":1,"id":1,"tool":"t","args":[],"kwargs":{}})"),
            "call: not JSON: repeated key at byte 13: 'id'");
  EXPECT_EQ(why_call("[]"), "call: not JSON: expected an object at byte 0");
  EXPECT_EQ(why_call(R"({"id":1,"tool":"t","args":{},"kwargs":{}})"), "call: args: expected an array, got an object");
  EXPECT_EQ(why_call(R"({"id":1,"tool":null,"args":[],"kwargs":{}})"), "call: tool: expected a string, got null");
}

TEST(EnvelopeTest, IdsAreIntegersUpTo2To53) {
  const auto with_id = [](const std::string& id) { return R"({"id":)" + id + R"(,"tool":"t","args":[],"kwargs":{}})"; };
  EXPECT_EQ(why_call(with_id("0")), "taken");
  EXPECT_EQ(why_call(with_id("9007199254740992")), "taken");
  const std::string expected = "call: id: expected an integer in 0..9007199254740992, got ";
  for (const std::string id : {"9007199254740993", "-1", "1.0", "1e3", "1000000000000000000000000000000"})
    EXPECT_EQ(why_call(with_id(id)), expected + id);
  EXPECT_EQ(why_call(with_id("\"1\"")), expected + "a string");
  EXPECT_EQ(why_call(with_id("null")), expected + "null");
}

TEST(EnvelopeTest, DepthCountsFromTheEnvelope) {
  const auto with_depth = [](std::size_t depth) {
    return R"({"id":1,"tool":"t","args":)" + std::string(depth, '[') + std::string(depth, ']') + R"(,"kwargs":{}})";
  };
  EXPECT_EQ(why_call(with_depth(127)), "taken");
  EXPECT_EQ(why_call(with_depth(128)), "call: not JSON: nested too deeply at byte 153");
}

TEST(EnvelopeTest, ReadyIsAnEmptyObject) {
  EXPECT_TRUE(decode_ready("{}"));
  EXPECT_EQ(decode_ready(R"({"a":1})").error().context, "ready: unknown key 'a'");
  EXPECT_FALSE(decode_ready(""));
}

TEST(EnvelopeTest, ARequestMayCarryKeysOfItsNamespace) {
  const auto request = decode_request(R"({"id":3,"namespace":"skills","op":"get","name":"x"})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->name_space, "skills");
  EXPECT_EQ(request->op, "get");
  EXPECT_FALSE(decode_request(R"({"id":3,"op":"get"})"));
}

TEST(EnvelopeTest, DoneWithAValue) {
  const auto claim = decode_done(R"({"ok":true,"value":{"a":[1, 2]}})");
  ASSERT_TRUE(claim);
  EXPECT_TRUE(claim->ok);
  EXPECT_EQ(claim->value_json, R"({"a":[1, 2]})");
  EXPECT_EQ(decode_done(R"({"ok":true})")->value_json, std::nullopt);
  EXPECT_EQ(decode_done(R"({"ok":true,"value":null})")->value_json, "null");
}

TEST(EnvelopeTest, DoneWithAnError) {
  const auto claim = decode_done(
      R"({"ok":false,"error":{"type":"OSError","message":"no\n","traceback":"T","errno":2,"filename":"/x"}})");
  ASSERT_TRUE(claim) << claim.error().context;
  EXPECT_FALSE(claim->ok);
  EXPECT_EQ(claim->error_type, "OSError");
  EXPECT_EQ(claim->error_message, "no\n");
  EXPECT_EQ(claim->traceback, "T");
  EXPECT_EQ(claim->error_errno, 2);
  EXPECT_EQ(claim->error_filename, "/x");
}

TEST(EnvelopeTest, AnErrnoThatIsNoneCountsAsNone) {
  for (const char* number : {"-5", "1000000000000000000000000000000", "1.5"}) {
    const auto claim = decode_done(
        std::string(R"({"ok":false,"error":{"type":"","message":"","traceback":"","errno":)") + number + "}}");
    ASSERT_TRUE(claim) << number;
    EXPECT_EQ(claim->error_errno, 0);
  }
}

TEST(EnvelopeTest, DoneRefusesWhatContradictsItself) {
  EXPECT_EQ(why_done(R"({"ok":true,"error":{"type":"E","message":"","traceback":""}})"),
            "done: ok is true, yet there is an error");
  EXPECT_EQ(why_done(R"({"ok":1})"), "done: ok: expected a boolean, got a number");
  EXPECT_EQ(why_done(R"({"ok":false,"error":{"type":"E"}})"), "done: error: missing key 'message'");
  EXPECT_EQ(why_done(R"({"ok":false,"error":{"type":"E","message":"","traceback":"","x":1}})"),
            "done: error: unknown key 'x'");
}

TEST(EnvelopeTest, ValuesThatBreakTheirReadersAreRefused) {
  for (const std::string& value :
       {std::string(5000, '1'), std::string("1e400"), std::string(R"({"a":1,"a":2})"), std::string(R"(["\udc00"])")}) {
    const std::string head = R"({"id":1,"tool":"x","args":[)";
    EXPECT_FALSE(decode_call(head + value + R"(],"kwargs":{}})")) << value;
    EXPECT_FALSE(decode_call(head + R"(],"kwargs":{"a":)" + value + "}}")) << value;
    EXPECT_FALSE(decode_done(R"({"ok":true,"value":)" + value + "}")) << value;
  }
  EXPECT_EQ(why_done(R"({"ok":true,"value":[1e400]})"),
            "done: value: not JSON: a number that a double cannot hold ends at byte 6");
}

TEST(EnvelopeTest, HostFramesAreWholeAndValid) {
  EXPECT_EQ(encode_result(7, "[1]").substr(kFrameHeaderBytes), R"({"id":7,"result":[1]})");
  EXPECT_EQ(encode_cancel(7).substr(kFrameHeaderBytes), R"({"id":7})");
  EXPECT_EQ(encode_job(R"({"mode":"code"})").substr(kFrameHeaderBytes), R"({"mode":"code"})");
  const std::string error = encode_error(9, ReplyError{"tool_error", "E", "bad \xFF \"quote\"\n"});
  EXPECT_EQ(
      error.substr(kFrameHeaderBytes),
      "{\"id\":9,\"error\":{\"kind\":\"tool_error\",\"type\":\"E\",\"message\":\"bad \uFFFD \\\"quote\\\"\\n\"}}");
  EXPECT_TRUE(check_json(error.substr(kFrameHeaderBytes)));
  FrameDecoder decoder(FrameSource::kHost, 1000);
  std::string_view bytes = error;
  EXPECT_EQ(decoder.next(bytes)->value().kind, FrameKind::kReply);
}

}  // namespace
}  // namespace progtc::bridge
