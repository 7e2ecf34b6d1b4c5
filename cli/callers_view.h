#pragma once
// What is known of the files around a run before it begins, from the names that the caller gave. Hints are made from
// this and from the plan of the root view: a name that the code claims is never looked up on the host, as that would
// tell what exists there, could start an automount and could wait for ever.
#include <optional>
#include <string>
#include <vector>

#include "cli/work.h"
#include "runner/root_plan.h"

namespace progtc::cli {

struct ListedDirectory {
  std::string path;                // absolute, as the caller gave it
  std::string real;                // without links
  std::vector<std::string> names;  // not all of them where there are very many
  [[nodiscard]] bool has(const std::string& name) const;
};

struct CallersView {
  ListedDirectory working;                // the caller's working directory
  std::optional<ListedDirectory> script;  // that of the script file, where it is another
  std::string module;                     // of -m
  std::vector<std::string> words;         // the code's arguments
  std::vector<std::string> existing;      // absolute paths among them that exist
  std::string active_environment;         // of $VIRTUAL_ENV; empty: none
  runner::RootPlan plan;                  // the root view, once it is planned; empty before

  // Where Python looks for modules first.
  [[nodiscard]] const ListedDirectory& imports() const { return script ? *script : working; }
  // Whether the code can see this file of the host, by the plan alone.
  [[nodiscard]] bool shows_host_file(const std::string& real) const;
};

// Lists the directories and looks for the arguments. Before the run.
CallersView look_around(const Work& work);

}  // namespace progtc::cli
