#include "cli/learn.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>
#include <iostream>

#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include "bridge/utf8.h"
#include "cli/policy_commands.h"
#include "cli/policy_loader.h"
#include "cli/text.h"
#include "cli/work.h"
#include "policy/bpf_evaluator.h"
#include "policy/decode.h"
#include "policy/fields.h"
#include "policy/syscall_groups.h"
#include "runner/sys/kernel_abi.h"
#include "runner/sys/result_file.h"

namespace progtc::cli {
namespace {

namespace fs = std::filesystem;
using Arguments = std::array<std::uint64_t, 6>;

constexpr std::size_t kSeveral = 3;     // so many calls of one group, and the group is meant
constexpr std::size_t kMaxPaths = 256;  // memory stays bounded whatever the code asks for
constexpr std::size_t kMaxRefused = 64;
constexpr std::uint64_t kInt = 0xFFFFFFFFULL;

Arguments arguments_of(const seccomp_data& call) {
  Arguments arguments{};
  std::copy(std::begin(call.args), std::end(call.args), arguments.begin());
  return arguments;
}

bool fits(const policy::GroupCall& call, const Arguments& arguments) {
  return call.fits.empty() || std::any_of(call.fits.begin(), call.fits.end(), [&](const policy::ArgumentFit& fit) {
           return std::all_of(fit.all().begin(), fit.all().end(), [&](const policy::ArgumentCheck& check) {
             return (arguments[check.argument] & check.mask) == check.value;
           });
         });
}

const policy::SyscallGroup* group_for(std::string_view name, const Arguments& arguments) {
  for (const policy::SyscallGroup& group : policy::syscall_groups())
    for (const policy::GroupCall& call : group.calls)
      if (call.name == name && fits(call, arguments)) return &group;
  return nullptr;
}

bool is_checked_by_a_group(std::string_view name) {
  for (const policy::SyscallGroup& group : policy::syscall_groups())
    for (const policy::GroupCall& call : group.calls)
      if (call.name == name && !call.fits.empty()) return true;
  return false;
}

// The argument that says what the call does, for those where one value of it is a fair thing to allow.
std::optional<unsigned> choosing_argument(std::string_view name) {
  if (name == "ioctl" || name == "fcntl") return 1;
  if (name == "prctl" || name == "personality" || name == "arch_prctl") return 0;
  return std::nullopt;
}

bool is_listed(const std::vector<std::string>& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

// A name inside, led through the links of the view's root (/bin: "usr/bin").
std::string through_links(const runner::RootPlan& shown, const std::string& path) {
  for (const runner::PlannedEntry& entry : shown.entries) {
    const std::string name = "/" + entry.path;
    if (entry.kind == child::EntryKind::kSymlink && path.starts_with(name + "/") && name.rfind('/') == 0)
      return (entry.content.starts_with('/') ? "" : "/") + entry.content + path.substr(name.size());
  }
  return path;
}

// Whether the learner's view has a file there. Looked up below the directory that the view shows, without leaving it
// and without starting a mount: a name from inside is never looked up on the rest of the host.
bool is_in_view(const runner::RootPlan& shown, const std::string& path, bool has_links) {
  const runner::PlannedBind* best = nullptr;
  for (const runner::PlannedBind& bind : shown.binds)
    if (path.starts_with(bind.target) && (path.size() == bind.target.size() || path[bind.target.size()] == '/') &&
        (!best || bind.target.size() > best->target.size()))
      best = &bind;
  if (!best || best->is_writable) return false;
  if (path.size() == best->target.size()) return !best->is_directory;
  const sys::UniqueFd directory(::open(best->source.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC | (has_links ? O_NOFOLLOW : 0);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  const std::string rest = path.substr(best->target.size() + 1);
  const sys::UniqueFd file(sys::raw_openat2(directory.get(), rest.c_str(), &how));
  struct stat info {};
  if (!file || ::fstat(file.get(), &info) == -1) return false;
  return S_ISREG(info.st_mode) || (has_links && S_ISLNK(info.st_mode));
}

// ---- Reading the caller: what a pointer of a stopped call points to. The learner decides nothing by it.

std::string read_memory(pid_t pid, std::uint64_t address, std::size_t size) {
  std::string bytes(size, '\0');
  iovec local{bytes.data(), size};
  // An address in another process. NOLINTNEXTLINE(performance-no-int-to-ptr)
  iovec remote{reinterpret_cast<void*>(address), size};
  const ssize_t got = ::process_vm_readv(pid, &local, 1, &remote, 1, 0);
  bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return bytes;
}

std::string read_path(pid_t pid, std::uint64_t address) {
  constexpr std::uint64_t kPage = 4096;  // a read across a page that is not there would fail as a whole
  std::string text;
  while (text.size() < kPage) {
    const std::string part = read_memory(pid, address + text.size(), kPage - (address + text.size()) % kPage);
    const auto end = part.find('\0');
    text += part.substr(0, end);
    if (part.empty() || end != std::string::npos) break;
  }
  return text;
}

// Where a connect leads, if that is not this machine itself.
std::string outside_address(const std::string& bytes) {
  char text[INET6_ADDRSTRLEN] = {};
  sa_family_t family = 0;
  if (bytes.size() < sizeof family) return "";
  std::memcpy(&family, bytes.data(), sizeof family);
  if (family == AF_INET && bytes.size() >= sizeof(sockaddr_in)) {
    sockaddr_in address{};
    std::memcpy(&address, bytes.data(), sizeof address);
    if ((ntohl(address.sin_addr.s_addr) >> 24) == 127 || !::inet_ntop(AF_INET, &address.sin_addr, text, sizeof text))
      return "";
    return std::string(text) + " port " + std::to_string(ntohs(address.sin_port));
  }
  if (family == AF_INET6 && bytes.size() >= sizeof(sockaddr_in6)) {
    sockaddr_in6 address{};
    std::memcpy(&address, bytes.data(), sizeof address);
    if (IN6_IS_ADDR_LOOPBACK(&address.sin6_addr) || !::inet_ntop(AF_INET6, &address.sin6_addr, text, sizeof text))
      return "";
    return std::string(text) + " port " + std::to_string(ntohs(address.sin6_port));
  }
  return "";
}

// ---- The run
// ---------------------------------------------------------------------------------------------------------

// Stopped although the base may allow them: their pointers tell what the code wants.
constexpr const char* kWatched[] = {"open", "openat", "execve", "execveat", "connect", "socket"};

policy::Policy learning_policy(policy::Policy policy, bool has_host_network) {
  const auto has_programs = [](const policy::Bind& bind) { return bind.source == "@programs"; };
  auto& binds = policy.filesystem.binds;
  if (std::none_of(binds.begin(), binds.end(), has_programs)) binds.push_back({.source = "@programs", .target = {}});
  for (const char* call : kWatched)
    if (policy::syscall_number(call) && !is_listed(policy.syscalls.deny, call)) policy.syscalls.deny.emplace_back(call);
  if (has_host_network)
    policy.network = policy::NetworkMode::kHost;
  else if (policy.network == policy::NetworkMode::kNone)
    policy.network = policy::NetworkMode::kLoopback;
  return policy;
}

class Watcher {
 public:
  Watcher(CallLesson& calls, const runner::RootPlan& base, const CallersView& view)
      : calls_(calls), base_(base), view_(view) {}

  void see(const runner::RootPlan& shown) {
    shown_ = shown;
    files_.emplace(base_, shown_, view_);
  }
  bool decide(const seccomp_notif& request) {
    const auto pid = static_cast<pid_t>(request.pid);
    const auto* arguments = request.data.args;
    const std::string name = policy::syscall_name(request.data.nr);
    if (files_ && (name == "open" || name == "openat"))
      files_->opened(read_path(pid, arguments[name == "open" ? 0 : 1]));
    if (files_ && (name == "execve" || name == "execveat"))
      files_->executed(read_path(pid, arguments[name == "execve" ? 0 : 1]));
    if (name == "connect") {
      const std::string address =
          outside_address(read_memory(pid, arguments[1], std::min<std::uint64_t>(arguments[2], 128)));
      if (!address.empty() && unreached_.size() < kMaxPaths) unreached_.insert(address);
    }
    return calls_.add(request.data);
  }
  [[nodiscard]] const std::optional<FileLesson>& files() const { return files_; }
  [[nodiscard]] const std::set<std::string>& unreached() const { return unreached_; }

 private:
  CallLesson& calls_;
  const runner::RootPlan& base_;
  const CallersView& view_;
  runner::RootPlan shown_;
  std::optional<FileLesson> files_;
  std::set<std::string> unreached_;
};

bool is_agreed(const Console& console, const ProgtcOptions& options, bool has_script_on_stdin) {
  console.error(
      "learning lets this code make nearly every system call, without Landlock: run only what you would run anyway. "
      "Its "
      "namespaces, its view of the files and its limits stay");
  if (options.is_confirmed) return true;
  if (::isatty(STDIN_FILENO) != 1 || has_script_on_stdin) {
    console.error("to go on without being asked, say so: --yes");
    return false;
  }
  (void)std::fputs("Run it? [y/N] ", stderr);
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

// ---- The file
// ----------------------------------------------------------------------------------------------------------

using Writer = rapidjson::PrettyWriter<rapidjson::StringBuffer>;

// One section, opened when the first key of it comes.
class Section {
 public:
  Section(Writer& writer, const char* name, const std::string& reason)
      : writer_(writer), name_(name), reason_(reason) {}
  Section(const Section&) = delete;
  Section& operator=(const Section&) = delete;
  ~Section() {
    if (!is_open_) return;
    text("reason", reason_);
    writer_.EndObject();
  }
  void text(const char* key, const std::string& value) {
    at(key);
    writer_.String(bridge::to_utf8(value));
  }
  // As edits of the base's list.
  void additions(const char* key, const std::vector<std::string>& values) {
    if (values.empty()) return;
    at(key);
    writer_.StartArray();
    for (const std::string& value : values) writer_.String(bridge::to_utf8("+" + value));
    writer_.EndArray();
  }
  void at(const char* key) {
    if (!is_open_) {
      writer_.Key(name_);
      writer_.StartObject();
      is_open_ = true;
    }
    writer_.Key(key);
  }

 private:
  Writer& writer_;
  const char* name_;
  const std::string& reason_;
  bool is_open_ = false;
};

std::vector<std::string> beyond(const std::vector<std::string>& base, const std::vector<std::string>& asked) {
  std::vector<std::string> more;
  for (const std::string& one : asked)
    if (!is_listed(base, one)) more.push_back(one);
  return more;
}

std::vector<std::string> binds_of(const policy::Policy& policy, bool is_writable) {
  std::vector<std::string> texts;
  for (const policy::Bind& bind : policy.filesystem.binds)
    if (bind.is_writable == is_writable) texts.push_back(policy::format_bind(bind));
  return texts;
}

void write_filesystem(Writer& writer, const Lesson& lesson, const std::string& reason) {
  std::vector<std::string> ro = beyond(binds_of(lesson.base, false), binds_of(lesson.asked, false));
  if (lesson.needs_programs) ro.emplace_back("@programs");
  ro.insert(ro.end(), lesson.opened_files.begin(), lesson.opened_files.end());
  Section section(writer, "filesystem", reason);
  section.additions("ro", ro);
  section.additions("rw", beyond(binds_of(lesson.base, true), binds_of(lesson.asked, true)));
}

void write_syscalls(Writer& writer, const Lesson& lesson, const std::string& reason) {
  Section section(writer, "syscalls", reason);
  section.additions("groups", lesson.syscalls.groups);
  section.additions("allow", lesson.syscalls.allow);
  if (lesson.syscalls.rules.empty()) return;
  section.at("rules");  // these replace the base's, which therefore come along
  writer.StartArray();
  std::vector<policy::ArgumentRule> rules = lesson.base.syscalls.rules;
  rules.insert(rules.end(), lesson.syscalls.rules.begin(), lesson.syscalls.rules.end());
  for (const policy::ArgumentRule& rule : rules) {
    const auto word = [](std::uint64_t value) {
      char text[32];
      (void)std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
      return std::string(text);
    };
    writer.StartObject();
    writer.Key("call");
    writer.String(rule.call);
    writer.Key("argument");
    writer.Uint(rule.argument);
    writer.Key("mask");
    writer.String(word(rule.mask));
    writer.Key("values");
    writer.StartArray();
    for (const std::uint64_t value : rule.values) writer.String(word(value));
    writer.EndArray();
    writer.EndObject();
  }
  writer.EndArray();
}

void write_options(Writer& writer, const Lesson& lesson, const std::string& reason) {
  {
    Section limits(writer, "limits", reason);
    for (const policy::LimitField& field : policy::limit_fields()) {
      const std::string asked = policy::format_limit(lesson.asked.limits, field);
      if (asked == policy::format_limit(lesson.base.limits, field)) continue;
      if (field.kind == policy::LimitKind::kSize || field.kind == policy::LimitKind::kDuration) {
        limits.text(field.key.c_str(), asked);
      } else {
        limits.at(field.key.c_str());
        writer.RawValue(asked.data(), asked.size(), rapidjson::kNumberType);
      }
    }
  }
  {
    Section python(writer, "python", reason);
    if (lesson.asked.python.interpreter != lesson.base.python.interpreter)
      python.text("interpreter", lesson.asked.python.interpreter);
    if (lesson.asked.python.venv != lesson.base.python.venv) python.text("venv", lesson.asked.python.venv);
  }
  Section env(writer, "env", reason);
  env.additions("pass", beyond(lesson.base.env.pass, lesson.asked.env.pass));
  std::map<std::string, std::optional<std::string>> changed;
  for (const auto& [name, value] : lesson.asked.env.set) {
    const auto old = lesson.base.env.set.find(name);
    if (old == lesson.base.env.set.end() || old->second != value) changed[name] = value;
  }
  for (const auto& [name, value] : lesson.base.env.set)
    if (!lesson.asked.env.set.contains(name)) changed[name] = std::nullopt;
  if (changed.empty()) return;
  env.at("set");
  writer.StartObject();
  for (const auto& [name, value] : changed) {
    writer.Key(name);
    if (value)
      writer.String(bridge::to_utf8(*value));
    else
      writer.Null();
  }
  writer.EndObject();
}

// One line of a comment, whatever the code put into it.
std::string comment(const std::string& text) { return "// " + to_line(text) + "\n"; }

}  // namespace

Result<CallLesson> CallLesson::create(const policy::Policy& base) {
  PROGTC_TRY(auto filter, policy::compile_seccomp(base));
  return CallLesson(base, std::move(filter));
}

bool CallLesson::refuse(const seccomp_data& call) {
  policy::DenialText text = policy::describe_denial(base_, call.nr, arguments_of(call));
  for (runner::Denial& known : refused_)
    if (known.call == text.call && known.rule == text.rule) {
      ++known.count;
      return false;
    }
  if (refused_.size() < kMaxRefused)
    refused_.push_back({std::move(text.call), std::move(text.rule), std::move(text.fix), 1});
  return false;
}

bool CallLesson::add(const seccomp_data& call) {
  const auto verdict = policy::evaluate(filter_, call);
  if (!verdict) return refuse(call);
  switch (*verdict & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
    case SECCOMP_RET_ERRNO:  // what the base answers silently is nothing to learn
      return true;
    default:
      break;
  }
  const std::string name = policy::syscall_name(call.nr);
  if (name.empty() || is_listed(base_.syscalls.deny, name) || policy::is_dangerous_syscall(name)) return refuse(call);
  return learn(call, name) || refuse(call);
}

bool CallLesson::learn(const seccomp_data& call, const std::string& name) {
  const Arguments arguments = arguments_of(call);
  if (const policy::SyscallGroup* group = group_for(name, arguments)) {
    if (group->name.starts_with("sockets-"))
      network_ = policy::NetworkMode::kLoopback;
    else
      by_group_[std::string(group->name)].insert(name);
    return true;
  }
  if (name == "ioctl" && policy::is_never_allowed_ioctl(arguments[1])) return false;
  if (const auto argument = choosing_argument(name)) {
    auto& rule = rules_[name];
    rule.first = *argument;
    rule.second.insert(arguments[*argument] & kInt);
    return true;
  }
  if (is_checked_by_a_group(name)) return false;
  single_.insert(name);
  return true;
}

policy::Syscalls CallLesson::needed() const {
  policy::Syscalls needed;
  for (const auto& [group, calls] : by_group_) {
    const bool is_purpose =
        group == "exec" ||
        (group == "processes" && (calls.contains("clone") || calls.contains("fork") || calls.contains("vfork")));
    const bool is_checked = std::any_of(calls.begin(), calls.end(), is_checked_by_a_group);
    if (is_purpose || is_checked || calls.size() >= kSeveral) {
      needed.groups.push_back(group);
    } else {
      needed.allow.insert(needed.allow.end(), calls.begin(), calls.end());
    }
  }
  needed.allow.insert(needed.allow.end(), single_.begin(), single_.end());
  std::sort(needed.allow.begin(), needed.allow.end());
  for (const auto& [name, rule] : rules_)
    needed.rules.push_back(
        {.call = name, .argument = rule.first, .mask = kInt, .values = {rule.second.begin(), rule.second.end()}});
  return needed;
}

void FileLesson::miss(const std::string& name) {
  const auto lies_in = [&name](const std::string& directory) { return name.starts_with(directory + "/"); };
  const auto is_listed_in = [&](const ListedDirectory& directory) {
    return lies_in(directory.path) &&
           directory.has(name.substr(directory.path.size() + 1,
                                     name.find('/', directory.path.size() + 1) - directory.path.size() - 1));
  };
  const bool is_known = is_listed_in(view_.working) || (view_.script && is_listed_in(*view_.script)) ||
                        std::any_of(view_.existing.begin(), view_.existing.end(),
                                    [&](const std::string& known) { return name == known || lies_in(known); });
  auto& paths = is_known ? unseen_ : unknown_;
  if (paths.size() < kMaxPaths) paths.insert(name);
}

void FileLesson::opened(const std::string& path) {
  if (!path.starts_with('/') || path.size() > 4095) return;
  const std::string name = fs::path(path).lexically_normal().string();
  if (base_.shows(name)) return;
  if (!shown_.shows(name))
    miss(name);
  else if (opened_.size() < kMaxPaths)
    opened_.insert(name);
}

void FileLesson::executed(const std::string& path) {
  if (!path.starts_with('/') || path.size() > 4095) return;
  const std::string name = fs::path(path).lexically_normal().string();
  if (base_.shows(name)) return;
  if (!shown_.shows(name))
    miss(name);
  else if (is_in_view(shown_, through_links(shown_, name), true))
    needs_programs_ = true;
}

std::vector<std::string> FileLesson::opened_files() const {
  if (needs_programs_) return {};  // they come with "@programs"
  std::vector<std::string> files;
  for (const std::string& path : opened_)
    if (is_in_view(shown_, through_links(shown_, path), false)) files.push_back(path);
  return files;
}

std::string to_policy_text(const Lesson& lesson) {
  const std::string reason = "learned from " + lesson.source;
  rapidjson::StringBuffer buffer;
  Writer writer(buffer);
  writer.SetIndent(' ', 2);
  writer.SetFormatOptions(rapidjson::kFormatSingleLineArray);
  writer.StartObject();
  writer.Key("description");
  writer.String(bridge::to_utf8("What " + lesson.source + " needed beyond " + lesson.base.name + "."));
  writer.Key("extends");
  writer.String(bridge::to_utf8(lesson.extends));
  write_filesystem(writer, lesson, reason);
  if (lesson.network != lesson.base.network && lesson.network != policy::NetworkMode::kNone) {
    Section network(writer, "network", reason);
    network.text("mode", std::string(policy::format_network_mode(lesson.network)));
  }
  write_syscalls(writer, lesson, reason);
  write_options(writer, lesson, reason);
  writer.EndObject();

  std::string text = comment("Learned from one run of " + lesson.source + " (" + lesson.ending +
                             "). It allows what that run did, whatever that was: read it first.");
  if (!lesson.unseen.empty()) {
    text += comment("Asked for, not shown, and where you pointed to; add to filesystem.ro what is really needed:");
    for (const std::string& path : lesson.unseen) text += comment("  \"+" + path + "\"");
  }
  if (!lesson.unknown.empty()) {
    text += comment(
        "Asked for and not shown; whether this machine has them was not looked up, as the code chose the names:");
    for (const std::string& path : lesson.unknown) text += comment("  " + path);
  }
  if (!lesson.unreached.empty() && lesson.network != policy::NetworkMode::kHost) {
    text +=
        comment("Addresses outside the sandbox's own network; only network \"host\" (--host-network) reaches them:");
    for (const std::string& address : lesson.unreached) text += comment("  " + address);
  }
  if (!lesson.refused.empty()) {
    text += comment("Denied even while learning:");
    for (const runner::Denial& denial : lesson.refused) text += comment("  " + denial.call + ": " + denial.rule);
  }
  return text + buffer.GetString() + "\n";
}

int learn_policy(const Console& console, const ProgtcOptions& options) {
  const auto fail = [&](const Error& failure) {
    console.error(failure.context);
    return 1;
  };
  if (auto checked = check_options(options.run); !checked) return fail(checked.error());
  Lesson lesson;
  auto base = load_policy(options.run.policy);
  if (!base) return fail(base.error());
  lesson.base = *base;
  auto asked = apply_options(std::move(*base), options.run);
  if (!asked) return fail(asked.error());
  lesson.asked = std::move(*asked);
  if (options.run.explain) {
    (void)std::puts(policy::to_json(lesson.asked).c_str());
    return 0;
  }
  auto work = find_work(options.run);
  if (!work) return fail(work.error());
  const std::string name = work->name;
  lesson.source = name == "-c" ? "code on the command line" : name == "-" ? "a script on stdin" : name;
  const bool is_file = options.run.policy.find('/') != std::string::npos || options.run.policy.ends_with(".json");
  lesson.extends = is_file ? fs::absolute(options.run.policy).lexically_normal().string() : options.run.policy;
  const auto plan = plan_root_here(lesson.asked);
  if (!plan) return fail(plan.error());
  auto calls = CallLesson::create(lesson.asked);
  if (!calls) return fail(calls.error());
  if (!is_agreed(console, options, name == "-")) return 1;

  auto reports = Reports::open(options.run);
  if (!reports) return fail(reports.error());
  std::optional<sys::ResultFile> output;
  if (!options.output.empty()) {
    auto opened = sys::ResultFile::open(options.output);
    if (!opened) return fail(with_context("--output", opened.error()));
    output = std::move(*opened);
  }
  CallersView view = look_around(*work);
  Watcher watcher(*calls, *plan, view);
  RunHooks hooks;
  hooks.learn = [&watcher](const seccomp_notif& request) { return watcher.decide(request); };
  hooks.on_plan = [&](const runner::RootPlan& shown) -> Result<void> {
    watcher.see(shown);
    view.plan = shown;
    if (output) PROGTC_CHECK(check_result_place("--output", *output, shown));
    return reports->settle(shown);
  };
  hooks.has_stdout_on_stderr = options.output.empty();
  const policy::Policy learning = learning_policy(lesson.asked, options.has_host_network);
  auto outcome = run_work(console, options.run, learning, *work, std::move(hooks));
  if (!outcome) return fail(outcome.error());
  outcome->denials = calls->refused();  // in the base's words, not in those of the learner's own filter
  explain_outcome(console, *outcome, lesson.asked, view);
  const bool is_reported = write_reports(console, *reports, *outcome, name);
  if (outcome->kind == runner::OutcomeKind::kSetupFailed) return 1;

  lesson.ending = std::string(runner::to_string(outcome->kind)) + ": " + outcome->cause;
  lesson.syscalls = calls->needed();
  lesson.network = std::max(lesson.asked.network, calls->network());
  if (options.has_host_network && lesson.network != policy::NetworkMode::kNone)
    lesson.network = policy::NetworkMode::kHost;
  if (watcher.files()) {
    lesson.needs_programs = watcher.files()->needs_programs();
    lesson.opened_files = watcher.files()->opened_files();
    lesson.unseen = watcher.files()->unseen();
    lesson.unknown = watcher.files()->unknown();
  }
  lesson.unreached = watcher.unreached();
  lesson.refused = calls->refused();
  const std::string text = to_policy_text(lesson);
  const std::string file = options.output.empty() ? "learned.json" : options.output;
  // What we write has to be right, as everything a person writes.
  if (auto decoded = policy::decode_policy({file, text}, resolve_policy); !decoded)
    return fail(with_context("the learned policy is not right, which is a bug of ours", decoded.error()));
  if (!output) {
    (void)std::fputs(text.c_str(), stdout);
  } else if (auto written = output->publish(text); !written) {
    return fail(with_context("--output", written.error()));
  }
  const bool is_complete = runner::process_exit_code(*outcome) == 0;
  if (!is_complete) console.note("the run did not end well, so what it would have needed later is not in the policy");
  for (const std::string& path : lesson.unseen)
    console.note("'" + path + "' was asked for and not shown; --ro " + path + " shows it");
  return is_complete && is_reported ? 0 : 1;
}

}  // namespace progtc::cli
