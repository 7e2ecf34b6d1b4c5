#include "bridge/progtc/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bridge/json.h"

namespace progtc::bridge {
namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""ms;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

// What a client is told, or "" when the body is taken.
std::string refusal(std::string_view body, const RequestLimits& limits = {}) {
  const auto decoded = decode_execute_request(body, limits);
  return decoded ? "" : to_json(decoded.error());
}
std::string refused_with(const std::string& field) { return refusal(R"({"tool_names":[],"code":"",)" + field + "}"); }
std::string result_refusal(std::string_view body) {
  const auto decoded = decode_tool_result(body);
  return decoded ? "" : to_json(decoded.error());
}

TEST(ExecuteRequestTest, WhatThePublishedClientsSend) {
  const auto request = decode_execute_request(R"({"tool_names": ["add", "git.log"], "code": "print('é')\n"})");
  ASSERT_TRUE(request) << to_json(request.error());
  EXPECT_THAT(request->tool_names, ElementsAre("add", "git.log"));
  EXPECT_EQ(request->code, "print('é')\n");
  EXPECT_FALSE(request->stream);
  EXPECT_FALSE(request->timeout);
  EXPECT_FALSE(request->policy);
  EXPECT_FALSE(request->session);
  EXPECT_TRUE(request->files.empty());
}

TEST(ExecuteRequestTest, EveryAdditiveField) {
  const auto request = decode_execute_request(
      R"({"code":"1","tool_names":[],"stream":true,"timeout":2.5,"policy":"strict","session":"s-1",)"
      R"("files":{"a.txt":"aGk=","d/b.bin":"","é":"////"},"unknown":{"x":[1]}})");
  ASSERT_TRUE(request) << to_json(request.error());
  EXPECT_TRUE(request->stream);
  EXPECT_EQ(request->timeout, 2500ms);
  EXPECT_EQ(request->policy, "strict");
  EXPECT_EQ(request->session, "s-1");
  EXPECT_THAT(request->files, ElementsAre(Pair("a.txt", "hi"), Pair("d/b.bin", ""), Pair("é", "\xFF\xFF\xFF")));
}

TEST(ExecuteRequestTest, OptionalFieldsMayBeNull) {
  EXPECT_EQ(refusal(R"({"tool_names":[],"code":"","stream":null,"timeout":null,"policy":null,"files":null,)"
                    R"("session":null})"),
            "");
}

TEST(ExecuteRequestTest, AllProblemsAreNamedAtOnce) {
  EXPECT_EQ(refusal("{}"), R"([{"type":"missing","loc":["body","tool_names"],"msg":"Field required"},)"
                           R"({"type":"missing","loc":["body","code"],"msg":"Field required"}])");
  EXPECT_EQ(
      refusal(R"({"tool_names":[1,"ok","a b"],"code":null,"stream":"yes","timeout":"1","files":[],"policy":"a/b"})"),
      R"([{"type":"string_type","loc":["body","tool_names",0],"msg":"Input should be a valid string"},)"
      R"({"type":"value_error","loc":["body","tool_names",2],"msg":"Value error, 'a b' is not a Python name",)"
      R"("ctx":{"error":"'a b' is not a Python name"}},)"
      R"({"type":"string_type","loc":["body","code"],"msg":"Input should be a valid string"},)"
      R"({"type":"bool_type","loc":["body","stream"],"msg":"Input should be a valid boolean"},)"
      R"({"type":"float_type","loc":["body","timeout"],"msg":"Input should be a valid number"},)"
      R"({"type":"value_error","loc":["body","policy"],"msg":"Value error, expected letters, digits, '_', '-' and '.'",)"
      R"("ctx":{"error":"expected letters, digits, '_', '-' and '.'"}},)"
      R"({"type":"dict_type","loc":["body","files"],"msg":"Input should be a valid dictionary"}])");
}

TEST(ExecuteRequestTest, NotJson) {
  EXPECT_EQ(refusal(R"({"code":)"),
            R"([{"type":"json_invalid","loc":["body",8],"msg":"JSON decode error","ctx":{"error":"unexpected end"}}])");
  EXPECT_THAT(refusal("{\"code\":\"\xFF\"}"), HasSubstr(R"("loc":["body",9])"));
  EXPECT_THAT(refusal("\xEF\xBB\xBF{}"), HasSubstr("json_invalid"));
  EXPECT_THAT(refusal(R"({"code":"\ud800"})"), HasSubstr("lone surrogate"));
  EXPECT_THAT(refusal(std::string(100'000, '[')), HasSubstr("nested too deeply"));
  EXPECT_THAT(refusal(std::string("{}\0", 3)), HasSubstr("something follows the value"));
}

TEST(ExecuteRequestTest, NoBodyAndNoObject) {
  EXPECT_EQ(refusal(""), R"([{"type":"missing","loc":["body"],"msg":"Field required"}])");
  EXPECT_EQ(refusal(" \n"), refusal(""));
  for (const char* body : {"[]", "null", " \"x\"", "1"})
    EXPECT_EQ(refusal(body), R"([{"type":"model_attributes_type","loc":["body"],)"
                             R"("msg":"Input should be a valid dictionary or object to extract fields from"}])")
        << body;
}

TEST(ExecuteRequestTest, ARepeatedKeyIsNoChoice) {
  EXPECT_THAT(refusal(R"({"tool_names":[],"code":"1","code":"2"})"), HasSubstr("repeated key"));
}

TEST(ExecuteRequestTest, ToolNames) {
  const auto names = decode_execute_request(R"({"code":"","tool_names":["b","a","b","_x1","größe","a.b.c"]})");
  ASSERT_TRUE(names) << to_json(names.error());
  EXPECT_THAT(names->tool_names, ElementsAre("b", "a", "_x1", "größe", "a.b.c"));
  for (const char* name : {"", ".", "a.", ".a", "a..b", "1a", "a-b", "a b", "a\\n", "a\\u0000", "\\u200b", "a\\u202e",
                           "\\ufeffa", "a/b", "\\u00a0"})
    EXPECT_THAT(refusal(std::string(R"({"code":"","tool_names":[")") + name + "\"]}"),
                HasSubstr("is not a Python name"))
        << name;
  EXPECT_THAT(refusal(R"({"code":"","tool_names":[")" + std::string(257, 'a') + "\"]}"), HasSubstr("string_too_long"));
  RequestLimits limits;
  limits.tool_names = 2;
  EXPECT_EQ(
      refusal(R"({"code":"","tool_names":["a","a","a"]})", limits),
      R"([{"type":"too_long","loc":["body","tool_names"],"msg":"List should have at most 2 items after validation"}])");
  EXPECT_THAT(refusal(R"({"code":"","tool_names":null})"), HasSubstr("list_type"));
}

TEST(ExecuteRequestTest, ProblemsAreBounded) {
  std::string names;
  for (int i = 0; i < 1000; ++i) names += i == 0 ? "0" : ",0";
  const auto request = decode_execute_request(R"({"code":"","tool_names":[)" + names + "]}");
  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().list.size(), kMaxBodyProblems);
}

TEST(ExecuteRequestTest, TimeoutsArePositiveAndFinite) {
  const auto timeout = [](const std::string& number) {
    return decode_execute_request(R"({"tool_names":[],"code":"","timeout":)" + number + "}").value().timeout.value();
  };
  EXPECT_EQ(timeout("30"), 30'000ms);
  EXPECT_EQ(timeout("0.0001"), 1ms);
  EXPECT_EQ(timeout("1e300"), 24h * 365);
  for (const char* number : {"0", "-0.0", "-1", "-1e999", "1e-999"})
    EXPECT_THAT(refused_with(std::string("\"timeout\":") + number), HasSubstr("greater_than")) << number;
  EXPECT_THAT(refused_with("\"timeout\":0.1e999"), HasSubstr("finite_number"));
  EXPECT_THAT(refused_with("\"timeout\":true"), HasSubstr("float_type"));
}

TEST(ExecuteRequestTest, PathsStayInTheWorkingDirectory) {
  for (const char* path : {"", "/etc/passwd", "..", "../x", "a/../../x", "a//b", "a/", "./a", "a/.", "a\\u0000b"})
    EXPECT_THAT(refused_with(std::string(R"("files":{")") + path + R"(":""})"), HasSubstr("value_error")) << path;
  EXPECT_THAT(refused_with(R"("files":{")" + std::string(256, 'a') + R"(":""})"), HasSubstr("too long"));
  std::string deep = "a";
  for (int i = 0; i < 16; ++i) deep += "/a";
  EXPECT_THAT(refused_with(R"("files":{")" + deep + R"(":""})"), HasSubstr("too deep"));
  EXPECT_EQ(refused_with(R"("files":{"..a/b..":"","a.b":"","d/e/f":"","d/e/g":""})"), "");
}

TEST(ExecuteRequestTest, AFileIsNoDirectory) {
  EXPECT_THAT(refused_with(R"("files":{"a":"","a.b":"","a/b/c":""})"), HasSubstr("'a' is a file, too"));
}

TEST(ExecuteRequestTest, Base64IsStrict) {
  for (const char* text :
       {"aGk", "aGk==", "=aGk", "a===", "aG k", "aGk=aGk=", "aGl=", "aR==", "aGk-", "aGk\\n", "===="})
    EXPECT_THAT(refused_with(std::string(R"("files":{"a":")") + text + "\"}"), HasSubstr("not base64")) << text;
}

TEST(ExecuteRequestTest, SizesAreBounded) {
  RequestLimits limits;
  limits.code_bytes = 3;
  limits.files = 2;
  limits.file_bytes = 4;
  EXPECT_EQ(refusal(R"({"tool_names":[],"code":"123","files":{"a":"aGk=","b":"aGk="}})", limits), "");
  EXPECT_THAT(refusal(R"({"tool_names":[],"code":"1234"})", limits), HasSubstr("string_too_long"));
  EXPECT_THAT(refusal(R"({"tool_names":[],"code":"","files":{"a":"aGk=","b":"aGlp"}})", limits),
              HasSubstr("5 bytes, more than the 4 that all files may have"));
  EXPECT_THAT(refusal(R"({"tool_names":[],"code":"","files":{"a":"","b":"","c":""}})", limits),
              HasSubstr("too many keys"));
}

TEST(ExecuteRequestTest, WhatIsEncodedIsDecodedAgain) {
  ExecuteRequest request;
  request.tool_names = {"a", "b.c"};
  request.code = "print(\"x\\n\")\n# \x01 é";
  request.stream = true;
  request.timeout = 1005ms;
  request.policy = "ci";
  request.session = "s";
  for (std::size_t size = 0; size < 8; ++size) {
    std::string bytes;
    for (std::size_t at = 0; at < size; ++at) bytes += static_cast<char>(at * 37 + 200);
    request.files["f" + std::to_string(size)] = bytes;
  }
  const auto again = decode_execute_request(encode_execute_request(request));
  ASSERT_TRUE(again) << to_json(again.error());
  EXPECT_EQ(again->tool_names, request.tool_names);
  EXPECT_EQ(again->code, request.code);
  EXPECT_TRUE(again->stream);
  EXPECT_EQ(again->timeout, request.timeout);
  EXPECT_EQ(again->policy, request.policy);
  EXPECT_EQ(again->session, request.session);
  EXPECT_EQ(again->files, request.files);
}

TEST(ToolResultTest, ResultsAreKeptAsTheyCame) {
  const auto result =
      decode_tool_result(R"({"execution_id":"e","tool_call_id":"c","result": {"a" : [1e400, null]} , "more":1})");
  ASSERT_TRUE(result) << to_json(result.error());
  EXPECT_EQ(result->execution_id, "e");
  EXPECT_EQ(result->tool_call_id, "c");
  EXPECT_EQ(std::get<Json>(result->outcome).text, R"({"a" : [1e400, null]})");
}

TEST(ToolResultTest, NullIsAResultAndMissingIsNot) {
  const auto result = decode_tool_result(R"({"execution_id":"e","tool_call_id":"c","result":null,"error":null})");
  ASSERT_TRUE(result) << to_json(result.error());
  EXPECT_EQ(std::get<Json>(result->outcome).text, "null");
  EXPECT_EQ(result_refusal(R"({"execution_id":"e","tool_call_id":"c"})"),
            R"([{"type":"missing","loc":["body","result"],"msg":"Field required"}])");
  EXPECT_EQ(result_refusal(R"({"execution_id":1,"error":null})"),
            R"([{"type":"string_type","loc":["body","execution_id"],"msg":"Input should be a valid string"},)"
            R"({"type":"missing","loc":["body","tool_call_id"],"msg":"Field required"},)"
            R"({"type":"missing","loc":["body","result"],"msg":"Field required"}])");
}

TEST(ToolResultTest, Errors) {
  const auto result = decode_tool_result(
      R"({"execution_id":"e","tool_call_id":"c","result":null,"error":{"type":"http.Error","message":"no: é"}})");
  ASSERT_TRUE(result) << to_json(result.error());
  EXPECT_EQ(std::get<ToolFailure>(result->outcome).type, "http.Error");
  EXPECT_EQ(std::get<ToolFailure>(result->outcome).message, "no: é");
  const std::string start = R"({"execution_id":"e","tool_call_id":"c","error":)";
  EXPECT_EQ(result_refusal(start + "{}}"),
            R"([{"type":"missing","loc":["body","error","type"],"msg":"Field required"},)"
            R"({"type":"missing","loc":["body","error","message"],"msg":"Field required"}])");
  EXPECT_THAT(result_refusal(start + R"({"type":"a: b","message":""}})"), HasSubstr("not the name of an error"));
  EXPECT_THAT(result_refusal(start + R"({"type":1,"message":2}})"), HasSubstr("string_type"));
  EXPECT_THAT(result_refusal(start + "[]}"), HasSubstr("model_attributes_type"));
  EXPECT_THAT(result_refusal(start + R"({"type":"E","message":""},"result":0})"), HasSubstr("exclude each other"));
}

TEST(ToolResultTest, LongErrorMessagesAreShortened) {
  RequestLimits limits;
  limits.error_message_bytes = 3;
  const auto result =
      decode_tool_result(R"({"execution_id":"e","tool_call_id":"c","error":{"type":"E","message":"ééé"}})", limits);
  ASSERT_TRUE(result) << to_json(result.error());
  EXPECT_EQ(std::get<ToolFailure>(result->outcome).message, "é… (4 more bytes)");
}

TEST(ToolResultTest, WhatIsEncodedIsDecodedAgain) {
  const auto result = decode_tool_result(encode_tool_result({"e\"", "c", Json{"[1]"}}));
  ASSERT_TRUE(result) << to_json(result.error());
  EXPECT_EQ(result->execution_id, "e\"");
  EXPECT_EQ(std::get<Json>(result->outcome).text, "[1]");
  const auto failed = decode_tool_result(encode_tool_result({"e", "c", ToolFailure{"E", "\n"}}));
  ASSERT_TRUE(failed) << to_json(failed.error());
  EXPECT_EQ(std::get<ToolFailure>(failed->outcome).message, "\n");
}

TEST(ToolFailureTest, TravelsAsAnError) {
  const ToolFailure back = tool_failure_of(to_error({"a.B", "x: y"}));
  EXPECT_EQ(back.type, "a.B");
  EXPECT_EQ(back.message, "x: y");
  EXPECT_EQ(tool_failure_of(to_error({"no type: at all", "m"})).type, "ToolCallError");
  EXPECT_EQ(tool_failure_of(to_error({"no type: at all", "m"})).message, "m");
  EXPECT_EQ(tool_failure_of(Error{make_error_code(ToolErrc::kRaised), "bare"}).message, "bare");
  EXPECT_TRUE(is_tool_error_type("_a1.B"));
  for (const char* text : {"", ".", "a.", ".a", "1", "a b", "é", "a:"}) EXPECT_FALSE(is_tool_error_type(text)) << text;
}

}  // namespace
}  // namespace progtc::bridge
