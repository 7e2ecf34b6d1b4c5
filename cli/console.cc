#include "cli/console.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

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

// Files the policy keeps out of sight fail as "No such file", which says nothing of the policy. The name is the code's
// own word, so this is advice and no more.
void hint_at_files(const Console& console, const runner::GuestClaim& claim, const policy::Policy& policy) {
  const std::string& name = claim.error_filename;
  struct stat info {};
  switch (claim.error_errno) {
    case ENOENT:
    case EACCES:
    case EPERM:
      if (!name.empty() && name[0] == '/' && ::stat(name.c_str(), &info) == 0)
        console.paragraph("'" + to_terminal(name) + "' is on this machine, but the sandbox does not show it",
                          "filesystem (policy " + policy.name + ")",
                          "--ro " + to_terminal(name) + ", or \"filesystem\": {\"ro\": [\"+" + to_terminal(name) +
                              "\"], \"reason\": \"…\"}");
      break;
    case EROFS:
      console.paragraph(
          "'" + to_terminal(name) + "' cannot be written: what the sandbox shows of this machine is read-only",
          "filesystem (policy " + policy.name + ")",
          "--rw SRC, or write below /tmp or " + std::string(policy::kWorkPath) + "; with --out, " + policy::kOutPath);
      break;
    case ENOSPC:
      console.paragraph("a private file system of the sandbox is full",
                        "filesystem.tmp, .shm, .work, .out (policy " + policy.name + ")",
                        "\"filesystem\": {\"work\": {\"size\": \"1GiB\", \"inodes\": 65536}, \"reason\": \"…\"}");
      break;
    case EMFILE:
      console.paragraph(
          "too many open files", "limits.open_files",
          "\"limits\": {\"open_files\": " + std::to_string(policy.limits.open_files * 4) + ", \"reason\": \"…\"}");
      break;
    case EFBIG:
      console.paragraph("a file grew too large", "limits.file_size",
                        "\"limits\": {\"file_size\": " +
                            quoted(policy::format_size(policy.limits.file_size_bytes * 4)) + ", \"reason\": \"…\"}");
      break;
    default:
      break;
  }
}

void hint_at_errors(const Console& console, const runner::GuestClaim& claim, const policy::Policy& policy) {
  hint_at_files(console, claim, policy);
  if (claim.error_type == "MemoryError")
    console.paragraph("the code ran out of memory",
                      "limits.memory (" + policy::format_size(policy.limits.memory_bytes) + ")",
                      "--memory " + policy::format_size(policy.limits.memory_bytes * 2));
  if (claim.error_type == "RuntimeError" && claim.error_message.find("can't start new thread") != std::string::npos)
    console.paragraph("no more threads", "limits.processes (" + std::to_string(policy.limits.processes) + ")",
                      "--pids " + std::to_string(policy.limits.processes * 2));
  if (claim.error_type == "ModuleNotFoundError" && policy.python.site == policy::SitePackages::kNone &&
      policy.python.venv.empty())
    console.paragraph(to_terminal(claim.error_message) + ": only the standard library is visible",
                      "python.site: none (policy " + policy.name + ")",
                      "--venv DIR, --policy standard, or \"python\": {\"site\": \"system\", \"reason\": \"…\"}");
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
  (void)std::fprintf(stderr, "%s: %s\n", program_.c_str(), paint(kRed, to_terminal(text)).c_str());
}

// Names and words of the code's may be in there: no control character, and one line is one line.
std::string one_line(const std::string& text) {
  std::string line = to_terminal(text);
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

void Console::note(const std::string& text) const {
  if (!is_quiet_) (void)std::fprintf(stderr, "%s: %s\n", program_.c_str(), one_line(text).c_str());
}

void Console::detail(const std::string& text) const {
  if (is_verbose_) (void)std::fprintf(stderr, "%s: %s\n", program_.c_str(), paint(kDim, one_line(text)).c_str());
}

void Console::paragraph(const std::string& headline, const std::string& rule, const std::string& fix) const {
  if (is_quiet_) return;
  std::string text = program_ + ": " + paint(kYellow, one_line(headline)) + "\n";
  text += "  rule:  " + rule + "\n";
  if (!fix.empty()) text += "  allow: " + fix + "\n";
  (void)std::fputs(text.c_str(), stderr);
}

void explain_outcome(const Console& console, const runner::RunOutcome& outcome, const policy::Policy& policy) {
  if (outcome.kind == runner::OutcomeKind::kSetupFailed) {
    console.error("the sandbox could not be set up: " + outcome.cause);
    return;
  }
  for (std::size_t i = 0; i < outcome.denials.size(); ++i) {
    const runner::Denial& denial = outcome.denials[i];
    if (i == kShownDenials && !console.is_verbose()) {
      console.note("and " + std::to_string(outcome.denials.size() - i) +
                   " further kinds of denied calls (-v shows them)");
      break;
    }
    const std::string times = denial.count > 1 ? ", " + std::to_string(denial.count) + " times" : "";
    console.paragraph("denied: " + denial.call + times, denial.rule + " (policy " + policy.name + ")", denial.fix);
  }
  switch (outcome.kind) {
    case runner::OutcomeKind::kExited:
      if (outcome.claim && !outcome.claim->ok) hint_at_errors(console, *outcome.claim, policy);
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
