#pragma once
#include "cli/serve_options.h"

namespace progtc::cli {

// Serves until a signal ends it. Returns 0 after an orderly end, 1 when it could not serve, as stderr says.
int serve(const ServeOptions& options);

}  // namespace progtc::cli
