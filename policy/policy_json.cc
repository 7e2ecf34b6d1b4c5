// to_json() and digest(): the effective policy as text, always the same text for the same policy.
#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>
#include <sha2.h>

#include <array>
#include <cstdio>

#include "policy/decode.h"
#include "policy/fields.h"
#include "policy/units.h"

namespace progtc::policy {
namespace {

using Writer = rapidjson::PrettyWriter<rapidjson::StringBuffer>;

void write_key(Writer& out, std::string_view key) { out.Key(key.data(), static_cast<rapidjson::SizeType>(key.size())); }
void write_string(Writer& out, std::string_view text) {
  out.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

void write_strings(Writer& out, std::string_view key, const std::vector<std::string>& list) {
  write_key(out, key);
  out.StartArray();
  for (const std::string& entry : list) write_string(out, entry);
  out.EndArray();
}

void write_tmpfs(Writer& out, std::string_view key, const Tmpfs& tmpfs) {
  write_key(out, key);
  out.StartObject();
  write_key(out, "size");
  write_string(out, format_size(tmpfs.size_bytes));
  write_key(out, "inodes");
  out.Uint64(tmpfs.inodes);
  out.EndObject();
}

void write_filesystem(Writer& out, const Filesystem& filesystem) {
  write_key(out, "filesystem");
  out.StartObject();
  std::vector<std::string> read_only;
  std::vector<std::string> writable;
  for (const Bind& bind : filesystem.binds) (bind.is_writable ? writable : read_only).push_back(format_bind(bind));
  write_strings(out, "ro", read_only);
  write_strings(out, "rw", writable);
  write_tmpfs(out, "tmp", filesystem.tmp);
  write_tmpfs(out, "shm", filesystem.shm);
  write_tmpfs(out, "work", filesystem.work);
  write_tmpfs(out, "out", filesystem.out);
  out.EndObject();
}

std::string hexadecimal(std::uint64_t value) {
  std::array<char, 19> text{};
  (void)std::snprintf(text.data(), text.size(), "0x%llx", static_cast<unsigned long long>(value));
  return text.data();
}

void write_syscalls(Writer& out, const Syscalls& syscalls) {
  write_key(out, "syscalls");
  out.StartObject();
  write_strings(out, "groups", syscalls.groups);
  write_strings(out, "allow", syscalls.allow);
  write_strings(out, "deny", syscalls.deny);
  write_key(out, "rules");
  out.StartArray();
  for (const ArgumentRule& rule : syscalls.rules) {
    out.StartObject();
    write_key(out, "call");
    write_string(out, rule.call);
    write_key(out, "argument");
    out.Uint(rule.argument);
    write_key(out, "mask");
    write_string(out, hexadecimal(rule.mask));
    write_key(out, "values");
    out.StartArray();
    for (const std::uint64_t value : rule.values) write_string(out, hexadecimal(value));
    out.EndArray();
    out.EndObject();
  }
  out.EndArray();
  out.EndObject();
}

void write_limits(Writer& out, const Limits& limits) {
  write_key(out, "limits");
  out.StartObject();
  for (const LimitField& field : limit_fields()) {
    write_key(out, field.key);
    if (field.kind == LimitKind::kCount) {
      out.Uint64(limits.*field.number);
    } else if (field.kind == LimitKind::kRate) {
      out.Double(limits.*field.rate);
    } else {
      write_string(out, format_limit(limits, field));
    }
  }
  write_key(out, "swap");
  out.Uint(0);
  out.EndObject();
}

void write_python(Writer& out, const Python& python) {
  write_key(out, "python");
  out.StartObject();
  write_key(out, "interpreter");
  write_string(out, python.interpreter);
  write_key(out, "venv");
  write_string(out, python.venv);
  write_strings(out, "preload", python.preload);
  write_key(out, "site");
  write_string(out, format_site_packages(python.site));
  write_key(out, "fresh");
  out.Bool(python.is_fresh);
  out.EndObject();
}

void write_environment(Writer& out, const Environment& env) {
  write_key(out, "env");
  out.StartObject();
  write_strings(out, "pass", env.pass);
  write_key(out, "set");
  out.StartObject();
  for (const auto& [name, value] : env.set) {
    write_key(out, name);
    write_string(out, value);
  }
  out.EndObject();
  out.EndObject();
}

void write_tools(Writer& out, const Tools& tools) {
  write_key(out, "tools");
  out.StartObject();
  write_strings(out, "allow", tools.allow);
  write_key(out, "calls");
  out.Uint64(tools.calls);
  write_key(out, "pending");
  out.Uint64(tools.pending);
  write_key(out, "timeout");
  write_string(out, format_duration(tools.timeout));
  write_key(out, "per_tool");
  out.StartObject();
  for (const auto& [name, limits] : tools.per_tool) {
    write_key(out, name);
    out.StartObject();
    if (limits.calls) {
      write_key(out, "calls");
      out.Uint64(*limits.calls);
    }
    if (limits.timeout) {
      write_key(out, "timeout");
      write_string(out, format_duration(*limits.timeout));
    }
    out.EndObject();
  }
  out.EndObject();
  out.EndObject();
}

}  // namespace

std::string to_json(const Policy& policy) {
  rapidjson::StringBuffer buffer;
  Writer out(buffer);
  out.SetIndent(' ', 2);
  out.SetFormatOptions(rapidjson::kFormatSingleLineArray);
  out.StartObject();
  write_key(out, "description");
  write_string(out, policy.description);
  write_filesystem(out, policy.filesystem);
  write_key(out, "network");
  write_string(out, format_network_mode(policy.network));
  write_syscalls(out, policy.syscalls);
  write_limits(out, policy.limits);
  write_python(out, policy.python);
  write_environment(out, policy.env);
  write_tools(out, policy.tools);
  out.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize());
}

std::string digest(const Policy& policy) {
  const std::string text = to_json(policy);
  std::array<char, SHA256_DIGEST_STRING_LENGTH> hex{};
  // libmd answers null only when it cannot allocate, and then for a caller that gave no buffer.
  (void)SHA256Data(reinterpret_cast<const std::uint8_t*>(text.data()), text.size(), hex.data());
  return hex.data();
}

}  // namespace progtc::policy
