#pragma once
#include <string>

#include "policy/decode.h"
#include "policy/model.h"
#include "policy/result.h"

namespace progtc::cli {

// Loads what --policy names: one of the shipped policies, or a file (anything with a slash or ending in .json).
// Errors: PolicyErrc; an unknown name comes with the near matches.
Result<policy::Policy> load_policy(const std::string& name_or_file);

// The resolver behind it: shipped names, and files relative to the one that extends them.
Result<policy::PolicySource> resolve_policy(std::string_view name, std::string_view from);

}  // namespace progtc::cli
