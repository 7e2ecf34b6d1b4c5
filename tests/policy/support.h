#pragma once
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>

#include "policy/decode.h"

namespace progtc::policy {

// The shipped policy of that name.
inline Policy shipped(const std::string& name) {
  const auto source = resolve_shipped(name, "");
  if (!source) {
    ADD_FAILURE() << source.error().context;
    return {};
  }
  const auto policy = decode_policy(*source, resolve_shipped);
  if (!policy) {
    ADD_FAILURE() << policy.error().context;
    return {};
  }
  return *policy;
}

// Decodes `text` as policies/x.json; `extends` finds shipped policies and the files given.
inline Result<Policy> decode(const std::string& text, std::map<std::string, std::string> files = {}) {
  return decode_policy(
      {.name = "policies/x.json", .text = text},
      [files = std::move(files)](std::string_view name, std::string_view from) -> Result<PolicySource> {
        const auto found = files.find(std::string(name));
        if (found != files.end()) return PolicySource{.name = found->first, .text = found->second};
        return resolve_shipped(name, from);
      });
}

// The message of decoding `text`, or "ok".
inline std::string message(const std::string& text, std::map<std::string, std::string> files = {}) {
  const auto policy = decode(text, std::move(files));
  return policy ? "ok" : policy.error().context;
}

inline PolicyErrc code_of(const std::string& text) {
  const auto policy = decode(text);
  return policy ? PolicyErrc{0} : static_cast<PolicyErrc>(policy.error().code.value());
}

}  // namespace progtc::policy
