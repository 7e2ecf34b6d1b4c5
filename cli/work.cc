#include "cli/work.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <memory>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include "bridge/channel_session.h"
#include "cli/installation.h"
#include "cli/report.h"
#include "cli/script.h"
#include "cli/tool_loader.h"
#include "runner/run.h"
#include "runner/sys/file.h"

namespace progtc::cli {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;

// A background job must not be stopped for reading a terminal it does not own, so it reads end of file.
bool may_read_stdin() {
  if (::isatty(STDIN_FILENO) != 1) return true;
  return ::tcgetpgrp(STDIN_FILENO) == ::getpgrp();
}

bool are_one_file(int first, int second) {
  struct stat one {
  }, other{};
  if (::fstat(first, &one) == -1 || ::fstat(second, &other) == -1) return false;
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

const char* signal_name(int signal) {
  switch (signal) {
    case SIGINT:
      return "SIGINT";
    case SIGTERM:
      return "SIGTERM";
    default:
      return "SIGHUP";
  }
}

// Where a path leads, and its absolute name.
runner::ShownProgram shown_program(const std::string& path) {
  std::error_code failed;
  return {fs::canonical(path, failed).string(), fs::absolute(path).lexically_normal().string()};
}

// A script; or a directory or archive that has a __main__.py, which python3 runs as a module from there.
Result<void> read_program(const std::string& path, Work& work) {
  if (path == "-") {
    work.job.filename = "<stdin>";
  } else {
    runner::ShownProgram program = shown_program(path);
    while (program.target.size() > 1 && program.target.back() == '/') program.target.pop_back();
    work.script = work.job.filename = program.target;
    work.script_dir = fs::path(program.target).parent_path().string();
    if (fs::is_regular_file(program.source) || fs::is_directory(program.source)) work.program.push_back(program);
    if (is_runnable_package(path)) {
      work.job.mode = runner::Job::Mode::kModule;
      work.job.module = kMainModule;
      return {};
    }
  }
  auto script = read_script(path);
  if (!script) return with_context("cannot read the script", script.error());
  work.job.mode = runner::Job::Mode::kScript;
  work.job.code = std::move(script->code);
  work.job.code_base64 = std::move(script->code_base64);
  return {};
}

// Modules of the standard library that read a script which their command line names.
void show_script_of_module(Work& work) {
  constexpr std::string_view kModules[] = {"pdb", "cProfile", "profile", "trace", "doctest", "dis", "ast", "tokenize"};
  if (std::find(std::begin(kModules), std::end(kModules), work.job.module) == std::end(kModules)) return;
  for (auto word = work.job.argv.begin() + 1; word != work.job.argv.end(); ++word) {
    std::error_code failed;
    if (!word->ends_with(".py") || !fs::is_regular_file(*word, failed)) continue;
    work.program.push_back(shown_program(*word));
    *word = work.program.back().target;  // the code may not see the directory that a relative name starts from
    return;
  }
}

// Where the code finds the file that it was started from; and Python's sys.path[0], the real directory of that file.
void place_program(const runner::RootPlan& plan, const Work& work, runner::Job& job) {
  const auto is_shown_there = [&](const runner::PlannedBind& bind) { return bind.target == work.script; };
  const bool has_bind = std::any_of(plan.binds.begin(), plan.binds.end(), is_shown_there);
  const std::string directory = has_bind ? work.script_dir : plan.inside(work.script_dir);
  if (!directory.empty()) job.filename = fs::path(directory) / fs::path(work.script).filename();
  if (job.mode == runner::Job::Mode::kModule) {
    job.path = {job.filename};
    return;
  }
  std::error_code failed;
  const std::string real_dir = fs::canonical(work.script, failed).parent_path().string();
  const std::string beside = plan.inside(real_dir);
  job.path = {job.cwd};  // where --file puts its copies
  if (!beside.empty()) {
    job.path = {beside};
  } else if (has_bind) {
    job.path.insert(job.path.begin(), work.script_dir);  // of that directory, what --ro words.py shows
  }
}

}  // namespace

Result<Work> find_work(const RunOptions& options) {
  Work work;
  std::vector<std::string> rest = options.rest;
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
    if (!rest.empty() && rest[0] == "--") rest.erase(rest.begin());  // ends our options; python3 takes it the same way
    if (rest.empty())
      return Error{
          make_error_code(boost::system::errc::invalid_argument),
          "nothing to run: give a SCRIPT, -c CODE, -m MODULE, or - for a script on stdin (--help lists the options)"};
    if (options.has_no_stdin && rest[0] == "-")
      return Error{make_error_code(boost::system::errc::invalid_argument), "-n: the script is to be read from stdin"};
    PROGTC_CHECK(read_program(rest[0], work));
    work.job.argv = {rest[0]};
    work.name = rest[0];
    rest.erase(rest.begin());
  }
  work.job.argv.insert(work.job.argv.end(), rest.begin(), rest.end());
  if (options.module) show_script_of_module(work);
  return work;
}

