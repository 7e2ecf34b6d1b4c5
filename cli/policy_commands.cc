#include "cli/policy_commands.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "cli/installation.h"
#include "cli/policy_loader.h"
#include "cli/text.h"
#include "policy/bpf_evaluator.h"
#include "policy/decode.h"
#include "policy/fields.h"
#include "policy/permissions.h"
#include "policy/seccomp_program.h"
#include "policy/syscall_groups.h"
#include "runner/identity.h"
#include "runner/interpreter.h"

namespace progtc::cli {
namespace {

namespace fs = std::filesystem;
using Arguments = std::array<std::uint64_t, 6>;

void print(const std::string& text) { (void)std::fputs(text.c_str(), stdout); }

int fail(const Console& console, const Error& failure) {
  console.error(failure.context);
  return 1;
}

// ---- Calls ---------------------------------------------------------------------------------------------------------

// The arguments that a call is most often made with, where the verdict depends on them.
Arguments usual_arguments(std::string_view name) {
  if (name == "socket") return {AF_INET, SOCK_STREAM, 0};
  if (name == "socketpair") return {AF_UNIX, SOCK_STREAM, 0};
  if (name == "clone") return {SIGCHLD};
  return {};
}

std::string hexadecimal(std::uint64_t value) {
  char text[32];
  (void)std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

std::string describe_fit(const policy::ArgumentFit& fit) {
  constexpr std::uint64_t kLowHalf = 0xFFFFFFFFULL;
  std::string text;
  for (const policy::ArgumentCheck& check : fit.all()) {
    text += (text.empty() ? "" : " and ") + std::string("argument ") + std::to_string(check.argument);
    if (check.mask != ~0ULL && check.mask != kLowHalf) text += " & " + hexadecimal(check.mask);
    text += " == " + (check.value < 4096 ? std::to_string(check.value) : hexadecimal(check.value));
  }
  return text;
}

std::string groups_of(std::string_view name) {
  std::string text;
  for (const policy::SyscallGroup& group : policy::syscall_groups())
    if (std::any_of(group.calls.begin(), group.calls.end(),
                    [&](const policy::GroupCall& call) { return call.name == name; }))
      text += (text.empty() ? "" : ", ") + std::string(group.name);
  return text.empty() ? "none" : text;
}

// Who of the policy's parts allows it.
std::string allowed_by(const policy::Policy& policy, std::string_view name) {
  const auto& rules = policy.syscalls.rules;
  if (std::any_of(rules.begin(), rules.end(), [&](const policy::ArgumentRule& rule) { return rule.call == name; }))
    return "syscalls.rules name it";
  for (const std::string& group : policy.syscalls.groups) {
    const policy::SyscallGroup* found = policy::find_syscall_group(group);
    if (found && std::any_of(found->calls.begin(), found->calls.end(),
                             [&](const policy::GroupCall& call) { return call.name == name; }))
      return "syscalls.groups holds \"" + group + "\" (" + std::string(found->description) + ")";
  }
  const auto& allow = policy.syscalls.allow;
  if (std::find(allow.begin(), allow.end(), name) != allow.end()) return "syscalls.allow names it";
  const auto needed = policy::runner_calls();
  if (std::find(needed.begin(), needed.end(), name) != needed.end()) return "the runner itself needs it";
  return "network: " + std::string(policy::format_network_mode(policy.network));
}

std::string line(const char* key, const std::string& text) {
  return std::string("  ") + key + std::string(8 - std::min<std::size_t>(7, std::char_traits<char>::length(key)), ' ') +
         to_line(text) + "\n";
}

std::string explain_group(const policy::Policy& policy, const policy::SyscallGroup& group) {
  const auto& groups = policy.syscalls.groups;
  const bool is_network = group.name.starts_with("sockets-") || group.name == "socket-pairs";
  const bool is_listed = std::find(groups.begin(), groups.end(), group.name) != groups.end();
  const bool is_implied = is_network && policy.network != policy::NetworkMode::kNone;
  std::string text = "group " + std::string(group.name) + ": " + (is_listed || is_implied ? "allowed" : "not allowed") +
                     " (policy " + policy.name + ")\n";
  text += line("what", std::string(group.description));
  std::string calls;
  for (const policy::GroupCall& call : group.calls) {
    const std::string one = std::string(call.name) + (call.fits.empty() ? "" : " (some arguments)");
    if (calls.find(one) == std::string::npos) calls += (calls.empty() ? "" : ", ") + one;
  }
  text += line("calls", calls);
  if (is_implied && !is_listed)
    text += line("rule", "network: " + std::string(policy::format_network_mode(policy.network)));
  if (!is_listed && !is_implied) {
    if (group.name.starts_with("sockets-"))
      text += line("allow", "\"network\": {\"mode\": \"loopback\", \"reason\": \"…\"}");
    else
      text += line("allow", "\"syscalls\": {\"groups\": [\"+" + std::string(group.name) + "\"], \"reason\": \"…\"}");
  }
  return text;
}

// ---- Paths ---------------------------------------------------------------------------------------------------------

bool lies_below(const std::string& path, const std::string& above) {
  return path.compare(0, above.size(), above) == 0 && (path.size() == above.size() || path[above.size()] == '/');
}

// The bind that shows the host's file, as RootPlan::inside chooses it.
const runner::PlannedBind* bind_of(const runner::RootPlan& plan, const std::string& inside) {
  const runner::PlannedBind* found = nullptr;
  for (const runner::PlannedBind& bind : plan.binds)
    if (lies_below(inside, bind.target) && (!found || bind.target.size() > found->target.size())) found = &bind;
  return found;
}

std::string explain_private(const std::string& place, const std::string& path) {
  if (place == "/proc")
    return to_line(path) + ": private to each run\n" +
           line("what", "a fresh /proc with the sandbox's own processes and nothing else; the host's is not visible");
  return to_line(path) + ": private to each run, writable\n" +
         line("what", place + " is in memory, empty at the start and gone at the end; the host's is not visible");
}

}  // namespace

int list_policies() {
  for (const policy::PolicySource& source : policy::shipped_policies()) {
    const auto policy = policy::decode_policy(source, policy::resolve_shipped);
    const std::string name = policy ? policy->name : source.name;
    const std::string described = policy ? policy->description : policy.error().context;
    print(name + std::string(name.size() < 12 ? 12 - name.size() : 1, ' ') + described + "\n");
  }
  return 0;
}

int show_policy(const Console& console, const std::string& name_or_file) {
  const auto policy = load_policy(name_or_file);
  if (!policy) return fail(console, policy.error());
  print(policy::to_json(*policy) + "\n");
  return 0;
}

int check_policies(const std::vector<std::string>& files) {
  bool is_right = true;
  for (const std::string& file : files) {
    const auto policy = load_policy(file);
    // What the filter cannot express shows only when it is compiled.
    const auto filter = policy ? policy::compile_seccomp(*policy) : Result<policy::SeccompProgram>(policy.error());
    if (filter) {
      print(to_line(file) + ": ok\n");
    } else if (policy) {
      print(to_line(file + ": " + filter.error().context) + "\n");
    } else {
      print(to_line(policy.error().context) + "\n");
    }
    is_right = is_right && filter.has_value();
  }
  return is_right ? 0 : 1;
}

Result<std::string> explain_call(const policy::Policy& policy, const std::string& name) {
  if (const policy::SyscallGroup* group = policy::find_syscall_group(name)) return explain_group(policy, *group);
  if (auto known = policy::check_syscall(name); !known) return known.error();
  const std::string by_policy = " (policy " + policy.name + ")\n";
  const auto number = policy::syscall_number(name);
  if (!number) return to_line(name) + ": not in this machine's table of calls, so it answers ENOSYS" + by_policy;
  PROGTC_TRY(const auto all, policy::permissions(policy.syscalls, policy.network));
  PROGTC_TRY(const auto filter, policy::compile_seccomp(policy));
  const auto found = all.find(name);
  const Arguments usual = usual_arguments(name);
  const policy::DenialText denial = policy::describe_denial(policy, *number, usual);
  std::string text;
  if (found != all.end() && found->second.is_unconditional) {
    text = name + ": allowed" + by_policy;
    text += line("groups", groups_of(name));
    text += line("rule", allowed_by(policy, name));
    if (name == "ioctl") text += line("but", "TIOCSTI and TIOCLINUX are never allowed");
    return text;
  }
  if (found != all.end()) {
    text = name + ": allowed with some arguments" + by_policy;
    text += line("groups", groups_of(name));
    text += line("rule", allowed_by(policy, name));
    constexpr std::size_t kShown = 12;
    for (std::size_t i = 0; i < found->second.fits.size() && i < kShown; ++i)
      text += line(i == 0 ? "where" : "or", describe_fit(found->second.fits[i]));
    if (found->second.fits.size() > kShown)
      text += line("or", std::to_string(found->second.fits.size() - kShown) + " more");
    PROGTC_TRY(const std::uint32_t verdict, policy::evaluate(filter, policy::native_call(*number, usual)));
    if (verdict == SECCOMP_RET_USER_NOTIF) {
      text += line("denied", "else, for example " + denial.call + ": " + denial.rule);
      text += line("allow", denial.fix);
    }
    return text;
  }
  PROGTC_TRY(const std::uint32_t verdict, policy::evaluate(filter, policy::native_call(*number, usual)));
  if ((verdict & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO) {
    text = name + ": answered as if the kernel had no such call, so that programs take their older way" + by_policy;
    text += line("groups", groups_of(name));
    return text;
  }
  text = name + ": denied" + by_policy;
  text += line("groups", groups_of(name));
  text += line("rule", denial.rule);
  text += line("allow", denial.fix);
  return text;
}

std::string explain_path(const policy::Policy& policy, const runner::RootPlan& plan, const std::string& path,
                         const std::string& named_set) {
  const std::string by_policy = " (policy " + policy.name + ")";
  const std::string inside = plan.inside(path);
  if (!inside.empty()) {
    const runner::PlannedBind* bind = bind_of(plan, inside);
    const bool is_writable = bind && bind->is_writable;
    std::string text = to_line(path) + ": visible, " + (is_writable ? "writable" : "read-only") + by_policy + "\n";
    if (inside != path) text += line("as", inside);
    if (bind) text += line("rule", std::string("filesystem.") + (is_writable ? "rw" : "ro") + ": " + bind->origin);
    if (bind && bind->source != path)
      text += line("bind", bind->source + (bind->target == bind->source ? "" : " at " + bind->target));
    if (!is_writable)
      text += line("allow",
                   "writing: --rw " + path + ", or \"filesystem\": {\"rw\": [\"+" + path + "\"], \"reason\": \"…\"}");
    return text;
  }
  if (lies_below(path, "/proc")) return explain_private("/proc", path);
  for (const policy::PrivatePlace& place : policy::private_places(policy.filesystem))
    if (lies_below(path, place.path)) return explain_private(place.path, path);
  for (const runner::PlannedEntry& entry : plan.entries) {
    if ("/" + entry.path != path) continue;
    switch (entry.kind) {
      case child::EntryKind::kFile:
        return to_line(path) + ": made up for the sandbox, read-only" + by_policy + "\n" +
               line("what", "the host's own file is not visible");
      case child::EntryKind::kSymlink:
        return to_line(path) + ": visible, a link to " + to_line(entry.content) + by_policy + "\n";
      case child::EntryKind::kDirectory:
        return to_line(path) + ": a directory of the sandbox that holds only what is shown below it" + by_policy +
               "\n" +
               line("allow", "the whole: --ro " + path + ", or \"filesystem\": {\"ro\": [\"+" + path +
                                 "\"], \"reason\": \"…\"}");
    }
  }
  std::error_code failed;
  std::string text = to_line(path) + ": not visible" + by_policy + "\n";
  if (!fs::exists(path, failed)) {
    text += line("what", "this machine has no such file" + std::string(failed ? " that you may see" : ""));
    return text;
  }
  text += line("rule", "filesystem: no bind covers it");
  if (!named_set.empty())
    text += line("allow",
                 "\"filesystem\": {\"ro\": [\"+" + named_set + "\"], \"reason\": \"…\"}, with more of its kind; or");
  text += line("allow", "--ro " + path + ", or \"filesystem\": {\"ro\": [\"+" + path + "\"], \"reason\": \"…\"}");
  return text;
}

namespace {

// The first of the policy language's names ("@programs") that would show `path`; empty when none does.
std::string named_set_showing(const policy::Policy& policy, const std::string& path) {
  for (const std::string& name : policy::symbolic_sources()) {
    policy::Policy wider = policy;
    wider.filesystem.binds.push_back({.source = name, .target = {}});
    if (const auto plan = plan_root_here(wider); plan && !plan->inside(path).empty()) return name;
  }
  return "";
}

}  // namespace

Result<runner::RootPlan> plan_root_here(const policy::Policy& policy) {
  const char* path = std::getenv("PATH");
  PROGTC_TRY(const auto interpreter,
             runner::find_interpreter_of(policy.python, path ? path : "/usr/bin:/bin", runner::default_cache_dir()));
  std::error_code failed;
  const runner::RootPlanInputs inputs{
      .project_dir = fs::current_path(failed).string(), .guest_dir = guest_directory(), .is_root = false};
  return runner::plan_root(policy, interpreter, inputs);
}

int explain_policy(const Console& console, const std::string& name_or_file, const std::string& what) {
  const auto policy = load_policy(name_or_file);
  if (!policy) return fail(console, policy.error());
  if (!what.starts_with('/')) {
    auto text = explain_call(*policy, what);
    if (!text) return fail(console, text.error());
    print(*text);
    return 0;
  }
  const auto plan = plan_root_here(*policy);
  if (!plan) return fail(console, plan.error());
  const std::string file = fs::path(what).lexically_normal().string();
  print(explain_path(*policy, *plan, file, plan->inside(file).empty() ? named_set_showing(*policy, file) : ""));
  return 0;
}

}  // namespace progtc::cli
