#pragma once
#include <string>

#include "policy/result.h"

namespace progtc::cli {

// The daemon's key of an earlier start; where there is none and `may_make_one`, a new one: printed once on stderr, and
// kept where only this user reads it. Errors: what is wrong with the file, and what to do.
Result<std::string> stored_key(bool may_make_one);

}  // namespace progtc::cli
