#include "cli/console.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "cli/callers_view.h"
#include "cli/hints.h"
#include "cli/text.h"
#include "policy/units.h"

namespace progtc::cli {
namespace {

constexpr const char* kRed = "31";
constexpr const char* kYellow = "33";
constexpr const char* kDim = "2";
constexpr std::size_t kShownDenials = 5;

std::string quoted(const std::string& text) { return "\"" + text + "\""; }

// The limit behind an ending, and the line that would raise it.
struct LimitLine {
  const char* rule = nullptr;
  std::string fix;
};
LimitLine limit_line(runner::OutcomeKind kind, const policy::Policy& policy) {
  const policy::Limits& limits = policy.limits;
  switch (kind) {
    case runner::OutcomeKind::kTimeout:
      return {"limits.wall", "--timeout, or \"limits\": {\"wall\": " +
                                 quoted(policy::format_duration(limits.wall * 2)) + ", \"reason\": \"…\"}"};
    case runner::OutcomeKind::kCpuLimit:
      return {"limits.cpu",
              "\"limits\": {\"cpu\": " + quoted(policy::format_duration(limits.cpu * 2)) + ", \"reason\": \"…\"}"};
    case runner::OutcomeKind::kMemoryLimit:
      return {"limits.memory", "--memory, or \"limits\": {\"memory\": " +
                                   quoted(policy::format_size(limits.memory_bytes * 2)) + ", \"reason\": \"…\"}"};
    case runner::OutcomeKind::kOutputLimit:
      return {"limits.output", "\"limits\": {\"output\": " + quoted(policy::format_size(limits.output_bytes * 2)) +
                                   ", \"reason\": \"…\"}"};
    default:
      return {};
  }
}

}  // namespace

Console::Console(std::string program, bool is_quiet, bool is_verbose)
    : program_(std::move(program)), is_quiet_(is_quiet), is_verbose_(is_verbose) {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  has_colour_ =
      ::isatty(STDERR_FILENO) == 1 && !(no_colour && *no_colour) && terminal && std::string(terminal) != "dumb";
}

std::string Console::paint(const char* code, const std::string& text) const {
  return has_colour_ ? "\x1b[" + std::string(code) + "m" + text + "\x1b[0m" : text;
}

void Console::error(const std::string& text) const {
  (void)std::fprintf(stderr, "%s: %s\n", program_.c_str(), paint(kRed, to_line(text)).c_str());
}

void Console::note(const std::string& text) const {
  if (!is_quiet_) (void)std::fprintf(stderr, "%s: %s\n", program_.c_str(), to_line(text).c_str());
}

void Console::detail(const std::string& text) const {
  if (is_verbose_) (void)std::fprintf(stderr, "%s: %s\n", program_.c_str(), paint(kDim, to_line(text)).c_str());
}

void Console::paragraph(const std::string& headline, const std::string& rule, const std::string& fix) const {
  if (is_quiet_) return;
  std::string text = program_ + ": " + paint(kYellow, to_line(headline)) + "\n";
  text += "  rule:  " + to_line(rule) + "\n";
  if (!fix.empty()) text += "  allow: " + to_line(fix) + "\n";
  (void)std::fputs(text.c_str(), stderr);
}

namespace {

// Starting a program takes several calls, the program's file and a PATH: the fix of one call would only lead to the
// next denial.
constexpr const char* kProgramsFix = "--policy standard, or a policy that `progtc policy learn` writes";

// Which of them reaches its goal, the denied call does not tell.
constexpr const char* kNetworkFix =
    "--net host (all that this machine reaches), or --net loopback (servers that the code starts itself)";

bool starts_programs(const runner::Denial& denial) {
  return denial.fix.find("\"+processes\"") != std::string::npos || denial.fix.find("\"+exec\"") != std::string::npos;
}

std::string fix_for(const runner::Denial& denial) {
  if (starts_programs(denial)) return kProgramsFix;
  return denial.rule == "network: none" ? kNetworkFix : denial.fix;
}

}  // namespace

void explain_outcome(const Console& console, const runner::RunOutcome& outcome, const policy::Policy& policy,
                     const CallersView& view) {
  if (outcome.kind == runner::OutcomeKind::kSetupFailed) {
    console.error("the sandbox could not be set up: " + outcome.cause);
    return;
  }
  // Code that ended with 0 has handled its denials: libraries try a call and go another way. The report has them.
  const bool is_handled = runner::process_exit_code(outcome) == 0;
  const std::size_t told = is_handled && !console.is_verbose() ? 0 : outcome.denials.size();
  bool has_told_of_programs = false;
  for (std::size_t i = 0; i < told; ++i) {
    const runner::Denial& denial = outcome.denials[i];
    if (starts_programs(denial) && std::exchange(has_told_of_programs, true) && !console.is_verbose()) continue;
    if (i == kShownDenials && !console.is_verbose()) {
      console.note("and " + std::to_string(outcome.denials.size() - i) +
                   " further kinds of denied calls (-v shows them)");
      break;
    }
    const std::string times = denial.count > 1 ? ", " + std::to_string(denial.count) + " times" : "";
    console.paragraph("denied: " + denial.call + times, denial.rule + " (policy " + policy.name + ")", fix_for(denial));
  }
  switch (outcome.kind) {
    case runner::OutcomeKind::kExited:
      for (const Hint& hint : hints_for(outcome, policy, view)) console.paragraph(hint.headline, hint.rule, hint.fix);
      break;
    case runner::OutcomeKind::kTimeout:
    case runner::OutcomeKind::kCpuLimit:
    case runner::OutcomeKind::kMemoryLimit:
    case runner::OutcomeKind::kOutputLimit: {
      const LimitLine line = limit_line(outcome.kind, policy);
      console.paragraph(std::string(runner::to_string(outcome.kind)) + ": " + outcome.cause,
                        std::string(line.rule) + " (policy " + policy.name + ")", line.fix);
      break;
    }
    default:
      console.note(std::string(runner::to_string(outcome.kind)) + ": " + outcome.cause);
  }
  for (const std::string& degraded : outcome.degraded) console.note("degraded: ran without " + degraded + ", as asked");
  for (const std::string& note : outcome.notes) console.detail(note);
  if (!console.is_verbose()) return;
  for (const auto& [control, mechanism] : outcome.enforced_by) console.detail(control + ": " + mechanism);
  char line[256];
  (void)std::snprintf(line, sizeof line,
                      "%s: wall %.1f ms, cpu %.1f ms, memory %s, tool calls %llu; setup %.1f ms, teardown %.1f ms",
                      runner::to_string(outcome.kind), static_cast<double>(outcome.usage.wall.count()) / 1e3,
                      static_cast<double>(outcome.usage.cpu.count()) / 1e3,
                      policy::format_size(outcome.usage.memory_peak_bytes).c_str(),
                      static_cast<unsigned long long>(outcome.usage.tool_calls),
                      static_cast<double>(outcome.timing.setup.count()) / 1e3,
                      static_cast<double>(outcome.timing.teardown.count()) / 1e3);
  console.detail(line);
}

}  // namespace progtc::cli
