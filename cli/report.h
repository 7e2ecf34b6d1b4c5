#pragma once
#include <string>

#include "policy/model.h"
#include "runner/outcome.h"

namespace progtc::cli {

// The outcome as the JSON of --report (docs/reports.md). Output that is not UTF-8 has its odd bytes replaced by U+FFFD.
std::string report_json(const runner::RunOutcome& outcome);

// The outcome as a JUnit file with one test case, named `name`: failed unless the code ended with status 0; an error
// where the sandbox itself failed. Holds the cause, the last part of the output and the usage.
std::string report_junit(const runner::RunOutcome& outcome, const std::string& name);

}  // namespace progtc::cli
