#include "cli/progtc_options.h"

namespace progtc::cli {
namespace {

void define_policy(CLI::App& app, ProgtcOptions& options) {
  CLI::App* policy = app.add_subcommand("policy", "Shows, checks, explains and learns policies");
  policy->require_subcommand(1);
  policy->add_subcommand("list", "Lists the shipped policies");

  CLI::App* show = policy->add_subcommand("show", "Prints a policy with everything it extends, as JSON");
  show->add_option("POLICY", options.subject, "A shipped policy, or a policy file")->required();

  CLI::App* check = policy->add_subcommand("check", "Says whether policy files are right");
  check->add_option("FILE", options.files, "Policy files")->required();

  CLI::App* explain = policy->add_subcommand(
      "explain", "Says whether something is allowed, by which rule, and which line would allow it");
  explain->add_option("WHAT", options.subject, "A system call, a group of them, or an absolute path")->required();
  explain
      ->add_option("--policy", options.policy, "strict (the default), data, standard, permissive, ci, or a policy file")
      ->type_name("NAME|FILE");

  CLI::App* learn = policy->add_subcommand("learn", "Runs code and writes the policy it needed");
  learn
      ->add_option("-o,--output", options.output,
                   "Writes the policy there; without it to stdout, the code's own going to stderr")
      ->type_name("FILE")
      ->group("Learning");
  learn->add_flag("-y,--yes", options.is_confirmed, "Starts without asking: I trust this code for the time of one run")
      ->group("Learning");
  learn->add_flag("--host-network", options.has_host_network, "Lets this one run use the host's network")
      ->group("Learning");
  define_run_options(*learn, options.run);
  learn->footer("What is to run follows as for progtc-run: [--] SCRIPT, -c CODE or -m MODULE, and its arguments.");
}

void define_tools(CLI::App& app, ProgtcOptions& options) {
  CLI::App* tools = app.add_subcommand("tools", "Lists, checks and calls the tools of a directory");
  tools->require_subcommand(1);
  const auto add = [&](const char* name, const char* description) {
    CLI::App* sub = tools->add_subcommand(name, description);
    sub->add_option("DIR", options.directory, "Directory of tool files (*.yaml)")->required();
    return sub;
  };
  add("list", "Lists the tools that code would be offered");
  add("check", "Says of each file whether it can be used");
  CLI::App* call = add("call", "Calls one tool, without a sandbox, and prints its result");
  call->add_option("NAME", options.tool, "The tool: nmap, nmap.quick")->required();
  call->add_option("VALUES", options.values, "Arguments by name: target=localhost count=3")->type_name("K=V");
  call->add_option("--json", options.json, "Arguments as JSON: an object by name, or an array in order")
      ->type_name("ARGS");
  call->add_option("--timeout", options.timeout, "How long the call may take (60s)")->type_name("TIME");
}

}  // namespace

void define_progtc(CLI::App& app, ProgtcOptions& options) {
  app.description("Policies, tools and the state of this machine, for progtc-run.");
  app.set_help_flag("-h,--help", "Prints this help and stops");
  app.set_version_flag("--version", PROGTC_VERSION, "Prints the version and stops");
  app.require_subcommand(1);
  define_policy(app, options);
  define_tools(app, options);
  CLI::App* doctor = app.add_subcommand("doctor", "Tries every mechanism a sandbox is made of and says what to change");
  define_serve(
      *app.add_subcommand("serve", "Serves the progtc protocol: executes code that clients send, in sandboxes"),
      options.serve);
  doctor->add_flag("--json", options.is_json, "Prints the findings as JSON");
  doctor
      ->add_option(
          "--daemon", options.daemon,
          "Checks a running daemon instead: has it execute one line, with $PROGTC_API_KEY or the key it has kept")
      ->type_name("URL|unix:PATH");
  app.footer("Exit status: 0 done; 1 a problem was found, as the output says; 2 wrong usage.");
}

}  // namespace progtc::cli
