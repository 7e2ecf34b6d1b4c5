#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "policy/result.h"

namespace progtc::cli {

// What a person typed after progtc serve.
struct ServeOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 8000;
  bool has_no_tcp = false;
  std::string unix_path;
  std::string api_key;
  bool has_api_key = false;            // by option or configuration; an empty one is an error
  double tool_call_timeout = 10;       // seconds
  double code_execution_timeout = 30;  // seconds
  std::string policy = "strict";
  std::vector<std::string> allow_policy;
  std::size_t pool = 4;
  std::size_t max_concurrent = 16;
  std::size_t queue = 64;
  std::vector<std::string> preload;
  std::string python;
  std::string venv;
  std::string wire;
  std::string tls_certificate;
  std::string tls_key;
  std::vector<std::string> allow_host;
  std::vector<std::string> allow_degraded;
  std::string config;
  std::string log_format = "text";
  double shutdown_timeout = 10;  // seconds
};

// The option table of `progtc serve`.
void define_serve(CLI::App& serve, ServeOptions& options);

// The arguments of `progtc serve` that a configuration file stands for: a JSON object, comments allowed, whose keys are
// option names without the dashes. They go in front of what was typed, which wins.
// Errors: file, line or key, and what is wrong.
Result<std::vector<std::string>> read_serve_config(const std::string& file, const CLI::App& serve);

}  // namespace progtc::cli
