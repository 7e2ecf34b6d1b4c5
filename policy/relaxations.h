#pragma once
#include <string>
#include <vector>

#include "policy/model.h"

namespace progtc::policy {

// One way in which a policy permits more than another.
struct Relaxation {
  std::string section;  // "filesystem", "network", "syscalls", "limits", "python", "env", "tools"
  std::string what;     // "memory 256MiB → 1GiB"
};

// How `next` is wider than `base`; empty when it is at most as wide. Both have passed the decoder. Sections come in the
// file's order. Calls that the network mode implies count for "network" only.
std::vector<Relaxation> relaxations(const Policy& base, const Policy& next);

}  // namespace progtc::policy
