#pragma once
// Manual pages and shell completion out of the option tables, so that none of them can fall behind.
#include <string>

#include <CLI/CLI.hpp>

namespace progtc::cli {

struct ManualText {
  std::string synopsis;  // lines after the name, of which the first is the usual form
  std::string prose;     // paragraphs, separated by empty lines
  std::string see_also;  // "progtc(1)"
};

// roff for man(7). `app` has its name and its options; subcommands become sections of their own.
std::string manual_page(const CLI::App& app, const ManualText& text);
// A script for bash that defines and registers a completion function.
std::string bash_completion(const CLI::App& app);
// A function file for zsh's fpath (#compdef).
std::string zsh_completion(const CLI::App& app);

ManualText progtc_run_manual();
ManualText progtc_manual();

}  // namespace progtc::cli
