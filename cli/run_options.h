#pragma once
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "policy/model.h"
#include "policy/result.h"

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
  std::string report;
  std::string junit;
  std::vector<std::string> allow_degraded;
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

// Everything after SCRIPT, -c CODE or -m MODULE belongs to the code, however it looks, as with python3 itself.
// Returns how many of `arguments` are ours.
std::size_t count_own_arguments(const CLI::App& app, const std::vector<std::string>& arguments);

// The policy with the options laid over it. Errors: what is wrong with which option.
Result<policy::Policy> apply_options(policy::Policy policy, const RunOptions& options);

// "K=V" sets, "K" passes the caller's own value on. Errors: a name that is no variable name.
Result<void> apply_env(policy::Environment& env, const std::string& entry);

}  // namespace progtc::cli
