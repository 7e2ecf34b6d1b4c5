#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "policy/result.h"

namespace progtc::bridge {

// Splits as Python's shlex.split(text) does: white space separates, '…' is literal, in "…" a backslash escapes only
// '"' and itself, elsewhere any character; '#' and everything a shell would expand stands for itself. Pure.
// Errors: invalid_argument, "No closing quotation" or "No escaped character" (Python's words).
Result<std::vector<std::string>> split_words(std::string_view text);

}  // namespace progtc::bridge
