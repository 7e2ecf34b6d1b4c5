#include "cli/report.h"

#include <cstdio>

#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include "bridge/utf8.h"
#include "cli/text.h"

namespace progtc::cli {
namespace {

using Writer = rapidjson::PrettyWriter<rapidjson::StringBuffer>;

void put(Writer& writer, const char* key, const std::string& text) {
  writer.Key(key);
  writer.String(bridge::to_utf8(text));
}
void put(Writer& writer, const char* key, std::uint64_t number) {
  writer.Key(key);
  writer.Uint64(number);
}
void put(Writer& writer, const char* key, const std::vector<std::string>& texts) {
  writer.Key(key);
  writer.StartArray();
  for (const std::string& text : texts) writer.String(bridge::to_utf8(text));
  writer.EndArray();
}
void put_ms(Writer& writer, const char* key, std::chrono::microseconds time) {
  writer.Key(key);
  writer.Double(static_cast<double>(time.count()) / 1000.0);
}

void put(Writer& writer, const char* key, const runner::Captured& captured) {
  writer.Key(key);
  writer.StartObject();
  put(writer, "text", captured.bytes);
  if (!captured.tail.empty()) put(writer, "tail", captured.tail);
  put(writer, "total", captured.total);
  writer.Key("truncated");
  writer.Bool(captured.truncated);
  writer.EndObject();
}

void put_claim(Writer& writer, const runner::RunOutcome& outcome) {
  writer.Key("value");
  if (outcome.claim && outcome.claim->value_json) {
    writer.RawValue(outcome.claim->value_json->data(), outcome.claim->value_json->size(), rapidjson::kNullType);
  } else {
    writer.Null();
  }
  writer.Key("error");
  if (outcome.claim && !outcome.claim->ok) {
    writer.StartObject();
    put(writer, "type", outcome.claim->error_type);
    put(writer, "message", outcome.claim->error_message);
    put(writer, "traceback", outcome.claim->traceback);
    writer.EndObject();
  } else {
    writer.Null();
  }
}

std::string seconds(std::chrono::microseconds time) {
  char text[32];
  (void)std::snprintf(text, sizeof text, "%.6f", static_cast<double>(time.count()) / 1e6);
  return text;
}

std::string last_part(const runner::Captured& captured) {
  constexpr std::size_t kTail = 16 << 10;
  const std::string& bytes = captured.tail.empty() ? captured.bytes : captured.tail;
  return to_xml(bytes.size() > kTail ? bytes.substr(bytes.size() - kTail) : bytes);
}

}  // namespace

std::string report_json(const runner::RunOutcome& outcome) {
  rapidjson::StringBuffer buffer;
  Writer writer(buffer);
  writer.SetIndent(' ', 2);
  writer.SetMaxDecimalPlaces(3);
  writer.StartObject();
  put(writer, "run_id", outcome.run_id);
  put(writer, "kind", std::string(runner::to_string(outcome.kind)));
  writer.Key("exit_code");
  writer.Int(runner::process_exit_code(outcome));
  writer.Key("signal");
  writer.Int(outcome.signal);
  put(writer, "cause", outcome.cause);
  put_claim(writer, outcome);
  put(writer, "stdout", outcome.out);
  put(writer, "stderr", outcome.err);
  writer.Key("usage");
  writer.StartObject();
  put_ms(writer, "wall_ms", outcome.usage.wall);
  put_ms(writer, "cpu_ms", outcome.usage.cpu);
  put(writer, "memory_peak_bytes", outcome.usage.memory_peak_bytes);
  put(writer, "processes_peak", outcome.usage.processes_peak);
  put(writer, "tool_calls", outcome.usage.tool_calls);
  writer.EndObject();
  writer.Key("timing");
  writer.StartObject();
  put_ms(writer, "setup_ms", outcome.timing.setup);
  put_ms(writer, "run_ms", outcome.timing.run);
  put_ms(writer, "teardown_ms", outcome.timing.teardown);
  writer.EndObject();
  writer.Key("denials");
  writer.StartArray();
  for (const runner::Denial& denial : outcome.denials) {
    writer.StartObject();
    put(writer, "call", denial.call);
    put(writer, "rule", denial.rule);
    put(writer, "fix", denial.fix);
    put(writer, "count", denial.count);
    writer.EndObject();
  }
  writer.EndArray();
  writer.Key("policy");
  writer.StartObject();
  put(writer, "name", outcome.policy_name);
  put(writer, "digest", outcome.policy_digest);
  writer.EndObject();
  writer.Key("enforced_by");
  writer.StartObject();
  for (const auto& [control, mechanism] : outcome.enforced_by) put(writer, control.c_str(), mechanism);
  writer.EndObject();
  put(writer, "degraded", outcome.degraded);
  put(writer, "notes", outcome.notes);
  writer.Key("files");
  writer.StartArray();
  for (const runner::CollectedFile& file : outcome.files) {
    writer.StartObject();
    put(writer, "path", file.path);
    put(writer, "size", file.size);
    writer.EndObject();
  }
  writer.EndArray();
  writer.EndObject();
  return std::string(buffer.GetString()) + "\n";
}

std::string report_junit(const runner::RunOutcome& outcome, const std::string& name) {
  const bool is_error = outcome.kind == runner::OutcomeKind::kSetupFailed;
  const bool is_failure = !is_error && runner::process_exit_code(outcome) != 0;
  const std::string time = seconds(outcome.usage.wall);
  std::string xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  xml += "<testsuites tests=\"1\" failures=\"" + std::to_string(is_failure) + "\" errors=\"" +
         std::to_string(is_error) + "\" time=\"" + time + "\">\n";
  xml += "  <testsuite name=\"progtc-run\" tests=\"1\" failures=\"" + std::to_string(is_failure) + "\" errors=\"" +
         std::to_string(is_error) + "\" skipped=\"0\" time=\"" + time + "\">\n";
  xml += "    <testcase classname=\"progtc-run." + to_xml(outcome.policy_name) + "\" name=\"" + to_xml(name) +
         "\" time=\"" + time + "\">\n      <properties>\n";
  const auto property = [&](const char* key, const std::string& value) {
    xml += std::string("        <property name=\"") + key + "\" value=\"" + to_xml(value) + "\"/>\n";
  };
  property("run_id", outcome.run_id);
  property("kind", runner::to_string(outcome.kind));
  property("exit_code", std::to_string(runner::process_exit_code(outcome)));
  property("cpu_seconds", seconds(outcome.usage.cpu));
  property("memory_peak_bytes", std::to_string(outcome.usage.memory_peak_bytes));
  property("processes_peak", std::to_string(outcome.usage.processes_peak));
  property("tool_calls", std::to_string(outcome.usage.tool_calls));
  property("policy_digest", outcome.policy_digest);
  xml += "      </properties>\n";
  if (is_error || is_failure) {
    const char* element = is_error ? "error" : "failure";
    xml += std::string("      <") + element + " type=\"" + runner::to_string(outcome.kind) + "\" message=\"" +
           to_xml(outcome.cause) + "\">";
    for (const runner::Denial& denial : outcome.denials)
      xml += to_xml("denied: " + denial.call + " (" + denial.rule + "); to allow: " + denial.fix + "\n");
    if (outcome.claim) xml += to_xml(outcome.claim->traceback);
    xml += std::string("</") + element + ">\n";
  }
  xml += "      <system-out>" + last_part(outcome.out) + "</system-out>\n";
  xml += "      <system-err>" + last_part(outcome.err) + "</system-err>\n";
  xml += "    </testcase>\n  </testsuite>\n</testsuites>\n";
  return xml;
}

}  // namespace progtc::cli