int exit_status_of(const Error& failure) noexcept {
  if (failure.code == boost::system::errc::no_such_file_or_directory) return kNotFound;
  if (failure.code == boost::system::errc::invalid_argument) return kSetUpFailed;
  return kUnreadable;
}

Result<runner::RunOutcome> run_work(const Console& console, const RunOptions& options, const policy::Policy& policy,
                                    const Work& work, RunHooks hooks) {
  // A closed stdout, or code that closes its stdin, is an errno here.
  if (std::signal(SIGPIPE, SIG_IGN) == SIG_ERR) return from_errno(errno, "ignore SIGPIPE");
  asio::io_context context(1);
  const auto executor = context.get_executor();
  runner::RunRequest request;
  PROGTC_TRY(const auto tools, load_tools(options.tools, console));
  for (const std::string& text : options.files) {
    PROGTC_TRY(auto file, parse_file(text));
    request.files.push_back(std::move(file));
  }
  const std::string guest = guest_directory();
  if (guest.empty())
    return from_errno(ENOENT, "the guest runtime is not beside this program (../lib/progtc/guest); install it again");
  std::error_code failed;
  request.project_dir = fs::current_path(failed).string();
  request.guest_dir = guest;
  request.policy = policy;
  if (!options.out.empty() && fs::exists(options.out, failed) && !fs::is_directory(options.out, failed))
    return from_errno(ENOTDIR, "--out " + options.out);
  request.out_dir = options.out.empty() ? "" : fs::absolute(options.out).lexically_normal().string();
  request.allow_degraded = {options.allow_degraded.begin(), options.allow_degraded.end()};
  request.job = work.job;
  request.job.env = runner::environment_of(policy);
  request.learn = std::move(hooks.learn);
  if (tools) {
    request.job.tools.emplace();
    for (const auto& tool : tools->list()) request.job.tools->push_back(tool.name);
  }
  request.program = work.program;
  request.place = [here = request.project_dir, work, on_plan = std::move(hooks.on_plan)](
                      const runner::RootPlan& plan, runner::Job& job) -> Result<void> {
    const std::string visible = plan.inside(here);
    job.cwd = visible.empty() ? plan.work_dir : visible;
    job.path = {job.cwd};
    if (!work.script.empty()) place_program(plan, work, job);
    return on_plan ? on_plan(plan) : Result<void>{};
  };

  std::optional<runner::HostStream> in;
  if (!options.has_no_stdin && may_read_stdin())
    in.emplace(executor, STDIN_FILENO, runner::HostStream::Direction::kRead);
  const int out_fd = hooks.has_stdout_on_stderr ? STDERR_FILENO : STDOUT_FILENO;
  runner::HostStream out(executor, out_fd, runner::HostStream::Direction::kWrite);
  runner::HostStream err(executor, STDERR_FILENO, runner::HostStream::Direction::kWrite);
  if (!hooks.is_silent) {
    // With the script on stdin there is nothing left of it for the code.
    request.in = in && work.name != "-" ? &*in : nullptr;
    request.out = &out;
    request.err = &err;
    request.job.is_line_buffered = ::isatty(out_fd) == 1;
    // The report has the two apart.
    request.has_one_output = options.report.empty() && options.junit.empty() && are_one_file(out_fd, STDERR_FILENO);
  }

  bridge::ChannelSession session(executor, policy.tools, policy.limits.frame_bytes, tools);
  session.observe([&console](const bridge::ToolCallReport& call) {
    console.detail("tool " + call.tool + ": " + call.outcome + (call.message.empty() ? "" : ": " + call.message) +
                   " (" + std::to_string(call.duration.count()) + " µs)");
  });
  auto handle = std::make_shared<runner::RunHandle>();
  asio::signal_set signals(executor, SIGINT, SIGTERM, SIGHUP);
  // The first is the code's, which may end in its own way. The second ends it at once; any further one ends the wait
  // for a reader that has stopped.
  std::function<void(const boost::system::error_code&, int)> on_signal = [&](const boost::system::error_code& cancelled,
                                                                             int signal) {
    if (cancelled) return;
    handle->interrupt(signal, std::string("ended by ") + signal_name(signal));
    signals.async_wait(on_signal);
  };
  signals.async_wait(on_signal);

  std::optional<runner::RunOutcome> outcome;
  std::exception_ptr bug;
  auto running = runner::run(executor, std::move(request), session, handle);
  asio::co_spawn(executor, std::move(running), [&](std::exception_ptr failure, runner::RunOutcome result) {
    bug = std::move(failure);
    outcome = std::move(result);
    signals.cancel();
  });
  context.run();
  if (bug) std::rethrow_exception(bug);
  return std::move(*outcome);
}

