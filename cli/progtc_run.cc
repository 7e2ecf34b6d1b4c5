// progtc-run: runs one piece of Python in a sandbox. stdout is the code's alone; what we have to say goes to stderr.
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include "bridge/channel_session.h"
#include "cli/console.h"
#include "cli/installation.h"
#include "cli/policy_loader.h"
#include "cli/report.h"
#include "cli/run_options.h"
#include "cli/script.h"
#include "cli/tool_loader.h"
#include "runner/run.h"
#include "runner/sys/file.h"

namespace progtc::cli {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;

enum ExitStatus { kSetUpFailed = 125, kUnreadable = 126, kNotFound = 127 };

// "SRC[:DST]" of --file; the target is relative to the working directory.
Result<runner::FileToCopy> parse_file(const std::string& text) {
  const auto colon = text.rfind(':');
  runner::FileToCopy file;
  file.source = text;
  if (colon != std::string::npos && !fs::exists(text)) {
    file.source = text.substr(0, colon);
    file.target = text.substr(colon + 1);
  }
  while (file.source.size() > 1 && file.source.back() == '/') file.source.pop_back();
  if (file.target.empty()) file.target = fs::path(file.source).filename().string();
  const std::string work = std::string(policy::kWorkPath) + "/";
  if (file.target.starts_with(work)) file.target.erase(0, work.size());
  if (!fs::exists(file.source)) return from_errno(ENOENT, "--file " + text);
  if (file.target.empty() || file.target[0] == '/')
    return from_errno(EINVAL, "--file " + text + ": the target has to lie below " + policy::kWorkPath);
  return file;
}

struct Work {
  runner::Job job;
  std::string script_dir;  // host directory of a script file; empty otherwise
  std::string name;        // for the JUnit test case
};

// What to run, from the words that are left. Exit statuses 126 and 127 come from here.
std::optional<Work> find_work(const Console& console, const RunOptions& options, int& status) {
  Work work;
  std::vector<std::string> rest = options.rest;
  if (!rest.empty() && rest[0] == "--") rest.erase(rest.begin());
  if (options.code) {
    work.job.mode = runner::Job::Mode::kCode;
    work.job.code = *options.code;
    work.job.argv = {"-c"};
    work.name = "-c";
  } else if (options.module) {
    work.job.mode = runner::Job::Mode::kModule;
    work.job.module = *options.module;
    work.job.argv = {*options.module};
    work.name = *options.module;
  } else {
    if (rest.empty()) {
      console.error("nothing to run: give a SCRIPT, -c CODE, -m MODULE, or - for a script on stdin (--help lists the options)");
      status = kSetUpFailed;
      return std::nullopt;
    }
    auto script = read_script(rest[0]);
    if (!script) {
      console.error("cannot read the script " + script.error().context);
      status = script.error().code == boost::system::errc::no_such_file_or_directory ? kNotFound : kUnreadable;
      return std::nullopt;
    }
    work.job.mode = runner::Job::Mode::kScript;
    work.job.code = std::move(script->code);
    work.job.code_base64 = std::move(script->code_base64);
    work.job.filename = rest[0] == "-" ? "<stdin>" : rest[0];
    if (rest[0] != "-") work.script_dir = fs::absolute(rest[0]).lexically_normal().parent_path().string();
    work.job.argv = {rest[0]};
    work.name = rest[0];
    rest.erase(rest.begin());
  }
  work.job.argv.insert(work.job.argv.end(), rest.begin(), rest.end());
  return work;
}

std::map<std::string, std::string> environment_of(const policy::Environment& env) {
  std::map<std::string, std::string> variables;
  for (const std::string& name : env.pass)
    if (const char* value = std::getenv(name.c_str())) variables[name] = value;
  for (const auto& [name, value] : env.set) variables[name] = value;
  return variables;
}

// A background job must not be stopped for reading a terminal it does not own, so it reads end of file.
bool may_read_stdin() {
  if (::isatty(STDIN_FILENO) != 1) return true;
  return ::tcgetpgrp(STDIN_FILENO) == ::getpgrp();
}

bool write_result(const Console& console, const char* option, const std::string& path, const std::string& text) {
  auto written = sys::write_file_atomically(path, text, 0644);
  if (!written) console.error(std::string(option) + " " + written.error().context);
  return written.has_value();
}

int run_sandboxed(const Console& console, const RunOptions& options, policy::Policy policy, Work work) {
  asio::io_context context(1);
  const auto executor = context.get_executor();
  runner::RunRequest request;
  auto tools = load_tools(executor, options.tools, console);
  if (!tools) {
    console.error(tools.error().context);
    return kSetUpFailed;
  }
  for (const std::string& text : options.files) {
    auto file = parse_file(text);
    if (!file) {
      console.error(file.error().context);
      return kSetUpFailed;
    }
    request.files.push_back(std::move(*file));
  }
  const std::string guest = guest_directory();
  if (guest.empty()) {
    console.error("the guest runtime is not beside this program (expected ../lib/progtc/guest); install it again");
    return kSetUpFailed;
  }
  std::error_code failed;
  request.project_dir = fs::current_path(failed).string();
  request.guest_dir = guest;
  request.policy = policy;
  request.out_dir = options.out.empty() ? "" : fs::absolute(options.out).lexically_normal().string();
  request.allow_degraded = {options.allow_degraded.begin(), options.allow_degraded.end()};
  request.job = std::move(work.job);
  request.job.env = environment_of(policy.env);
  if (*tools) {
    request.job.tools.emplace();
    for (const auto& tool : (*tools)->list()) request.job.tools->push_back(tool.name);
  }
  request.place = [here = request.project_dir, script_dir = work.script_dir](const runner::RootPlan& plan, runner::Job& job) {
    const std::string visible = plan.inside(here);
    job.cwd = visible.empty() ? policy::kWorkPath : visible;
    const std::string beside = script_dir.empty() ? "" : plan.inside(script_dir);
    job.path = {beside.empty() ? job.cwd : beside};
  };

  std::optional<runner::HostStream> in;
  if (may_read_stdin()) in.emplace(executor, STDIN_FILENO, runner::HostStream::Direction::kRead);
  runner::HostStream out(executor, STDOUT_FILENO, runner::HostStream::Direction::kWrite);
  runner::HostStream err(executor, STDERR_FILENO, runner::HostStream::Direction::kWrite);
  // With the script on stdin there is nothing left of it for the code.
  request.in = in && work.name != "-" ? &*in : nullptr;
  request.out = &out;
  request.err = &err;

  bridge::ChannelSession session(executor, policy.tools, policy.limits.frame_bytes, *tools);
  session.observe([&console](const bridge::ToolCallReport& call) {
    console.detail("tool " + call.tool + ": " + call.outcome + (call.message.empty() ? "" : ": " + call.message) + " (" +
                   std::to_string(call.duration.count()) + " µs)");
  });
  auto handle = std::make_shared<runner::RunHandle>();
  asio::signal_set signals(executor, SIGINT, SIGTERM, SIGHUP);
  signals.async_wait([&](const boost::system::error_code& cancelled, int signal) {
    if (!cancelled) handle->cancel(signal, std::string("ended by ") + (signal == SIGINT ? "SIGINT" : signal == SIGTERM ? "SIGTERM" : "SIGHUP"));
  });

  std::optional<runner::RunOutcome> outcome;
  std::exception_ptr bug;
  auto running = runner::run(executor, std::move(request), session, handle);
  asio::co_spawn(executor, std::move(running), [&](std::exception_ptr failure, runner::RunOutcome result) {
    bug = failure;
    outcome = std::move(result);
    signals.cancel();
  });
  context.run();
  if (bug) std::rethrow_exception(bug);

  explain_outcome(console, *outcome, policy);
  bool is_written = true;
  if (!options.report.empty()) is_written = write_result(console, "--report", options.report, report_json(*outcome));
  if (!options.junit.empty())
    is_written = write_result(console, "--junit", options.junit, report_junit(*outcome, work.name)) && is_written;
  const int status = runner::process_exit_code(*outcome);
  return status == 0 && !is_written ? static_cast<int>(kSetUpFailed) : status;
}

int main_program(int argc, char** argv) {
  CLI::App app("", "progtc-run");
  RunOptions options;
  define_run_options(app, options);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const std::size_t own = count_own_arguments(app, arguments);
  try {
    // CLI11 takes the words in reverse.
    app.parse(std::vector<std::string>(arguments.rend() - static_cast<std::ptrdiff_t>(own), arguments.rend()));
  } catch (const CLI::Success& asked_for) {  // --help, --version
    return app.exit(asked_for);
  } catch (const CLI::ParseError& wrong) {
    std::fprintf(stderr, "progtc-run: %s\nprogtc-run: --help lists the options\n", wrong.what());
    return kSetUpFailed;
  }
  options.rest.assign(arguments.begin() + static_cast<std::ptrdiff_t>(own), arguments.end());
  const Console console("progtc-run", options.quiet, options.verbose);
  for (const std::string& control : options.allow_degraded)
    if (std::find(std::begin(runner::kDegradable), std::end(runner::kDegradable), control) == std::end(runner::kDegradable)) {
      console.error("--allow-degraded=" + control + ": no such control; cgroup, cpus and landlock can be given up");
      return kSetUpFailed;
    }
  auto loaded = load_policy(options.policy);
  if (!loaded) {
    console.error(loaded.error().context);
    return kSetUpFailed;
  }
  auto policy = apply_options(std::move(*loaded), options);
  if (!policy) {
    console.error(policy.error().context);
    return kSetUpFailed;
  }
  if (options.explain) {
    std::printf("%s\n", policy::to_json(*policy).c_str());
    return std::fflush(stdout) == 0 ? 0 : static_cast<int>(kSetUpFailed);
  }
  int status = 0;
  auto work = find_work(console, options, status);
  if (!work) return status;
  return run_sandboxed(console, options, std::move(*policy), std::move(*work));
}

}  // namespace
}  // namespace progtc::cli

int main(int argc, char** argv) {
  try {
    return progtc::cli::main_program(argc, argv);
  } catch (const std::exception& bug) {
    std::fprintf(stderr, "progtc-run: a bug of ours: %s\n", bug.what());
    return 125;
  }
}
