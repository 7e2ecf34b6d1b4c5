#pragma once
#include <string>
#include <vector>

#include "cli/callers_view.h"
#include "policy/model.h"
#include "runner/outcome.h"

namespace progtc::cli {

// Advice after code that failed: what is in the way, by which rule, which option or line would let it pass (empty where
// none is known to).
struct Hint {
  std::string headline;
  std::string rule;
  std::string fix;
};

// From what the code said of its end, the policy, and what was known before the run. Pure. What the code says is never
// evidence: a fix names no file that the caller has not named, or that does not lie where the caller pointed to.
std::vector<Hint> hints_for(const runner::RunOutcome& outcome, const policy::Policy& policy, const CallersView& view);

}  // namespace progtc::cli
