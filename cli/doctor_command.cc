#include "cli/doctor_command.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include "bridge/utf8.h"
#include "cli/installation.h"
#include "cli/policy_loader.h"
#include "cli/text.h"
#include "cli/work.h"
#include "runner/interpreter.h"

namespace progtc::cli {
namespace {

namespace fs = std::filesystem;

// The whole way, as progtc-run goes it.
runner::Probe probe_run() {
  runner::Probe probe{.name = "strict run", .status = runner::ProbeStatus::kFailed, .detail = {}, .advice = {}};
  const auto policy = load_policy("strict");
  if (!policy) {
    probe.detail = policy.error().context;
    return probe;
  }
  RunOptions options;
  options.code = "print(6 * 7)";
  Work work;
  work.job.mode = runner::Job::Mode::kCode;
  work.job.code = *options.code;
  work.job.argv = {"-c"};
  work.name = "-c";
  const Console console("progtc", true, false);
  const auto outcome = run_work(console, options, *policy, work, {.learn = {}, .on_plan = {}, .is_silent = true});
  if (!outcome) {
    probe.detail = outcome.error().context;
    return probe;
  }
  if (outcome->kind != runner::OutcomeKind::kExited || outcome->exit_code != 0 || outcome->out.bytes != "42\n") {
    probe.detail = std::string(runner::to_string(outcome->kind)) + ": " + outcome->cause;
    return probe;
  }
  probe.status = runner::ProbeStatus::kOk;
  const auto bound = [&](const char* control) {
    const auto found = outcome->enforced_by.find(control);
    return found == outcome->enforced_by.end() ? std::string("nothing") : found->second;
  };
  char times[96];
  (void)std::snprintf(
      times, sizeof times, "%.1f ms, of it set-up %.1f ms",
      static_cast<double>((outcome->timing.setup + outcome->timing.run + outcome->timing.teardown).count()) / 1e3,
      static_cast<double>(outcome->timing.setup.count()) / 1e3);
  probe.detail = "complete; memory by " + bound("memory") + ", processes by " + bound("processes") + "; " + times;
  return probe;
}

}  // namespace

std::string doctor_text(const std::vector<runner::Probe>& probes) {
  std::string text;
  for (const runner::Probe& probe : probes) {
    std::string status = runner::to_string(probe.status);
    status.resize(8, ' ');
    text += status + probe.name + ": " + to_line(probe.detail) + "\n";
    for (const std::string& advice : probe.advice) text += "          -> " + to_line(advice) + "\n";
  }
  return text;
}

std::string doctor_json(const std::vector<runner::Probe>& probes, bool can_run) {
  rapidjson::StringBuffer buffer;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> writer(buffer);
  writer.SetIndent(' ', 2);
  writer.StartObject();
  writer.Key("can_run_strict");
  writer.Bool(can_run);
  writer.Key("probes");
  writer.StartArray();
  for (const runner::Probe& probe : probes) {
    writer.StartObject();
    writer.Key("name");
    writer.String(probe.name);
    writer.Key("status");
    writer.String(runner::to_string(probe.status));
    writer.Key("detail");
    writer.String(bridge::to_utf8(probe.detail));
    writer.Key("advice");
    writer.StartArray();
    for (const std::string& advice : probe.advice) writer.String(bridge::to_utf8(advice));
    writer.EndArray();
    writer.EndObject();
  }
  writer.EndArray();
  writer.EndObject();
  return std::string(buffer.GetString()) + "\n";
}

int doctor(bool is_json) {
  std::error_code failed;
  runner::DoctorInputs inputs;
  const char* path = std::getenv("PATH");
  inputs.path = path ? path : "/usr/bin:/bin";
  inputs.cache_dir = runner::default_cache_dir();
  inputs.project_dir = fs::current_path(failed).string();
  const auto facts = runner::read_host_facts(shared_file("apparmor/progtc-run"));
  std::vector<runner::Probe> probes = runner::probe_host(facts, inputs);
  probes.push_back(probe_run());
  const bool can_run = probes.back().status == runner::ProbeStatus::kOk;
  const std::string text = is_json ? doctor_json(probes, can_run) : doctor_text(probes);
  (void)std::fputs(text.c_str(), stdout);
  if (!is_json)
    (void)std::puts(can_run ? "progtc-run can run untrusted code here." : "progtc-run cannot run here as things are.");
  return can_run ? 0 : 1;
}

}  // namespace progtc::cli
