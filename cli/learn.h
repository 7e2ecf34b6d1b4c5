#pragma once
// progtc policy learn: lets code run once with (nearly) nothing denied, watches what it asks for, and writes that down
// as a policy.
#include <linux/seccomp.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/callers_view.h"
#include "cli/console.h"
#include "cli/progtc_options.h"
#include "policy/model.h"
#include "policy/result.h"
#include "policy/seccomp_program.h"
#include "runner/outcome.h"
#include "runner/root_plan.h"

namespace progtc::cli {

// Runs what the command line names and writes the policy. Returns the exit status.
int learn_policy(const Console& console, const ProgtcOptions& options);

// What calls a run made beyond its base policy. Pure.
class CallLesson {
 public:
  // Errors: those of compiling the base's filter.
  static Result<CallLesson> create(const policy::Policy& base);

  // Takes note of a call that the learner's filter stopped, and says whether it may happen. Refused stay: ways out of
  // the sandbox or deep into the kernel, what the base denies by name, and calls that a group allows only with other
  // arguments (namespaces, setuid bits, foreign socket families).
  bool add(const seccomp_data& call);

  // Group names where a group's purpose was used (fork: "processes", execve: "exec"), where several of its calls were,
  // or where it checks arguments that a single name could not; single calls else.
  [[nodiscard]] policy::Syscalls needed() const;
  [[nodiscard]] policy::NetworkMode network() const noexcept { return network_; }
  [[nodiscard]] const std::vector<runner::Denial>& refused() const noexcept { return refused_; }

 private:
  CallLesson(const policy::Policy& base, policy::SeccompProgram filter) : base_(base), filter_(std::move(filter)) {}
  bool refuse(const seccomp_data& call);
  bool learn(const seccomp_data& call, const std::string& name);

  policy::Policy base_;
  policy::SeccompProgram filter_;
  policy::NetworkMode network_ = policy::NetworkMode::kNone;
  std::map<std::string, std::set<std::string>> by_group_;
  std::set<std::string> single_;
  std::map<std::string, std::pair<unsigned, std::set<std::uint64_t>>> rules_;  // call → argument, values
  std::vector<runner::Denial> refused_;
};

// What files a run asked for that its base policy does not show.
class FileLesson {
 public:
  // `base` is the base's root view, `shown` the learner's, which shows the host's programs as well.
  FileLesson(const runner::RootPlan& base, const runner::RootPlan& shown, const CallersView& view)
      : base_(base), shown_(shown), view_(view) {}
  void opened(const std::string& path);
  void executed(const std::string& path);

  [[nodiscard]] bool needs_programs() const noexcept { return needs_programs_; }
  // Files of the host's programs that were opened, where no program was executed.
  [[nodiscard]] std::vector<std::string> opened_files() const;
  // Asked for and not shown, where the caller has pointed to: perhaps needed, perhaps only looked for.
  [[nodiscard]] const std::set<std::string>& unseen() const noexcept { return unseen_; }
  // Elsewhere: whether this machine has them is not looked up, as the code has chosen the names.
  [[nodiscard]] const std::set<std::string>& unknown() const noexcept { return unknown_; }

 private:
  void miss(const std::string& name);

  const runner::RootPlan& base_;
  const runner::RootPlan& shown_;
  const CallersView& view_;
  bool needs_programs_ = false;
  std::set<std::string> opened_;
  std::set<std::string> unseen_;
  std::set<std::string> unknown_;
};

// Everything that goes into the file.
struct Lesson {
  std::string extends;  // "strict", or the absolute path of a policy file
  std::string source;   // what was run, for the reasons
  std::string ending;   // "exited: the code ended"
  policy::Policy base;
  policy::Policy asked;  // base with the command line's options over it
  policy::Syscalls syscalls;
  policy::NetworkMode network = policy::NetworkMode::kNone;
  bool needs_programs = false;
  std::vector<std::string> opened_files;
  std::set<std::string> unseen;
  std::set<std::string> unknown;
  std::set<std::string> unreached;  // addresses outside the sandbox's own network
  std::vector<runner::Denial> refused;
};

// The policy file: comments for what a person has to decide, then JSON that extends the base.
std::string to_policy_text(const Lesson& lesson);

}  // namespace progtc::cli
