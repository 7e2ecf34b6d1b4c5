#include "cli/report.h"

#include <rapidjson/document.h>

#include "cli/text.h"
#include "tests/cli/support.h"

namespace progtc::cli {
namespace {

using runner::OutcomeKind;

runner::RunOutcome outcome_of(OutcomeKind kind) {
  runner::RunOutcome outcome;
  outcome.run_id = "0123456789abcdef0123456789abcdef";
  outcome.kind = kind;
  outcome.cause = "a cause";
  outcome.policy_name = "strict";
  outcome.policy_digest = "d1";
  outcome.usage.wall = std::chrono::microseconds(1'234'567);
  return outcome;
}

rapidjson::Document parsed(const runner::RunOutcome& outcome) {
  rapidjson::Document json;
  json.Parse(report_json(outcome));
  EXPECT_FALSE(json.HasParseError()) << report_json(outcome);
  return json;
}

TEST(ReportJsonTest, HasAllFieldsOnEveryEnding) {
  for (const OutcomeKind kind : {OutcomeKind::kExited, OutcomeKind::kSignaled, OutcomeKind::kTimeout,
                                 OutcomeKind::kCpuLimit, OutcomeKind::kMemoryLimit, OutcomeKind::kOutputLimit,
                                 OutcomeKind::kProtocolViolation, OutcomeKind::kSetupFailed, OutcomeKind::kCancelled}) {
    const auto json = parsed(outcome_of(kind));
    for (const char* key : {"run_id", "kind", "exit_code", "signal", "cause", "value", "error", "stdout", "stderr",
                            "usage", "timing", "denials", "policy", "enforced_by", "degraded", "notes", "files"})
      EXPECT_TRUE(json.HasMember(key)) << key;
    EXPECT_STREQ(json["kind"].GetString(), runner::to_string(kind));
  }
}
TEST(ReportJsonTest, HoldsWhatHappened) {
  runner::RunOutcome outcome = outcome_of(OutcomeKind::kExited);
  outcome.exit_code = 3;
  outcome.out.bytes = "a\xFF\x01\n";
  outcome.out.total = 4;
  outcome.err.bytes = "head";
  outcome.err.tail = "tail";
  outcome.err.total = 100;
  outcome.err.truncated = true;
  outcome.claim = runner::GuestClaim{};
  outcome.claim->value_json = R"({"a": [1, null]})";
  outcome.claim->error_type = "ValueError";
  outcome.claim->error_message = "no";
  outcome.denials.push_back({"socket(AF_INET)", "network: none", "\"network\": …", 2});
  outcome.enforced_by["memory"] = "cgroup v2";
  outcome.files.push_back({"a/b", 7});
  const auto json = parsed(outcome);
  EXPECT_EQ(json["exit_code"].GetInt(), 3);
  EXPECT_STREQ(json["stdout"]["text"].GetString(), "a\xEF\xBF\xBD\x01\n");
  EXPECT_FALSE(json["stdout"].HasMember("tail"));
  EXPECT_STREQ(json["stderr"]["tail"].GetString(), "tail");
  EXPECT_TRUE(json["stderr"]["truncated"].GetBool());
  EXPECT_EQ(json["value"]["a"][0].GetInt(), 1);
  EXPECT_STREQ(json["error"]["type"].GetString(), "ValueError");
  EXPECT_EQ(json["usage"]["wall_ms"].GetDouble(), 1234.567);
  EXPECT_EQ(json["denials"][0]["count"].GetUint(), 2U);
  EXPECT_STREQ(json["enforced_by"]["memory"].GetString(), "cgroup v2");
  EXPECT_EQ(json["files"][0]["size"].GetUint(), 7U);
}

TEST(ReportJunitTest, AGoodRunIsAPassedTest) {
  const std::string xml = report_junit(outcome_of(OutcomeKind::kExited), "a.py");
  EXPECT_NE(xml.find("<testsuites tests=\"1\" failures=\"0\" errors=\"0\" time=\"1.234567\">"), std::string::npos)
      << xml;
  EXPECT_NE(xml.find("<testcase classname=\"progtc-run.strict\" name=\"a.py\""), std::string::npos);
  EXPECT_EQ(xml.find("<failure"), std::string::npos);
  EXPECT_EQ(xml.find("<error"), std::string::npos);
}
TEST(ReportJunitTest, EndingsAreFailuresAndABrokenSandboxIsAnError) {
  for (const OutcomeKind kind :
       {OutcomeKind::kSignaled, OutcomeKind::kTimeout, OutcomeKind::kCpuLimit, OutcomeKind::kMemoryLimit,
        OutcomeKind::kOutputLimit, OutcomeKind::kProtocolViolation, OutcomeKind::kCancelled}) {
    runner::RunOutcome outcome = outcome_of(kind);
    outcome.signal = 9;
    EXPECT_NE(report_junit(outcome, "a.py")
                  .find(std::string("<failure type=\"") + runner::to_string(kind) + "\" message=\"a cause\">"),
              std::string::npos);
  }
  runner::RunOutcome exited = outcome_of(OutcomeKind::kExited);
  exited.exit_code = 1;
  EXPECT_NE(report_junit(exited, "a").find("failures=\"1\""), std::string::npos);
  const std::string broken = report_junit(outcome_of(OutcomeKind::kSetupFailed), "a");
  EXPECT_NE(broken.find("<error type=\"setup_failed\""), std::string::npos);
  EXPECT_NE(broken.find("failures=\"0\" errors=\"1\""), std::string::npos);
}
TEST(ReportJunitTest, NothingTheCodeWritesLeavesItsElement) {
  runner::RunOutcome outcome = outcome_of(OutcomeKind::kExited);
  outcome.exit_code = 1;
  outcome.cause = "</failure> & \"x\"";
  outcome.out.bytes = "]]></system-out><testcase/>\x1b[0m\xFF\0";
  outcome.claim = runner::GuestClaim{};
  outcome.claim->traceback = "<b>\x01";
  const std::string xml = report_junit(outcome, "a<b\".py");
  EXPECT_EQ(xml.find("<testcase/>"), std::string::npos);
  EXPECT_EQ(xml.find('\x1b'), std::string::npos);
  EXPECT_NE(xml.find("name=\"a&lt;b&quot;.py\""), std::string::npos);
  EXPECT_NE(xml.find("message=\"&lt;/failure&gt; &amp; &quot;x&quot;\""), std::string::npos);
  EXPECT_NE(xml.find("<system-out>]]&gt;&lt;/system-out&gt;&lt;testcase/&gt;\xEF\xBF\xBD[0m\xEF\xBF\xBD"),
            std::string::npos)
      << xml;
}

TEST(TextTest, XmlHoldsNoControlCharacters) {
  EXPECT_EQ(to_xml(std::string("a\0b\t\n\x1f\x7f", 7)),
            "a\xEF\xBF\xBD"
            "b\t\n\xEF\xBF\xBD\x7f");
  EXPECT_EQ(to_xml("\xEF\xBF\xBE"), "\xEF\xBF\xBD");  // U+FFFE is no character of XML 1.0
  EXPECT_EQ(to_xml("größe 😀"), "größe 😀");
}
TEST(TextTest, ALineIsOneLineWithoutEscapes) {
  EXPECT_EQ(to_line("a\x1b]0;x\x07\n\r\tb\x7f"), "a\\x1b]0;x\\x07\\n\\r\\tb\\x7f");
  EXPECT_EQ(to_line("\xC2\x9B"
                    "31m"),
            "\\x9b31m");                    // the one-character form of ESC [
  EXPECT_EQ(to_line("\xC2\x85"), "\\x85");  // NEL, a line end to some readers
  EXPECT_EQ(to_line("a\u2028b\u2029c"), "a\\u2028b\\u2029c");
  EXPECT_EQ(to_line("\xFF\n"), "\uFFFD\\n");
  EXPECT_EQ(to_line("\xC2\xA0größe"), "\xC2\xA0größe");
  // Text that reads in another order than it is.
  EXPECT_EQ(to_line("a\u202Eb\u2066c\u200Fd\u061Ce"), "a\\u202eb\\u2066c\\u200fd\\u061ce");
}

}  // namespace
}  // namespace progtc::cli
