#include "runner/outcome.h"

namespace progtc::runner {

const char* to_string(OutcomeKind kind) noexcept {
  switch (kind) {
    case OutcomeKind::kExited:
      return "exited";
    case OutcomeKind::kSignaled:
      return "signaled";
    case OutcomeKind::kTimeout:
      return "timeout";
    case OutcomeKind::kCpuLimit:
      return "cpu_limit";
    case OutcomeKind::kMemoryLimit:
      return "memory_limit";
    case OutcomeKind::kOutputLimit:
      return "output_limit";
    case OutcomeKind::kProtocolViolation:
      return "protocol_violation";
    case OutcomeKind::kSetupFailed:
      return "setup_failed";
    case OutcomeKind::kCancelled:
      return "cancelled";
  }
  return "unknown";
}

int process_exit_code(const RunOutcome& outcome) noexcept {
  constexpr int kKilled = 128 + 9;
  switch (outcome.kind) {
    case OutcomeKind::kExited:
      return outcome.exit_code;
    case OutcomeKind::kSignaled:
      return 128 + outcome.signal;
    case OutcomeKind::kTimeout:
      return 124;
    case OutcomeKind::kSetupFailed:
      return 125;
    case OutcomeKind::kCancelled:
      return outcome.signal ? 128 + outcome.signal : kKilled;
    case OutcomeKind::kCpuLimit:
    case OutcomeKind::kMemoryLimit:
    case OutcomeKind::kOutputLimit:
    case OutcomeKind::kProtocolViolation:
      return kKilled;
  }
  return 125;
}

}  // namespace progtc::runner
