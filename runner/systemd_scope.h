#pragma once
#include "policy/result.h"

namespace progtc::runner {

// Asks the user's systemd (root: the system's) for a transient scope with Delegate=yes and waits until this process is
// in it, as container tools do on a terminal whose own cgroup is not delegated (org.freedesktop.systemd1(5),
// StartTransientUnit). libsystemd is loaded only here: linking it would cost every start the loading of six more
// libraries. Errors: no libsystemd, no bus, or systemd's own answer.
Result<void> enter_systemd_scope();

// Whether the unit this process is in has Delegate=yes, in the words of the same instance of systemd. Errors: as above.
Result<bool> is_unit_delegated();

}  // namespace progtc::runner
