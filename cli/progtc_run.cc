// progtc-run: runs one piece of Python in a sandbox. stdout is the code's alone; what we have to say goes to stderr.
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "cli/callers_view.h"
#include "cli/console.h"
#include "cli/installation.h"
#include "cli/policy_loader.h"
#include "cli/remote_run.h"
#include "cli/run_options.h"
#include "cli/text.h"
#include "cli/work.h"
#include "policy/decode.h"

namespace progtc::cli {
namespace {

// What ends a run before there is one: said, and in the results that were asked for, so that a CI job finds its files.
int fail(const Console& console, const RunOptions& options, Reports& reports, const Error& failure,
         int status = kSetUpFailed) {
  console.error(failure.context);
  runner::RunOutcome outcome;
  outcome.kind = runner::OutcomeKind::kSetupFailed;
  outcome.cause = failure.context;
  outcome.policy_name = options.policy;
  const std::size_t first = !options.rest.empty() && options.rest[0] == "--" ? 1 : 0;
  const bool has_script = !options.code && !options.module && options.rest.size() > first;
  const bool is_written =
      write_reports(console, reports, outcome, has_script ? options.rest[first] : options.module.value_or("-c"));
  return is_written ? status : static_cast<int>(kSetUpFailed);
}

// Becomes another of our programs. Returns only when that is not there.
int execute_beside(const std::string& program, const char* command, std::vector<std::string> arguments) {
  const std::string path = program_beside(program);
  arguments.insert(arguments.begin(), {path, command});
  std::vector<char*> words;
  words.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) words.push_back(argument.data());
  words.push_back(nullptr);
  ::execv(path.c_str(), words.data());
  (void)std::fprintf(stderr, "progtc-run: cannot execute '%s', which --connect needs\n", to_line(path).c_str());
  return kSetUpFailed;
}

int main_program(int argc, char** argv) {
  CLI::App app("", "progtc-run");
  RunOptions options;
  describe_run_program(app);
  define_run_options(app, options);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const std::size_t own = count_own_arguments(app, arguments);
  try {
    // CLI11 takes the words in reverse.
    app.parse(std::vector<std::string>(arguments.rend() - static_cast<std::ptrdiff_t>(own), arguments.rend()));
  } catch (const CLI::Success& asked_for) {  // --help, --version
    return app.exit(asked_for);
  } catch (const CLI::ParseError& wrong) {
    (void)std::fprintf(stderr, "progtc-run: %s\nprogtc-run: --help lists the options\n", to_line(wrong.what()).c_str());
    return kSetUpFailed;
  }
  if (options.connect) return execute_beside("progtc", kRemoteRun, arguments);
  options.rest.assign(arguments.begin() + static_cast<std::ptrdiff_t>(own), arguments.end());
  const Console console("progtc-run", options.quiet, options.verbose);
  auto reports = Reports::open(options);
  if (!reports) {
    console.error(reports.error().context);
    return kSetUpFailed;
  }
  if (auto checked = check_options(options); !checked) return fail(console, options, *reports, checked.error());
  auto loaded = load_policy(options.policy);
  if (!loaded) return fail(console, options, *reports, loaded.error());
  auto policy = apply_options(std::move(*loaded), options);
  if (!policy) return fail(console, options, *reports, policy.error());
  if (options.explain) {
    (void)std::printf("%s\n", policy::to_json(*policy).c_str());
    return std::fflush(stdout) == 0 ? 0 : static_cast<int>(kSetUpFailed);
  }
  auto work = find_work(options);
  if (!work) return fail(console, options, *reports, work.error(), exit_status_of(work.error()));
  const std::string name = work->name;
  RunHooks hooks;
  CallersView view = look_around(*work);
  hooks.on_plan = [&](const runner::RootPlan& plan) {
    view.plan = plan;
    return reports->settle(plan);
  };
  auto outcome = run_work(console, options, *policy, *work, std::move(hooks));
  if (!outcome) return fail(console, options, *reports, outcome.error());
  explain_outcome(console, *outcome, *policy, view);
  const bool is_written = write_reports(console, *reports, *outcome, name);
  return is_written ? runner::process_exit_code(*outcome) : static_cast<int>(kSetUpFailed);
}

}  // namespace
}  // namespace progtc::cli

int main(int argc, char** argv) {
  progtc::cli::fill_standard_descriptors();
  try {
    return progtc::cli::main_program(argc, argv);
  } catch (const std::exception& bug) {
    (void)std::fprintf(stderr, "progtc-run: a bug of ours: %s\n", progtc::cli::to_line(bug.what()).c_str());
    return 125;
  }
}