Result<Reports> Reports::open(const RunOptions& options) {
  Reports reports;
  for (const auto& [option, path, into] : {std::tuple{"--report", &options.report, &reports.report},
                                           std::tuple{"--junit", &options.junit, &reports.junit}}) {
    if (path->empty()) continue;
    auto opened = sys::ResultFile::open(*path);
    if (!opened) return with_context(option, opened.error());
    *into = std::move(*opened);
  }
  return reports;
}

Result<void> check_result_place(const std::string& option, const sys::ResultFile& file, const runner::RootPlan& plan) {
  for (const runner::PlannedBind& bind : plan.binds)
    if (bind.is_writable && file.lies_within({{bind.device, bind.inode}}))
      return Error{make_error_code(boost::system::errc::operation_not_permitted),
                   option + " '" + file.path() + "' lies in '" + bind.source +
                       "', which the code may write: it could replace the result or withhold it; name a place outside"};
  return {};
}

Result<void> Reports::settle(const runner::RootPlan& plan) const {
  for (const auto& [option, file] : {std::pair{"--report", &report}, std::pair{"--junit", &junit}})
    if (*file) PROGTC_CHECK(check_result_place(option, **file, plan));
  for (const auto* file : {&report, &junit})
    if (*file) PROGTC_CHECK((*file)->remove_stale());
  return {};
}

bool write_reports(const Console& console, Reports& reports, const runner::RunOutcome& outcome,
                   const std::string& name) {
  bool is_written = true;
  const auto write = [&](const char* option, sys::ResultFile& file, const std::string& text) {
    if (auto written = file.publish(text); !written) {
      console.error(std::string(option) + " " + written.error().context);
      is_written = false;
    }
  };
  if (reports.report) write("--report", *reports.report, report_json(outcome));
  if (reports.junit) write("--junit", *reports.junit, report_junit(outcome, name));
  return is_written;
}

}  // namespace progtc::cli
