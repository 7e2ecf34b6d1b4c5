#include "cli/remote_run.h"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include "bridge/progtc/client.h"
#include "bridge/tool_host.h"
#include "bridge/utf8.h"
#include "cli/console.h"
#include "cli/run_options.h"
#include "cli/text.h"
#include "cli/tool_loader.h"
#include "cli/work.h"
#include "policy/units.h"
#include "runner/sys/file.h"

namespace progtc::cli {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kMaxFileBytes = 8 << 20;  // the daemon's own limit of all files together

Error invalid(const std::string& what) { return Error{make_error_code(boost::system::errc::invalid_argument), what}; }

// What is bound, limited and reported is the daemon's business; an option that would be ignored is refused.
Result<void> check_remote(const RunOptions& options, const CLI::App& app) {
  for (const char* option : {"--ro", "--rw", "--out", "--net", "--env", "--memory", "--cpus", "--pids", "--python",
                             "--venv", "--report", "--junit", "--allow-degraded", "--explain"})
    if (app.get_option(option)->count() > 0)
      return invalid(std::string(option) + " does not go with --connect: the daemon decides that");
  if (options.module) return invalid("-m does not go with --connect: a daemon takes code, give a SCRIPT or -c CODE");
  return {};
}

Result<bridge::ExecuteRequest> make_request(const RunOptions& options, const CLI::App& app,
                                            const bridge::ToolHost& tools) {
  bridge::ExecuteRequest request;
  PROGTC_TRY(auto work, find_work(options));
  if (work.job.argv.size() > 1) return invalid("arguments for the code do not go with --connect");
  if (work.job.mode == runner::Job::Mode::kModule)
    return invalid("'" + work.name + "' is a directory or archive: a daemon takes code, give a SCRIPT or -c CODE");
  if (!work.job.code_base64.empty()) return invalid("a daemon takes code in UTF-8 only");
  request.code = std::move(work.job.code);
  request.stream = true;
  if (app.get_option("--policy")->count() > 0) request.policy = options.policy;
  if (!options.timeout.empty()) {
    auto timeout = policy::parse_duration(options.timeout);
    if (!timeout) return with_context("--timeout", timeout.error());
    request.timeout = *timeout;
  }
  for (const bridge::ToolInfo& tool : tools.list()) request.tool_names.push_back(tool.name);
  for (const std::string& text : options.files) {
    PROGTC_TRY(const auto file, parse_file(text));
    PROGTC_TRY(request.files[file.target], sys::read_file(file.source, kMaxFileBytes));
  }
  return request;
}

void write(std::FILE* to, std::string_view text) {
  (void)std::fwrite(text.data(), 1, text.size(), to);  // a reader that has gone is the code's to notice, and far away
  (void)std::fflush(to);
}

int status_of(const bridge::RemoteOutcome& outcome) {
  if (outcome.exit_kind == "setup_failed") return kSetUpFailed;
  if (outcome.ending == bridge::Ending::kTimeout) return 124;
  if (outcome.exit_kind == "memory_limit") return 137;
  if (outcome.signal && *outcome.signal > 0) return 128 + *outcome.signal;
  if (outcome.exit_code) return *outcome.exit_code;
  return outcome.ending == bridge::Ending::kSuccess ? 0 : 1;
}

}  // namespace

int remote_run(const std::vector<std::string>& arguments) {
  CLI::App app("", "progtc-run");
  RunOptions options;
  define_run_options(app, options);
  const std::size_t own = count_own_arguments(app, arguments);
  try {
    // CLI11 takes the words in reverse.
    app.parse(std::vector<std::string>(arguments.rend() - static_cast<std::ptrdiff_t>(own), arguments.rend()));
  } catch (const CLI::Error& wrong) {  // progtc-run has parsed them before
    (void)std::fprintf(stderr, "progtc-run: %s\n", to_line(wrong.what()).c_str());
    return kSetUpFailed;
  }
  options.rest.assign(arguments.begin() + static_cast<std::ptrdiff_t>(own), arguments.end());
  const Console console("progtc-run", options.quiet, options.verbose);
  const auto fail = [&](const Error& failure) {
    console.error(failure.context);
    return static_cast<int>(kSetUpFailed);
  };
  auto address = bridge::parse_server_address(options.connect.value_or(""));
  if (!address) return fail(with_context("--connect", address.error()));
  if (auto checked = check_remote(options, app); !checked) return fail(checked.error());
  auto loaded = load_tools(options.tools, console);
  if (!loaded) return fail(loaded.error());
  std::shared_ptr<bridge::ToolHost> tools = *loaded ? *loaded : std::make_shared<bridge::NoTools>();
  auto request = make_request(options, app, *tools);
  if (!request) return fail(request.error());

  bridge::ClientOptions client;
  if (const char* key = std::getenv("PROGTC_API_KEY")) client.api_key = key;
  client.tool_timeout = std::chrono::minutes(10);  // the daemon's own is what counts
  asio::io_context context(1);
  asio::signal_set signals(context, SIGINT, SIGTERM, SIGHUP);
  int ended_by = 0;
  signals.async_wait([&](const boost::system::error_code& cancelled, int signal) {
    if (cancelled) return;
    ended_by = signal;
    context.stop();  // the connection closes, and the daemon ends the run
  });
  const bridge::RemoteOutput output{[](std::string_view text) { write(stdout, text); },
                                    [](std::string_view text) { write(stderr, text); }};
  std::optional<Result<bridge::RemoteOutcome>> result;
  std::exception_ptr bug;
  auto running =
      bridge::execute_remotely(context.get_executor(), *address, client, std::move(*request), *tools, output);
  asio::co_spawn(context, std::move(running), [&](std::exception_ptr thrown, Result<bridge::RemoteOutcome> outcome) {
    bug = std::move(thrown);
    result.emplace(std::move(outcome));
    signals.cancel();
  });
  context.run();
  if (bug) std::rethrow_exception(bug);
  if (ended_by != 0) return 128 + ended_by;
  if (!*result) return fail(result->error());
  const bridge::RemoteOutcome& outcome = **result;
  if (outcome.streamed_bytes == 0) {
    write(stdout, outcome.out);
    write(stderr, outcome.err);
  }
  // As a local run says it (explain_outcome).
  if (status_of(outcome) != 0 || console.is_verbose())
    for (const runner::Denial& denial : outcome.denials)
      console.paragraph("denied: " + denial.call, denial.rule, denial.fix);
  if (outcome.ending != bridge::Ending::kSuccess && outcome.exit_kind != "exited")
    console.note(outcome.cause.empty() ? outcome.message : outcome.cause);
  return status_of(outcome);
}

}  // namespace progtc::cli
