#include "runner/outcome.h"

#include <gtest/gtest.h>

#include "runner/job.h"

namespace progtc::runner {
namespace {

RunOutcome ended(OutcomeKind kind, int exit_code = 0, int signal = 0) {
  RunOutcome outcome;
  outcome.kind = kind;
  outcome.exit_code = exit_code;
  outcome.signal = signal;
  return outcome;
}

TEST(OutcomeTest, ExitCodesAreTheDocumentedOnes) {
  EXPECT_EQ(process_exit_code(ended(OutcomeKind::kExited, 3)), 3);
  EXPECT_EQ(process_exit_code(ended(OutcomeKind::kSignaled, 0, 11)), 139);
  EXPECT_EQ(process_exit_code(ended(OutcomeKind::kTimeout)), 124);
  EXPECT_EQ(process_exit_code(ended(OutcomeKind::kSetupFailed)), 125);
  EXPECT_EQ(process_exit_code(ended(OutcomeKind::kMemoryLimit, 0, 9)), 137);
  EXPECT_EQ(process_exit_code(ended(OutcomeKind::kCpuLimit)), 137);
  EXPECT_EQ(process_exit_code(ended(OutcomeKind::kOutputLimit)), 137);
  EXPECT_EQ(process_exit_code(ended(OutcomeKind::kProtocolViolation)), 137);
  EXPECT_EQ(process_exit_code(ended(OutcomeKind::kCancelled, 0, 2)), 130);
}

TEST(JobTest, CarriesTextThatNeedsEscaping) {
  Job job;
  job.code = "print(\"\\\n\x01\")";
  job.argv = {"-c", "ünï"};
  job.env = {{"K", "a\"b"}};
  const std::string json = to_json(job);
  EXPECT_NE(json.find("\"code\":\"print(\\\"\\\\\\n\\u0001\\\")\""), std::string::npos) << json;
  EXPECT_NE(json.find("\"argv\":[\"-c\",\"ünï\"]"), std::string::npos) << json;
  EXPECT_NE(json.find("\"env\":{\"K\":\"a\\\"b\"}"), std::string::npos) << json;
  EXPECT_NE(json.find("\"tools\":null"), std::string::npos) << json;
}

TEST(JobTest, AnEmptyToolHostIsNotTheSameAsNone) {
  Job job;
  job.tools.emplace();
  EXPECT_NE(to_json(job).find("\"tools\":[]"), std::string::npos);
}

}  // namespace
}  // namespace progtc::runner
