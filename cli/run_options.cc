#include "cli/run_options.h"

#include <charconv>
#include <cmath>
#include <filesystem>

#include "policy/decode.h"
#include "policy/units.h"

namespace progtc::cli {
namespace {

Error option_error(const std::string& option, const std::string& problem) {
  return Error{policy::make_error_code(policy::PolicyErrc::kRange), option + ": " + problem};
}

std::string absolute(const std::string& path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

// "SRC[:DST]". The last colon splits when an absolute path follows it, so that a source may hold colons of its own.
Result<policy::Bind> parse_mount(const std::string& option, const std::string& text, bool is_writable) {
  policy::Bind bind;
  bind.is_writable = is_writable;
  const auto colon = text.rfind(":/");
  bind.source = absolute(text.substr(0, colon));
  if (colon != std::string::npos) bind.target = std::filesystem::path(text.substr(colon + 1)).lexically_normal().string();
  if (text.empty() || colon == 0) return option_error(option + " " + text, "expected SRC[:DST]");
  while (bind.source.size() > 1 && bind.source.back() == '/') bind.source.pop_back();
  while (bind.target.size() > 1 && bind.target.back() == '/') bind.target.pop_back();
  if (bind.source == "/" || bind.target == "/")
    return option_error(option + " " + text, "the whole root cannot be mounted; name the directories the code needs");
  if (!std::filesystem::exists(bind.source)) return option_error(option + " " + text, "no such file or directory");
  return bind;
}

// CLI11 2.2 has no way to say what follows the options.
class RunFormatter : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App*, std::string) const override {
    return "Usage: progtc-run [OPTIONS] SCRIPT [ARGS…]\n"
           "       progtc-run [OPTIONS] -c CODE [ARGS…]\n"
           "       progtc-run [OPTIONS] -m MODULE [ARGS…]\n"
           "       progtc-run [OPTIONS] - [ARGS…]   (the script is read from stdin)\n";
  }
};

template <typename Number>
Result<Number> parse_number(const std::string& option, const std::string& text, Number least, Number most) {
  Number number{};
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc{} || end != text.data() + text.size() || !(number >= least && number <= most)) {
    std::ostringstream expected;
    expected << "expected a number in " << least << ".." << most << ", got '" << text << "'";
    return option_error(option, expected.str());
  }
  return number;
}

}  // namespace

void define_run_options(CLI::App& app, RunOptions& options) {
  app.description("Runs Python nobody has reviewed in a sandbox on this machine.");
  app.formatter(std::make_shared<RunFormatter>());
  app.set_version_flag("--version", PROGTC_VERSION, "Prints the version and stops");
  const auto list = [](CLI::Option* option) { option->allow_extra_args(false)->expected(1)->take_all(); };
  app.add_option("-c", options.code, "Runs CODE")->type_name("CODE")->group("What to run");
  app.add_option("-m", options.module, "Runs a module, as python3 -m does")->type_name("MODULE")->group("What to run");
  app.add_option("--policy", options.policy, "strict (the default), standard, permissive, ci, or a policy file")
      ->type_name("NAME|FILE")->group("What it may do");
  app.add_option("--tools", options.tools, "Directory of tool files (*.yaml) the code may call")->type_name("DIR")
      ->group("What it may do");
  list(app.add_option("--ro", options.ro, "Shows SRC inside, read-only, as DST or under its own path")
           ->type_name("SRC[:DST]")->group("What it may do"));
  list(app.add_option("--rw", options.rw, "Shows SRC inside, writable")->type_name("SRC[:DST]")->group("What it may do"));
  list(app.add_option("--env", options.env, "Sets a variable, or passes the caller's own value on")->type_name("K[=V]")
           ->group("What it may do"));
  app.add_option("--timeout", options.timeout, "Wall time (limits.wall)")->type_name("TIME")->group("Limits");
  app.add_option("--memory", options.memory, "Memory of everything together (limits.memory)")->type_name("SIZE")->group("Limits");
  app.add_option("--cpus", options.cpus, "Processors' worth of time (limits.cpus)")->type_name("N")->group("Limits");
  app.add_option("--pids", options.pids, "Processes and threads together (limits.processes)")->type_name("N")->group("Limits");
  app.add_option("--python", options.python, "Interpreter: a name on PATH or an absolute path")->type_name("PYTHON")
      ->group("Interpreter");
  app.add_option("--venv", options.venv, "Virtual environment whose packages the code may import")->type_name("DIR")
      ->group("Interpreter");
  list(app.add_option("--file", options.files, "Copies SRC into the working directory, as DST or under its own name")
           ->type_name("SRC[:DST]")->group("Files"));
  app.add_option("--out", options.out, "Collects the regular files the code leaves in /out")->type_name("DIR")->group("Files");
  app.add_option("--report", options.report, "Writes the outcome as JSON")->type_name("FILE")->group("Results");
  app.add_option("--junit", options.junit, "Writes the outcome as a JUnit test case")->type_name("FILE")->group("Results");
  list(app.add_option("--allow-degraded", options.allow_degraded, "Goes on without a control that cannot be enforced here: cgroup, cpus, landlock")
           ->type_name("CONTROL")->group("Results"));
  app.add_flag("--explain", options.explain, "Prints the effective policy and stops")->group("Results");
  app.add_flag("-q,--quiet", options.quiet, "Says nothing but errors of the set-up")->group("Results");
  app.add_flag("-v,--verbose", options.verbose, "Says how the run went")->group("Results");
  app.footer("Exit status: the code's own; 124 wall time; 137 memory, processor time or output; 128+N signal N;\n"
             "125 the sandbox could not be set up; 126 the script cannot be read; 127 there is no such script.");
}

