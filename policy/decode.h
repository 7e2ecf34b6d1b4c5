#pragma once
// Text to checked policy. Opens no file: the caller hands over the text and a way to find what `extends` names.
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/model.h"
#include "policy/result.h"

namespace progtc::policy {

enum class PolicyErrc {
  kSyntax = 1,  // not JSON with comments, wrong encoding, nested too deeply
  kType,        // "expected …, got …"
  kRange,       // a number, size or time outside its bounds
  kUnknownKey,  // with the near matches
  kRepeatedKey,
  kMissingReason,  // a relaxation without "reason"
  kUnknownPolicy,  // `extends` names nothing known, with the near matches
  kCycle,          // a policy extends itself, however indirectly
  kUnknownSyscall,
  kUnknownGroup,
  kTooLarge,
  kUnreadable,  // the resolver could not read a file
};
const boost::system::error_category& policy_category() noexcept;
boost::system::error_code make_error_code(PolicyErrc code) noexcept;

struct PolicySource {
  std::string name;  // how messages name it: "policies/x.json"
  std::string text;
};

// Finds the policy that `extends` names; `from` is the name of the file that says so (relative paths start there).
// Errors: kUnknownPolicy, kUnreadable.
using PolicyResolver = std::function<Result<PolicySource>(std::string_view name, std::string_view from)>;

// Decodes one policy with everything it extends. A message names file, JSON path, what was expected and what was found:
//   policies/x.json: $.limits.memory: expected a size such as "256MiB", got -1
Result<Policy> decode_policy(const PolicySource& source, const PolicyResolver& resolve);

// The policies compiled into the program, by name: strict, data, standard, permissive, ci.
const std::vector<PolicySource>& shipped_policies();
// Resolves shipped names only.
Result<PolicySource> resolve_shipped(std::string_view name, std::string_view from);

// The effective policy as the JSON a file would hold (no `extends`, no reasons), stable in order: for --explain and the
// digest.
std::string to_json(const Policy& policy);
// SHA-256 of to_json(), in hex.
std::string digest(const Policy& policy);

}  // namespace progtc::policy
