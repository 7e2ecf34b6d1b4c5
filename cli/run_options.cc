#include "cli/run_options.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "policy/decode.h"
#include "policy/fields.h"
#include "runner/run.h"

namespace progtc::cli {
namespace {

Error option_error(const std::string& option, const std::string& problem) {
  return Error{policy::make_error_code(policy::PolicyErrc::kRange), option + ": " + problem};
}

std::string absolute(const std::string& path) { return std::filesystem::absolute(path).lexically_normal().string(); }

std::string without_slash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

// "SRC[:DST]", or a name such as "@packages". The last colon splits when an absolute path follows it, so that a source
// may hold colons of its own. What a bind may be is the policy's to say.
Result<policy::Bind> parse_mount(const std::string& option, const std::string& text, bool is_writable) {
  const std::string named = option + " " + text;
  if (text.starts_with('@')) {
    auto bind = policy::parse_bind(text, is_writable);
    if (!bind) return with_context(named, bind.error());
    return bind;
  }
  const auto colon = text.rfind(":/");
  if (text.empty() || colon == 0) return option_error(named, "expected SRC[:DST]");
  const std::string source = absolute(text.substr(0, colon));
  auto clean = policy::check_absolute_path(source);
  if (!clean) return with_context(named, clean.error());
  policy::Bind bind{.source = *clean, .target = {}, .is_writable = is_writable};
  if (bind.source == "/")
    return option_error(named, "the whole root cannot be shown; name the directories the code needs");
  const std::string target = colon == std::string::npos ? bind.source : text.substr(colon + 1);
  if (colon != std::string::npos || target.find(':') == std::string::npos) {
    auto checked = policy::parse_bind("/x" + target + ":" + target, is_writable);
    if (!checked) return with_context(named, checked.error());
    if (checked->target != bind.source) bind.target = checked->target;
  }
  if (auto checked = policy::check_source(bind.source); !checked) return with_context(named, checked.error());
  if (!std::filesystem::exists(bind.source)) return option_error(named, "no such file or directory");
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

// One set of rules: what a limit may be is the policy's to say.
Result<void> set_limit(policy::Limits& limits, const char* key, const char* option, const std::string& text) {
  if (text.empty()) return {};
  auto done = policy::set_limit(limits, key, text);
  if (!done) return with_context(option, done.error());
  return {};
}

}  // namespace

void describe_run_program(CLI::App& app) {
  app.description("Runs Python nobody has reviewed in a sandbox on this machine.");
  app.formatter(std::make_shared<RunFormatter>());
  app.set_help_flag("-h,--help", "Prints this help and stops");
  app.set_version_flag("--version", PROGTC_VERSION, "Prints the version and stops");
  app.footer(
      "Exit status: the code's own; 124 wall time; 137 memory, processor time or output; 128+N signal N;\n"
      "125 the sandbox could not be set up; 126 the script cannot be read; 127 there is no such script.");
}

void define_run_options(CLI::App& app, RunOptions& options) {
  const auto list = [](CLI::Option* option) { option->allow_extra_args(false)->expected(1)->take_all(); };
  app.add_option("-c", options.code, "Runs CODE")->type_name("CODE")->group("What to run");
  app.add_option("-m", options.module, "Runs a module, as python3 -m does")->type_name("MODULE")->group("What to run");
  app.add_flag("-n", options.has_no_stdin, "Leaves stdin alone, as `ssh -n` does: the code reads end of file")
      ->group("What to run");
  app.add_option("--policy", options.policy, "strict (the default), data, standard, permissive, ci, or a policy file")
      ->type_name("NAME|FILE")
      ->group("What it may do");
  app.add_option("--tools", options.tools, "Directory of tool files (*.yaml) the code may call")
      ->type_name("DIR")
      ->group("What it may do");
  list(app.add_option("--ro", options.ro, "Shows SRC inside, read-only, as DST or under its own path")
           ->type_name("SRC[:DST]")
           ->group("What it may do"));
  list(app.add_option("--rw", options.rw, "Shows SRC inside, writable")
           ->type_name("SRC[:DST]")
           ->group("What it may do"));
  app.add_option("--net", options.net,
                 "Network: none, loopback (the code's own), or host (all that this machine reaches)")
      ->type_name("MODE")
      ->check(CLI::IsMember({"none", "loopback", "host"}))
      ->group("What it may do");
  list(app.add_option("--env", options.env, "Sets a variable, or passes the caller's own value on")
           ->type_name("K[=V]")
           ->group("What it may do"));
  app.add_option("--timeout", options.timeout, "Wall time (limits.wall)")->type_name("TIME")->group("Limits");
  app.add_option("--memory", options.memory, "Memory of everything together (limits.memory)")
      ->type_name("SIZE")
      ->group("Limits");
  app.add_option("--cpus", options.cpus, "Processors' worth of time (limits.cpus)")->type_name("N")->group("Limits");
  app.add_option("--pids", options.pids, "Processes and threads together (limits.processes)")
      ->type_name("N")
      ->group("Limits");
  app.add_option("--python", options.python, "Interpreter: a name on PATH or an absolute path")
      ->type_name("PYTHON")
      ->group("Interpreter");
  app.add_option("--venv", options.venv, "Virtual environment whose packages the code may import")
      ->type_name("DIR")
      ->group("Interpreter");
  list(app.add_option("--file", options.files, "Copies SRC into the working directory, as DST or under its own name")
           ->type_name("SRC[:DST]")
           ->group("Files"));
  app.add_option("--out", options.out, "Collects the regular files the code leaves in /out")
      ->type_name("DIR")
      ->group("Files");
  app.add_option("--report", options.report, "Writes the outcome as JSON")->type_name("FILE")->group("Results");
  app.add_option("--junit", options.junit, "Writes the outcome as a JUnit test case")
      ->type_name("FILE")
      ->group("Results");
  list(app.add_option("--allow-degraded", options.allow_degraded,
                      "Goes on without a control that cannot be enforced here: cgroup, cpus, landlock")
           ->type_name("CONTROL")
           ->group("Results"));
  app.add_option("--connect", options.connect,
                 "Runs it on a daemon (progtc serve), with the tools of this side; the key is $PROGTC_API_KEY")
      ->type_name("URL|unix:PATH")
      ->group("Results");
  app.add_flag("--explain", options.explain, "Prints the effective policy and stops")->group("Results");
  app.add_flag("-q,--quiet", options.quiet, "Says nothing but errors of the set-up")->group("Results");
  app.add_flag("-v,--verbose", options.verbose, "Says how the run went")->group("Results");
}

std::size_t count_own_arguments(const CLI::App& app, const std::vector<std::string>& arguments) {
  std::size_t at = 0;
  while (at < arguments.size()) {
    const std::string& word = arguments[at];
    if (word == "-" || !word.starts_with('-')) return at;
    if (word == "--") return at;
    if (word.starts_with("-c") || word.starts_with("-m"))  // "-cCODE" is one word
      return std::min(at + (word.size() == 2 ? 2 : 1), arguments.size());
    const CLI::Option* option = word.find('=') == std::string::npos ? app.get_option_no_throw(word) : nullptr;
    at += option && option->get_expected_max() > 0 && option->get_type_size() > 0 ? 2 : 1;
  }
  return std::min(at, arguments.size());
}

Result<void> check_options(const RunOptions& options) {
  std::string known;
  for (const char* control : runner::kDegradable) known += (known.empty() ? "" : ", ") + std::string(control);
  for (const std::string& control : options.allow_degraded)
    if (std::find(std::begin(runner::kDegradable), std::end(runner::kDegradable), control) ==
        std::end(runner::kDegradable))
      return option_error("--allow-degraded=" + control, "no such control; these can be given up: " + known);
  return {};
}

Result<void> apply_env(policy::Environment& env, const std::string& entry) {
  const auto equals = entry.find('=');
  const std::string name = entry.substr(0, equals);
  if (auto checked = policy::check_environment_name(name); !checked)
    return with_context("--env " + entry, checked.error());
  if (equals == std::string::npos) {
    if (std::find(env.pass.begin(), env.pass.end(), name) == env.pass.end()) env.pass.push_back(name);
    env.set.erase(name);  // what the caller asks for now wins over what the policy sets
    return {};
  }
  if (auto checked = policy::check_environment_value(entry.substr(equals + 1)); !checked)
    return with_context("--env " + name, checked.error());
  env.set[name] = entry.substr(equals + 1);
  return {};
}

Result<runner::FileToCopy> parse_file(const std::string& text) {
  const auto colon = text.rfind(':');
  runner::FileToCopy file;
  file.source = text;
  if (colon != std::string::npos && !std::filesystem::exists(text)) {
    file.source = text.substr(0, colon);
    file.target = text.substr(colon + 1);
  }
  while (file.source.size() > 1 && file.source.back() == '/') file.source.pop_back();
  if (file.target.empty()) file.target = std::filesystem::path(file.source).filename().string();
  const std::string work = std::string(policy::kWorkPath) + "/";
  if (file.target.starts_with(work)) file.target.erase(0, work.size());
  if (!std::filesystem::exists(file.source)) return from_errno(ENOENT, "--file " + text);
  const std::filesystem::path target(file.target);
  if (file.target.empty() || target.is_absolute() || std::find(target.begin(), target.end(), "..") != target.end())
    return option_error("--file " + text, std::string("the target has to lie below ") + policy::kWorkPath);
  return file;
}

Result<void> apply_interpreter(policy::Python& python, const std::string& interpreter, const std::string& venv) {
  if (!interpreter.empty()) {
    const bool is_name = interpreter.find('/') == std::string::npos;
    auto checked = policy::check_interpreter(is_name ? interpreter : absolute(interpreter));
    if (!checked) return with_context("--python", checked.error());
    python.interpreter = *checked;
  }
  if (!venv.empty()) {
    python.venv = without_slash(absolute(venv));
    if (!std::filesystem::exists(python.venv + "/pyvenv.cfg"))
      return option_error("--venv " + venv, "not a virtual environment (no pyvenv.cfg in it)");
  }
  return {};
}

std::string active_virtual_environment() {
  const char* directory = std::getenv("VIRTUAL_ENV");
  if (!directory || directory[0] != '/' || !std::filesystem::exists(std::string(directory) + "/pyvenv.cfg")) return "";
  return without_slash(directory);
}

void use_active_environment(policy::Python& python) {
  if (python.venv.empty() && python.site != policy::SitePackages::kNone &&
      python.interpreter == policy::Python{}.interpreter)
    python.venv = active_virtual_environment();
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
  if (!options.net.empty()) {
    PROGTC_TRY(policy.network, policy::parse_network_mode(options.net));
  }
  for (const std::string& entry : options.env) PROGTC_CHECK(apply_env(policy.env, entry));
  PROGTC_CHECK(set_limit(policy.limits, "wall", "--timeout", options.timeout));
  PROGTC_CHECK(set_limit(policy.limits, "memory", "--memory", options.memory));
  PROGTC_CHECK(set_limit(policy.limits, "cpus", "--cpus", options.cpus));
  PROGTC_CHECK(set_limit(policy.limits, "processes", "--pids", options.pids));
  PROGTC_CHECK(apply_interpreter(policy.python, options.python, options.venv));
  use_active_environment(policy.python);
  return policy;
}

}  // namespace progtc::cli
