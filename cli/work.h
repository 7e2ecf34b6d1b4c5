#pragma once
// One run as the programs start it: from a command line that has been read to an outcome.
#include <functional>
#include <optional>
#include <string>

#include "cli/console.h"
#include "cli/run_options.h"
#include "policy/model.h"
#include "policy/result.h"
#include "runner/job.h"
#include "runner/outcome.h"
#include "runner/root_plan.h"
#include "runner/sys/result_file.h"

struct seccomp_notif;

namespace progtc::cli {

enum ExitStatus { kSetUpFailed = 125, kUnreadable = 126, kNotFound = 127 };

// What to run.
struct Work {
  runner::Job job;
  std::string script;      // host path of a script, or of a directory or archive with a __main__.py; empty otherwise
  std::string script_dir;  // the script's directory, absolute as the caller gave it; empty without a script
  std::string name;        // for the JUnit test case
  std::vector<runner::ShownProgram> program;  // shown to the code: the script, or one that -m pdb and the like take
};

// What to run, from the words that are left after the options. Errors: no_such_file_or_directory for a script that is
// not there, invalid_argument for no words at all, anything else for a script that cannot be read.
Result<Work> find_work(const RunOptions& options);
// The exit status that such an error ends a program with.
int exit_status_of(const Error& failure) noexcept;

// What a caller may change about a run; the defaults are progtc-run's.
struct RunHooks {
  std::function<bool(const seccomp_notif&)> learn;  // see RunRequest::learn
  // The root view, before anything runs; an error ends the run there.
  std::function<Result<void>(const runner::RootPlan&)> on_plan;
  bool is_silent = false;             // captures the output and passes none of it on; no stdin
  bool has_stdout_on_stderr = false;  // stdout is the caller's own
};

// Runs `work` under `policy`, with progtc-run's standard streams, signals and tools. An outcome is there for every run
// that got as far as the runner. Errors: tools, files or the installation are not usable.
Result<runner::RunOutcome> run_work(const Console& console, const RunOptions& options, const policy::Policy& policy,
                                    const Work& work, RunHooks hooks = {});

// A result file outside everything that the code may write, or it could replace the result or withhold it. Errors:
// naming `option` and the writable bind.
Result<void> check_result_place(const std::string& option, const sys::ResultFile& file, const runner::RootPlan& plan);

// --report and --junit, opened before anything runs: see sys::ResultFile.
struct Reports {
  std::optional<sys::ResultFile> report;
  std::optional<sys::ResultFile> junit;
  // Errors: which of them cannot be opened.
  static Result<Reports> open(const RunOptions& options);
  // Before the code runs: checks the places of the files and removes what earlier runs have left there.
  [[nodiscard]] Result<void> settle(const runner::RootPlan& plan) const;
};

// Writes the reports that are asked for. Says on `console` what could not be written, and returns false.
bool write_reports(const Console& console, Reports& reports, const runner::RunOutcome& outcome,
                   const std::string& name);

}  // namespace progtc::cli
