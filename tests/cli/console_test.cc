#include "cli/console.h"

#include "cli/callers_view.h"
#include "cli/policy_loader.h"
#include "tests/cli/support.h"

namespace progtc::cli {
namespace {

using runner::OutcomeKind;

std::string said(const runner::RunOutcome& outcome, bool is_quiet = false, bool is_verbose = false) {
  const auto policy = load_policy("strict");
  testing::internal::CaptureStderr();
  explain_outcome(Console("progtc-run", is_quiet, is_verbose), outcome, *policy, CallersView{});
  return testing::internal::GetCapturedStderr();
}
runner::RunOutcome outcome_of(OutcomeKind kind, std::string cause) {
  runner::RunOutcome outcome;
  outcome.kind = kind;
  outcome.cause = std::move(cause);
  return outcome;
}

TEST(ConsoleTest, AGoodRunIsNotCommented) {
  runner::RunOutcome outcome = outcome_of(OutcomeKind::kExited, "the code ended");
  outcome.claim = runner::GuestClaim{};
  outcome.claim->ok = true;
  EXPECT_EQ(said(outcome), "");
}
TEST(ConsoleTest, LimitsNameTheirLine) {
  EXPECT_EQ(said(outcome_of(OutcomeKind::kTimeout, "wall time reached 30s (limits.wall)")),
            "progtc-run: timeout: wall time reached 30s (limits.wall)\n  rule:  limits.wall (policy strict)\n"
            "  allow: --timeout, or \"limits\": {\"wall\": \"1m\", \"reason\": \"…\"}\n");
  EXPECT_EQ(said(outcome_of(OutcomeKind::kMemoryLimit, "memory reached 256MiB (limits.memory)")),
            "progtc-run: memory_limit: memory reached 256MiB (limits.memory)\n  rule:  limits.memory (policy strict)\n"
            "  allow: --memory, or \"limits\": {\"memory\": \"512MiB\", \"reason\": \"…\"}\n");
  EXPECT_NE(said(outcome_of(OutcomeKind::kCpuLimit, "x")).find("rule:  limits.cpu (policy strict)"), std::string::npos);
  EXPECT_NE(said(outcome_of(OutcomeKind::kOutputLimit, "x")).find("\"limits\": {\"output\": \"32MiB\""),
            std::string::npos);
}
TEST(ConsoleTest, OtherEndingsAreNamed) {
  EXPECT_EQ(said(outcome_of(OutcomeKind::kSignaled, "killed by signal SIGSEGV")),
            "progtc-run: signaled: killed by signal SIGSEGV\n");
  EXPECT_EQ(said(outcome_of(OutcomeKind::kCancelled, "ended by SIGINT")), "progtc-run: cancelled: ended by SIGINT\n");
  EXPECT_EQ(said(outcome_of(OutcomeKind::kProtocolViolation, "x")), "progtc-run: protocol_violation: x\n");
}
TEST(ConsoleTest, QuietLeavesErrorsOfTheSetUp) {
  EXPECT_EQ(said(outcome_of(OutcomeKind::kTimeout, "x"), true), "");
  EXPECT_EQ(said(outcome_of(OutcomeKind::kSetupFailed, "no python"), true),
            "progtc-run: the sandbox could not be set up: no python\n");
}
TEST(ConsoleTest, DenialsComeWithRuleAndFix) {
  runner::RunOutcome outcome = outcome_of(OutcomeKind::kExited, "status 1");
  outcome.exit_code = 1;
  outcome.denials.push_back({"mlock(0, 4096)", "syscalls: mlock is in \"deny\"", "FIX", 3});
  EXPECT_EQ(said(outcome),
            "progtc-run: denied: mlock(0, 4096), 3 times\n  rule:  syscalls: mlock is in \"deny\" (policy strict)\n  "
            "allow: FIX\n");
  for (int i = 0; i < 9; ++i) outcome.denials.push_back({"call" + std::to_string(i), "r", "f", 1});
  const std::string text = said(outcome);
  EXPECT_NE(text.find("and 5 further kinds of denied calls (-v shows them)"), std::string::npos) << text;
  EXPECT_EQ(said(outcome, false, true).find("further kinds"), std::string::npos);
}
TEST(ConsoleTest, DenialsThatOneFixEndsAreToldOnce) {
  runner::RunOutcome outcome = outcome_of(OutcomeKind::kExited, "status 1");
  outcome.exit_code = 1;
  outcome.denials.push_back({"socket(AF_INET, SOCK_STREAM, 0)", "network: none", "one call's", 1});
  outcome.denials.push_back({"vfork()", "r", R"("groups": ["+processes"])", 1});
  outcome.denials.push_back({"execve(…)", "r", R"("groups": ["+exec"])", 1});
  const std::string text = said(outcome);
  EXPECT_NE(text.find("allow: --net host (all that this machine reaches), or --net loopback"), std::string::npos)
      << text;
  EXPECT_NE(text.find("denied: vfork()\n  rule:  r (policy strict)\n  allow: --policy standard"), std::string::npos)
      << text;
  EXPECT_EQ(text.find("execve"), std::string::npos) << text;
  EXPECT_NE(said(outcome, false, true).find("execve"), std::string::npos);  // -v
}
TEST(ConsoleTest, DenialsThatTheCodeHandledAreToldWhenAskedFor) {
  runner::RunOutcome outcome = outcome_of(OutcomeKind::kExited, "the code ended");
  outcome.denials.push_back({"socket(AF_INET, SOCK_STREAM, 0)", "network: none", "FIX", 1});
  EXPECT_EQ(said(outcome), "");
  EXPECT_NE(said(outcome, false, true).find("progtc-run: denied: socket(AF_INET, SOCK_STREAM, 0)\n"),
            std::string::npos);
  outcome.kind = OutcomeKind::kTimeout;  // exit_code is 0 still: it says nothing of an ending like this
  outcome.cause = "wall time reached 30s (limits.wall)";
  EXPECT_NE(said(outcome).find("denied: socket"), std::string::npos);
}
TEST(ConsoleTest, EveryPartOfEveryPrinterIsOneLine) {
  const std::string hostile = "a\nprogtc-run: forged\r\x1b[2K\u2028b";
  const std::string shown = "a\\nprogtc-run: forged\\r\\x1b[2K\\u2028b";
  const Console console("progtc-run", false, true);
  testing::internal::CaptureStderr();
  console.error(hostile);
  console.note(hostile);
  console.detail(hostile);
  console.paragraph(hostile, hostile, hostile);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "progtc-run: " + shown + "\nprogtc-run: " + shown +
                                                        "\nprogtc-run: " + shown + "\nprogtc-run: " + shown +
                                                        "\n  rule:  " + shown + "\n  allow: " + shown + "\n");
}
TEST(ConsoleTest, NoPartOfAnOutcomeBeginsALine) {
  const std::string hostile = "a\nprogtc-run: forged";
  for (const OutcomeKind kind : {OutcomeKind::kExited, OutcomeKind::kTimeout, OutcomeKind::kSetupFailed,
                                 OutcomeKind::kProtocolViolation, OutcomeKind::kSignaled}) {
    runner::RunOutcome outcome = outcome_of(kind, hostile);
    outcome.exit_code = 1;
    outcome.claim = runner::GuestClaim{};
    outcome.claim->error_type = "FileNotFoundError";
    outcome.claim->error_errno = ENOENT;
    outcome.claim->error_filename = "/" + hostile;
    outcome.claim->error_message = hostile;
    outcome.denials.push_back({hostile, hostile, hostile, 1});
    outcome.degraded.push_back(hostile);
    outcome.notes.push_back(hostile);
    outcome.enforced_by["memory"] = hostile;
    const std::string text = said(outcome, false, true);
    EXPECT_NE(text.find("\\nprogtc-run: forged"), std::string::npos) << text;
    EXPECT_EQ(text.find("\nprogtc-run: forged"), std::string::npos) << text;
  }
}
TEST(ConsoleTest, HintsAtWhatTheErrorMeansHere) {
  runner::RunOutcome outcome = outcome_of(OutcomeKind::kExited, "status 1");
  outcome.exit_code = 1;
  outcome.claim = runner::GuestClaim{};
  outcome.claim->error_type = "FileNotFoundError";
  outcome.claim->error_errno = ENOENT;
  outcome.claim->error_filename = "/no/such\nfile\x1b";
  EXPECT_EQ(
      said(outcome),
      "progtc-run: '/no/such\\nfile\\x1b' is outside of what the sandbox shows, whether or not this machine has it\n"
      "  rule:  filesystem (policy strict)\n");
  outcome.claim->error_errno = 0;
  outcome.claim->error_type = "ModuleNotFoundError";
  outcome.claim->error_message = "No module named 'x\x1b'";
  EXPECT_NE(said(outcome).find("No module named 'x\\x1b': only the standard library is visible"), std::string::npos);
  outcome.claim->error_type = "MemoryError";
  EXPECT_NE(said(outcome).find("--memory 512MiB"), std::string::npos);
}

}  // namespace
}  // namespace progtc::cli
