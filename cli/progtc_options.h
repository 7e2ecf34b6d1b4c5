#pragma once
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "cli/run_options.h"
#include "cli/serve_options.h"

namespace progtc::cli {

// What a person typed after progtc.
struct ProgtcOptions {
  std::string policy = "strict";    // explain
  std::string subject;              // show, explain
  std::vector<std::string> files;   // check
  RunOptions run;                   // learn: what progtc-run takes; `policy` is the base
  std::string output;               // learn
  bool is_confirmed = false;        // learn
  bool has_host_network = false;    // learn
  std::string directory;            // tools
  std::string tool;                 // tools call
  std::vector<std::string> values;  // tools call: "k=v"
  std::string json;                 // tools call
  std::string timeout;              // tools call
  bool is_json = false;             // doctor
  std::string daemon;               // doctor: a running daemon's address
  ServeOptions serve;
};

// The subcommands of progtc: parsing, --help, the manual page and shell completion all come from it.
void define_progtc(CLI::App& app, ProgtcOptions& options);

}  // namespace progtc::cli
