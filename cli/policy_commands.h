#pragma once
#include <string>
#include <vector>

#include "cli/console.h"
#include "policy/model.h"
#include "policy/result.h"
#include "runner/root_plan.h"

// progtc policy list, show, check and explain; each prints to stdout and returns the exit status.
namespace progtc::cli {

int list_policies();
int show_policy(const Console& console, const std::string& name_or_file);
int check_policies(const std::vector<std::string>& files);
int explain_policy(const Console& console, const std::string& name_or_file, const std::string& what);

// The root view that a run of `policy` started here would have.
Result<runner::RootPlan> plan_root_here(const policy::Policy& policy);

// What `policy` says about a system call or a group of them. Errors: kUnknownSyscall with near matches.
Result<std::string> explain_call(const policy::Policy& policy, const std::string& name);
// What a sandbox with this root view shows of the host's absolute `path`. `named_set` ("@programs") would show it, if
// not empty.
std::string explain_path(const policy::Policy& policy, const runner::RootPlan& plan, const std::string& path,
                         const std::string& named_set = "");

}  // namespace progtc::cli
