// progtc: everything around a run: policies, tools, and what this machine can do.
#include <cstdio>
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include "cli/console.h"
#include "cli/daemon_check.h"
#include "cli/doctor_command.h"
#include "cli/installation.h"
#include "cli/learn.h"
#include "cli/policy_commands.h"
#include "cli/progtc_options.h"
#include "cli/remote_run.h"
#include "cli/serve_command.h"
#include "cli/text.h"
#include "cli/tools_commands.h"

namespace progtc::cli {
namespace {

constexpr int kWrongUsage = 2;

// Of `policy learn`, the code's own arguments are none of ours.
std::size_t count_arguments(const CLI::App& app, const std::vector<std::string>& arguments) {
  if (arguments.size() < 3 || arguments[0] != "policy" || arguments[1] != "learn") return arguments.size();
  const CLI::App* learn = app.get_subcommand("policy")->get_subcommand("learn");
  return 2 + count_own_arguments(*learn, {arguments.begin() + 2, arguments.end()});
}

int dispatch(const CLI::App& app, const ProgtcOptions& options) {
  const CLI::App* family = app.get_subcommands().front();
  const std::string name = family->get_name();
  const std::string act = family->get_subcommands().empty() ? "" : family->get_subcommands().front()->get_name();
  const Console console("progtc", options.run.quiet, options.run.verbose);
  if (name == "doctor") return options.daemon.empty() ? doctor(options.is_json) : check_daemon(options.daemon);
  if (name == "serve") return serve(options.serve);
  if (name == "policy") {
    if (act == "list") return list_policies();
    if (act == "show") return show_policy(console, options.subject);
    if (act == "check") return check_policies(options.files);
    if (act == "explain") return explain_policy(console, options.policy, options.subject);
    return learn_policy(console, options);
  }
  if (act == "list") return list_tools(console, options.directory);
  if (act == "check") return check_tools(console, options.directory);
  return call_tool(console, options);
}

// Nothing: go on. Else the exit status.
std::optional<int> parse(CLI::App& app, ProgtcOptions& options, const std::vector<std::string>& arguments) {
  define_progtc(app, options);
  const std::size_t own = count_arguments(app, arguments);
  try {
    // CLI11 takes the words in reverse.
    app.parse(std::vector<std::string>(arguments.rend() - static_cast<std::ptrdiff_t>(own), arguments.rend()));
  } catch (const CLI::Success& asked_for) {  // --help, --version
    return app.exit(asked_for);
  } catch (const CLI::ParseError& wrong) {
    (void)std::fprintf(stderr, "progtc: %s\nprogtc: --help lists the commands\n", to_line(wrong.what()).c_str());
    return kWrongUsage;
  }
  options.run.rest.assign(arguments.begin() + static_cast<std::ptrdiff_t>(own), arguments.end());
  return std::nullopt;
}

int main_program(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  if (!arguments.empty() && arguments[0] == kRemoteRun) return remote_run({arguments.begin() + 1, arguments.end()});
  CLI::App app("", "progtc");
  ProgtcOptions options;
  if (const auto status = parse(app, options, arguments)) return *status;
  int status = 0;
  if (options.serve.config.empty()) {
    status = dispatch(app, options);
  } else {
    // Once more, with the file's words in front of those that were typed.
    const auto words = read_serve_config(options.serve.config, *app.get_subcommand("serve"));
    if (!words) {
      (void)std::fprintf(stderr, "progtc serve: %s\n", to_line(words.error().context).c_str());
      return kWrongUsage;
    }
    arguments.insert(arguments.begin() + 1, words->begin(), words->end());
    CLI::App whole("", "progtc");
    ProgtcOptions configured;
    if (const auto wrong = parse(whole, configured, arguments)) return *wrong;
    status = dispatch(whole, configured);
  }
  return std::fflush(stdout) == 0 ? status : 1;
}

}  // namespace
}  // namespace progtc::cli

int main(int argc, char** argv) {
  progtc::cli::fill_standard_descriptors();
  try {
    return progtc::cli::main_program(argc, argv);
  } catch (const std::exception& bug) {
    (void)std::fprintf(stderr, "progtc: a bug of ours: %s\n", progtc::cli::to_line(bug.what()).c_str());
    return 1;
  }
}
