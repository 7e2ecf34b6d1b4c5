#pragma once
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "policy/model.h"
#include "policy/result.h"
#include "runner/work_files.h"

namespace progtc::cli {

// What a person typed after progtc-run.
struct RunOptions {
  std::string policy = "strict";
  std::string tools;
  std::vector<std::string> ro;
  std::vector<std::string> rw;
  std::vector<std::string> files;
  std::string out;
  std::vector<std::string> env;
  std::string timeout;
  std::string memory;
  std::string cpus;
  std::string pids;
  std::string python;
  std::string venv;
  std::string net;            // none, loopback, host; empty: the policy's
  bool has_no_stdin = false;  // -n
  std::string report;
  std::string junit;
  std::vector<std::string> allow_degraded;
  std::optional<std::string> connect;  // a daemon's address
  bool explain = false;
  bool quiet = false;
  bool verbose = false;
  // What to run: at most one of the two, or the first word of `rest`.
  std::optional<std::string> code;
  std::optional<std::string> module;
  std::vector<std::string> rest;  // [SCRIPT] ARGS…
};

// The option table of progtc-run: parsing, --help, the manual page and shell completion all come from it.
void define_run_options(CLI::App& app, RunOptions& options);
// What else `progtc-run --help` says: description, usage lines, --version and the exit statuses.
void describe_run_program(CLI::App& app);

// Everything after SCRIPT, -c CODE or -m MODULE belongs to the code, however it looks, as with python3 itself.
// Returns how many of `arguments` are ours.
std::size_t count_own_arguments(const CLI::App& app, const std::vector<std::string>& arguments);

// What no policy is needed for. Errors: a control that cannot be given up.
Result<void> check_options(const RunOptions& options);

// The policy with the options laid over it. Errors: what is wrong with which option.
Result<policy::Policy> apply_options(policy::Policy policy, const RunOptions& options);

// "K=V" sets, "K" passes the caller's own value on. Errors: a name that is no variable name.
Result<void> apply_env(policy::Environment& env, const std::string& entry);

// Applies --python (a name or a path, empty: not given) and --venv (a directory, likewise). Errors: the option and why.
Result<void> apply_interpreter(policy::Python& python, const std::string& interpreter, const std::string& venv);

// The directory that $VIRTUAL_ENV names, when it is a virtual environment; else empty.
std::string active_virtual_environment();

// A policy that shows installed packages, and names neither interpreter nor environment, means those of the active
// virtual environment, as `python3` does.
void use_active_environment(policy::Python& python);

// "SRC[:DST]" of --file; DST lies below the working directory. Errors: a source that is missing, a DST that does not.
Result<runner::FileToCopy> parse_file(const std::string& text);

}  // namespace progtc::cli
