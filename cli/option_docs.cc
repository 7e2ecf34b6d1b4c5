#include "cli/option_docs.h"

#include <algorithm>
#include <cctype>
#include <functional>
#include <iterator>
#include <vector>

namespace progtc::cli {
namespace {

using Options = std::vector<const CLI::Option*>;

bool takes_value(const CLI::Option& option) { return option.get_expected_max() > 0 && option.get_type_size() > 0; }

std::vector<std::string> names_of(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return names;
}

Options options_of(const CLI::App& app, bool is_positional) {
  Options options;
  for (const CLI::Option* option : app.get_options())
    if (option->get_positional() == is_positional && !option->get_group().empty()) options.push_back(option);
  return options;
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

// Calls `visit` with each command and its words: "progtc policy learn".
void walk(const CLI::App& app, const std::string& words,
          const std::function<void(const CLI::App&, const std::string&)>& visit) {
  visit(app, words);
  for (const CLI::App* command : commands_of(app)) walk(*command, words + " " + command->get_name(), visit);
}

// ---- roff
// ------------------------------------------------------------------------------------------------------------

std::string to_roff(const std::string& text) {
  std::string roff;
  for (const char c : text) {
    if (c == '\\') {
      roff += "\\e";
    } else if (c == '-') {
      roff += "\\-";
    } else {
      roff += c;
    }
  }
  std::string lines;
  bool is_first = true;
  for (const char c : roff) {  // a line of text must not look like a request
    if (is_first && (c == '.' || c == '\'')) lines += "\\&";
    is_first = c == '\n';
    lines += c;
  }
  return lines;
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

std::string option_entries(const Options& options) {
  std::string roff;
  for (const CLI::Option* option : options) {
    std::string head;
    if (option->get_positional()) {
      head = "\\fI" + to_roff(option->get_name(true)) + "\\fR";
    } else {
      for (const std::string& name : names_of(*option))
        head += (head.empty() ? "" : ", ") + ("\\fB" + to_roff(name) + "\\fR");
      if (takes_value(*option)) head += " \\fI" + to_roff(option->get_type_name()) + "\\fR";
    }
    roff += ".TP\n" + head + "\n" + to_roff(option->get_description()) + ".\n";
  }
  return roff;
}

// By group, in the order in which the groups first appear; the general ones (--help, --version) last.
std::string grouped_options(const CLI::App& app) {
  std::vector<std::string> groups;
  const Options all = options_of(app, false);
  for (const CLI::Option* option : all)
    if (std::find(groups.begin(), groups.end(), option->get_group()) == groups.end())
      groups.push_back(option->get_group());
  std::stable_partition(groups.begin(), groups.end(), [](const std::string& group) { return group != "Options"; });
  std::string roff;
  for (const std::string& group : groups) {
    Options members;
    std::copy_if(all.begin(), all.end(), std::back_inserter(members),
                 [&](const CLI::Option* option) { return option->get_group() == group; });
    if (groups.size() > 1) roff += ".SS " + to_roff(group) + "\n";
    roff += option_entries(members);
  }
  return roff;
}

// Without --help, which every command has.
Options own_options(const CLI::App& app) {
  Options options = options_of(app, false);
  std::erase(options, app.get_help_ptr());
  return options;
}

std::string synopsis_of(const CLI::App& app, const std::string& words) {
  std::string roff = "\\fB" + to_roff(words) + "\\fR";
  if (!own_options(app).empty()) roff += " [\\fIOPTIONS\\fR]";
  // A command that runs code takes what progtc-run takes, which is no positional of the parser's.
  if (app.get_option_no_throw("-m")) roff += " [\\-\\-] \\fISCRIPT\\fR [\\fIARGS\\fR…]";
  for (const CLI::Option* option : options_of(app, true)) {
    const std::string name =
        "\\fI" + to_roff(option->get_name(true)) + "\\fR" + (option->get_expected_max() > 1 ? "…" : "");
    roff += " " + (option->get_required() ? name : "[" + name + "]");
  }
  return roff;
}

// ---- completion
// ------------------------------------------------------------------------------------------------------

constexpr const char* kPolicyNames = "strict data standard permissive ci";
constexpr const char* kControlNames = "cgroup cpus landlock";

enum class Values { kNone, kFiles, kDirectories, kPolicies, kControls };

Values values_of(const std::string& type) {
  if (type == "NAME|FILE" || type == "POLICY") return Values::kPolicies;
  if (type == "DIR") return Values::kDirectories;
  if (type == "CONTROL") return Values::kControls;
  if (type == "FILE" || type == "PYTHON" || type == "WHAT" || type.starts_with("SRC")) return Values::kFiles;
  return Values::kNone;
}

std::string function_name(const std::string& program) {
  std::string name = "_" + program;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

std::string bash_values(Values values) {
  switch (values) {
    case Values::kNone:
      return "COMPREPLY=()";
    case Values::kFiles:
      return "COMPREPLY=($(compgen -f -- \"$cur\"))";
    case Values::kDirectories:
      return "COMPREPLY=($(compgen -d -- \"$cur\"))";
    case Values::kPolicies:
      return std::string("COMPREPLY=($(compgen -W '") + kPolicyNames + "' -- \"$cur\") $(compgen -f -- \"$cur\"))";
    case Values::kControls:
      return std::string("COMPREPLY=($(compgen -W '") + kControlNames + "' -- \"$cur\"))";
  }
  return "COMPREPLY=()";
}

std::string bash_command(const CLI::App& app, const std::string& words) {
  std::string script = "    '" + words + "')\n      case $prev in\n";
  std::string names;
  for (const CLI::Option* option : options_of(app, false)) {
    std::string pattern;
    for (const std::string& name : names_of(*option)) {
      pattern += (pattern.empty() ? "" : "|") + name;
      names += (names.empty() ? "" : " ") + name;
    }
    if (takes_value(*option))
      script += "        " + pattern + ") " + bash_values(values_of(option->get_type_name())) + "; return ;;\n";
  }
  script += "      esac\n";
  script += "      if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '" + names + "' -- \"$cur\")); return; fi\n";
  std::string commands;
  for (const CLI::App* command : commands_of(app)) commands += (commands.empty() ? "" : " ") + command->get_name();
  const Options positional = options_of(app, true);
  if (!commands.empty()) {
    script += "      COMPREPLY=($(compgen -W '" + commands + "' -- \"$cur\"))\n";
  } else {
    // What is to run is a file, and so is most of what its arguments name.
    const Values values = positional.empty() ? Values::kFiles : values_of(positional.front()->get_name(true));
    script += "      " + bash_values(values) + "\n";
  }
  return script + "      ;;\n";
}

std::string in_quotes(const std::string& text) {
  std::string quoted;
  for (const char c : text) {
    if (c == '\'')
      quoted += "'\\''";
    else
      quoted += c;
  }
  return quoted;
}

// For the [description] and :message: parts of an _arguments specification.
std::string zsh_text(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return in_quotes(escaped);
}

std::string zsh_values(Values values) {
  switch (values) {
    case Values::kNone:
      return "";
    case Values::kFiles:
      return "_files";
    case Values::kDirectories:
      return "_files -/";
    case Values::kPolicies:
      return std::string("{compadd ") + kPolicyNames + "; _files}";
    case Values::kControls:
      return std::string("(") + kControlNames + ")";
  }
  return "";
}

std::string zsh_option(const CLI::Option& option) {
  const std::vector<std::string> names = names_of(option);
  const std::string described = "[" + zsh_text(option.get_description()) + "]";
  std::string value;
  if (takes_value(option))
    value = ":" + zsh_text(option.get_type_name()) + ":" + in_quotes(zsh_values(values_of(option.get_type_name())));
  if (names.size() == 1) {
    const bool is_long = names[0].starts_with("--");
    return "'*" + names[0] + (value.empty() ? "" : is_long ? "=" : "+") + described + value + "'";
  }
  std::string all;
  std::string braces;
  for (const std::string& name : names) {
    all += (all.empty() ? "" : " ") + name;
    braces += (braces.empty() ? "" : ",") + name + (value.empty() ? "" : name.starts_with("--") ? "=" : "+");
  }
  return "'(" + all + ")'{" + braces + "}'" + described + value + "'";
}

// One function a command; those with subcommands hand on to theirs.
std::string zsh_command(const CLI::App& app, const std::string& words) {
  std::string name = words;
  std::replace(name.begin(), name.end(), ' ', '_');
  std::string script = function_name(name) + "() {\n";
  const auto commands = commands_of(app);
  if (!commands.empty()) script += "  local state line\n";
  script += std::string("  _arguments ") + (commands.empty() ? "-s -S" : "-C");
  for (const CLI::Option* option : options_of(app, false)) script += " \\\n    " + zsh_option(*option);
  if (!commands.empty()) {
    script += " \\\n    '1: :->command' '*:: :->rest'\n  case $state in\n    command)\n      local -a commands=(\n";
    for (const CLI::App* command : commands)
      script += "        '" + command->get_name() + ":" + zsh_text(command->get_description()) + "'\n";
    script += "      )\n      _describe command commands ;;\n    rest)\n      case $line[1] in\n";
    for (const CLI::App* command : commands)
      script += "        " + command->get_name() + ") " + function_name(name) + "_" + command->get_name() + " ;;\n";
    return script + "      esac ;;\n  esac\n}\n\n";
  }
  const Options positional = options_of(app, true);
  for (const CLI::Option* option : positional) {
    const std::string type = option->get_name(true);
    script += std::string(" \\\n    '") + (option->get_expected_max() > 1 ? "*" : "") + ":" + zsh_text(type) + ":" +
              in_quotes(zsh_values(values_of(type))) + "'";
  }
  if (positional.empty()) script += " \\\n    '1:script:_files' '*::argument:_files'";
  return script + "\n}\n\n";
}

}  // namespace

std::string manual_page(const CLI::App& app, const ManualText& text) {
  const std::string name = app.get_name();
  const std::string roff_name = to_roff(name);
  std::string summary = app.get_description();
  if (summary.ends_with('.')) summary.pop_back();
  std::string roff = ".TH " + upper(name) + " 1 \"\" \"progtc " PROGTC_VERSION "\" \"User Commands\"\n";
  roff += ".SH NAME\n" + roff_name + " \\- " + to_roff(summary) + "\n.SH SYNOPSIS\n";
  if (text.synopsis.empty()) {
    bool is_first = true;
    walk(app, name, [&](const CLI::App& command, const std::string& words) {
      if (!commands_of(command).empty()) return;
      roff += (is_first ? "" : ".br\n") + synopsis_of(command, words) + "\n";
      is_first = false;
    });
  } else {
    std::string lines = text.synopsis;
    for (std::size_t at = 0; !lines.empty(); ++at) {
      const auto end = lines.find('\n');
      roff += (at == 0 ? "" : ".br\n") + ("\\fB" + roff_name + "\\fR " + to_roff(lines.substr(0, end))) + "\n";
      lines = end == std::string::npos ? "" : lines.substr(end + 1);
    }
  }
  roff += ".SH DESCRIPTION\n";
  for (std::size_t at = 0; at < text.prose.size();) {
    const auto end = std::min(text.prose.find("\n\n", at), text.prose.size());
    roff += (at == 0 ? "" : ".PP\n") + to_roff(text.prose.substr(at, end - at)) + "\n";
    at = end + 2;
  }
  roff += ".SH OPTIONS\n" + grouped_options(app);
  if (!commands_of(app).empty()) {
    roff += ".SH COMMANDS\n";
    walk(app, name, [&](const CLI::App& command, const std::string& words) {
      if (&command == &app || !commands_of(command).empty()) return;
      roff += ".SS " + to_roff(words) + "\n" + to_roff(command.get_description()) + ".\n" +
              option_entries(options_of(command, true)) + option_entries(own_options(command));
      if (!command.get_footer().empty()) roff += ".PP\n" + to_roff(command.get_footer()) + "\n";
    });
  }
  std::string footer = app.get_footer();
  if (const auto colon = footer.find(": "); colon != std::string::npos) footer.erase(0, colon + 2);
  roff += ".SH EXIT STATUS\n" + to_roff(footer) + "\n";
  return roff + ".SH SEE ALSO\n" + to_roff(text.see_also) + "\n";
}

std::string bash_completion(const CLI::App& app) {
  const std::string name = app.get_name();
  std::string script = "# bash completion for " + name + "; generated from its option table\n";
  script += function_name(name) + "() {\n";
  script += "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command='" + name + "' i\n";
  script += "  # \"--policy=str\" arrives as three words\n";
  script += "  if [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n";
  script += "  COMPREPLY=()\n";
  if (!commands_of(app).empty()) {
    script += "  for ((i = 1; i < COMP_CWORD; ++i)); do\n    case \"$command ${COMP_WORDS[i]}\" in\n      ";
    std::string patterns;
    walk(app, name, [&](const CLI::App& command, const std::string& words) {
      if (&command != &app) patterns += (patterns.empty() ? "'" : "|'") + words + "'";
    });
    script += patterns + ") command+=\" ${COMP_WORDS[i]}\" ;;\n    esac\n  done\n";
  }
  script += "  case $command in\n";
  walk(app, name, [&](const CLI::App& command, const std::string& words) { script += bash_command(command, words); });
  script += "  esac\n}\n";
  return script + "complete -o filenames -F " + function_name(name) + " " + name + "\n";
}

std::string zsh_completion(const CLI::App& app) {
  const std::string& name = app.get_name();
  std::string script = "#compdef " + name + "\n# zsh completion for " + name + "; generated from its option table\n\n";
  walk(app, name, [&](const CLI::App& command, const std::string& words) { script += zsh_command(command, words); });
  return script + function_name(name) + " \"$@\"\n";
}

ManualText progtc_run_manual() {
  return {
      "[OPTIONS] SCRIPT [ARGS…]\n[OPTIONS] -c CODE [ARGS…]\n[OPTIONS] -m MODULE [ARGS…]\n[OPTIONS] - [ARGS…]",
      "Runs Python that nobody has reviewed, in namespaces, a cgroup, a root view and a system call filter of its own, "
      "under a policy. stdout is the code's alone; what the program itself has to say goes to stderr: which call was "
      "denied, "
      "by which rule, and which line would allow it.\n\n"
      "Everything after SCRIPT, CODE or MODULE belongs to the code, however it looks. Sizes are 64KiB, 256M or 1.5GiB, "
      "times "
      "500ms, 30s or 2m.",
      "progtc(1)"};
}

ManualText progtc_manual() {
  return {"",
          "Shows, checks, explains and learns the policies of progtc-run(1), lists, checks and calls the tools of a "
          "directory, "
          "and finds out what this machine lets a sandbox have.",
          "progtc-run(1)"};
}

}  // namespace progtc::cli
