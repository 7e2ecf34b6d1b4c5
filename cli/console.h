#pragma once
#include <string>

#include "policy/model.h"
#include "runner/outcome.h"

namespace progtc::cli {

struct CallersView;

// What a program of ours says on stderr, in colour only on a terminal that wants it (NO_COLOR is honoured).
// Words of the code's may be in any part: each part is one line (to_line).
class Console {
 public:
  Console(std::string program, bool is_quiet, bool is_verbose);
  void error(const std::string& text) const;   // always
  void note(const std::string& text) const;    // unless quiet
  void detail(const std::string& text) const;  // only when verbose
  // A denial or a limit as a short paragraph: what, by which rule, which line would allow it. Unless quiet.
  void paragraph(const std::string& headline, const std::string& rule, const std::string& fix) const;
  [[nodiscard]] bool is_verbose() const noexcept { return is_verbose_; }

 private:
  std::string paint(const char* code, const std::string& text) const;
  std::string program_;
  bool is_quiet_;
  bool is_verbose_;
  bool has_colour_;
};

// Says how a run ended, as far as the person needs to be told: nothing when all went well.
void explain_outcome(const Console& console, const runner::RunOutcome& outcome, const policy::Policy& policy,
                     const CallersView& view);

}  // namespace progtc::cli
