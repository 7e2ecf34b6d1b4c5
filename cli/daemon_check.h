#pragma once
#include <string>

namespace progtc::cli {

// Has the daemon at `address` execute one line, with $PROGTC_API_KEY or the key it has kept, and says how that went.
// Returns 0 when all is well.
int check_daemon(const std::string& address);

}  // namespace progtc::cli
