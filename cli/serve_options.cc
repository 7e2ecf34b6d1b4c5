#include "cli/serve_options.h"

#include <algorithm>

#include "policy/json_cursor.h"
#include "runner/bounds.h"
#include "runner/sys/file.h"

namespace progtc::cli {
namespace {

constexpr std::size_t kMaxConfigBytes = 1 << 20;

// One value of the file as the word that an option takes.
Result<std::string> word_of(const policy::JsonCursor& at) {
  if (at.is_string()) return at.string();
  if (at.is_number()) return at.got();
  return at.expected("a string, a number, true, false, or an array of strings");
}

}  // namespace

void define_serve(CLI::App& serve, ServeOptions& options) {
  const auto number = CLI::Range(1.0, 86'400.0);
  // What is typed twice, in the configuration and on the command line, is what comes last.
  serve.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  serve.add_option("--host", options.host, "Address to listen on (127.0.0.1); others need an explicit key")
      ->group("Listening");
  serve.add_option("--port", options.port, "TCP port (8000); 0 takes a free one")->group("Listening");
  serve.add_flag("--no-tcp", options.has_no_tcp, "Listens on no TCP port")->group("Listening");
  serve.add_option("--unix", options.unix_path, "Listens on a Unix socket, too; mode 0600")
      ->type_name("PATH")
      ->group("Listening");
  serve.add_option("--tls-cert", options.tls_certificate, "TLS certificate chain (PEM) for TCP")
      ->type_name("FILE")
      ->group("Listening");
  serve.add_option("--tls-key", options.tls_key, "Its key (PEM)")->type_name("FILE")->group("Listening");
  serve
      .add_option("--allow-host", options.allow_host,
                  "A name in the Host header to accept beside loopback's; repeatable")
      ->type_name("NAME")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group("Listening");
  serve
      .add_option_function<std::string>(
          "--api-key",
          [&options](const std::string& key) {
            options.api_key = key;
            options.has_api_key = true;
          },
          "The key that clients send; better by $PROGTC_API_KEY. Without one a key is made and kept")
      ->type_name("KEY")
      ->group("Clients");
  serve
      .add_option("--wire", options.wire,
                  "Speaks revision a or c of the protocol to every client; else the header with the key decides")
      ->check(CLI::IsMember({"a", "c"}))
      ->group("Clients");
  serve
      .add_option("--policy", options.policy, "strict (the default), data, standard, permissive, ci, or a policy file")
      ->type_name("NAME|FILE")
      ->group("Executions");
  serve.add_option("--allow-policy", options.allow_policy, "Another policy that requests may name; repeatable")
      ->type_name("NAME|FILE")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group("Executions");
  serve
      .add_option("--code-execution-timeout", options.code_execution_timeout, "Seconds that an execution may take (30)")
      ->check(number)
      ->group("Executions");
  serve.add_option("--tool-call-timeout", options.tool_call_timeout, "Seconds that a tool call may take (10)")
      ->check(number)
      ->group("Executions");
  serve.add_option("--python", options.python, "Interpreter: a name on PATH, or an absolute path")->group("Executions");
  serve.add_option("--venv", options.venv, "Virtual environment whose packages the code may import")
      ->type_name("DIR")
      ->group("Executions");
  serve
      .add_option("--preload", options.preload,
                  "Modules that the template imports, once: numpy,pandas. They execute outside any sandbox of a run")
      ->delimiter(',')
      ->type_name("MODULE,…")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group("Executions");
  std::vector<std::string> controls(std::begin(runner::kDegradable), std::end(runner::kDegradable));
  serve
      .add_option("--allow-degraded", options.allow_degraded,
                  "Serves although this control cannot be had: cgroup, cpus, landlock; repeatable")
      ->type_name("CONTROL")
      ->check(CLI::IsMember(controls))
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group("Executions");
  serve.add_option("--pool", options.pool, "Sandboxes of a policy that are kept ready, at least (4)")
      ->check(CLI::Range(1, 64))
      ->group("Load");
  serve.add_option("--max-concurrent", options.max_concurrent, "Executions at work at one time (16)")
      ->check(CLI::Range(1, 1024))
      ->group("Load");
  serve.add_option("--queue", options.queue, "Executions that may wait; more are refused with 503 (64)")
      ->check(CLI::Range(0, 65'536))
      ->group("Load");
  serve.add_option("--config", options.config, "Reads options from a JSON file; what is typed wins")
      ->type_name("FILE")
      ->group("Running");
  serve.add_option("--log-format", options.log_format, "text (the default) or json, on stderr")
      ->check(CLI::IsMember({"text", "json"}))
      ->group("Running");
  serve
      .add_option("--shutdown-timeout", options.shutdown_timeout,
                  "Seconds that executions get to finish after SIGTERM (10)")
      ->check(CLI::Range(0.0, 3600.0))
      ->group("Running");
  serve.footer(
      "SIGTERM and SIGINT end it in order, SIGHUP reads the policies again. "
      "Clients: POST /execute-code, GET /ping, /health, /metrics.");
}

Result<std::vector<std::string>> read_serve_config(const std::string& file, const CLI::App& serve) {
  auto text = sys::read_file(file, kMaxConfigBytes);
  if (!text) return with_context("--config", text.error());
  PROGTC_TRY(const auto document, policy::JsonDocument::parse(file, *text));
  std::vector<std::string> known;
  for (const CLI::Option* option : serve.get_options())
    for (const std::string& name : option->get_lnames())
      if (name != "help" && name != "config") known.push_back(name);
  const policy::JsonCursor root = document.root();
  PROGTC_CHECK(root.expect_keys(known));
  std::vector<std::string> words;
  PROGTC_TRY(const auto members, root.members());
  for (const auto& [key, value] : members) {
    const std::string option = "--" + key;
    if (value.value().IsBool()) {
      if (serve.get_option(option)->get_expected_max() != 0) return value.expected("a value, not true or false");
      PROGTC_TRY(const bool is_set, value.boolean());
      if (is_set) words.push_back(option);
    } else if (value.value().IsArray()) {
      PROGTC_TRY(const auto elements, value.elements());
      for (const auto& element : elements) {
        PROGTC_TRY(auto word, word_of(element));
        words.push_back(option + "=" + word);
      }
    } else {
      PROGTC_TRY(auto word, word_of(value));
      words.push_back(option + "=" + word);
    }
  }
  return words;
}

}  // namespace progtc::cli
