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

// As JSON has it: "\u00e9".
void append_escape(std::string& text, unsigned unit) {
  constexpr char kDigits[] = "0123456789abcdef";
  text += "\\u";
  for (const unsigned shift : {12U, 8U, 4U, 0U}) text += kDigits[unit >> shift & 15];
}

// The length of the UTF-8 sequence at `at`; 0 where there is none.
std::size_t sequence_at(const std::string& text, std::size_t at) {
  rapidjson::StringStream rest(text.c_str() + at);
  unsigned code_point = 0;
  const bool is_one = rapidjson::UTF8<>::Decode(rest, &code_point) && rest.Tell() <= text.size() - at;
  return is_one ? rest.Tell() : 0;
}

bool is_utf8(const std::string& text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t length = sequence_at(text, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

// Bytes that are not UTF-8 become the surrogates that Python has for them (PEP 383), as in sys.argv and os.environ.
void put_string(Writer& writer, const std::string& value) {
  if (is_utf8(value)) {
    writer.String(value);
    return;
  }
  std::string text = "\"";
  for (std::size_t at = 0; at < value.size();) {
    const std::size_t length = sequence_at(value, at);
    const auto byte = static_cast<unsigned char>(value[at]);
    if (length == 0) {
      append_escape(text, 0xDC00U + byte);
    } else if (byte < 0x20 || byte == '"' || byte == '\\') {
      append_escape(text, byte);
    } else {
      text.append(value, at, length);
    }
    at += std::max<std::size_t>(length, 1);
  }
  text += '"';
  writer.RawValue(text.data(), text.size(), rapidjson::kStringType);
}

void put(Writer& writer, const char* key, const std::string& value) {
  writer.Key(key);
  put_string(writer, value);
}

void put(Writer& writer, const char* key, const std::vector<std::string>& values) {
  writer.Key(key);
  writer.StartArray();
  for (const std::string& value : values) put_string(writer, value);
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