std::size_t count_own_arguments(const CLI::App& app, const std::vector<std::string>& arguments) {
  std::size_t at = 0;
  while (at < arguments.size()) {
    const std::string& word = arguments[at];
    if (word == "-" || !word.starts_with('-')) return at;
    if (word == "--") return at;
    if (word == "-c" || word == "-m") return std::min(at + 2, arguments.size());
    const CLI::Option* option = word.find('=') == std::string::npos ? app.get_option_no_throw(word) : nullptr;
    at += option && option->get_expected_max() > 0 && option->get_type_size() > 0 ? 2 : 1;
  }
  return std::min(at, arguments.size());
}

Result<void> apply_env(policy::Environment& env, const std::string& entry) {
  const auto equals = entry.find('=');
  const std::string name = entry.substr(0, equals);
  const auto is_name_character = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  if (name.empty() || !std::all_of(name.begin(), name.end(), is_name_character) ||
      std::isdigit(static_cast<unsigned char>(name[0])))
    return option_error("--env " + entry, "expected NAME or NAME=VALUE");
  if (equals == std::string::npos) {
    env.pass.push_back(name);
  } else {
    env.set[name] = entry.substr(equals + 1);
  }
  return {};
}

Result<policy::Policy> apply_options(policy::Policy policy, const RunOptions& options) {
  for (const std::string& text : options.ro) {
    PROGTC_TRY(auto bind, parse_mount("--ro", text, false));
    policy.filesystem.binds.push_back(std::move(bind));
  }
  for (const std::string& text : options.rw) {
    PROGTC_TRY(auto bind, parse_mount("--rw", text, true));
    policy.filesystem.binds.push_back(std::move(bind));
  }
  for (const std::string& entry : options.env) PROGTC_CHECK(apply_env(policy.env, entry));
  if (!options.timeout.empty()) {
    auto wall = policy::parse_duration(options.timeout);
    if (!wall) return with_context("--timeout", wall.error());
    if (wall->count() < 1) return option_error("--timeout", "expected at least 1ms, got '" + options.timeout + "'");
    policy.limits.wall = *wall;
  }
  if (!options.memory.empty()) {
    auto memory = policy::parse_size(options.memory);
    if (!memory) return with_context("--memory", memory.error());
    constexpr std::uint64_t kLeast = 8ULL << 20;  // below it the interpreter itself does not come up
    if (*memory < kLeast) return option_error("--memory", "expected at least 8MiB, got '" + options.memory + "'");
    policy.limits.memory_bytes = *memory;
  }
  if (!options.cpus.empty()) {
    PROGTC_TRY(policy.limits.cpus, parse_number("--cpus", options.cpus, 0.01, 1024.0));
  }
  if (!options.pids.empty()) {
    PROGTC_TRY(policy.limits.processes, parse_number<std::uint64_t>("--pids", options.pids, 1, 1 << 20));
  }
  if (!options.python.empty()) {
    policy.python.interpreter = options.python.find('/') == std::string::npos ? options.python : absolute(options.python);
  }
  if (!options.venv.empty()) {
    policy.python.venv = absolute(options.venv);
    if (!std::filesystem::exists(policy.python.venv + "/pyvenv.cfg"))
      return option_error("--venv " + options.venv, "not a virtual environment (no pyvenv.cfg in it)");
  }
  return policy;
}

}  // namespace progtc::cli
