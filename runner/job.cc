#include "runner/job.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <thread>

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace progtc::runner {
namespace {

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

void put(Writer& writer, const char* key, const std::string& value) {
  writer.Key(key);
  writer.String(value);
}

void put(Writer& writer, const char* key, const std::vector<std::string>& values) {
  writer.Key(key);
  writer.StartArray();
  for (const std::string& value : values) writer.String(value);
  writer.EndArray();
}

const char* name_of(Job::Mode mode) {
  switch (mode) {
    case Job::Mode::kScript:
      return "script";
    case Job::Mode::kCode:
      return "code";
    case Job::Mode::kModule:
      return "module";
  }
  return "code";
}

}  // namespace

std::string to_json(const Job& job) {
  rapidjson::StringBuffer buffer;
  Writer writer(buffer);
  writer.StartObject();
  put(writer, "mode", std::string(name_of(job.mode)));
  if (job.mode == Job::Mode::kModule) {
    put(writer, "module", job.module);
  } else {
    if (job.code_base64.empty()) {
      put(writer, "code", job.code);
    } else {
      put(writer, "code_base64", job.code_base64);
    }
    put(writer, "filename", job.filename);
  }
  put(writer, "argv", job.argv);
  put(writer, "path", job.path);
  put(writer, "site", job.site);
  put(writer, "cwd", job.cwd);
  writer.Key("env");
  writer.StartObject();
  for (const auto& [name, value] : job.env) put(writer, name.c_str(), value);
  writer.EndObject();
  if (job.tools) {
    put(writer, "tools", *job.tools);
  } else {
    writer.Key("tools");
    writer.Null();
  }
  writer.Key("frame_bytes");
  writer.Uint64(job.frame_bytes);
  writer.Key("line_buffered");
  writer.Bool(job.is_line_buffered);
  put(writer, "executable", job.executable);
  put(writer, "prefix", job.prefix);
  writer.Key("processors");
  writer.Uint(job.processors);
  writer.EndObject();
  return buffer.GetString();
}

// What python(1) reads when it starts, and the C library's time zone. Not among them: what the guest applies itself
// (PYTHONPATH, PYTHONIOENCODING, PYTHONUNBUFFERED, PYTHONDONTWRITEBYTECODE, PYTHONSAFEPATH), and what the standard
// library reads when the code uses it.
constexpr const char* kStartVariables[] = {"PYTHONDEBUG",
                                           "PYTHONDEVMODE",
                                           "PYTHONFAULTHANDLER",
                                           "PYTHONHASHSEED",
                                           "PYTHONMALLOC",
                                           "PYTHONMALLOCSTATS",
                                           "PYTHONINTMAXSTRDIGITS",
                                           "PYTHONNODEBUGRANGES",
                                           "PYTHONOPTIMIZE",
                                           "PYTHONPERFSUPPORT",
                                           "PYTHONPROFILEIMPORTTIME",
                                           "PYTHONPYCACHEPREFIX",
                                           "PYTHONTRACEMALLOC",
                                           "PYTHONUTF8",
                                           "PYTHONWARNDEFAULTENCODING",
                                           "PYTHONWARNINGS",
                                           "PYTHON_CPU_COUNT",
                                           "PYTHON_FROZEN_MODULES",
                                           "PYTHON_GIL",
                                           "TZ"};

std::map<std::string, std::string> environment_of(const policy::Policy& policy) {
  std::map<std::string, std::string> variables;
  for (const std::string& name : policy.env.pass)
    if (const char* value = std::getenv(name.c_str())) variables[name] = value;
  for (const auto& [name, value] : policy.env.set) variables[name] = value;
  if (policy.python.site == policy::SitePackages::kNone && policy.python.venv.empty()) return variables;
  const auto threads = std::min<std::uint64_t>(processors_of(policy.limits), policy.limits.processes);
  for (const char* name : kThreadVariables) variables.emplace(name, std::to_string(threads));
  // Read by the interpreters that the code starts, from Python 3.13 on.
  if (const unsigned fewer = fewer_processors_of(policy.limits); fewer != 0)
    variables.emplace("PYTHON_CPU_COUNT", std::to_string(fewer));
  return variables;
}

std::vector<std::string> start_variables(const policy::Policy& policy) {
  std::vector<std::string> found;
  const auto variables = environment_of(policy);
  for (const char* name : kStartVariables)
    if (const auto at = variables.find(name); at != variables.end()) found.push_back(at->first + "=" + at->second);
  return found;
}

unsigned processors_of(const policy::Limits& limits) {
  const double here = std::max(1U, std::thread::hardware_concurrency());
  return static_cast<unsigned>(std::clamp(std::ceil(limits.cpus), 1.0, here));
}

unsigned fewer_processors_of(const policy::Limits& limits) {
  const unsigned count = processors_of(limits);
  return count < std::max(1U, std::thread::hardware_concurrency()) ? count : 0;
}

}  // namespace progtc::runner
